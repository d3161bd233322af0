package authentik

import (
	"net/url"
	"strings"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/strictjson"
)

// Settings are the provider's part of a client's configuration.
type Settings struct {
	// ServerURL is where /api/v3 and /application/o are, e.g. https://sso.example.com.
	ServerURL string `json:"serverUrl"`
	// APIToken of the user that the rotator is.
	APIToken APIToken `json:"apiToken"`
}

// APIToken is a token with the intent API.
type APIToken struct {
	// SecretARN of the Secrets Manager secret that holds the token.
	SecretARN string `json:"secretArn"`
}

// check reports what is wrong, and takes the slash from the end of the URL.
func (s *Settings) check(ps *strictjson.Problems) {
	config.CheckURL(ps, idp.Setting("serverUrl"), s.ServerURL)
	if u, err := url.Parse(s.ServerURL); err == nil && (u.RawQuery != "" || strings.Contains(u.Path+"/", "/api/") ||
		strings.Contains(u.Path+"/", "/application/") || strings.Contains(u.Path+"/", "/if/")) {
		ps.Add(idp.Setting("serverUrl"), "must be the URL before /application/o and /api/v3")
	}
	config.CheckSecretARN(ps, idp.Setting("apiToken.secretArn"), s.APIToken.SecretARN, "the API token")
	s.ServerURL = strings.TrimSuffix(s.ServerURL, "/")
}
