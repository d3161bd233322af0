// Package manualtest is the face of an identity provider without an API for client secrets, such as Google sign-in: what a person
// does at its console is done to the store.
package manualtest

import (
	"crypto/rand"
	"net/http"

	"alboidc.internal/shared/idp/idptest/face"
)

type manual struct{}

// Imitation is such a provider.
var Imitation = face.Imitation{
	New:      New,
	ClientID: "407408718192-orders.apps.example.com",
	Settings: func(_, _, _ string) map[string]any {
		return map[string]any{}
	},
}

// New makes the face; it is the face.New of such a provider.
func New(face.Env) (face.Face, error) { return manual{}, nil }

// Paths implements face.Face: those of accounts.google.com's endpoints, behind one address here.
func (manual) Paths() face.Paths {
	return face.Paths{Issuer: "", Authorization: "/o/oauth2/v2/auth", Token: "/token", UserInfo: "/v1/userinfo", Keys: "/oauth2/v3/certs"}
}

// TokenError implements face.Face.
func (manual) TokenError(r face.Refusal) face.TokenError {
	e := face.RFC6749(r)
	if r == face.InvalidCode {
		e.Description = "Malformed auth code."
	}
	return e
}

// Routes implements face.Face: there is no management API.
func (manual) Routes(*http.ServeMux) {}

// NewSecretID implements face.Face.
func (manual) NewSecretID(string) string { return rand.Text() }

// AdminToken implements face.Face: there is none.
func (manual) AdminToken() string { return "" }
