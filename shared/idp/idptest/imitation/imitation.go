// Package imitation imitates what a vendor on the local identity provider consists of: where its endpoints are, how its
// token endpoint refuses, and its management API. The provider behind all vendors is the same.
package imitation

import (
	"net/http"

	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
)

// Vendor imitates one vendor.
type Vendor interface {
	// Paths says where the vendor has its OpenID endpoints.
	Paths() Paths
	// TokenError is the vendor's answer of the token endpoint for a refusal.
	TokenError(Refusal) TokenError
	// Routes adds the management API to the mux.
	Routes(*http.ServeMux)
	// NewSecretID returns an id in the vendor's form for a secret of the client, never the same twice.
	NewSecretID(clientID string) string
	// AdminToken is the static credential of the management API; empty at vendors that have none.
	AdminToken() string
}

// Tokens is implemented by vendors whose token endpoint does more, or in another order, than the provider's.
type Tokens interface {
	// ServeToken answers a token request and returns true, or leaves it to the provider. The form has been parsed.
	ServeToken(w http.ResponseWriter, r *http.Request) bool
}

// Env is what the provider gives to a vendor.
type Env struct {
	// BaseURL is the provider's address without a path, e.g. https://localhost:8443.
	BaseURL string
	Clock   clock.Clock
	Store   *clients.Store
	Faults  *fault.Injector
}

// New makes an imitation.
type New func(Env) (Vendor, error)

// Imitation is what the local stack and the tests have to know of a vendor.
type Imitation struct {
	New New
	// ClientID and AppID are a client's ids in the vendor's form; AppID is "" where they are the same.
	ClientID, AppID string
	// PairID is the client id of a second registration, at vendors where a client can be a pair; "" elsewhere.
	PairID string
	// Settings are identityProvider.settings for an app at a base URL. adminARN is the secret that holds the vendor's
	// AdminToken.
	Settings func(baseURL, appID, adminARN string) map[string]any
	// Changes are the calls that change something, as service:operation; the first makes a secret.
	Changes []string
	// Denial is the vendor's code for a caller without the right.
	Denial string
}

// ByClientSecret are the settings of a rotator that authenticates by its client secret (package clientcredentials).
func ByClientSecret(clientID, adminARN string) map[string]string {
	return map[string]string{"clientId": clientID, "secretArn": adminARN}
}

// Paths are the vendor's paths. Issuer is below the base URL, the others are below Issuer; each begins with a slash.
type Paths struct {
	Issuer, Authorization, Token, UserInfo, Keys string
}

// Refusal is why the token endpoint refuses a request.
type Refusal string

// The client is authenticated before its grant is looked at, so the first four come before the others.
const (
	UnknownClient       Refusal = "unknown client"
	WrongSecret         Refusal = "wrong secret"
	WrongMethod         Refusal = "authentication method not registered"
	NoCredentials       Refusal = "no client credentials"
	InvalidCode         Refusal = "invalid code"
	InvalidRefreshToken Refusal = "invalid refresh token"
	GrantNotAllowed     Refusal = "grant type not allowed for the client"
	UnsupportedGrant    Refusal = "grant type not supported"
	InvalidScope        Refusal = "scope was not granted"
	InvalidRequest      Refusal = "malformed request"
)

// TokenError is an answer of a token endpoint (RFC 6749, section 5.2).
type TokenError struct {
	Status      int
	Code        string         // "error"
	Description string         // "error_description"
	Extra       map[string]any // further fields of the vendor
}

// JSON is the body of the answer.
func (e TokenError) JSON() map[string]any {
	body := map[string]any{"error": e.Code}
	if e.Description != "" {
		body["error_description"] = e.Description
	}
	for k, v := range e.Extra {
		body[k] = v
	}
	return body
}

// RFC6749 is the answer that the standard asks for; vendors change what they do differently.
func RFC6749(r Refusal) TokenError {
	e := TokenError{Status: http.StatusBadRequest, Description: string(r)}
	switch r {
	case UnknownClient, WrongSecret, WrongMethod, NoCredentials:
		e.Status, e.Code = http.StatusUnauthorized, "invalid_client"
	case InvalidCode, InvalidRefreshToken:
		e.Code = "invalid_grant"
	case GrantNotAllowed:
		e.Code = "unauthorized_client"
	case UnsupportedGrant:
		e.Code = "unsupported_grant_type"
	case InvalidScope:
		e.Code = "invalid_scope"
	default:
		e.Code = "invalid_request"
	}
	return e
}
