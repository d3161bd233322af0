package entratest

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"alboidc.internal/shared/idp/idptest/imitation"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Rotator is an app registration with the application permission Application.ReadWrite.OwnedBy. It proves itself in any
// of the ways that are set.
type Rotator struct {
	ClientID string
	// Secret is a client secret.
	Secret string
	// Certificate is an uploaded certificate.
	Certificate *x509.Certificate
	// Federated is a federated identity credential.
	Federated *Federated
	// NotOwned are the client ids of app registrations that it does not own; it owns the others.
	NotOwned []string
}

// Federated is a federated identity credential: tokens of another issuer that count as this app's own (Microsoft Entra
// docs, "Workload identity federation").
type Federated struct {
	Issuer, Subject, Audience string
	// Keys are the issuer's; Entra ID reads them from the issuer's discovery document.
	Keys func() (jose.JSONWebKeySet, error)
}

func (r *Rotator) owns(clientID string) bool { return !slices.Contains(r.NotOwned, clientID) }

type bearer struct {
	rotator *Rotator
	until   time.Time
}

// RegisterRotator adds a rotator, or replaces the one with that client id.
func (e *Entra) RegisterRotator(r Rotator) error {
	if r.ClientID == "" || r.Secret == "" && r.Certificate == nil && r.Federated == nil {
		return errors.New("entra: a rotator needs a client id and a credential")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rotators[r.ClientID] = &r
	return nil
}

func (e *Entra) rotator(clientID string) *Rotator {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rotators[clientID]
}

// rotatorOf is whose access token a request to Microsoft Graph carries; nil if it carries none that is valid.
func (e *Entra) rotatorOf(r *http.Request) *Rotator {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.env.Clock.Now()
	maps.DeleteFunc(e.tokens, func(_ string, b bearer) bool { return !now.Before(b.until) })
	return e.tokens[token].rotator
}

// issueToRotator is the client credentials grant for Microsoft Graph.
func (e *Entra) issueToRotator(w http.ResponseWriter, r *http.Request) {
	id, secret := credentials(r)
	rotator := e.rotator(id)
	if number, text := e.proves(rotator, secret, r); number != 0 {
		e.refuseToken(w, e.tokenError(http.StatusUnauthorized, "invalid_client", number, text))
		return
	}
	if r.PostForm.Get("scope") != e.env.BaseURL+"/.default" {
		e.refuseToken(w, e.TokenError(imitation.InvalidScope))
		return
	}
	token := newAccessToken()
	e.mu.Lock()
	e.tokens[token] = bearer{rotator: rotator, until: e.env.Clock.Now().Add(tokenLifetime)}
	e.mu.Unlock()
	writeToken(w, token)
}

// proves returns the number and the text of what is wrong with a rotator's credential; 0 if nothing is.
func (e *Entra) proves(r *Rotator, secret string, request *http.Request) (int, string) {
	assertion := request.PostForm.Get("client_assertion")
	switch {
	case assertion == "" && secret == "":
		return 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'"
	case assertion == "" && (r.Secret == "" || subtle.ConstantTimeCompare([]byte(secret), []byte(r.Secret)) != 1):
		return 7000215, "Invalid client secret provided"
	case assertion == "":
		return 0, ""
	case request.PostForm.Get("client_assertion_type") != assertionType:
		return 50027, "The client_assertion_type is missing or not supported"
	}
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.RS256, jose.PS256})
	if err != nil || len(token.Headers) != 1 {
		return 50027, "JWT token is invalid or malformed"
	}
	var unverified jwt.Claims
	if token.UnsafeClaimsWithoutVerification(&unverified) != nil {
		return 50027, "JWT token is invalid or malformed"
	}
	if unverified.Issuer != r.ClientID {
		return e.federates(r.Federated, token)
	}
	return e.signs(r, token)
}

// signs checks an assertion by certificate (Microsoft identity platform docs, "Application authentication certificate
// credentials").
func (e *Entra) signs(r *Rotator, token *jwt.JSONWebToken) (int, string) {
	const wrong = "Client assertion contains an invalid signature"
	if r.Certificate == nil {
		return 700027, wrong
	}
	sum := sha256.Sum256(r.Certificate.Raw)
	var claims jwt.Claims
	if token.Headers[0].ExtraHeaders["x5t#S256"] != base64.RawURLEncoding.EncodeToString(sum[:]) ||
		token.Claims(r.Certificate.PublicKey, &claims) != nil {
		return 700027, wrong
	}
	switch {
	case claims.Subject != r.ClientID || !claims.Audience.Contains(e.env.BaseURL+"/"+TenantID+"/oauth2/v2.0/token"):
		return 700023, "Client assertion audience claim does not match Realm issuer"
	case claims.ID == "" || !e.inTime(claims):
		return 700024, "Client assertion is not within its valid time range"
	}
	return 0, ""
}

// federates checks a token of another issuer.
func (e *Entra) federates(f *Federated, token *jwt.JSONWebToken) (int, string) {
	var claims jwt.Claims
	if f == nil || token.UnsafeClaimsWithoutVerification(&claims) != nil || claims.Issuer != f.Issuer {
		return 700211, "No matching federated identity record found for presented assertion issuer"
	}
	set, err := f.Keys()
	keys := set.Key(token.Headers[0].KeyID)
	if err != nil || len(keys) == 0 || token.Headers[0].Algorithm != string(jose.RS256) ||
		token.Claims(keys[0].Key, &claims) != nil {
		return 7000272, "The signature of the presented assertion cannot be verified"
	}
	switch {
	case !claims.Audience.Contains(f.Audience):
		return 700212, "No matching federated identity record found for presented assertion audience"
	case claims.Subject != f.Subject:
		return 700213, "No matching federated identity record found for presented assertion subject"
	case !e.inTime(claims):
		return 700024, "Client assertion is not within its valid time range"
	}
	return 0, ""
}

// inTime allows clocks to differ by five minutes, as Entra ID does.
func (e *Entra) inTime(c jwt.Claims) bool {
	return c.Expiry != nil && c.ValidateWithLeeway(jwt.Expected{Time: e.env.Clock.Now()}, 5*time.Minute) == nil
}
