package guarantees_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/local/idp"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/config"
)

// timesOf divides the time of an execution up to the time given.
func (w *world) timesOf(execution string, until time.Time) scenario.Times {
	w.t.Helper()
	events, err := w.Stack.StepFunctions.History(execution)
	if err != nil {
		w.t.Fatal(err)
	}
	return scenario.TimesOf(events, until)
}

// deaths are when the identity provider was first seen to refuse each of several values, from now on.
func (w *world) deaths(values ...string) func(value string) time.Time {
	var mu sync.Mutex
	dead := map[string]time.Time{}
	w.Stack.IdP.Store().OnChange(func(idp.Change) {
		mu.Lock()
		defer mu.Unlock()
		for _, v := range values {
			if dead[v].IsZero() && !w.enabled(v) {
				dead[v] = w.clock.Now()
			}
		}
	})
	return func(value string) time.Time { mu.Lock(); defer mu.Unlock(); return dead[value] }
}

// besides is what may come on top of a spread: everything that is neither a wait nor a test.
const besides = spread * 3 / 10

// An emergency that begins with a free lock and nothing left over: the leaked secret is refused after one spread and
// what the tests take, each provider's own pace of trying a new secret included.
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
			leaked, began := w.current(), w.clock.Now()
			dead := w.deaths(leaked)
			execution := w.start(emergency)
			w.mustEnd(execution)
			took := dead(leaked).Sub(began)
			in := w.timesOf(execution, dead(leaked))
			t.Logf("dead after %s: waits %s, tests %s, rest %s", took, in.Waits, in.Tests, in.Rest)
			if took < 0 || took > spread+besides+in.Tests || in.Tests > 90*time.Second {
				t.Errorf("it took %s, of which the tests %s\n%v", took, in.Tests, w.path(execution))
			}
			if told := strings.Join(w.notices(), " "); y.vendor == "hydra" && w.Config.IsPair() &&
				!strings.Contains(told, "had to open the application again): within 60 s from ") {
				t.Errorf("people are told %q", told)
			}
			w.pass(2 * time.Hour)
			w.atRest()
		})
	}
}

// Both secrets of a rotation may have leaked: a take-over adds its wait, and the round that finishes the rotation
// another spread. Nothing of the rotation is under way any more when the next begins.
func TestALeakInAGracePeriodIsDeadAfterTwoSpreads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	second := w.interrupt("GracePeriod")
	w.start(plain)
	execution := second()
	began := w.clock.Now()
	older := w.value(w.labels()["AWSPREVIOUS"])
	newer := w.current()
	dead := w.deaths(older, newer)
	w.mustEnd(execution)
	allowed := usual()
	for _, leaked := range []string{older, newer} {
		tested := w.timesOf(execution, dead(leaked)).Tests
		took := dead(leaked).Sub(began)
		t.Logf("dead after %s, of which the tests %s", took, tested)
		if allowed += spread + besides; took < 0 || took > allowed+tested {
			t.Errorf("it took %s, of which the tests %s: more than %s", took, tested, allowed+tested)
		}
	}
	w.atRest()
}

func TestARotationWaitsForTwoSpreadsAndItsGracePeriod(t *testing.T) {
	t.Parallel()
	const want = 2*spread + grace // which ends at a whole second, and includes the test after the switch
	for _, y := range append(ways(), okta) {
		t.Run(y.name, func(t *testing.T) {
			t.Parallel()
			w := y.world(t, func(*world) {})
			_, execution := w.rotate(plain)
			in := w.timesOf(execution, w.clock.Now())
			if in.Waits > want || in.Waits < want-time.Minute || in.Rest > 3*time.Second {
				t.Errorf("it waits for %s, and for %s where nothing is waited for", in.Waits, in.Rest)
			}
			w.atRest()
		})
	}
}
