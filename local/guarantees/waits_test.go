package guarantees_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/fault"
)

// A Wait of so many seconds; those of the lock are about the answers of Step Functions, not about secrets.
var waitSeconds = regexp.MustCompile(`"Seconds": "\{%[^"]*%\}"`)

// leaveWaitsEarly deploys the definition with every safety wait cut to a second, as if a redrive left them early.
func (w *world) leaveWaitsEarly(also ...string) {
	w.t.Helper()
	is, err := w.sfn().DescribeStateMachine(context.Background(),
		&sfn.DescribeStateMachineInput{StateMachineArn: &w.MachineARN})
	if err != nil {
		w.t.Fatal(err)
	}
	if n := len(waitSeconds.FindAllString(*is.Definition, -1)); n < 5 {
		w.t.Fatalf("%d waits", n)
	}
	definition := waitSeconds.ReplaceAllString(*is.Definition, `"Seconds": 1`)
	for _, until := range also { // waits with a Timestamp, five minutes of each
		definition = strings.ReplaceAll(definition, `"Timestamp": "{% `+until+` %}"`, `"Seconds": 300`)
	}
	if _, err := w.sfn().UpdateStateMachine(context.Background(),
		&sfn.UpdateStateMachineInput{StateMachineArn: &w.MachineARN, Definition: &definition}); err != nil {
		w.t.Fatal(err)
	}
}

// Functions refuse what cannot be undone until the time that the journal notes has passed.
func TestNoSafetyRestsOnAWaitState(t *testing.T) {
	t.Parallel()
	late := func(n int) func(*world) {
		return func(w *world) {
			w.fault(call{"elasticloadbalancing",
				"ModifyRule", n}.rule(1, fault.Rule{Mode: fault.Delay, Latency: lateBy}))
		}
	}
	for name, prepare := range map[string]func(*world){
		"a rotation":                          func(*world) {},
		"an emergency":                        func(w *world) { w.interrupt("GracePeriod") },
		"an emergency by itself":              func(*world) {},
		"an emergency with late writes":       func(w *world) { late(0)(w); late(5)(w) },
		"a rollback":                          func(w *world) { w.failing("TestSecret") },
		"a rollback after a late write":       func(w *world) { w.failing("TestSecret"); late(1)(w) },
		"a rollback after a late first write": func(w *world) { late(0)(w); w.failing("PromoteSecret") },
		"a late write of a rollback":          func(w *world) { w.failing("TestSecret"); late(5)(w) },
		"a take-over in SetSecret":            func(w *world) { late(2)(w); w.when("AwaitSpread", w.stop) },
		"a take-over in a rollback": func(w *world) {
			w.failing("TestSecret")
			late(5)(w)
			w.when("RestoreLabels", w.stop)
		},
		"a take-over in ReassertSecret": func(w *world) { late(5)(w); w.when("AwaitReassertSpread", w.stop) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.leaveWaitsEarly()
			prepare(w)
			switch name {
			case "an emergency":
				w.start(plain)
				w.pass(24 * time.Hour)
			case "an emergency by itself", "an emergency with late writes":
				w.rotate(emergency)
			default:
				w.rotate(plain)
			}
			w.Stack.Faults.Clear()
			w.converge()
			w.pass(2 * time.Hour)
			w.atRest()
		})
	}
}

// The test above must be able to fail: where the functions are told of no margin either, the same breaks G1.
func TestTheWatchSeesAWaitThatNobodyKept(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 3} {
		w := newWorldOf(t, "okta", time.Second, quick)
		w.leaveWaitsEarly()
		w.failing("TestSecret")
		w.fault(call{"elasticloadbalancing",
			"ModifyRule", n}.rule(again, fault.Rule{Mode: fault.Delay, Latency: lateBy}))
		if r, _ := w.rotate(plain); r.Status == asl.Running {
			t.Fatal("it runs")
		}
		w.pass(2 * time.Hour)
		if len(w.violations) > 0 {
			return
		}
	}
	t.Error("nothing was seen although nobody waited")
}

// passAssign is what a Pass assigns; the ones of the rotation assign nothing else.
var passAssign = regexp.MustCompile(`("Type": "Pass",[^{}]*)` +
	`"Assign": \{"failure": \{[^{}]*\{%[^{}]*%\}[^{}]*\{%[^{}]*%\}"\}\},`)

// A redrive leaves a Pass without executing it: how an execution goes on, and ends, rests on none.
func TestNoSafetyRestsOnAPassState(t *testing.T) {
	t.Parallel()
	for state, ends := range map[string]string{"Plan": "Refused", "TestBeforeFinish": "RolledBack"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			present := w.present()
			if n := len(passAssign.FindAllString(present, -1)); n != strings.Count(present, `"Pass"`) {
				t.Fatalf("%d of %d", n, strings.Count(present, `"Pass"`))
			}
			w.define(passAssign.ReplaceAllString(present, "$1"))
			w.failing(state)
			if r, execution := w.rotate(plain); text(r.Error) != ends ||
				!strings.Contains(text(r.Cause), state+" failed") {
				t.Errorf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), strings.Join(w.path(execution), " "))
			}
			w.atRest()
			w.Stack.Faults.Clear()
			w.define(present)
			w.mustRotate()
			w.atRest()
		})
	}
}
