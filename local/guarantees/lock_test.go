package guarantees_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/fault"
)

// setOwner gives the lock to an execution, as another hand would; to nobody if that is "".
func (w *world) setOwner(execution string) {
	in := &dynamodb.UpdateItemInput{TableName: aws.String(scenario.JournalTable),
		Key: map[string]ddbtypes.AttributeValue{"client": &ddbtypes.AttributeValueMemberS{
			Value: scenario.Client}},
		UpdateExpression: aws.String("REMOVE #owner"), ExpressionAttributeNames: map[string]string{"#owner": "owner"}}
	if execution != "" {
		in.UpdateExpression = aws.String("SET #owner = :x")
		in.ExpressionAttributeValues = map[string]ddbtypes.AttributeValue{":x": &ddbtypes.AttributeValueMemberS{
			Value: execution}}
	}
	if _, err := dynamodb.NewFromConfig(w.Stack.AWS(scenario.Home)).UpdateItem(context.Background(), in); err != nil {
		w.t.Error(err)
	}
}

// gone is an execution that Step Functions does not know any more.
func (w *world) gone(name string) string { return w.execution(name) }

func TestALockThatCannotBeTakenStartsNothing(t *testing.T) {
	t.Parallel()
	for state, c := range map[string]struct {
		held bool
		rule fault.Rule
	}{
		"AcquireLock":      {false, fault.Rule{Service: "dynamodb", Operation: "UpdateItem"}},
		"ReadLockOwner":    {true, fault.Rule{Service: "dynamodb", Operation: "GetItem"}},
		"InspectLockOwner": {true, fault.Rule{Service: "states", Operation: "DescribeExecution"}},
		// the first is AcquireLock's
		"TakeOverLock": {true, fault.Rule{Service: "dynamodb", Operation: "UpdateItem", Skip: 1}},
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			if c.held {
				w.setOwner(w.gone("earlier"))
			}
			before := w.journal()
			c.rule.Mode, c.rule.Status, c.rule.Code = fault.Refuse, 403, "AccessDeniedException"
			w.fault(c.rule)
			r, execution := w.rotate(plain)
			path := strings.Join(w.path(execution), " ")
			if text(r.Error) != "NotStarted" || !strings.Contains(text(r.Cause), state+" failed with") ||
				!strings.HasSuffix(path, state+" NotStarted") {
				t.Errorf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), path)
			}
			w.Stack.Faults.Clear()
			if after := w.journal(); len(after) != len(before) {
				t.Errorf("the journal's item was %v, is %v", before, after)
			}
			w.converge()
		})
	}
}

func TestTheLockOfAnExecutionThatStepFunctionsForgotIsTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.setOwner(w.gone("earlier"))
	_, execution := w.rotate(plain)
	if path := strings.Join(w.path(execution), " "); !strings.Contains(path,
		"AcquireLock ReadLockOwner LockOwner InspectLockOwner LockOwnerStatus TakeOverLock AwaitFormerOwner Plan") {
		t.Error(path)
	}
	w.atRest()
}

func TestALockThatChangesHandsMeanwhileIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at, operation, match string
		owner                string
		path                 string
	}{
		"taken over by another": {"TakeOverLock", "UpdateItem", ":former", "another",
			"TakeOverLock ReadLockOwner LockOwner InspectLockOwner LockOwnerStatus TakeOverLock AwaitFormerOwner Plan"},
		"given back": {"ReadLockOwner", "GetItem", "", "", "AcquireLock ReadLockOwner LockOwner AcquireLock Plan"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.setOwner(w.gone("earlier"))
			w.fault(fault.Rule{Service: "dynamodb", Operation: c.operation, Match: c.match, Times: 1, Mode: fault.Delay,
				Latency: 5 * time.Second})
			w.when(c.at, func(string) {
				if c.owner != "" {
					c.owner = w.gone(c.owner)
				}
				w.setOwner(c.owner)
			})
			_, execution := w.rotate(plain)
			if path := strings.Join(w.path(execution), " "); !strings.Contains(path, c.path) {
				t.Error(path)
			}
			w.atRest()
		})
	}
}

func TestALockThatIsNoLongerOursIsNotReleased(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	other := w.gone("another")
	w.when("ReleaseLock", func(string) { w.setOwner(other) })
	w.when("AfterFinish", func(string) {
		w.fault(fault.Rule{Service: "dynamodb", Operation: "UpdateItem", Match: "lastOutcome", Mode: fault.Delay,
			Latency: 5 * time.Second})
	})
	r, execution := w.rotate(plain)
	if path := strings.Join(w.path(execution), " "); r.Status != asl.Succeeded || !strings.HasSuffix(path,
		"ReleaseLock Released Notify PublishEvent Outcome Rotated") {
		t.Errorf("ended as %s %s: %s", r.Status, text(r.Error), path)
	}
	if owner, ok := w.journal()["owner"].(*ddbtypes.AttributeValueMemberS); !ok || owner.Value != other {
		t.Errorf("the lock is of %v", w.journal()["owner"])
	}
	w.setOwner("")
	w.atRest()
}

// Step Functions takes an input of 256 KiB; with what LoadClient adds to it, it is too long for a state's variables.
func TestAnInputThatIsTooLongIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	r, execution := w.rotate(`{"client": "orders-web", "reason": "` + strings.Repeat("x", 256<<10-200) + `"}`)
	path := strings.Join(w.path(execution), " ")
	if text(r.Error) != "InvalidInput" || !strings.HasPrefix(text(r.Cause),
		"reason: must be a text of at most 256 characters") || path != "CheckInput InvalidInput" {
		t.Errorf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), path)
	}
	w.converge()
}
