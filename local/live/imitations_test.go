package live_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"alboidc.internal/local/idp"
	"alboidc.internal/local/localca"
	"alboidc.internal/shared/idp/idptest/imitations"
)

// What make live does at a tenant is done at the imitations, in the same words.
func TestATenantIsTriedAsAnImitationIs(t *testing.T) {
	t.Parallel()
	for kind, pair := range map[string]bool{"okta": false, "entra": false, "hydra": false, "pingone": false,
		"auth0": true, "authentik": true} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			authority, err := localca.New()
			if err != nil {
				t.Fatal(err)
			}
			p, err := idp.Start(t.Context(), idp.Options{Vendor: kind, Authority: authority})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.Close() })
			im := imitations.All[kind]
			env := map[string]string{"LIVE_IDP": kind, "LIVE_ISSUER": p.Issuer(), "LIVE_CLIENT_ID": im.ClientID,
				"LIVE_ADMIN_SECRET": p.AdminToken(), "LIVE_CA": filepath.Join(t.TempDir(),
					"ca.pem"), "LIVE_USER": "ada",
				"LIVE_PASSWORD": "ada-password", "LIVE_EMAIL": "ada@example.com"}
			p.AddUser(idp.User{Name: "ada", Password: "ada-password", Email: "ada@example.com"})
			register := func(id, appID string) {
				if _, _, err := p.RegisterClient(idp.Client{ID: id, AppID: appID, RedirectURIs: callbacks},
					"initial-secret-of-"+id); err != nil {
					t.Fatal(err)
				}
			}
			if o, limited := p.Vendor().(interface{ SetRateLimit(perMinute int) }); limited {
				o.SetRateLimit(1 << 20) // a tenant's is waited for, by the minute
			}
			register(im.ClientID, im.AppID)
			if pair {
				env["LIVE_PAIR"] = im.PairID
				register(im.PairID, "")
			}
			settings, err := json.Marshal(im.Settings(p.URL(), im.AppID, "an ARN, whatever it is"))
			if err != nil {
				t.Fatal(err)
			}
			env["LIVE_SETTINGS"] = string(settings)
			if err := os.WriteFile(env["LIVE_CA"], authority.PEM(), 0o600); err != nil {
				t.Fatal(err)
			}
			tryTenant(t, func(name string) string { return env[name] })
			for _, id := range []string{im.ClientID, env["LIVE_PAIR"]} {
				if n := len(p.Store().Secrets(id)); id != "" && n != 1 {
					t.Errorf("client %s is left with %d secrets", id, n)
				}
			}
		})
	}
}
