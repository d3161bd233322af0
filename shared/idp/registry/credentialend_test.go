package registry_test

import (
	"cmp"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/idp/registry"
)

func TestWhenTheRotatorsOwnCredentialEnds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for settings, c := range map[string]struct {
		field, says string
		kind        string // by default entra
	}{
		`{"tenantId": "t", "certificate": {"sha256": "AA", "ends": "2026-03-15T10:00:00Z"}}`: {"certificate.ends",
			"ends at 2026-03-15T10:00:00Z (identityProvider.settings.certificate.ends)", ""},
		`{"tenantId": "t", "certificate": {"sha256": "AA", "ends": "2026-03-15T10:00:01Z"}}`: {"certificate.ends",
			"", ""},
		`{"tenantId": "t", "clientSecret": {"ends": "2025-03-15T10:00:00Z"}}`: {"clientSecret.ends",
			"ends at 2025-03-15", ""},
		`{"tenantId": "t", "certificate": {"sha256": "AA"}}`:                   {"certificate.ends", "", ""},
		`{"tenantId": "t", "webIdentity": {"clientId": "x"}}`:                  {"", "", ""},
		`{"orgUrl": "https://example.okta.com", "privateKey": {"keyId": "k"}}`: {"", "", "okta"},
		`{`: {"", "", ""},
	} {
		end := registry.CredentialEnd(cmp.Or(c.kind, "entra"), json.RawMessage(settings))
		if !strings.HasSuffix(end.Field, c.field) || (end.Field == "") != (c.field == "") {
			t.Errorf("%s: field %q", settings, end.Field)
		}
		if got := end.Tell(now, 14*24*time.Hour); !strings.Contains(got, c.says) || (got == "") != (c.says == "") {
			t.Errorf("%s: %q", settings, got)
		}
	}
}
