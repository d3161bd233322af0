// Package manualtest imitates an identity provider without an API for client secrets, such as Google sign-in: what a
// person does at its console is done to the store.
package manualtest

import (
	"crypto/rand"
	"net/http"

	"alboidc.internal/shared/idp/idptest/imitation"
)

type manual struct{}

// Imitation is such a provider.
var Imitation = imitation.Imitation{
	New:      New,
	ClientID: "407408718192-orders.apps.example.com",
	Settings: func(_, _, _ string) map[string]any {
		return map[string]any{}
	},
}

// New makes the imitation; it is the imitation.New of such a provider.
func New(imitation.Env) (imitation.Vendor, error) { return manual{}, nil }

// Paths implements imitation.Vendor: those of accounts.google.com's endpoints, behind one address here.
func (manual) Paths() imitation.Paths {
	return imitation.Paths{Issuer: "", Authorization: "/o/oauth2/v2/auth", Token: "/token", UserInfo: "/v1/userinfo",
		Keys: "/oauth2/v3/certs"}
}

// TokenError implements imitation.Vendor.
func (manual) TokenError(r imitation.Refusal) imitation.TokenError {
	e := imitation.RFC6749(r)
	if r == imitation.InvalidCode {
		e.Description = "Malformed auth code."
	}
	return e
}

// Routes implements imitation.Vendor: there is no management API.
func (manual) Routes(*http.ServeMux) {}

// NewSecretID implements imitation.Vendor.
func (manual) NewSecretID(string) string { return rand.Text() }

// AdminToken implements imitation.Vendor: there is none.
func (manual) AdminToken() string { return "" }
