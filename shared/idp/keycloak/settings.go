package keycloak

import (
	"cmp"
	"net/url"
	"strings"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/strictjson"
)

// Settings are the provider's part of a client's configuration.
type Settings struct {
	// ServerURL is where /realms and /admin are, e.g. https://sso.example.com, or https://sso.example.com/auth.
	ServerURL string `json:"serverUrl"`
	// Realm is the client's.
	Realm string `json:"realm"`
	// RotatorRealm is that of the rotator's own client; by default Realm.
	RotatorRealm string `json:"rotatorRealm,omitempty"`
	// The client with a service account by which the rotator uses the admin API.
	clientcredentials.Settings
}

// isRealm: a realm may have any name without the characters that have a meaning in URLs; these Keycloak refuses.
func isRealm(name string) bool { return idp.IsID(name) && !strings.ContainsAny(name, `/\?#`) }

// check reports what is wrong, takes the slash from the end of the URL, and fills in RotatorRealm.
func (s *Settings) check(ps *strictjson.Problems) {
	config.CheckURL(ps, idp.Setting("serverUrl"), s.ServerURL)
	if u, err := url.Parse(s.ServerURL); err == nil && (u.RawQuery != "" || strings.Contains(u.Path+"/", "/realms/") ||
		strings.Contains(u.Path+"/", "/admin/")) {
		ps.Add(idp.Setting("serverUrl"), "must be the URL before /realms and /admin")
	}
	if !isRealm(s.Realm) {
		ps.Add(idp.Setting("realm"), "must be the name of the client's realm")
	}
	if s.RotatorRealm != "" && !isRealm(s.RotatorRealm) {
		ps.Add(idp.Setting("rotatorRealm"),
			"must be the name of the realm of the rotator's own client, or be left out if that is the client's")
	}
	s.Settings.Check(ps, idp.SettingsPath)
	s.ServerURL = strings.TrimSuffix(s.ServerURL, "/")
	s.RotatorRealm = cmp.Or(s.RotatorRealm, s.Realm)
}
