package entra_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/entra/entratest"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/secret"
)

const (
	fingerprint     = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
	withCertificate = `"certificate": {"clientId": "` + rotatorID + `", "keySecretArn": "` + secretARN +
		`", "sha256": "` + fingerprint + `"}`
)

const asked = "entra.adminToken"

// Which keys are usable, package clientcredentials shows.
func TestUnusableCredentialsAreNotSent(t *testing.T) {
	t.Parallel()
	noAccess := func(context.Context, string) (secret.Value, error) {
		return secret.Value{}, failure.New(failure.AccessDenied, "no access")
	}
	for name, tt := range map[string]struct {
		settings string
		change   func(*idp.Deps)
		kind     failure.Kind
		says     string
	}{
		"a secret with a space": {withSecret, func(d *idp.Deps) { d.Secret = storing("canary canary") },
			failure.Precondition,
			secretARN + " does not hold a client secret"},
		"an empty secret": {withSecret, func(d *idp.Deps) { d.Secret = storing("\n") }, failure.Precondition,
			secretARN + " does not hold a client secret"},
		"no key": {withCertificate, func(d *idp.Deps) { d.Secret = storing("canary") }, failure.Precondition,
			secretARN +
				" is not usable as the private key of the rotator's own app registration: it holds no RSA private key"},
		"a secret out of reach": {withSecret, func(d *idp.Deps) { d.Secret = noAccess }, failure.AccessDenied,
			"no access"},
		"a key out of reach": {withCertificate, func(d *idp.Deps) { d.Secret = noAccess }, failure.AccessDenied,
			"no access"},
		"no right to a token": {withIdentity, func(d *idp.Deps) { d.WebIdentity = noAccess }, failure.AccessDenied,
			"no access"},
	} {
		v := newTenant(t)
		_, err := newProvider(t, v, func(_ *testing.T, _ *imitationtest.Vendor, d *idp.Deps) string {
			tt.change(d)
			return tt.settings
		}, "").List(t.Context())
		imitationtest.WantFailure(t, err, tt.kind, tt.says)
		if v.Asked(asked) != 0 {
			t.Errorf("%s: a token was asked for", name)
		}
	}
}

func TestAnAccessTokenIsUsedUntilShortlyBeforeItsEnd(t *testing.T) {
	t.Parallel()
	v := newTenant(t)
	p := newProvider(t, v, bySecret, "")
	for _, step := range []struct {
		after  time.Duration
		tokens int
	}{{0, 1}, {59*time.Minute - 2*time.Second, 1}, {time.Second, 2}} { // Entra ID says 3599 seconds
		v.Clock.Advance(step.after)
		if _, err := p.List(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := v.Asked(asked); got != step.tokens {
			t.Errorf("at %s: %d tokens were asked for, want %d", v.Clock.Now(), got, step.tokens)
		}
	}
}

// tokenError is the documented shape of an error of the token endpoint; its texts must not come through.
func tokenError(code string, number int) string {
	return fmt.Sprintf(
		`{"error": %q, "error_description": "AADSTS%d: text of the vendor. Trace ID: vendor", "error_codes": [%d],
 "timestamp": "2026-03-01 10:00:05Z", "trace_id": "vendor", "correlation_id": "vendor", "error_uri": "https://vendor"}`, code, number, number)
}

func TestARefusedTokenIsExplained(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status             int
		answer, credential string
		kind               failure.Kind
		says               string
	}{
		"a wrong secret": {401, tokenError("invalid_client", 7000215), withSecret, failure.IdPRejected,
			"is not one of client " + rotatorID + ", or has expired"},
		"a foreign certificate": {401, tokenError("invalid_client", 700027), withCertificate, failure.IdPRejected,
			"check that the certificate"},
		"no federated credential": {401, tokenError("invalid_client", 700213), withIdentity, failure.IdPRejected,
			"needs a federated credential"},
		"no federated credential, by another code": {400, tokenError("invalid_request", 70021), withIdentity,
			failure.IdPRejected, "needs a federated credential"},
		"an unknown app, by another code": {401, tokenError("invalid_client", 700016), withSecret, failure.IdPRejected,
			"exists and is enabled there"},
		"another cloud, by another code": {401, tokenError("invalid_client", 900382), withSecret, failure.IdPRejected,
			"same cloud"},
		"an unknown app": {400, tokenError("unauthorized_client", 700016), withSecret, failure.IdPRejected,
			"exists and is enabled there"},
		"an unknown tenant": {400, tokenError("invalid_request", 90002), withSecret, failure.IdPRejected,
			"check identityProvider.settings.tenantId"},
		"a blocked workload": {400, tokenError("invalid_grant", 53003), withSecret, failure.IdPRejected,
			"Conditional Access"},
		"another cloud":   {400, tokenError("invalid_resource", 500011), withSecret, failure.IdPRejected, "same cloud"},
		"an unknown code": {400, `{"error": "canary-canary"}`, withSecret, failure.IdPRejected, "HTTP 400"},
		"too many requests": {429, tokenError("temporarily_unavailable", 90055), withSecret, failure.Throttled,
			"HTTP 429"},
		"a server error": {503, "<html>vendor", withSecret, failure.Unavailable, "HTTP 503"},
		"no token": {200, `{"token_type": "Bearer", "expires_in": 3600}`, withSecret,
			failure.Unavailable, "not understood"},
		"a token of another kind": {200, `{"token_type": "pop", "expires_in": 3600, "access_token": "vendor"}`,
			withSecret, failure.Unavailable, "not understood"},
		"nonsense": {200, `vendor`, withSecret, failure.Unavailable, "not understood"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newTenant(t)
			v.Answer("POST /"+entratest.TenantID+"/oauth2/v2.0/token", tt.status, tt.answer)
			with := func(t *testing.T, v *imitationtest.Vendor, d *idp.Deps) string {
				byIdentity("", "")(t, v, d)
				if tt.credential == withCertificate {
					byCertificate(t, v, d)
				}
				return tt.credential
			}
			_, err := newProvider(t, v, with, "").List(t.Context())
			imitationtest.WantFailure(t, err, tt.kind, tt.says, "vendor", v.Double.AdminToken())
		})
	}
}
