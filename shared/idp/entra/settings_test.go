package entra_test

import (
	"encoding/json"
	"strings"
	"testing"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/entra"
	"alboidc.internal/shared/idp/entra/entratest"
)

// Microsoft Graph docs, "National cloud deployments"; MSAL and the Graph PowerShell SDK for the partners' clouds.
func TestTheCloudIsThatOfTheIssuer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ issuer, more, graph string }{
		{"https://login.microsoftonline.com/x/v2.0", "", "https://graph.microsoft.com"},
		{"https://sts.windows.net/x/", "", "https://graph.microsoft.com"},
		{"https://example.ciamlogin.com/x/v2.0", "", "https://graph.microsoft.com"},
		{"https://login.microsoftonline.us/x/v2.0", "", "https://graph.microsoft.us"},
		{"https://login.microsoftonline.us/x/v2.0", `"graphUrl": "https://dod-graph.microsoft.us",`,
			"https://dod-graph.microsoft.us"},
		{"https://login.partner.microsoftonline.cn/x/v2.0", "", "https://microsoftgraph.chinacloudapi.cn"},
		{"https://sts.chinacloudapi.cn/x/", "", "https://microsoftgraph.chinacloudapi.cn"},
		{"https://login.sovcloud-identity.fr/x/v2.0", "", "https://graph.svc.sovcloud.fr"},
		{"https://login.sovcloud-identity.de/x/v2.0", "", "https://graph.svc.sovcloud.de"},
		{"https://login.sovcloud-identity.sg/x/v2.0", "", "https://graph.svc.sovcloud.sg"},
		{"", "", "https://graph.microsoft.com"},
		{"", `"loginUrl": "https://login.microsoftonline.us/",`, "https://graph.microsoft.us"},
		{"https://login.microsoftonline.us/x/v2.0", `"loginUrl": "https://login.chinacloudapi.cn",`,
			"https://microsoftgraph.chinacloudapi.cn"},
	} {
		got, err := entra.Capabilities(json.RawMessage(`{"tenantId": "example.com", `+c.more+withIdentity+`}`),
			idp.Client{Issuer: c.issuer})
		if err != nil || got.Probe.Scope != c.graph+"/.default" || got.Probe.Resource != c.graph {
			t.Errorf("%s with %q: scope %q, resource %q (%v), want those of %s", c.issuer, c.more, got.Probe.Scope,
				got.Probe.Resource, err, c.graph)
		}
	}
}

func TestSettingsAreRefusedFieldByField(t *testing.T) {
	t.Parallel()
	const p = "identityProvider.settings"
	in := `"tenantId": "` + entratest.TenantID + `"`
	tests := []struct {
		name, settings string
		want           []string // none is success
	}{
		{"a web identity", `{` + in + `,` + withIdentity + `}`, nil},
		{"a certificate", `{` + in + `,` + withCertificate + `}`, nil},
		{"a fingerprint with colons", `{` + in + `,` + strings.Replace(withCertificate, "000102",
			"00:01:02", 1) + `}`, nil},
		{"a client secret, and everything else", `{` + in + `, "applicationObjectId": "` + objectID +
			`", "graphUrl": "https://graph.microsoft.us/", "loginUrl": "https://login.microsoftonline.us",
			"secretLifetimeDays": 730, "personalAccounts": true, ` + withSecret + `}`, nil},
		{"a tenant by its domain", `{"tenantId": "example.onmicrosoft.com",` + withIdentity + `}`, nil},
		{"nothing",
			`{}`, []string{p + ".tenantId: must be",
				p + ": needs exactly one of webIdentity, certificate and clientSecret"}},
		{"null", `null`, []string{p + ".tenantId: must be"}},
		{"a tenant that is none", `{"tenantId": "common",` + withIdentity + `}`, []string{p + ".tenantId: must be"}},
		{"a tenant with a path", `{"tenantId": "../x.y",` + withIdentity + `}`, []string{p + ".tenantId: must be"}},
		{"an object id that is none", `{` + in + `, "applicationObjectId": "x",` + withIdentity + `}`,
			[]string{p + ".applicationObjectId: must be"}},
		{"two credentials", `{` + in + `,` + withIdentity + `,` + withSecret + `}`,
			[]string{p + ": needs exactly one of"}},
		{"no credential", `{` + in + `}`, []string{p + ": needs exactly one of"}},
		{"a Graph URL with the version", `{` + in + `, "graphUrl": "https://graph.microsoft.com/v1.0",` + withIdentity +
			`}`, []string{p + ".graphUrl: must be the base URL"}},
		{"plain HTTP", `{` + in + `, "loginUrl": "http://login.microsoftonline.com",` + withIdentity + `}`,
			[]string{p + ".loginUrl: must begin with https://"}},
		{"no life", `{` + in + `, "secretLifetimeDays": 0,` + withIdentity + `}`,
			[]string{p + ".secretLifetimeDays: must be 1 to 730, not 0"}},
		{"too long a life", `{` + in + `, "secretLifetimeDays": 731,` + withIdentity + `}`,
			[]string{p + ".secretLifetimeDays: must be 1 to 730, not 731"}},
		{"a secret in clear", `{` + in + `, "clientSecret": {"clientId": "` + rotatorID + `", "secretArn": "canary"}}`,
			[]string{p + ".clientSecret.secretArn: must be the ARN"}},
		{"an empty client secret", `{` + in + `, "clientSecret": {}}`, []string{p + ".clientSecret.clientId: must be",
			p + ".clientSecret.secretArn"}},
		{"a certificate's end", `{` + in + `, "certificate": {"ends": "31 Jan 2027"}}`, []string{p +
			".certificate.clientId", p + ".certificate: needs exactly one of keyArn", p +
			".certificate.sha256: must be",
			p + ".certificate.ends: must be a time"}},
		{"an empty certificate", `{` + in + `, "certificate": {}}`, []string{p + ".certificate.clientId",
			p + ".certificate: needs exactly one of keyArn", p + ".certificate.sha256: must be"}},
		{"a SHA-1 fingerprint", `{` + in + `,` + strings.Replace(withCertificate, fingerprint, fingerprint[:40], 1) +
			`}`, []string{p + ".certificate.sha256: must be"}},
		{"an empty web identity", `{` + in + `, "webIdentity": {}}`, []string{p + ".webIdentity.clientId: must be"}},
		{"an unknown field", `{` + in + `,` + withIdentity + `, "secret": "canary"}`,
			[]string{p + ".secret: is not known; allowed here: applicationObjectId, certificate"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := entra.Capabilities(json.RawMessage(tt.settings), idp.Client{})
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
