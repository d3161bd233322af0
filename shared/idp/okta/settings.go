package okta

import (
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
	// OrgURL is the organisation's base URL, e.g. https://example.okta.com, without a path.
	OrgURL string `json:"orgUrl"`
	// AppID is the id of the app integration, 0oa…; for apps made in the console it equals the client id.
	AppID string `json:"appId"`
	// Exactly one of APIToken and ServiceApp says how we prove who we are.
	APIToken *APIToken `json:"apiToken,omitempty"`
	// ServiceApp is an OAuth service app, which signs its requests for access tokens with a private key.
	ServiceApp *clientcredentials.KeySettings `json:"serviceApp,omitempty"`
}

// APIToken is an SSWS token: it has the admin role of the user who made it.
type APIToken struct {
	// SecretARN of the Secrets Manager secret that holds the token.
	SecretARN string `json:"secretArn"`
}

// adminConsole is the console's host, on Okta's own domains (Okta developer docs, "Okta organizations"; AWS Secrets
// Manager user guide, "Okta OAuth Client Secret"). The name of a custom domain may end in -admin, too.
var adminConsole = regexp.MustCompile(
	`(?i)-admin\.(okta\.com|oktapreview\.com|okta-emea\.com|okta-gov\.com|okta\.mil)$`)

// check reports what is wrong, and takes the slash from the end of the URL.
func (s *Settings) check(ps *strictjson.Problems) {
	config.CheckBaseURL(ps, idp.Setting("orgUrl"), s.OrgURL,
		"must be the organisation's base URL, without a path: the issuer without /oauth2/…")
	if u, err := url.Parse(s.OrgURL); err == nil && adminConsole.MatchString(u.Hostname()) {
		ps.Add(idp.Setting("orgUrl"), "must be the organisation's own URL, without -admin")
	}
	if !idp.IsID(s.AppID) {
		ps.Add(idp.Setting("appId"), "must be the id of the app integration, 0oa…")
	}
	if (s.APIToken == nil) == (s.ServiceApp == nil) {
		ps.Add(idp.SettingsPath, "needs exactly one of apiToken and serviceApp")
	}
	if t := s.APIToken; t != nil {
		config.CheckSecretARN(ps, idp.Setting("apiToken.secretArn"), t.SecretARN, "the API token")
	}
	if s.ServiceApp != nil {
		s.ServiceApp.Check(ps, idp.Setting("serviceApp"))
	}
	s.OrgURL = strings.TrimSuffix(s.OrgURL, "/")
}
