package hydra_test

import (
	"net/http"
	"strings"
	"testing"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/hydra"
	"alboidc.internal/shared/idp/hydra/hydratest"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

const initial = "initial-secret-of-" + clientID

func start(t *testing.T) *imitationtest.Vendor {
	return imitationtest.Start(t, hydratest.Imitation, map[idptest.Operation]string{idptest.Check: "hydra.getClient",
		idptest.Create: "hydra.rotateSecret",
		idptest.Remove: "hydra.patchClient"}, clientID)
}

func imitated(t *testing.T, v *imitationtest.Vendor, id string) *hydra.Client {
	t.Helper()
	c, err := hydra.New(v.Settings(""), idp.Client{Name: "orders-web", ClientID: id}, v.Deps())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	t.Parallel()
	exceptions := idptest.NeedsNoRequest(idptest.List, "Hydra shows no secrets; the token endpoint is asked")
	exceptions[idptest.RuleLostCreate] = "Hydra shows no secrets: what was never told cannot be listed"
	idptest.Run(t, idptest.Subject{Exceptions: exceptions, New: func(t *testing.T) (idp.Provider, idptest.Backend) {
		v := start(t)
		p, b := idptest.WithSlots(t, v, []string{clientID},
			func(b withoutids.Env) idp.Provider { return withoutids.CurrentPrevious(imitated(t, v, clientID), b) })
		return p, b
	}})
}

// TestConformanceAsAPair: at an old release, which cannot rotate.
func TestConformanceAsAPair(t *testing.T) {
	t.Parallel()
	const second = "orders-web-second"
	idptest.Run(t, idptest.Subject{Exceptions: idptest.NeedsNoRequest(idptest.List,
		"Hydra shows no secrets; the token endpoint is asked"),
		New: func(t *testing.T) (idp.Provider, idptest.Backend) {
			v := imitationtest.Start(t, hydratest.Imitation,
				map[idptest.Operation]string{idptest.Check: "hydra.getClient", idptest.Create: "hydra.patchClient",
					idptest.Remove: "hydra.patchClient"}, clientID, second)
			v.Double.(*hydratest.Hydra).SetVersion("v2.2.0", false)
			p, b := idptest.WithSlots(t, v, []string{clientID, second}, func(b withoutids.Env) idp.Provider {
				return withoutids.Pair(clientID, imitated(t, v, clientID), second, imitated(t, v, second), b)
			})
			return p, b
		}})
}

func TestFiveEarlierSecretsAreKeptAndEndTogether(t *testing.T) {
	t.Parallel()
	v := start(t)
	c := imitated(t, v, clientID)
	for n := 1; n <= 6; n++ {
		made, err := c.Shift(t.Context())
		if err != nil || !v.Store.Accepts(clientID, made.Reveal(), imitationtest.Noon()) {
			t.Fatalf("shift %d: %v", n, err)
		}
		if kept := v.Store.Accepts(clientID, initial, imitationtest.Noon()); kept != (n <= 5) ||
			len(v.Live(clientID)) != min(n+1, 6) {
			t.Errorf("after shift %d there are %d, the first is accepted: %t", n, len(v.Live(clientID)), kept)
		}
	}
	if err := c.Restore(t.Context(), secret.New(initial)); err != nil || len(v.Live(clientID)) != 1 ||
		!v.Store.Accepts(clientID, initial, imitationtest.Noon()) {
		t.Errorf("%d are left (%v)", len(v.Live(clientID)), err)
	}
	if _, err := c.Shift(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Set(t.Context(), secret.New("a-value-of-ours")); err != nil || len(v.Live(clientID)) != 1 ||
		!v.Store.Accepts(clientID, "a-value-of-ours", imitationtest.Noon()) {
		t.Errorf("not set (%v)", err)
	}
}

func TestAnOldReleaseCannotRotate(t *testing.T) {
	t.Parallel()
	v := start(t)
	v.Double.(*hydratest.Hydra).SetVersion("v26.2.0", false)
	c := imitated(t, v, clientID)
	if r, err := c.ReviewShift(t.Context()); err != nil || len(r.Refusals) != 1 {
		t.Errorf("the review is %+v (%v)", r, err)
	}
	if _, err := c.Shift(t.Context()); !failure.Is(err, failure.Precondition) || len(v.Live(clientID)) != 1 {
		t.Errorf("a shift: %v", err)
	}
	if err := c.Set(t.Context(), secret.New("a-value-of-ours")); err != nil {
		t.Error(err)
	}
}

func TestClientsThatDifferAreRefusedAsAPair(t *testing.T) {
	t.Parallel()
	const second = "orders-web-second"
	v := imitationtest.Start(t, hydratest.Imitation, nil, clientID, second)
	vendor := v.Double.(*hydratest.Hydra)
	review := func() []string {
		p := withoutids.Pair(clientID, imitated(t, v, clientID), second, imitated(t, v, second), withoutids.Env{})
		r, err := p.(idp.Reviewer).Review(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r.Refusals
	}
	vendor.SetClient(clientID, map[string]any{"grant_types": []string{"authorization_code"}})
	vendor.SetClient(second, map[string]any{"client_name": "another", "owner": "x", "logo_uri": "https://x.example.com",
		"created_at": "2020-01-01T00:00:00Z", "registration_access_token": "canary", "grant_types": []string{},
		"response_types": nil, "token_endpoint_auth_method": "", "userinfo_signed_response_alg": ""})
	if r := review(); len(r) != 0 {
		t.Errorf("two that are alike: %v", r)
	}
	different := map[string]any{"post_logout_redirect_uris": []string{"https://x.example.com"},
		"frontchannel_logout_uri": "https://x.example.com", "backchannel_logout_uri": "https://x.example.com",
		"skip_logout_consent": true, "skip_consent": true, "metadata": map[string]any{"tier": "canary"},
		"authorization_code_grant_access_token_lifespan": "1h", "of_next_year": "canary",
		"token_endpoint_auth_method": "client_secret_post", "grant_types": []string{"authorization_code"}}
	vendor.SetClient(second, different)
	got := review()
	if len(got) != len(different)-1 || strings.Contains(strings.Join(got, ""), "canary") {
		t.Errorf("%d refusals of %d differences:\n%s", len(got), len(different)-1, strings.Join(got, "\n"))
	}
}

func TestAClientWithKeysAtAURLNeedsALaterRelease(t *testing.T) {
	t.Parallel()
	v := start(t)
	vendor, c := v.Double.(*hydratest.Hydra), imitated(t, v, clientID)
	vendor.SetClient(clientID, map[string]any{"jwks_uri": "https://orders.example.com/jwks"})
	for version, want := range map[string]failure.Kind{"v2.2.0": failure.Precondition, "v2.3.0": failure.Precondition,
		"v25.4.0": "", "v26.3.0": "", "master": ""} {
		vendor.SetVersion(version, false)
		imitationtest.WantFailure(t, c.Check(t.Context()), want, "remove jwks_uri")
		if err := c.Set(t.Context(), secret.New("a-value-of-ours")); (err == nil) != (want == "") {
			t.Errorf("%s: the secret is set: %v", version, err)
		}
	}
}

// G7: the answer that sets a secret shows it.
func TestASecretThatWasSetIsInTheAnswerAndNowhereElse(t *testing.T) {
	t.Parallel()
	v := start(t)
	const value = "a-value-of-ours"
	if status, body := v.Send(`PATCH /admin/clients/`+clientID+
		` [{"op": "replace", "path": "/client_secret", "value": "`+value+`"}]`, ""); status != http.StatusOK ||
		!strings.Contains(body, `"client_secret":"`+value) {
		t.Errorf("HTTP %d %s", status, body)
	}
	v.Answer("PATCH /admin/clients/"+clientID, http.StatusOK, `{"client_secret": "`+value+`"}`)
	imitationtest.WantFailure(t, imitated(t, v, clientID).Set(t.Context(), secret.New(value)), failure.Unavailable,
		"not understood", value)
}

func TestWhatTheImitationDoesNotKnowIsRefused(t *testing.T) {
	t.Parallel()
	v := start(t)
	for request, want := range map[string]int{
		"GET /admin/clients":               http.StatusNotImplemented,
		"GET /admin/clients/other":         http.StatusNotFound,
		"PUT /admin/clients/orders-web {}": http.StatusNotImplemented,
		`PATCH /admin/clients/orders-web [{"op": "replace", "path": "/scope", "value": "openid"}]`:            http.StatusBadRequest,
		`PATCH /admin/clients/orders-web [{"op": "replace", "path": "/client_secret", "value": "short"}]`:     http.StatusBadRequest,
		`PATCH /admin/clients/orders-web [{"op": "replace", "path": "/client_secret", "value": "x", "y": 1}]`: http.StatusBadRequest,
	} {
		if status, body := v.Send(request, ""); status != want {
			t.Errorf("%s: %d %s, want %d", request, status, body, want)
		}
	}
	if !v.Store.Accepts(clientID, initial, imitationtest.Noon()) || len(v.Live(clientID)) != 1 {
		t.Error("a refused request changed the secrets")
	}
}
