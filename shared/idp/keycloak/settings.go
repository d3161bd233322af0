package keycloak

import (
	"cmp"
	"net/url"
	"regexp"
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

// realmPattern keeps realms harmless inside a URL's path.
var realmPattern = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,255}$`)

// check reports what is wrong, takes the slash from the end of the URL, and fills in RotatorRealm.
func (s *Settings) check(ps *strictjson.Problems) {
	config.CheckURL(ps, idp.Setting("serverUrl"), s.ServerURL)
	if u, err := url.Parse(s.ServerURL); err == nil && (u.RawQuery != "" || strings.Contains(u.Path+"/", "/realms/") ||
		strings.Contains(u.Path+"/", "/admin/")) {
		ps.Add(idp.Setting("serverUrl"), "must be the URL before /realms and /admin")
	}
	if !realmPattern.MatchString(s.Realm) {
		ps.Add(idp.Setting("realm"), "must be the name of the client's realm, letters, digits, ., _, ~ and -")
	}
	if s.RotatorRealm != "" && !realmPattern.MatchString(s.RotatorRealm) {
		ps.Add(idp.Setting("rotatorRealm"),
			"must be the name of the realm of the rotator's own client, or be left out if that is the client's")
	}
	s.Settings.Check(ps, idp.SettingsPath)
	s.ServerURL = strings.TrimSuffix(s.ServerURL, "/")
	s.RotatorRealm = cmp.Or(s.RotatorRealm, s.Realm)
}
