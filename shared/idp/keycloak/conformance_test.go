package keycloak_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/idp/keycloak"
	"alboidc.internal/shared/idp/keycloak/keycloaktest"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

const first, second = "first", "second"

func start(t *testing.T, create, remove string) *imitationtest.Vendor {
	return imitationtest.Start(t, keycloaktest.Imitation,
		map[idptest.Operation]string{idptest.Check: "keycloak.findClient", idptest.List: "keycloak.findClient",
			idptest.Create: "keycloak." + create, idptest.Remove: "keycloak." + remove}, first, second)
}

func withPolicy(t *testing.T) *imitationtest.Vendor {
	return start(t, "regenerateSecret", "deleteRotated")
}

func withoutPolicy(t *testing.T) *imitationtest.Vendor {
	v := start(t, "updateClient", "updateClient")
	v.Double.(*keycloaktest.Keycloak).SetPolicy(nil)
	return v
}

func imitated(t *testing.T, v *imitationtest.Vendor, clientID string) *keycloak.Client {
	t.Helper()
	c, err := keycloak.New(v.Settings(""), idp.Client{Name: "orders-web", ClientID: clientID}, v.Deps())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	t.Parallel()
	idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
		v := withPolicy(t)
		p, b := idptest.WithSlots(t, v, []string{first},
			func(b withoutids.Env) idp.Provider { return withoutids.CurrentPrevious(imitated(t, v, first), b) })
		return p, b
	}})
}

func TestConformanceAsAPair(t *testing.T) {
	t.Parallel()
	idptest.Run(t, idptest.Subject{
		Exceptions: idptest.NeedsNoRequest(idptest.List, "of a pair the token endpoint is asked"),
		New: func(t *testing.T) (idp.Provider, idptest.Backend) {
			v := withoutPolicy(t)
			p, b := idptest.WithSlots(t, v, []string{first, second}, func(b withoutids.Env) idp.Provider {
				return withoutids.Pair(first, imitated(t, v, first), second, imitated(t, v, second), b)
			})
			return p, b
		}})
}

