package okta

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/strictjson"
)

// path of the settings in the client's configuration.
const path = "identityProvider.settings"

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

// idPattern keeps ids harmless inside a URL's path.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// CheckSettings reports every problem of the settings as one InvalidInput failure. It makes no request.
func CheckSettings(raw json.RawMessage) error {
	_, err := parseSettings(raw)
	return err
}

func parseSettings(raw json.RawMessage) (Settings, error) {
	var s Settings
	ps := strictjson.Decode(raw, &s, path)
	if len(ps) == 0 {
		s.check(&ps)
	}
	if err := ps.Err("the client configuration"); err != nil {
		return Settings{}, err
	}
	s.OrgURL = strings.TrimSuffix(s.OrgURL, "/")
	return s, nil
}

func (s Settings) check(ps *strictjson.Problems) {
	config.CheckURL(ps, path+".orgUrl", s.OrgURL)
	if u, err := url.Parse(s.OrgURL); err == nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "") {
		ps.Add(path+".orgUrl", "must be the organisation's base URL, without a path: the issuer without /oauth2/…")
	}
	if u, err := url.Parse(s.OrgURL); err == nil && strings.HasSuffix(strings.Split(u.Hostname(), ".")[0], "-admin") {
		ps.Add(path+".orgUrl", "must be the organisation's own URL, without -admin")
	}
	if !idPattern.MatchString(s.AppID) {
		ps.Add(path+".appId", "must be the id of the app integration, 0oa…")
	}
	if (s.APIToken == nil) == (s.ServiceApp == nil) {
		ps.Add(path, "needs exactly one of apiToken and serviceApp")
	}
	if t := s.APIToken; t != nil {
		config.CheckSecretARN(ps, path+".apiToken.secretArn", t.SecretARN, "the API token")
	}
	if a := s.ServiceApp; a != nil {
		if !idPattern.MatchString(a.ClientID) {
			ps.Add(path+".serviceApp.clientId", "must be the client id of the service app, 0oa…")
		}
		config.CheckSecretARN(ps, path+".serviceApp.keySecretArn", a.KeySecretARN, "the private key")
		if a.KeyID == "" {
			ps.Add(path+".serviceApp.keyId", "is missing: the key id (kid) of the public key at the service app")
		}
	}
}
