package guarantees_test

import (
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
)

// tries counts the calls of a state's function, and tells how long they went on.
func (w *world) tries(state string) func() (n int, over time.Duration) {
	var at []time.Time
	w.Stack.Faults.Observe(func(service, operation, text string) {
		if service == "lambda" && operation == "Invoke" && strings.Contains(text, `"state":"`+state+`"`) {
			w.mu.Lock()
			at = append(at, w.clock.Now())
			w.mu.Unlock()
		}
	})
	return func() (int, time.Duration) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(at) == 0 {
			return 0, 0
		}
		return len(at), at[len(at)-1].Sub(at[0])
	}
}

// What time cannot mend is given up in minutes, so that people hear of it; what it may mend is tried for hours.
func TestARollbackThatCannotGoOnIsGivenUpInTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state       string
		broken      func(*world)
		error       string
		least, most time.Duration
	}{
		"another execution has the lock": {"EnableOldSecret",
			func(w *world) { w.when("Quiesce", func(string) { w.setOwner(w.gone("another")) }) },
			"LockLost", 15 * time.Minute, 30 * time.Minute},
		"nobody has the lock": {"RemoveNewSecret",
			func(w *world) { w.when("AwaitRestoreSpread", func(string) { w.setOwner("") }) },
			"LockLost", 15 * time.Minute, 30 * time.Minute},
		"the secret to go back to is refused, and the new one accepted": {"EnableOldSecret", func(w *world) {
			w.when("Quiesce", func(string) {
				if err := w.Stack.IdP.Store().Update(w.ClientID,
					func(e *clients.Edit) error { return e.Remove(w.FirstSecretID) }); err != nil {
					w.t.Error(err)
				}
			})
		}, "SecretRefused", 15 * time.Minute, time.Hour},
		"a right is missing": {"EnableOldSecret", func(w *world) { w.failing("EnableOldSecret") },
			"Lambda.AWSLambdaException", 90 * time.Minute, 5 * time.Hour},
		"the identity provider is down": {"RemoveNewSecret", func(w *world) {
			w.when("AwaitRestoreSpread", func(string) {
				w.fault(fault.Rule{Service: "idp", Operation: "*", Mode: fault.Refuse, Status: 503, Code: "E0000009"})
			})
		}, "Unavailable", 90 * time.Minute, 7 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.t = t
			w.failing("VerifyNewSecret")
			c.broken(w)
			tried, began := w.tries(c.state), w.entered("TellRollback")
			r, execution := w.rotate(plain)
			if path := w.path(execution); r.Status != asl.Failed || text(r.Error) != c.error ||
				path[len(path)-1] != c.state {
				t.Fatalf("ended at %s as %s: %s", path[len(path)-1], text(r.Error), text(r.Cause))
			}
			if n, over := tried(); n < 11 || over < c.least || over > c.most {
				t.Errorf("tried %d times over %s", n, over)
			}
			// People have heard of it long before.
			if m := w.Stack.SNS.Messages(w.TopicARN); len(m) != 1 ||
				m[0].Time.Sub(began("TellRollback")) > time.Minute || !strings.HasPrefix(m[0].Subject,
				"[orders-web] rolling back: ") {
				t.Errorf("told was %+v", m)
			}
		})
	}
}
