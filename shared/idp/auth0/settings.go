package auth0

import (
	"regexp"
	"strings"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/strictjson"
)

// Settings are the provider's part of a client's configuration.
type Settings struct {
	// TenantURL is the tenant's own domain, e.g. https://example.eu.auth0.com, without a path. The Management API is
	// not on custom domains.
	TenantURL string `json:"tenantUrl"`
	// The machine-to-machine application by which the rotator uses the Management API.
	clientcredentials.Settings
}

var codePattern = regexp.MustCompile(`^[a-z_]{1,40}$`)

// check reports what is wrong, and takes the slash from the end of the URL.
func (s *Settings) check(ps *strictjson.Problems) {
	config.CheckBaseURL(ps, idp.Setting("tenantUrl"), s.TenantURL,
		"must be the tenant's own domain, https://TENANT.REGION.auth0.com, without a path")
	s.Settings.Check(ps, idp.SettingsPath)
	if k := s.PrivateKey; k != nil && k.Algorithm == clientcredentials.ES256 {
		ps.Add(idp.Setting("privateKey.algorithm"), "must be RS256: Auth0 takes no key of an elliptic curve")
	}
	s.TenantURL = strings.TrimSuffix(s.TenantURL, "/")
}
