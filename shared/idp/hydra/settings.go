package hydra

import (
	"net/url"
	"strings"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/strictjson"
)

// Settings are the provider's part of a client's configuration.
type Settings struct {
	// AdminURL is where /admin/clients is, e.g. https://hydra-admin.example.com or
	// https://PROJECT.projects.oryapis.com.
	AdminURL string `json:"adminUrl"`
	// APIKey of the Ory Network project. A Hydra of one's own has no authentication; what protects it may take a bearer
	// token too.
	APIKey *APIKey `json:"apiKey,omitempty"`
	// RemoveAllPrevious acknowledges that a rotation ends all earlier secrets of the client, not just the one that it
	// replaced. Needed without clientPair and allowInterruption.
	RemoveAllPrevious bool `json:"removeAllPrevious,omitempty"`
}

// APIKey is sent as a bearer token.
type APIKey struct {
	// SecretARN of the Secrets Manager secret that holds the key.
	SecretARN string `json:"secretArn"`
}

// check reports what is wrong, and takes the slash from the end of the URL.
func (s *Settings) check(ps *strictjson.Problems) {
	config.CheckURL(ps, idp.Setting("adminUrl"), s.AdminURL)
	if u, err := url.Parse(s.AdminURL); err == nil && (u.RawQuery != "" || strings.Contains(u.Path, "/admin")) {
		ps.Add(idp.Setting("adminUrl"), "must be the URL before /admin/clients")
	}
	if k := s.APIKey; k != nil {
		config.CheckSecretARN(ps, idp.Setting("apiKey.secretArn"), k.SecretARN, "the API key of the Ory project")
	}
	s.AdminURL = strings.TrimSuffix(s.AdminURL, "/")
}
