package okta_test

import (
	"encoding/json"
	"strings"
	"testing"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/okta"
)

func TestSettingsAreRefusedFieldByField(t *testing.T) {
	t.Parallel()
	const p = "identityProvider.settings"
	url, app := `"orgUrl": "https://example.okta.com"`, `"appId": "0oaApp"`
	tests := []struct {
		name, settings string
		want           []string // none is success
	}{
		{"an API token", `{` + url + `,` + app + `,` + withToken + `}`, nil},
		{"a service app, and a slash after the URL",
			`{"orgUrl": "https://example.okta.com/",` + app + `,` + serviceAppSettings + `}`, nil},
		{"nothing", `{}`, []string{p + ".orgUrl: is missing", p + ".appId: must be", p + ": needs exactly one of"}},
		{"null", `null`, []string{p + ".orgUrl: is missing"}},
		{"both credentials", `{` + url + `,` + app + `,` + withToken + `,` + serviceAppSettings + `}`,
			[]string{p + ": needs exactly one of apiToken and serviceApp"}},
		{"neither", `{` + url + `,` + app + `}`, []string{p + ": needs exactly one of"}},
		{"the issuer as URL", `{"orgUrl": "https://example.okta.com/oauth2/default",` + app + `,` + withToken + `}`,
			[]string{p + ".orgUrl: must be the organisation's base URL"}},
		{"the admin console as URL", `{"orgUrl": "https://example-admin.okta.com",` + app + `,` + withToken + `}`,
			[]string{p + ".orgUrl: must be the organisation's own URL"}},
		{"the admin console of a preview",
			`{"orgUrl": "https://example-admin.oktapreview.com",` + app + `,` + withToken + `}`,
			[]string{p + ".orgUrl: must be the organisation's own URL"}},
		{"a custom domain that ends in -admin",
			`{"orgUrl": "https://login-admin.example.com",` + app + `,` + withToken + `}`,
			nil},
		{"a custom domain that only looks like Okta's",
			`{"orgUrl": "https://x-admin.okta.com.example.com",` + app + `,` + withToken + `}`, nil},
		{"a service app with an id of its own", `{` + url + `,` + app + `,` +
			strings.Replace(serviceAppSettings, "0oaService", "rotator: of $staff", 1) + `}`, nil},
		{"plain HTTP", `{"orgUrl": "http://example.okta.com",` + app + `,` + withToken + `}`,
			[]string{p + ".orgUrl: must begin with https://"}},
		{"an app id with a path", `{` + url + `, "appId": "../0oa",` + withToken + `}`,
			[]string{p + ".appId: must be"}},
		{"a token in clear", `{` + url + `,` + app + `, "apiToken": {"secretArn": "00canary"}}`,
			[]string{p + ".apiToken.secretArn: must be the ARN"}},
		{"an empty service app", `{` + url + `,` + app + `, "serviceApp": {}}`,
			[]string{p + ".serviceApp.clientId", p + ".serviceApp: needs exactly one of keyArn",
				p + ".serviceApp.keyId"}},
		{"an unknown field", `{` + url + `,` + app + `,` + withToken + `, "token": "canary"}`,
			[]string{p + ".token: is not known; allowed here: apiToken, appId, orgUrl, serviceApp"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := okta.Capabilities(json.RawMessage(tt.settings), idp.Client{})
			if len(tt.want) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !failure.Is(err, failure.InvalidInput) {
				t.Fatalf("got %v, want %s", err, failure.InvalidInput)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("got %v, want it to contain %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the error shows a value: %v", err)
			}
		})
	}
}
