package guarantees_test

import (
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/fault"
	"alboidc.internal/local/idp/auth0"
	"alboidc.internal/local/orders"
	"alboidc.internal/shared/config"
)

// withoutIDs are the identity providers whose secrets have no ids.
var withoutIDs = []string{"auth0"}

// untestable makes the smoke test after the switch fail for good.
func untestable(w *world) {
	w.fault(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"TestSecret"`, Mode: fault.Refuse, Status: 403, Code: "AccessDeniedException"})
}

func TestSecretsWithoutIDsAreRotatedAndRolledBack(t *testing.T) {
	t.Parallel()
	for _, face := range withoutIDs {
		t.Run(face, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, face, usual())
			w.mustRotate()
			w.atRest()
			w.mustRotate() // of a pair, back to the first registration
			w.atRest()
			untestable(w)
			if r, execution := w.rotate(plain); text(r.Error) != "RolledBack" {
				t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			w.atRest()
			w.Stack.Faults.Clear()
			w.mustRotate()
			w.atRest()
		})
	}
}

func TestWhateverHappensToACallOfARollbackWithoutIDsItConverges(t *testing.T) {
	t.Parallel()
	for _, face := range withoutIDs {
		calls := providerCalls(changesOf(t, face, "Quiesce", untestable))
		t.Run(face, func(t *testing.T) { explore(t, face, calls, untestable, 1) })
	}
}

// Auth0: a new secret may be refused for 30 seconds.
func TestAPairWaitsUntilTheNewSecretHasSpread(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "auth0", usual(), quick)
	w.Stack.IdP.Face().(*auth0.Auth0).SetSpread(30 * time.Second)
	w.mustRotate()
	w.pass(time.Minute) // so does the one that nobody knows
	w.atRest()
}

// tolerate lets the watch overlook failing logins from one state on until another, or until the end of a rollback.
func (w *world) tolerate(from string, until ...string) {
	set := func(tolerant bool) func(string) {
		return func(string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.tolerant = tolerant
		}
	}
	w.when(from, set(true))
	for _, state := range until {
		w.when(state, set(false))
	}
}

// interruptible is a client whose only secret may be overwritten while it is in use.
func interruptible(c *config.Client) {
	quick(c)
	c.IdentityProvider.ClientPair, c.IdentityProvider.AllowInterruption = "", true
}

func TestAnInterruptionLastsUntilEveryNodeHasTheNewSecretAndIsTold(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "auth0", usual(), interruptible)
	w.tolerate("CreateSecret", "TestSecret")
	r, _ := w.rotate(plain)
	if r.Status != asl.Succeeded || !strings.Contains(string(r.Output), "This was not without downtime (allowInterruption): from ") {
		t.Fatalf("ended as %s: %s %s", text(r.Error), text(r.Cause), r.Output)
	}
	w.atRest()
	if w.tolerated == 0 {
		t.Error("the watch saw no interruption: it looks at nothing")
	}
}

func TestAnInterruptionIsRolledBackByPuttingTheOldSecretBackFirst(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "auth0", usual(), interruptible)
	w.tolerate("CreateSecret", "TestSecret")
	w.tolerate("EnableOldSecret", "RemoveNewSecret")
	untestable(w)
	r, execution := w.rotate(plain)
	if text(r.Error) != "RolledBack" {
		t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
	}
	w.atRest()
	if _, values, err := w.Stack.SecretsManager.Snapshot(orders.Home, w.SecretARN); err != nil || len(values) < 2 {
		t.Errorf("the secret has %d versions (%v)", len(values), err)
	}
}
