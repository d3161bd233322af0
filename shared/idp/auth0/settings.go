package auth0

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/strictjson"
)

// path of the settings in the client's configuration.
const path = "identityProvider.settings"

// Settings are the provider's part of a client's configuration.
type Settings struct {
	// TenantURL is the tenant's own domain, e.g. https://example.eu.auth0.com, without a path. The Management API is not on
	// custom domains.
	TenantURL string `json:"tenantUrl"`
	// The machine-to-machine application by which the rotator uses the Management API.
	clientcredentials.Settings
}

var (
	// idPattern keeps client ids harmless inside a URL's path.
	idPattern   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
	codePattern = regexp.MustCompile(`^[a-z_]{1,40}$`)
)

func parseSettings(raw json.RawMessage) (Settings, error) {
	var s Settings
	ps := strictjson.Decode(raw, &s, path)
	if len(ps) == 0 {
		s.check(&ps)
	}
	if err := ps.Err("the client configuration"); err != nil {
		return Settings{}, err
	}
	s.TenantURL = strings.TrimSuffix(s.TenantURL, "/")
	return s, nil
}

func (s Settings) check(ps *strictjson.Problems) {
	config.CheckURL(ps, path+".tenantUrl", s.TenantURL)
	if u, err := url.Parse(s.TenantURL); err == nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "") {
		ps.Add(path+".tenantUrl", "must be the tenant's own domain, https://TENANT.REGION.auth0.com, without a path")
	}
	s.Settings.Check(ps, path)
}
