package guarantees_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/idp"
	"alboidc.internal/shared/config"
)

// tests are the states in which the smoke test runs, before the old secret is gone.
var tests = []string{"TestBeforeChange", "VerifyNewSecret", "TestSecret", "VerifyBeforeReassert", "TestBeforeFinish",
	"TestAfterDisable"}

// timesOf is how long an execution was in each kind of its states: waits, tests and the rest, up to the time given.
func (w *world) timesOf(execution string, until time.Time) (waits, tested, rest time.Duration) {
	w.t.Helper()
	events, err := w.Stack.StepFunctions.History(execution)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, e := range events {
		if e.StateEntered == nil || slices.Contains(inMaps, e.StateEntered.Name) {
			continue
		}
		end := until
		for _, next := range events[i+1:] {
			if next.StateExited != nil && next.StateExited.Name == e.StateEntered.Name {
				end = next.Timestamp.Time
				break
			}
		}
		if end.After(until) {
			end = until
		}
		took := max(0, end.Sub(e.Timestamp.Time))
		switch {
		case strings.HasPrefix(e.Type, "Wait"):
			waits += took
		case slices.Contains(tests, e.StateEntered.Name):
			tested += took
		default:
			rest += took
		}
	}
	return waits, tested, rest
}

var inMaps = []string{"SetTargetSecret", "ReassertTargetSecret"}

// An emergency that begins with a free lock, and nothing left over: the leaked secret is refused after one spread, and
// what the tests take. Each provider's own pace of trying a new secret counts.
func TestALeakIsDeadAfterOneSpread(t *testing.T) {
	t.Parallel()
	for _, y := range append(ways(), okta) {
		t.Run(y.name, func(t *testing.T) {
			t.Parallel()
			configure := y.configure
			y.configure = func(c *config.Client) {
				configure(c)
				c.SmokeTests.Credential = config.CredentialTest{}
			}
			w := y.world(t, func(*world) {})
			leaked := w.current()
			var dead time.Time
			w.Stack.IdP.Store().OnChange(func(idp.Change) {
				if dead.IsZero() && !w.enabled(leaked) {
					dead = w.clock.Now()
				}
			})
			began := w.clock.Now()
			execution := w.start(emergency)
			w.mustEnd(execution)
			took := dead.Sub(began)
			waits, tested, rest := w.timesOf(execution, dead)
			t.Logf("dead after %s: waits %s, tests %s, rest %s", took.Round(time.Second), waits, tested, rest)
			if limit := spread*13/10 + tested; took > limit {
				t.Errorf("it took %s, of which the tests %s: more than %s\n%v", took, tested, limit, w.path(execution))
			}
			w.pass(2 * time.Hour)
			w.atRest()
		})
	}
}
