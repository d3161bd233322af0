package pingone_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/idp/pingone"
	"alboidc.internal/shared/idp/pingone/pingonetest"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

const initial = "initial-secret-of-" + appID

func start(t *testing.T) *imitationtest.Vendor {
	return imitationtest.Start(t, pingonetest.Imitation,
		map[idptest.Operation]string{idptest.Check: "pingone.readApplication", idptest.List: "pingone.readSecret",
			idptest.Create: "pingone.updateSecret", idptest.Remove: "pingone.deletePreviousSecret"}, appID)
}

func application(t *testing.T, v *imitationtest.Vendor) *pingone.Application {
	t.Helper()
	a, err := pingone.New(v.Settings(""), idp.Client{Name: "orders-web", ClientID: appID}, v.Deps())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestConformance: the suite removes the old secret, which deletes the previous one here; that a new one is removed by
// setting the old value is tested below.
func TestConformance(t *testing.T) {
	t.Parallel()
	idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
		v := start(t)
		p, b := idptest.WithSlots(t, v, []string{appID},
			func(b withoutids.Env) idp.Provider { return withoutids.CurrentPrevious(application(t, v), b) })
		return p, b
	}})
}

func TestTheSlotsOfAnApplication(t *testing.T) {
	t.Parallel()
	v := start(t)
	a := application(t, v)
	made, err := a.Shift(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Slots(t.Context())
	if err != nil || !s.Current.Equal(made) || !s.Previous.Equal(secret.New(initial)) ||
		s.PreviousUntil.Sub(imitationtest.Noon()) != 719*time.Hour || !s.PreviousUsed.IsZero() {
		t.Errorf("the slots are wrong: until %s, used %s (%v)", s.PreviousUntil, s.PreviousUsed, err)
	}
	v.Store.Authenticate(appID, initial, imitationtest.Noon())
	if s, err = a.Slots(t.Context()); err != nil || !s.PreviousUsed.Equal(imitationtest.Noon()) ||
		!a.Capabilities().TellsUse {
		t.Errorf("the previous one was used at %s, or nobody asks when (%v)", s.PreviousUsed, err)
	}
	if err := a.Restore(t.Context(), secret.New(initial)); err != nil || len(v.Live(appID)) != 1 ||
		!v.Store.Accepts(appID, initial, imitationtest.Noon()) {
		t.Errorf("not put back (%v)", err)
	}
	if _, err = a.Shift(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err = a.Shift(t.Context()); err != nil || v.Store.Accepts(appID, initial, imitationtest.Noon()) ||
		len(v.Live(appID)) != 2 {
		t.Errorf("a second shift kept what was the previous one (%v)", err)
	}
}

func TestWhatTheImitationDoesNotKnowIsRefused(t *testing.T) {
	t.Parallel()
	v := start(t)
	form := url.Values{"grant_type": {"client_credentials"}}
	if status, _ := v.Ask(form, basic(pingonetest.WorkerID, "wrong")); status != http.StatusUnauthorized {
		t.Errorf("a wrong secret: %d", status)
	}
	bearer := v.Bearer(form, basic(pingonetest.WorkerID, v.Double.AdminToken()))
	app := "/v1/environments/" + pingonetest.EnvironmentID + "/applications/" + appID
	for request, want := range map[string]int{
		"GET /v1/environments/other/applications/" + appID + "/secret": http.StatusNotFound,
		"GET " + strings.Replace(app, "bbbb", "cccc", 1):               http.StatusNotFound,
		"PUT " + app + " {}": http.StatusNotImplemented,
		"POST " + app + `/secret {"previous": {"expiresAt": "2026-04-01T12:00:00Z"}}`:         http.StatusBadRequest,
		"POST " + app + `/secret {"previous": {"expiresAt": "2026-03-01T12:00:00Z"}}`:         http.StatusBadRequest,
		"POST " + app + `/secret {"previous": {"expiresAt": "2026-03-31T12:00:00Z"}, "x": 1}`: http.StatusBadRequest,
	} {
		if status, body := v.Send(request, bearer); status != want || !strings.Contains(body, `"code":"`) ||
			strings.Contains(body, `"code":""`) {
			t.Errorf("%s: %d %v, want %d", request, status, body, want)
		}
	}
	if status, _ := v.Send("GET "+app, ""); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	if !v.Store.Accepts(appID, initial, imitationtest.Noon()) || len(v.Live(appID)) != 1 {
		t.Error("a refused request changed the secrets")
	}
	// without a body the secret that was current ends at once
	if status, _ := v.Send("POST "+app+"/secret", bearer); status != http.StatusOK ||
		v.Store.Accepts(appID, initial, imitationtest.Noon()) {
		t.Errorf("without a body: %d", status)
	}
}