func TestThePolicyDecidesWhatANewSecretEnds(t *testing.T) {
	t.Parallel()
	const initial = "initial-secret-of-" + first
	v := withPolicy(t)
	vendor, c := v.Double.(*keycloaktest.Keycloak), imitated(t, v, first)
	vendor.SetPolicy(&keycloaktest.Policy{Lifetime: 30 * 24 * time.Hour, Rotated: 48 * time.Hour})
	made, err := c.Shift(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Slots(t.Context())
	if err != nil || !s.Current.Equal(made) || !s.Previous.Equal(secret.New(initial)) ||
		!s.PreviousUntil.Equal(imitationtest.Noon().Add(48*time.Hour)) ||
		!s.CurrentUntil.Equal(imitationtest.Noon().Add(30*24*time.Hour)) {
		t.Errorf("the slots are wrong: until %s and %s (%v)", s.CurrentUntil, s.PreviousUntil, err)
	}
	if err := c.Restore(t.Context(), secret.New(initial)); err != nil || len(v.Live(first)) != 1 ||
		!v.Store.Accepts(first, initial, imitationtest.Noon()) {
		t.Errorf("not put back (%v)", err)
	}
	for range 2 {
		if _, err = c.Shift(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if v.Store.Accepts(first, initial, imitationtest.Noon()) || len(v.Live(first)) != 2 {
		t.Error("a second shift kept what was the rotated one")
	}
	// with times that keep nothing, the current secret ends at once
	vendor.SetPolicy(&keycloaktest.Policy{Lifetime: 30 * 24 * time.Hour})
	if _, err = c.Shift(t.Context()); err != nil || len(v.Live(first)) != 1 {
		t.Errorf("%d secrets are left (%v)", len(v.Live(first)), err)
	}
}

// The update by which the secret before is set again has the policy make another, which nobody knows.
func TestASecretIsPutBackWhereTheCurrentOneHasEnded(t *testing.T) {
	t.Parallel()
	const initial = "initial-secret-of-" + first
	for name, c := range map[string]struct {
		left  time.Duration // of the current secret
		fault fault.Rule
		fails bool
	}{
		"now":                            {},
		"a second ago":                   {left: -time.Second},
		"the reply to the first is lost": {fault: fault.Rule{Mode: fault.Lose}},
		"the first is refused":           {fault: fault.Rule{Mode: fault.Refuse, Status: 403}, fails: true},
		"the second is refused":          {fault: fault.Rule{Skip: 1, Mode: fault.Refuse, Status: 403}, fails: true},
	} {
		v := withPolicy(t)
		client := imitated(t, v, first)
		if _, err := client.Shift(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := v.Store.Update(first, func(e *clients.Edit) error {
			all := e.All()
			_, err := e.Expire(all[len(all)-1].ID, imitationtest.Noon().Add(c.left))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if v.Store.Accepts(first, initial, imitationtest.Noon()) {
			t.Errorf("%s: the rotated secret is accepted although the current one has ended", name)
		}
		if c.fault.Mode != "" {
			c.fault.Service, c.fault.Operation, c.fault.Times = "idp", "keycloak.updateClient", 1
			if _, err := v.Faults.Add(c.fault); err != nil {
				t.Fatal(err)
			}
		}
		err := client.Restore(t.Context(), secret.New(initial))
		if c.fails {
			if err == nil {
				t.Errorf("%s: taken for success", name)
			}
			continue
		}
		s, readErr := client.Slots(t.Context())
		if err != nil || readErr != nil || !s.Current.Equal(secret.New(initial)) || !s.Previous.IsZero() ||
			!s.CurrentUntil.After(imitationtest.Noon()) || len(v.Live(first)) != 1 {
			t.Errorf("%s: not put back alone, until %s (%v, %v)", name, s.CurrentUntil, err, readErr)
		}
	}
}

func TestAPolicyThatLeavesTheClientIsSeenBeforeASecretIsMade(t *testing.T) {
	t.Parallel()
	v := withPolicy(t)
	c := imitated(t, v, first)
	if r, err := c.ReviewShift(t.Context()); err != nil || len(r.Refusals) != 0 || r.MaxGrace != 334*time.Hour {
		t.Fatalf("the review is %+v (%v)", r, err)
	}
	v.Double.(*keycloaktest.Keycloak).SetPolicy(&keycloaktest.Policy{Lifetime: 30 * 24 * time.Hour,
		Rotated: 48 * time.Hour, Elsewhere: true})
	if r, err := c.ReviewShift(t.Context()); err != nil || len(r.Refusals) != 0 {
		t.Errorf("that cannot be read, but the review is %+v (%v)", r, err)
	}
	if _, err := c.Shift(t.Context()); !failure.Is(err, failure.Precondition) || len(v.Live(first)) != 1 ||
		!v.Store.Accepts(first, "initial-secret-of-"+first, imitationtest.Noon()) {
		t.Errorf("a shift: %v", err)
	}
	if r, err := c.ReviewShift(t.Context()); err != nil || len(r.Refusals) != 1 {
		t.Errorf("now the review is %+v (%v)", r, err)
	}
}

func TestTheImitationAnswersAsARealServerDoes(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]*imitationtest.Vendor{"policy": withPolicy(t), "none": withoutPolicy(t)} {
		bearer := v.Bearer(url.Values{"grant_type": {"client_credentials"}, "client_id": {keycloaktest.RotatorID},
			"client_secret": {v.Double.AdminToken()}}, "")
		for _, a := range keycloaktest.Recorded() {
			method, path, _ := strings.Cut(strings.NewReplacer("ID", first, "CLIENT", first).Replace(a.Request), " ")
			status, body := v.Send(method+" /admin/realms/"+keycloaktest.Realm+path, bearer)
			if status != a.Status || !strings.HasPrefix(body, a.Begins) {
				t.Errorf("%s: %s: %d %s", name, a.Request, status, body)
			}
		}
	}
}

func TestWhatTheImitationDoesNotKnowIsRefused(t *testing.T) {
	t.Parallel()
	v := withPolicy(t)
	const realm = "/admin/realms/" + keycloaktest.Realm
	bearer := v.Bearer(url.Values{"grant_type": {"client_credentials"}, "client_id": {keycloaktest.RotatorID},
		"client_secret": {v.Double.AdminToken()}}, "")
	for request, want := range map[string]int{
		"GET " + realm +
			"/clients?clientId=other": http.StatusOK,
		"GET " + realm +
			"/clients/other/client-secret": http.StatusNotFound,
		"GET " + realm +
			"/clients/first/client-secret/rotated": http.StatusNotFound,
		"DELETE " + realm +
			"/clients/first/client-secret/rotated": http.StatusNoContent,
		"GET /admin/realms/other/clients?clientId=first": http.StatusNotImplemented,
		"PUT " + realm +
			`/clients/first {"clientId": "first", "secret": "x", "redirectUris": []}`: http.StatusBadRequest,
		"PUT " + realm +
			`/clients/first {"clientId": "other", "secret": "x", "webOrigins": []}`: http.StatusNotImplemented,
		"PUT " + realm +
			`/clients/first {"clientId": "first", "secret": "x"}`: http.StatusNotImplemented,
		"PUT " + realm +
			`/clients/first {"webOrigins": [], "serviceAccountsEnabled": true, "secret": "x"}`: http.StatusNotImplemented,
	} {
		if status, body := v.Send(request, bearer); status != want || status == http.StatusOK && body != "[]" {
			t.Errorf("%s: %d %s, want %d", request, status, body, want)
		}
	}
	if status, _ := v.Send("GET "+realm+"/clients?clientId=first", "Bearer wrong"); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	if !v.Store.Accepts(first, "initial-secret-of-"+first, imitationtest.Noon()) || len(v.Live(first)) != 1 {
		t.Error("a refused request changed the secrets")
	}
}
