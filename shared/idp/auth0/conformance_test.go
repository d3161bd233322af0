package auth0_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/auth0"
	"alboidc.internal/shared/idp/auth0/auth0test"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/imitation"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

func start(t *testing.T) *imitationtest.Vendor {
	return imitationtest.Start(t, auth0test.Imitation, map[idptest.Operation]string{idptest.Check: "auth0.getClient",
		idptest.Create: "auth0.updateClient", idptest.Remove: "auth0.updateClient",
		idptest.Enable: "auth0.updateClient"}, first, second)
}

func imitated(t *testing.T, v *imitationtest.Vendor, clientID string) *auth0.Application {
	t.Helper()
	a, err := auth0.New(v.Settings(""), idp.Client{Name: "orders-web", ClientID: clientID}, v.Deps())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConformance(t *testing.T) {
	t.Parallel()
	idptest.Run(t, idptest.Subject{
		Exceptions: idptest.NeedsNoRequest(idptest.List, "Auth0 lists no secrets; the token endpoint is asked"),
		New: func(t *testing.T) (idp.Provider, idptest.Backend) {
			v := start(t)
			p, b := idptest.WithSlots(t, v, []string{first, second}, func(b withoutids.Env) idp.Provider {
				return withoutids.Pair(first, imitated(t, v, first), second, imitated(t, v, second), b)
			})
			return p, b
		}})
}

func TestApplicationsThatDifferAreRefusedAsAPair(t *testing.T) {
	t.Parallel()
	v := start(t)
	review := func() []string {
		p := withoutids.Pair(first, imitated(t, v, first), second, imitated(t, v, second), withoutids.Env{})
		r, err := p.(idp.Reviewer).Review(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r.Refusals
	}
	if r := review(); len(r) != 0 {
		t.Errorf("two that are alike: %v", r)
	}
	v.Double.(*auth0test.Auth0).SetApplication(second,
		map[string]any{"callbacks": []string{"https://other.example.com/oauth2/idpresponse"},
			"grant_types": []string{"authorization_code"}, "token_endpoint_auth_method": "client_secret_post",
			"organization_usage": "require", "signed_request_object": map[string]any{"required": true},
			"organization_discovery_methods": []string{"email"}, "of_next_year": map[string]any{"x": "y"},
			"client_metadata": map[string]any{"tier": "gold"}, "allowed_logout_urls": []string{"https://o.example.com"},
			"name": "another", "description": "the second", "client_secret": "another"})
	refusals := review()
	got := strings.Join(refusals, "\n")
	if len(refusals) != 9 {
		t.Errorf("%d refusals:\n%s", len(refusals), got)
	}
	for _, want := range []string{"differ in callbacks", "differ in grant_types",
		"authenticate by client_secret_basic and client_secret_post",
		"differ in organization_usage (nothing and require)",
		"differ in signed_request_object (nothing and required=true)",
		"differ in organization_discovery_methods (nothing and email)",
		"differ in of_next_year (nothing and a value that is not shown)",
		"differ in client_metadata (nothing and a value that is not shown)", "differ in allowed_logout_urls"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not among the refusals:\n%s", want, got)
		}
	}
}

func TestASecretIsNotAcceptedBeforeItHasSpread(t *testing.T) {
	t.Parallel()
	v := start(t)
	v.Double.(*auth0test.Auth0).SetSpread(30 * time.Second)
	if err := imitated(t, v, first).Set(t.Context(), secret.New("a-value-of-ours")); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]bool{29 * time.Second: false, 30 * time.Second: true} {
		if got := v.Store.Accepts(first, "a-value-of-ours", imitationtest.Noon().Add(after)); got != want {
			t.Errorf("accepted after %s: %t", after, got)
		}
	}
	if v.Store.Accepts(first, "initial-secret-of-"+first, imitationtest.Noon()) {
		t.Error("the secret before it is still accepted")
	}
}

func TestWhatTheImitationDoesNotKnowIsRefused(t *testing.T) {
	t.Parallel()
	v := start(t)
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {auth0test.RotatorID},
		"client_secret": {v.Double.AdminToken()},
		"audience":      {v.URL + "/api/v2/"}}
	bearer := v.Bearer(form, "")
	form.Set("audience", "https://other")
	if status, body := v.Ask(form, ""); status != http.StatusForbidden || !strings.Contains(body,
		`"error":"access_denied"`) {
		t.Errorf("another audience: %d %v", status, body)
	}
	form.Set("client_secret", "wrong")
	if status, body := v.Ask(form, ""); status != http.StatusUnauthorized || !strings.Contains(body,
		`"error":"access_denied"`) {
		t.Errorf("a wrong secret: %d %v", status, body)
	}
	const api = " /api/v2/clients/"
	for request, want := range map[string]int{
		"GET" + api + "third":                                   http.StatusNotFound,
		"POST" + api + first + "/rotate-secret":                 http.StatusNotImplemented,
		"PATCH" + api + first + ` {"callbacks": []}`:            http.StatusBadRequest,
		"PATCH" + api + first + ` {"client_secret": ""}`:        http.StatusBadRequest,
		"PATCH" + api + "third" + ` {"client_secret": "value"}`: http.StatusNotFound,
	} {
		if status, body := v.Send(request, bearer); status != want ||
			!strings.Contains(body, fmt.Sprintf(`"statusCode":%d`, want)) {
			t.Errorf("%s: %d %v, want %d", request, status, body, want)
		}
	}
	if status, _ := v.Send("GET"+api+first, "Bearer another"); status != http.StatusUnauthorized {
		t.Errorf("another token: %d", status)
	}
}

func TestTheTokenEndpointAnswersAsAuth0Does(t *testing.T) {
	t.Parallel()
	v := start(t)
	f := v.Double
	for r, want := range map[imitation.Refusal]string{imitation.WrongSecret: "401 access_denied",
		imitation.InvalidCode: "403 invalid_grant", imitation.UnsupportedGrant: "400 unsupported_grant_type"} {
		e := f.TokenError(r)
		if got := fmt.Sprintf("%d %s", e.Status, e.Code); got != want {
			t.Errorf("%s: %s, want %s", r, got, want)
		}
	}
	p := imitated(t, v, first).Capabilities().Probe
	if !slices.Contains(p.Rejected, f.TokenError(imitation.WrongSecret).Code) ||
		!slices.Contains(p.Accepted, f.TokenError(imitation.InvalidCode).Code) {
		t.Errorf("the probe takes Auth0's answers for others: %+v", p)
	}
}
