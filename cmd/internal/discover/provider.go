package discover

import (
	"net/url"
	"slices"
	"strings"

	"alboidc.internal/shared/alb"
)

// todo stands for what only a person knows; a check of the file refuses it, with the form that is expected.
const todo = "TODO"

// provider is what an action tells about the identity provider.
type provider struct {
	// kind is a type of the registry.
	kind string
	// sure: the host is the vendor's own. Otherwise the form of the token endpoint suggests it.
	sure bool
	// settings are lines of YAML, with TODO where a person has to add something.
	settings []string
	// chosen: people choose client ids there, so the same id under another issuer may be another client.
	chosen bool
}

// recognise tells the identity provider from an action's URLs.
func recognise(l alb.Login) provider {
	issuer, token := parsed(l.Issuer), parsed(l.TokenEndpoint)
	host, path := issuer.Hostname(), token.Path
	base := "https://" + issuer.Host
	switch {
	case under(host, "okta.com", "oktapreview.com", "okta-emea.com", "okta-gov.com", "okta.mil"):
		return okta(true, base, l.ClientID)
	case under(host, "microsoftonline.com", "microsoftonline.us", "sts.windows.net", "partner.microsoftonline.cn"):
		return provider{kind: "entra", sure: true, settings: []string{"tenantId: " + firstPart(issuer.Path),
			"webIdentity:", "  clientId: " + todo + " # the rotator's own app registration"}}
	case strings.HasPrefix(host, "cognito-idp."):
		return provider{kind: "cognito", sure: true, settings: []string{"userPoolId: " + firstPart(issuer.Path)}}
	case under(host, "auth0.com"):
		return auth0(true, base)
	case strings.HasPrefix(host, "auth.pingone."):
		return pingone(true, issuer)
	case under(host, "projects.oryapis.com"):
		return hydra(true, base)
	case strings.HasSuffix(path, "/protocol/openid-connect/token"):
		before, realm, _ := strings.Cut(strings.TrimSuffix(path, "/protocol/openid-connect/token"), "/realms/")
		return provider{kind: "keycloak", sure: true, chosen: true, settings: []string{
			"serverUrl: " + "https://" + token.Host + before, "realm: " + realm, "privateKey:",
			"  clientId: " + todo + " # the rotator's own client", "  keySecretArn: " + todo, "  keyId: " + todo}}
	case strings.HasSuffix(path, "/v1/token") && strings.HasPrefix(path, "/oauth2/"):
		return okta(false, todo+" # https://example.okta.com, not the custom domain", l.ClientID)
	case path == "/as/token" || strings.HasSuffix(path, "/as/token"):
		return pingone(false, issuer)
	case strings.HasSuffix(path, "/application/o/token/"):
		return provider{kind: "authentik", sure: true, chosen: true, settings: []string{"serverUrl: https://" + token.Host +
			strings.TrimSuffix(path, "/application/o/token/"), "apiToken:", "  secretArn: " + todo}}
	case path == "/oauth/token":
		return auth0(false, todo+" # https://example.eu.auth0.com, not the custom domain")
	case path == "/oauth2/token":
		return hydra(false, todo+" # where the admin API is")
	}
	return provider{kind: "manual", chosen: true}
}

func okta(sure bool, org, clientID string) provider {
	return provider{kind: "okta", sure: sure, settings: []string{"orgUrl: " + org, "appId: " + clientID, "serviceApp:",
		"  clientId: " + todo + " # the rotator's service app", "  keyId: " + todo, "  keySecretArn: " + todo}}
}

func auth0(sure bool, tenant string) provider {
	return provider{kind: "auth0", sure: sure, settings: []string{"tenantUrl: " + tenant, "privateKey:",
		"  clientId: " + todo + " # the rotator's application", "  keySecretArn: " + todo, "  keyId: " + todo}}
}

// pingone's regions have the same ending in all hosts (PingOne API reference, "Working with PingOne APIs").
func pingone(sure bool, issuer *url.URL) provider {
	api, auth := todo, todo
	if sure {
		region := strings.TrimPrefix(issuer.Hostname(), "auth.")
		api, auth = "https://api."+region, "https://auth."+region
	}
	return provider{kind: "pingone", sure: sure, settings: []string{"environmentId: " + firstPart(issuer.Path),
		"apiUrl: " + api, "authUrl: " + auth, "clientSecret:", "  clientId: " + todo +
			" # the rotator's worker application",
		"  secretArn: " + todo}}
}

func hydra(sure bool, admin string) provider {
	return provider{kind: "hydra", sure: sure, chosen: true, settings: []string{"adminUrl: " + admin,
		"removeAllPrevious: true # a rotation ends all earlier secrets of the client: is that so?"}}
}

// parsed is a URL, empty if it is none.
func parsed(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		return &url.URL{}
	}
	return u
}

// under reports whether a host is one of the domains, or below one.
func under(host string, domains ...string) bool {
	return slices.ContainsFunc(domains, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
}

// firstPart is the first part of a path, or TODO.
func firstPart(path string) string {
	if first, _, _ := strings.Cut(strings.Trim(path, "/"), "/"); first != "" {
		return first
	}
	return todo
}
