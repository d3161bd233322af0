package okta

import (
	"net/url"
	"regexp"
	"strings"

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
	APIToken   *APIToken   `json:"apiToken,omitempty"`
	ServiceApp *ServiceApp `json:"serviceApp,omitempty"`
}

// APIToken is an SSWS token: it has the admin role of the user who made it.
type APIToken struct {
	// SecretARN of the Secrets Manager secret that holds the token.
	SecretARN string `json:"secretArn"`
}

// ServiceApp is an OAuth service app, which signs its requests for access tokens with a private key.
type ServiceApp struct {
	ClientID string `json:"clientId"`
	// KeySecretARN of the Secrets Manager secret that holds the RSA private key, in PEM or as a JWK.
	KeySecretARN string `json:"keySecretArn"`
	// KeyID is the kid under which the public key is registered at the service app.
	KeyID string `json:"keyId"`
}

// adminConsole is the console's host, on Okta's own domains (Okta developer docs, "Okta organizations"; AWS Secrets
// Manager user guide, "Okta OAuth Client Secret"). The name of a custom domain may end in -admin, too.
var adminConsole = regexp.MustCompile(`(?i)-admin\.(okta\.com|oktapreview\.com|okta-emea\.com|okta-gov\.com|okta\.mil)$`)

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
	if a := s.ServiceApp; a != nil {
		if a.ClientID == "" {
			ps.Add(idp.Setting("serviceApp.clientId"), "is missing: the client id of the service app")
		}
		config.CheckSecretARN(ps, idp.Setting("serviceApp.keySecretArn"), a.KeySecretARN, "the private key")
		if a.KeyID == "" {
			ps.Add(idp.Setting("serviceApp.keyId"), "is missing: the key id (kid) of the public key at the service app")
		}
	}
	s.OrgURL = strings.TrimSuffix(s.OrgURL, "/")
}
