package guarantees_test

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/browser"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/sns"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/auth0/auth0test"
	"alboidc.internal/shared/idp/authentik/authentiktest"
	"alboidc.internal/shared/idp/hydra/hydratest"
	"alboidc.internal/shared/idp/keycloak/keycloaktest"
	"alboidc.internal/shared/idp/pingone/pingonetest"
)

// withoutIDs are the identity providers whose secrets have no ids.
var withoutIDs = []string{"auth0", "authentik", "hydra", "keycloak", "pingone"}

// untestable makes the smoke test after the switch fail for good.
func untestable(w *world) {
	w.fault(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"TestSecret"`, Mode: fault.Refuse,
		Status: 403, Code: "AccessDeniedException"})
}

func TestSecretsWithoutIDsAreRotatedAndRolledBack(t *testing.T) {
	t.Parallel()
	for _, vendor := range withoutIDs {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, vendor, usual())
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

// Auth0: a new secret may be refused for 30 seconds.
func TestAPairWaitsUntilTheNewSecretHasSpread(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "auth0", usual(), quick)
	w.Stack.IdP.Vendor().(*auth0test.Auth0).SetSpread(30 * time.Second)
	w.mustRotate()
	w.pass(time.Minute) // so does the one that nobody knows
	w.atRest()
}

// authentik from release 2026.11 on, and one that is updated to it while a rotation is under way.
func TestASecretThatIsAnObjectIsRotatedUnlessItIsShared(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "authentik", usual(), quick)
	vendor := w.Stack.IdP.Vendor().(*authentiktest.Authentik)
	w.when("GracePeriod", func(string) { vendor.SetObjects(true) })
	w.mustRotate()
	w.atRest()
	w.mustRotate()
	w.atRest()
	untestable(w)
	w.ends(t, "RolledBack")
	w.atRest()
	w.Stack.Faults.Clear()
	vendor.Share("orders-web-second", "orders-web")
	if r, _ := w.rotate(plain); text(r.Error) != "Refused" || !strings.Contains(text(r.Cause), "shared by 2 objects") {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
}

// A redirect URI that is not registered authentik refuses in the words for a wrong secret.
func TestARefusedRedirectURIIsNoRefusedSecret(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "authentik", usual(), quick, func(c *config.Client) {
		c.CallbackURL = "https://elsewhere.example/oauth2/idpresponse"
	})
	r, _ := w.rotate(plain)
	if text(r.Error) != "Refused" || !strings.Contains(text(r.Cause), "callbackUrl") {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
}

// Hydra before it could rotate.
func TestAnOldHydraIsRefusedWithTheRemedyAndRotatedByIt(t *testing.T) {
	t.Parallel()
	old := func(configure ...func(*config.Client)) *world {
		w := newWorldOf(t, "hydra", usual(), append(configure, quick)...)
		w.Stack.IdP.Vendor().(*hydratest.Hydra).SetVersion("v2.2.0", false)
		return w
	}
	w := old()
	if r, _ := w.rotate(plain); text(r.Error) != "Refused" || !strings.Contains(text(r.Cause),
		"a second client like the first named in identityProvider.clientPair") {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
	w = old(func(c *config.Client) { c.IdentityProvider.ClientPair = "orders-web-second" })
	w.mustRotate()
	w.atRest()
	// one that does not say so refuses the rotation when it is asked to make a secret, and nothing is left
	w = old()
	w.Stack.IdP.Vendor().(*hydratest.Hydra).SetVersion("master", false)
	if r, _ := w.rotate(plain); text(r.Error) != "RolledBack" || !strings.Contains(text(r.Cause),
		"identityProvider.clientPair") {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
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

func TestAnInterruptionLastsUntilEveryNodeHasTheSecret(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "auth0", usual(), interruptible)
	w.tolerate("CreateSecret", "TestSecret")
	r, _ := w.rotate(plain)
	if r.Status != asl.Succeeded || !strings.Contains(string(r.Output),
		"This was not without downtime (allowInterruption): from ") {
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
	if _, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN); err != nil || len(values) < 2 {
		t.Errorf("the secret has %d versions (%v)", len(values), err)
	}
}

// PingOne, where it takes no values from outside: a rollback cannot remove the new secret.
func TestASecretThatARollbackCannotRemoveIsToldAndTakenUpNextTime(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "pingone", usual(), quick)
	w.Stack.IdP.Vendor().(*pingonetest.PingOne).RefuseValues()
	untestable(w)
	r, execution := w.rotate(plain)
	if text(r.Error) != "RolledBack" || w.path(execution)[len(w.path(execution))-1] != "RolledBack" {
		t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
	}
	if got := w.notices(); len(got) != 1 || !strings.Contains(got[0], "the new secret stays the identity provider's "+
		"current one, and the secret in use its previous one, which ends at ") {
		t.Errorf("people are told %q", got)
	}
	if n := len(w.Stack.IdP.Store().Secrets(w.ClientID)); n != 2 {
		t.Errorf("the identity provider has %d secrets, want the kept one and the one in use", n)
	}
	w.Stack.Faults.Clear()
	w.mustRotate()
	w.atRest()
}

// notices are those that were published, without empty ones; people got each in a message.
func (w *world) notices() []string {
	w.t.Helper()
	var out []string
	for _, e := range w.Stack.EventBridge.Events() {
		var body struct{ Notice string }
		if err := json.Unmarshal(e.Detail, &body); err != nil {
			w.t.Fatal(err)
		}
		if e.Source != "alb-oidc-rotator" || body.Notice == "" {
			continue
		}
		out = append(out, body.Notice)
		if !slices.ContainsFunc(w.Stack.SNS.Messages(w.TopicARN),
			func(m sns.Message) bool { return strings.Contains(m.Message, body.Notice) }) {
			w.t.Errorf("people did not hear: %s", body.Notice)
		}
	}
	return out
}

// PingOne tells when the previous secret was used last.
func TestAnOldSecretThatSomethingStillUsesIsNotRemoved(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "pingone", usual(), quick)
	_, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil || len(values) != 1 {
		t.Fatal(err)
	}
	w.when("AwaitReassertSpread", func(string) { // an application that nobody told
		for _, old := range values {
			w.Stack.IdP.Store().Authenticate(w.ClientID, old, w.clock.Now())
		}
	})
	r, _ := w.rotate(plain)
	if text(r.Error) != "RolledBack" || !strings.Contains(text(r.Cause), "something else uses it") {
		t.Fatalf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
}

// Keycloak without a policy keeps one secret of a client.
func TestKeycloakWithoutAPolicyIsRefusedWithTheRemedy(t *testing.T) {
	t.Parallel()
	without := func(configure ...func(*config.Client)) *world {
		w := newWorldOf(t, "keycloak", usual(), append(configure, quick)...)
		w.Stack.IdP.Vendor().(*keycloaktest.Keycloak).SetPolicy(nil)
		return w
	}
	w := without()
	if r, _ := w.rotate(plain); text(r.Error) != "Refused" || !strings.Contains(text(r.Cause),
		"name a second client like the first in identityProvider.clientPair") {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
	pair := func(c *config.Client) { c.IdentityProvider.ClientPair = "orders-web-second" }
	w = without(pair)
	w.mustRotate()
	w.mustRotate()
	w.atRest()
	// with a policy a pair is refused: the policy would end a value that was set
	w = newWorldOf(t, "keycloak", usual(), pair, quick)
	if r, _ := w.rotate(plain); text(r.Error) != "Refused" || !strings.Contains(text(r.Cause),
		"leave out identityProvider.clientPair") {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
}

func TestAKeycloakPolicyThatKeepsTheOldSecretTooShortlyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "keycloak", usual(), quick)
	w.Stack.IdP.Vendor().(*keycloaktest.Keycloak).SetPolicy(&keycloaktest.Policy{Lifetime: 30 * 24 * time.Hour,
		Rotated: 48 * time.Hour})
	if r, _ := w.rotate(plain); text(r.Error) != "Refused" || !strings.Contains(text(r.Cause),
		"keeps the old secret for 46h0m0s only, the grace period is 168h0m0s") {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
	if r, _ := w.rotate(`{"client": "orders-web", "gracePeriodSeconds": 165600}`); r.Status != asl.Succeeded {
		t.Errorf("with a shorter grace period it ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
}

// A policy may leave the client between Plan and CreateSecret; without it a new secret would end the one in use.
func TestAKeycloakPolicyThatLeavesTheClientStopsTheRotation(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "keycloak", usual(), quick)
	w.when("CreateSecret", func(string) {
		w.Stack.IdP.Vendor().(*keycloaktest.Keycloak).SetPolicy(&keycloaktest.Policy{Lifetime: 30 * 24 * time.Hour,
			Rotated: 14 * 24 * time.Hour, Elsewhere: true})
	})
	if r, _ := w.rotate(plain); text(r.Error) != "RolledBack" || !strings.Contains(text(r.Cause),
		"no client policy with the executor secret-rotation has covered this client") {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
}

// What users see of a switch between two registrations is said as it is: whose login is open then has to begin again.
func TestALoginThatIsOpenWhileAPairSwitchesFailsAndPeopleAreTold(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "auth0", usual(), quick)
	page, user := w.Site.Pages[0], w.Users[0]
	opened, switched := make(chan struct{}), make(chan struct{})
	w.when("GracePeriod", func(string) { close(switched) })
	visits := 0
	var b *browser.Browser
	b = browser.New(browser.Options{Roots: w.Stack.Authority.Pool(), Resolve: func(hostPort string) string {
		nodes := w.Site.Nodes(hostPort)
		if len(nodes) == 0 {
			b.Close() // so that it connects once more when it comes back
			return ""
		}
		if visits++; visits == 2 { // back from the identity provider
			close(opened)
			<-switched
		}
		return nodes[0]
	}})
	defer b.Close()
	type end struct {
		page browser.Page
		err  error
	}
	ended := make(chan end, 1)
	go func() {
		p, err := b.Login(context.Background(), page.URL, user.Name, user.Password)
		ended <- end{p, err}
	}()
	<-opened
	r, execution := w.rotate(plain)
	if r.Status != asl.Succeeded || !strings.Contains(string(r.Output),
		"Logins that were open while the load balancers switched to the other registration of the pair failed") ||
		!regexp.MustCompile(`within \d+ s from \d{4}-\d\d-\d\dT`).Match(r.Output) {
		t.Errorf("ended as %s with %s\n%v", r.Status, r.Output, w.path(execution))
	}
	if e := <-ended; e.err == nil || e.page.Status != http.StatusUnauthorized ||
		e.page.URL.Path != "/oauth2/idpresponse" {
		t.Errorf("the login ended with %d at %v: %v", e.page.Status, e.page.URL, e.err)
	}
	if _, err := b.Login(context.Background(), page.URL, user.Name, user.Password); err != nil {
		t.Errorf("the next login: %v", err)
	}
	w.atRest()
}
