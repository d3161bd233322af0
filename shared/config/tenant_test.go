package config_test

import (
	"testing"

	"alboidc.internal/shared/config"
)

func TestATenantIsWhatRateLimitsCountBy(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]string{
		`{"orgUrl": "https://Acme.okta.com", "appId": "0oa"}`:                           "acme.okta.com",
		`{"tenantUrl": "https://acme.eu.auth0.com"}`:                                    "acme.eu.auth0.com",
		`{"serverUrl": "https://sso.example.com:8443/auth", "realm": "x"}`:              "sso.example.com",
		`{"tenantId": "11111111-2222"}`:                                                 "11111111-2222",
		`{"userPoolId": "eu-central-1_AbCdEfGhI"}`:                                      "eu-central-1_abcdefghi",
		`{"environmentId": "3333", "authUrl": "https://auth.pingone.eu"}`:               "3333",
		`{"functionArn": "arn:aws:lambda:eu-central-1:111122223333:function:idp:live"}`: "arn:aws:lambda:eu-central-1:111122223333:function:idp:live",
		`{"adminUrl": "https://hydra-admin.internal"}`:                                  "login.example.com",
		`{}`: "login.example.com",
	} {
		c := config.Client{Issuer: "https://login.example.com/oauth2"}
		c.IdentityProvider.Settings = []byte(settings)
		if got := c.Tenant(); got != want {
			t.Errorf("%s: %q, want %q", settings, got, want)
		}
	}
}
