package idp_test

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/idp"
	adapter "alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/entra/entratest"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/secret"
)

func TestLoginAndRefreshWorkAtEntrasPaths(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *idp.Options) { o.Vendor = "entra" })
	if w.Endpoints().Token != w.URL()+"/"+entratest.TenantID+"/oauth2/v2.0/token" {
		t.Errorf("the endpoints are %+v", w.Endpoints())
	}
	w.addSecret(second)
	tokens := w.token(first, codeGrant(w.code())).must(t, http.StatusOK, "token_type", "Bearer")
	w.token(second, refreshGrant(tokens.fields["refresh_token"])).must(t, http.StatusOK)
	w.userInfo(tokens.fields["access_token"]).must(t, http.StatusOK, "email", "alice@example.com")
	used := codeGrant(w.code())
	w.token("wrong", used).must(t, http.StatusUnauthorized, "error", "invalid_client")
	w.token(first, used).must(t, http.StatusOK)
	w.token(first, used).must(t, http.StatusBadRequest, "error", "invalid_grant")
	for _, secret := range []string{first, "wrong"} {
		a := w.token(secret, codeGrant("probe-an-invented-code")).must(t, http.StatusBadRequest, "error",
			"invalid_grant")
		if !strings.HasPrefix(a.fields["error_description"].(string), "AADSTS9002313: ") {
			t.Errorf("an invented code: %s", a.body)
		}
	}
}

func TestATokenServerThatHasNotHeardOfASecretRefusesLoginsWithIt(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *idp.Options) { o.Vendor = "entra" })
	w.Vendor().(*entratest.Entra).SetReplicas(0, time.Minute)
	w.addSecret(second)
	w.token(second, codeGrant(w.code())).must(t, http.StatusOK)
	code := codeGrant(w.code())
	w.token(second, code).must(t, http.StatusUnauthorized, "error", "invalid_client")
	w.token(second, code).must(t, http.StatusOK)
	w.clock.Advance(time.Minute)
	w.token(second, codeGrant(w.code())).must(t, http.StatusOK)
}

// TestTheProbeOfEntraTellsGoodSecretsFromBadOnes uses the probe as the functions do, with the adapter's grant and, to
// show why, with the usual one.
func TestTheProbeOfEntraTellsGoodSecretsFromBadOnes(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *idp.Options) { o.Vendor = "entra" })
	client := *w.http
	client.Jar = nil
	c := probe.Credential{HTTP: &client, Rand: rand.Reader}
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		at := probe.Endpoint{TokenEndpoint: w.Endpoints().Token, ClientID: clientID, CallbackURL: callback,
			AuthMethod: method,
			Spec: adapter.ProbeSpec{Grant: adapter.ClientCredentials, Scope: w.URL() + "/.default",
				Rejected: []string{"AADSTS7000215"}}}
		usual := at
		usual.Spec = adapter.ProbeSpec{Grant: adapter.AuthorizationCode, Accepted: []string{"invalid_grant"},
			Rejected: []string{"invalid_client"}}
		for _, tt := range []struct {
			endpoint probe.Endpoint
			value    string
			want     probe.Outcome
		}{{at, first, probe.Accepted}, {at, second, probe.Rejected}, {usual, first, probe.Inconclusive},
			{usual, second, probe.Inconclusive}} {
			v, err := c.Differential(t.Context(), tt.endpoint, secret.New(tt.value))
			if err != nil || v.Outcome != tt.want {
				t.Errorf("%s, grant %s: %+v, %v; want %s", method, tt.endpoint.Spec.Grant, v, err, tt.want)
			}
		}
	}
	if a := w.do(form(t, w.Endpoints().Token, url.Values{"grant_type": {"client_credentials"},
		"client_id": {clientID}})); a.status != http.StatusUnauthorized {
		t.Errorf("without a secret: %d %s", a.status, a.body)
	}
}
