package entra

import (
	"encoding/json"
	"regexp"
	"strings"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/strictjson"
)

const (
	// defaultAudience is what Entra ID recommends as the audience of a federated credential.
	defaultAudience = "api://AzureADTokenExchange"
	// defaultLifetime in days is twice a rotation interval of 90 days, and the longest that common baselines allow
	// (CISA SCuBA baseline for Microsoft Entra ID: 180 days or less).
	defaultLifetime = 180
	// maxLifetime in days is what Entra ID gives a secret without an end date: two years.
	maxLifetime = 730
)

// Settings are the provider's part of a client's configuration.
type Settings struct {
	// TenantID is the directory (tenant) id, or one of the tenant's domain names.
	TenantID string `json:"tenantId"`
	// ApplicationObjectID is the object id of the app registration. Without it the registration is addressed by its
	// application (client) id, which does as well.
	ApplicationObjectID string `json:"applicationObjectId,omitempty"`
	// GraphURL and LoginURL are those of the cloud. By default it is the one that the issuer's host belongs to, and the
	// worldwide one for any other host.
	GraphURL string `json:"graphUrl,omitempty"`
	LoginURL string `json:"loginUrl,omitempty"`
	// SecretLifetimeDays is how long a new secret lives; 1 to 730, default 180. It must exceed the rotation interval
	// plus the grace period by the time that it takes somebody to notice that rotations fail: a secret that expires
	// while it is in use is an outage. A tenant's app management policy may set an upper limit.
	SecretLifetimeDays *int `json:"secretLifetimeDays,omitempty"`
	// PersonalAccounts must be true for a registration that allows personal Microsoft accounts: such a one holds two
	// secrets at most (Microsoft identity platform docs, "Validation differences by supported account types").
	PersonalAccounts bool `json:"personalAccounts,omitempty"`

	// Exactly one of these says how we prove who we are. WebIdentity needs no stored secret.
	WebIdentity  *WebIdentity  `json:"webIdentity,omitempty"`
	Certificate  *Certificate  `json:"certificate,omitempty"`
	ClientSecret *ClientSecret `json:"clientSecret,omitempty"`
}

// WebIdentity proves who we are by a token of AWS STS for the function's role, which a federated credential of our own
// app registration trusts.
type WebIdentity struct {
	// ClientID of our own app registration.
	ClientID string `json:"clientId"`
	// Audience that the federated credential expects; default api://AzureADTokenExchange.
	Audience string `json:"audience,omitempty"`
}

// Certificate proves who we are by a signature with the key of a certificate of our own app registration.
type Certificate struct {
	// ClientID of our own app registration.
	ClientID string `json:"clientId"`
	clientcredentials.KeyPlace
	// SHA256 is the certificate's SHA-256 fingerprint in hexadecimal digits, with or without colons
	// (openssl x509 -noout -fingerprint -sha256).
	SHA256 string `json:"sha256"`
	// Ends is when the certificate does, which Entra ID shows to people only: people are told before, if it is here.
	Ends string `json:"ends,omitempty"`
}

// ClientSecret proves who we are by a client secret of our own app registration.
type ClientSecret struct {
	// ClientID of our own app registration.
	ClientID string `json:"clientId"`
	// SecretARN of the Secrets Manager secret that holds the client secret's value.
	SecretARN string `json:"secretArn"`
	// Ends is when it expires, as in Certificate.
	Ends string `json:"ends,omitempty"`
}

var (
	guidPattern   = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	domainPattern = regexp.MustCompile(`^[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$`)
	sha256Pattern = regexp.MustCompile(`^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}$`)
)

// parse reads the settings of a client.
func parse(raw json.RawMessage, c idp.Client) (Settings, error) {
	return idp.ParseSettings(raw, func(s *Settings, ps *strictjson.Problems) {
		s.setDefaults(c.Issuer)
		s.check(ps)
	})
}

