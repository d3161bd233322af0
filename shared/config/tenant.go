package config

import (
	"cmp"
	"encoding/json"
	"net/url"
	"strings"
)

// Tenant is what the rate limits of the client's identity provider count by: an organization, a tenant, a pool or a
// server. Clients of one tenant are not all rotated at once.
func (c Client) Tenant() string {
	var settings struct {
		OrgURL, TenantURL, ServerURL, AuthURL, TenantID, UserPoolID, EnvironmentID, FunctionARN string
	}
	_ = json.Unmarshal(c.IdentityProvider.Settings, &settings) // what is wrong with them is told elsewhere
	if id := cmp.Or(settings.TenantID, settings.UserPoolID, settings.EnvironmentID, settings.FunctionARN); id != "" {
		return strings.ToLower(id)
	}
	u, err := url.Parse(cmp.Or(settings.OrgURL, settings.TenantURL, settings.ServerURL, settings.AuthURL, c.Issuer))
	if err != nil {
		return c.Issuer
	}
	return strings.ToLower(u.Hostname())
}
