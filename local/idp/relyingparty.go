package idp

import (
	"strings"
	"time"

	"alboidc.internal/shared/idp/idptest/clients"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// relyingParty shows a client of the store to the op library.
type relyingParty struct{ clients.Client }

var _ op.HasRedirectGlobs = relyingParty{}

func (r relyingParty) GetID() string                        { return r.ID }
func (r relyingParty) RedirectURIs() []string               { return r.Client.RedirectURIs }
func (r relyingParty) PostLogoutRedirectURIs() []string     { return nil }
func (r relyingParty) PostLogoutRedirectURIGlobs() []string { return nil }
func (r relyingParty) ApplicationType() op.ApplicationType  { return op.ApplicationTypeWeb }
func (r relyingParty) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeBearer }
func (r relyingParty) IDTokenLifetime() time.Duration       { return idTokenLifetime }
func (r relyingParty) LoginURL(id string) string            { return loginPath + "?id=" + id }
func (r relyingParty) DevMode() bool                        { return false }
func (r relyingParty) IsScopeAllowed(string) bool           { return false }
func (r relyingParty) IDTokenUserinfoClaimsAssertion() bool { return false }
func (r relyingParty) ClockSkew() time.Duration             { return 0 }

// ResponseTypes is the code flow only: it is the one a load balancer uses.
func (r relyingParty) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

// AuthMethod is what discovery and the library see; the token endpoint checks the method itself.
func (r relyingParty) AuthMethod() oidc.AuthMethod {
	if r.Client.AuthMethod == clients.Post {
		return oidc.AuthMethodPost
	}
	return oidc.AuthMethodBasic
}

// GrantTypes implements op.Client.
func (r relyingParty) GrantTypes() []oidc.GrantType {
	out := make([]oidc.GrantType, len(r.Client.GrantTypes))
	for i, g := range r.Client.GrantTypes {
		out[i] = oidc.GrantType(g)
	}
	return out
}

// RedirectURIGlobs are those redirect URIs that hold a star.
func (r relyingParty) RedirectURIGlobs() []string {
	var out []string
	for _, u := range r.Client.RedirectURIs {
		if strings.Contains(u, "*") {
			out = append(out, u)
		}
	}
	return out
}

// RestrictAdditionalIdTokenScopes implements op.Client.
func (r relyingParty) RestrictAdditionalIdTokenScopes() func([]string) []string { return unchanged }

// RestrictAdditionalAccessTokenScopes implements op.Client.
func (r relyingParty) RestrictAdditionalAccessTokenScopes() func([]string) []string { return unchanged }

func unchanged(scopes []string) []string { return scopes }
