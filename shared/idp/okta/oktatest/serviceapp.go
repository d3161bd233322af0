package oktatest

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/imitation"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// tokenPath is the token endpoint of the org authorization server: only that one issues tokens for Okta's own API.
	tokenPath     = "/oauth2/v1/token"
	tokenLifetime = time.Hour
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// maxAssertionLife: Okta refuses an assertion whose exp is more than an hour away (OpenID Connect & OAuth 2.0 API,
	// "Token claims for client authentication with client secret or private key JWT").
	maxAssertionLife = time.Hour
)

// ServiceApp is an OAuth service app that may call the management API.
type ServiceApp struct {
	ClientID string
	// Keys are the public keys registered with it.
	Keys jose.JSONWebKeySet
	// Scopes are those granted to it; by default both that the API needs.
	Scopes []string
}

type bearer struct {
	scopes map[string]bool
	until  time.Time
}

// RegisterServiceApp adds a service app, or replaces the one with that client id.
func (o *Okta) RegisterServiceApp(a ServiceApp) error {
	if a.ClientID == "" || len(a.Keys.Keys) == 0 {
		return errors.New("okta: a service app needs a client id and a public key")
	}
	for _, k := range a.Keys.Keys {
		if !k.IsPublic() {
			return fmt.Errorf("okta: key %q of service app %s is not a public one", k.KeyID, a.ClientID)
		}
	}
	if len(a.Scopes) == 0 {
		a.Scopes = []string{scopeManage, scopeRead}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.services[a.ClientID] = &a
	return nil
}

// serviceToken is the org authorization server's token endpoint for service apps.
func (o *Okta) serviceToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if !o.spend(w, &o.oauth) {
		return
	}
	if err := r.ParseForm(); err != nil {
		refuseToken(w, http.StatusBadRequest, "invalid_request", "The request body cannot be read.")
		return
	}
	refuse := func(w http.ResponseWriter, out fault.Outcome) {
		refuseToken(w, out.Status, out.Code, fault.Text)
	}
	o.env.Serve(w, r, "okta.serviceToken", imitation.Text(r, r.PostForm), refuse, o.issue)
}

func (o *Okta) issue(w http.ResponseWriter, r *http.Request) {
	form := r.PostForm
	if form.Get("grant_type") != "client_credentials" {
		refuseToken(w, http.StatusBadRequest, "unsupported_grant_type",
			"The grant type is not supported for a service app.")
		return
	}
	if form.Get("client_assertion_type") != assertionType {
		refuseToken(w, http.StatusUnauthorized, "invalid_client",
			"The client_assertion_type is missing or not supported.")
		return
	}
	app, problem := o.verify(form.Get("client_assertion"))
	if problem != "" {
		refuseToken(w, http.StatusUnauthorized, "invalid_client", problem)
		return
	}
	asked := strings.Fields(form.Get("scope"))
	if len(asked) == 0 || slices.ContainsFunc(asked, func(s string) bool { return !slices.Contains(app.Scopes, s) }) {
		refuseToken(w, http.StatusBadRequest, "invalid_scope",
			"One or more scopes are missing or not granted to the service app.")
		return
	}
	token := randomString("eyJ", 120)
	b := bearer{scopes: map[string]bool{}, until: o.env.Clock.Now().Add(tokenLifetime)}
	for _, s := range asked {
		b.scopes[s] = true
	}
	o.mu.Lock()
	o.tokens[token] = b
	o.mu.Unlock()
	imitation.WriteJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer",
		"expires_in":   int(tokenLifetime / time.Second),
		"access_token": token, "scope": strings.Join(asked, " ")})
}

// verify checks a client assertion (RFC 7523, section 3) and returns the service app that made it, or what is wrong in
// words for the answer.
func (o *Okta) verify(assertion string) (app *ServiceApp, problem string) {
	parsed, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		return nil, "The client_assertion token is not a JWT signed with RS256 or ES256."
	}
	var unverified jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&unverified); err != nil {
		return nil, "The client_assertion token has no readable claims."
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	app = o.services[unverified.Subject]
	if app == nil || unverified.Issuer != unverified.Subject {
		return nil, "The issuer or subject of the client_assertion token is not a service app."
	}
	claims, ok := claimsBy(parsed, app.Keys)
	if !ok {
		return nil, "The client_assertion signature is invalid."
	}
	now := o.env.Clock.Now()
	switch {
	case !claims.Audience.Contains(o.env.BaseURL + tokenPath):
		return nil, "The audience claim of the client_assertion token is not the token endpoint."
	case claims.Expiry == nil || !now.Before(claims.Expiry.Time()):
		return nil, "The client_assertion token is expired."
	case claims.Expiry.Time().Sub(now) > maxAssertionLife:
		return nil, "The client_assertion token has an expiration too far into the future."
	case claims.IssuedAt != nil && claims.IssuedAt.Time().After(now.Add(5*time.Minute)):
		return nil, "The client_assertion token was issued in the future."
	}
	if !o.spendAssertion(app.ClientID, claims, now) {
		return nil, "The client_assertion token has been used already."
	}
	return app, ""
}

// claimsBy returns the claims if one of the keys made the signature.
func claimsBy(token *jwt.JSONWebToken, keys jose.JSONWebKeySet) (claims jwt.Claims, ok bool) {
	candidates := keys.Keys
	if id := token.Headers[0].KeyID; id != "" {
		candidates = keys.Key(id)
	}
	for _, k := range candidates {
		if token.Claims(k.Key, &claims) == nil {
			return claims, true
		}
	}
	return jwt.Claims{}, false
}

// spendAssertion uses up an assertion's jti. Okta does not ask for one, and takes an assertion without it many times.
// o.mu is held.
func (o *Okta) spendAssertion(clientID string, c jwt.Claims, now time.Time) bool {
	maps.DeleteFunc(o.spent, func(_ string, exp int64) bool { return exp < now.Unix() })
	if c.ID == "" {
		return true
	}
	key := clientID + " " + c.ID
	if _, used := o.spent[key]; used {
		return false
	}
	o.spent[key] = c.Expiry.Time().Unix()
	return true
}

// scopesOf returns what an access token allows.
func (o *Okta) scopesOf(token string) (map[string]bool, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.env.Clock.Now()
	maps.DeleteFunc(o.tokens, func(_ string, b bearer) bool { return !now.Before(b.until) })
	b, ok := o.tokens[token]
	return b.scopes, ok
}

func refuseToken(w http.ResponseWriter, status int, code, description string) {
	imitation.WriteJSON(w, status, imitation.TokenError{Code: code, Description: description}.JSON())
}