// CredentialEnd is when the certificate or the client secret of our own app registration ends, by settings that have
// been checked.
func CredentialEnd(raw json.RawMessage) idp.CredentialEnd {
	var s Settings
	switch err := json.Unmarshal(raw, &s); {
	case err != nil: // what is wrong is told elsewhere
	case s.Certificate != nil && s.Certificate.SHA256 != "":
		return idp.CredentialEndOf("certificate.ends", s.Certificate.Ends)
	case s.ClientSecret != nil:
		return idp.CredentialEndOf("clientSecret.ends", s.ClientSecret.Ends)
	}
	return idp.CredentialEnd{}
}

// setDefaults takes the cloud from the issuer's host, where there is no login URL, and Microsoft Graph from the cloud.
func (s *Settings) setDefaults(issuer string) {
	if s.LoginURL == "" {
		s.LoginURL = cloudOf(issuer).login
	}
	if s.GraphURL == "" {
		s.GraphURL = cloudOf(s.LoginURL).graph
	}
	s.GraphURL, s.LoginURL = strings.TrimSuffix(s.GraphURL, "/"), strings.TrimSuffix(s.LoginURL, "/")
	if s.WebIdentity != nil && s.WebIdentity.Audience == "" {
		s.WebIdentity.Audience = defaultAudience
	}
}

// lifetime is SecretLifetimeDays or its default.
func (s Settings) lifetime() int {
	if s.SecretLifetimeDays == nil {
		return defaultLifetime
	}
	return *s.SecretLifetimeDays
}

// check reports what is wrong.
func (s *Settings) check(ps *strictjson.Problems) {
	if !guidPattern.MatchString(s.TenantID) && !domainPattern.MatchString(s.TenantID) {
		ps.Add(idp.Setting("tenantId"), "must be the directory (tenant) id, a GUID, or a domain name of the tenant; "+
			"common and organizations are no tenant")
	}
	if s.ApplicationObjectID != "" {
		checkGUID(ps, idp.Setting("applicationObjectId"), s.ApplicationObjectID,
			"the object id of the app registration")
	}
	const advice = "must be the base URL of the cloud's endpoint, without a path"
	config.CheckBaseURL(ps, idp.Setting("graphUrl"), s.GraphURL, advice)
	config.CheckBaseURL(ps, idp.Setting("loginUrl"), s.LoginURL, advice)
	if days := s.lifetime(); days < 1 || days > maxLifetime {
		ps.Add(idp.Setting("secretLifetimeDays"), "must be 1 to %d, not %d", maxLifetime, days)
	}
	s.checkCredential(ps)
}

func (s Settings) checkCredential(ps *strictjson.Problems) {
	given := 0
	const ours = "the application (client) id of the rotator's own app registration"
	if w := s.WebIdentity; w != nil {
		given++
		checkGUID(ps, idp.Setting("webIdentity.clientId"), w.ClientID, ours)
	}
	if c := s.Certificate; c != nil {
		given++
		checkGUID(ps, idp.Setting("certificate.clientId"), c.ClientID, ours)
		c.Check(ps, idp.Setting("certificate"), "the certificate's private key")
		if !sha256Pattern.MatchString(c.SHA256) {
			ps.Add(idp.Setting("certificate.sha256"),
				"must be the certificate's SHA-256 fingerprint: 64 hexadecimal digits")
		}
		idp.CheckCredentialEnd(ps, "certificate.ends", c.Ends)
	}
	if c := s.ClientSecret; c != nil {
		given++
		checkGUID(ps, idp.Setting("clientSecret.clientId"), c.ClientID, ours)
		config.CheckSecretARN(ps, idp.Setting("clientSecret.secretArn"), c.SecretARN,
			"the client secret of the rotator's own app registration")
		idp.CheckCredentialEnd(ps, "clientSecret.ends", c.Ends)
	}
	if given != 1 {
		ps.Add(idp.SettingsPath, "needs exactly one of webIdentity, certificate and clientSecret")
	}
}

func checkGUID(ps *strictjson.Problems, path, s, what string) {
	if !guidPattern.MatchString(s) {
		ps.Add(path, "must be %s, a GUID", what)
	}
}
