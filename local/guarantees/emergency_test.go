package guarantees_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
)

const emergency = `{"client": "orders-web", "emergency": true, "reason": "leak: INC-1"}`

// interrupt starts an emergency as soon as an execution enters a state, and returns how to wait for its ARN.
func (w *world) interrupt(state string) func() string {
	started := make(chan string, 1)
	w.when(state, func(string) { started <- w.start(emergency) })
	return func() string {
		select {
		case arn := <-started:
			return arn
		case <-time.After(5 * time.Minute): // as long as wait
			w.t.Fatalf("state %s was not entered", state)
			return ""
		}
	}
}

// mustEnd fails unless the emergency has succeeded and nothing that was live when it began is left.
func (w *world) mustEnd(execution string) {
	w.t.Helper()
	if r := w.wait(execution); r.Status != asl.Succeeded {
		w.t.Fatalf("the emergency ended as %s %s: %s\n%v", r.Status, text(r.Error), text(r.Cause), w.path(execution))
	}
	if item := w.journal(); item["owner"] != nil || item["ownerKind"] != nil {
		w.t.Errorf("the lock is left: %v", item)
	}
}

func TestAnEmergencyTakesOverFromAnyState(t *testing.T) {
	t.Parallel()
	forward := []string{"Plan", "TestBeforeChange", "CreateSecret", "VerifyNewSecret", "SetTargetSecret", "AwaitSpread"}
	for _, state := range slices.Concat(forward, sincePromotion, ofARollback) {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			if slices.Contains(ofARollback, state) {
				w.fault(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"TestSecret"`, Times: again,
					Mode: fault.Refuse, Status: 403, Code: "AccessDeniedException"})
			}
			second := w.interrupt(state)
			first := w.start(plain)
			execution := second()
			w.mustEnd(execution)
			if r := w.wait(first); r.Status == asl.Running || r.Status == asl.Failed && text(r.Error) != "LockLost" {
				t.Errorf("the former owner ended as %s %s: %s", r.Status, text(r.Error), text(r.Cause))
			}
			w.pass(2 * time.Hour)
			w.atRest()
		})
	}
}

func TestAnEmergencyTakesOverWhatIsTakenOver(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"ReadLockOwner", "InspectLockOwner", "TakeOverLock", "AwaitFormerOwner"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.when("GracePeriod", w.stop)
			w.rotate(plain)
			second := w.interrupt(state)
			first := w.start(plain)
			w.mustEnd(second())
			if r := w.wait(first); r.Status != asl.Aborted && text(r.Error) != "LockHeld" {
				t.Errorf("the former owner ended as %s %s: %s", r.Status, text(r.Error), text(r.Cause))
			}
			w.atRest()
		})
	}
}

func TestAnEmergencyTakesOverFromADryRun(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"Plan", "TestBeforeChange"} {
		w := newWorld(t, quick)
		second := w.interrupt(state)
		w.start(`{"client": "orders-web", "dryRun": true}`)
		w.mustEnd(second())
		w.atRest()
	}
}

// Whatever state it is killed in, the next emergency puts right what it and its former owner left.
func TestAnEmergencyThatIsKilledIsFollowedByTheNext(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"CheckInput", "LoadClient", "Purpose", "AcquireLock", "ReadLockOwner", "LockOwner",
		"SeizeLock", "StopFormerOwner", "AwaitFormerOwner", "Plan"} {
		for _, formerly := range []string{"SetTargetSecret", "GracePeriod"} {
			t.Run(state+" "+formerly, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, quick)
				second := w.interrupt(formerly)
				first := w.start(plain)
				killed := second()
				w.kill(killed, state)
				if r := w.wait(killed); r.Status != asl.Aborted {
					t.Fatalf("the emergency ended as %s %s", r.Status, text(r.Error))
				}
				w.mustEnd(w.start(emergency))
				w.wait(first)
				w.pass(2 * time.Hour)
				w.atRest()
			})
		}
	}
}

// kill stops an execution in a state, or after it if it was faster.
func (w *world) kill(execution, state string) {
	w.t.Helper()
	entered := make(chan struct{}, 1)
	w.mu.Lock()
	w.hooks = append(w.hooks, func(of string, e stepfunctions.Event) {
		if of == execution && e.StateEntered != nil && e.StateEntered.Name == state {
			select {
			case entered <- struct{}{}:
			default: // a state that is entered again
			}
		}
	})
	w.mu.Unlock()
	if !slices.Contains(w.path(execution), state) { // an event is in the history before it is heard of
		<-entered
	}
	w.stop(execution)
}

func TestAnEmergencyDoesNotStopAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	second := w.interrupt("AwaitReassertSpread")
	first := w.start(emergency)
	if r := w.wait(second()); text(r.Error) != "LockHeld" || !strings.Contains(text(r.Cause),
		"another emergency of client orders-web is running: "+first) {
		t.Errorf("the second ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.mustEnd(first)
	w.atRest()
	w.when("AwaitReassertSpread", w.stop)
	w.rotate(emergency) // and one that was stopped is taken over from
	w.mustEnd(w.start(emergency))
	w.atRest()
}

func TestAnEmergencyHasNoGracePeriodAndEndsWhatLeaked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	second := w.interrupt("GracePeriod")
	first := w.start(plain)
	execution := second()
	leaked := w.Stack.IdP.Store().Secrets(w.ClientID)
	began := w.clock.Now()
	w.mustEnd(execution)
	if took := w.clock.Now().Sub(began); took > time.Hour {
		t.Errorf("it took %s", took)
	}
	for _, s := range w.Stack.IdP.Store().Secrets(w.ClientID) {
		if slices.ContainsFunc(leaked, func(old clients.Secret) bool { return old.ID == s.ID }) {
			t.Errorf("secret %s is still there", s.ID)
		}
	}
	out, err := w.sfn().DescribeExecution(context.Background(), &sfn.DescribeExecutionInput{ExecutionArn: &first})
	if err != nil || out.Status != types.ExecutionStatusAborted || text(out.Error) != "TakenOver" ||
		!strings.Contains(text(out.Cause), execution) {
		t.Errorf("the former owner is %+v (%v)", out, err)
	}
	golden(t, "emergency", w.path(execution))
	w.atRest()
}

// The former owner goes on if it cannot be stopped. It has lost the lock.
func TestAFormerOwnerThatCannotBeStoppedChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.fault(fault.Rule{Service: "states", Operation: "StopExecution", Mode: fault.Refuse, Status: 403,
		Code: "AccessDeniedException"})
	second := w.interrupt("AwaitSpread")
	first := w.start(plain)
	w.mustEnd(second())
	if r := w.wait(first); text(r.Error) != "LockLost" {
		t.Errorf("the former owner ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
}

// DescribeExecution is eventually consistent.
func TestAnExecutionThatWasStoppedAMomentAgoIsTakenOverFrom(t *testing.T) {
	t.Parallel()
	for _, input := range []string{plain, emergency} {
		w := newWorld(t, quick)
		w.Stack.StepFunctions.SetReadLag(8 * time.Second)
		w.when("GracePeriod", w.stop)
		w.rotate(plain)
		if r, execution := w.rotate(input); r.Status != asl.Succeeded {
			t.Errorf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
		}
		w.atRest()
	}
}

func TestAnExecutionThatHasJustStartedIsNotTakenForGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.Stack.StepFunctions.SetReadLag(8 * time.Second)
	second := make(chan string, 1)
	w.when("Plan", func(string) { second <- w.start(plain) })
	first := w.start(plain)
	if r := w.wait(<-second); text(r.Error) != "LockHeld" {
		t.Errorf("the second ended as %s: %s", text(r.Error), text(r.Cause))
	}
	if r := w.wait(first); r.Status != asl.Succeeded {
		t.Errorf("the first ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
}

// A redrive that Step Functions has accepted goes on as soon as it can: nobody else may have the lock then.
func TestAnExecutionThatIsAboutToBeRedrivenKeepsTheLock(t *testing.T) {
	t.Parallel()
	for reason, ends := range map[string]int{"an interval": 0, "healing: an execution was stopped or timed out": 1} {
		w := newWorld(t, quick)
		w.when("AwaitSpread", w.stop)
		_, first := w.rotate(plain)
		w.Stack.StepFunctions.SetRedriveLag(time.Hour)
		if _, err := w.sfn().RedriveExecution(t.Context(),
			&sfn.RedriveExecutionInput{ExecutionArn: &first}); err != nil {
			t.Fatal(err)
		}
		r, second := w.rotate(`{"client": "orders-web", "reason": "` + reason + `"}`)
		if text(r.Error) != "LockHeld" || !strings.Contains(text(r.Cause), first) {
			t.Errorf("two executions rotate one client: the second ended as %s: %s\n%v", text(r.Error), text(r.Cause),
				w.path(second))
		}
		if n := len(w.Stack.SNS.Messages(w.TopicARN)); n != ends {
			t.Errorf("%s: people are told %d times", reason, n)
		}
		if r := w.wait(first); r.Status != asl.Succeeded {
			t.Errorf("the first ended as %s: %s", text(r.Error), text(r.Cause))
		}
		w.atRest()
	}
}

func TestAHealingThatFindsTheLockHeldTellsPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	second := make(chan string, 1)
	w.when("GracePeriod", func(string) {
		second <- w.start(`{"client": "orders-web", "reason": "healing: an execution was stopped or timed out"}`)
	})
	first := w.start(plain)
	if r := w.wait(<-second); text(r.Error) != "LockHeld" || !strings.Contains(text(r.Cause), first) {
		t.Errorf("the healing ended as %s: %s", text(r.Error), text(r.Cause))
	}
	if m := w.Stack.SNS.Messages(w.TopicARN); len(m) != 1 || !strings.Contains(m[0].Subject, "needs attention") ||
		!strings.Contains(m[0].Message, first) {
		t.Errorf("people are told %+v", m)
	}
	w.wait(first)
	w.atRest()
}
