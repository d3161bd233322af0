// Package auth0test imitates Auth0 on the local identity provider: a tenant's endpoints, the answers of its token
// endpoint, and the part of the Management API v2 that reads an application and sets its one secret.
package auth0test

import (
	"crypto/rand"
	"maps"
	"net/http"
	"sync"
	"time"

	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitation"
)

// RotatorID is the machine-to-machine application that may use the Management API; Vendor.AdminToken is its secret.
const RotatorID = "M2MoFtHeRoTaToR0"

// Auth0 imitates the vendor. Its methods are safe for concurrent use.
type Auth0 struct {
	env   imitation.Env
	admin *imitation.Admin
	api   imitation.API

	mu           sync.Mutex
	applications map[string]map[string]any // settings that differ from the usual ones, by client id
}

var (
	_ imitation.Vendor = (*Auth0)(nil)
	_ imitation.Tokens = (*Auth0)(nil)
)

// Imitation is Auth0.
var Imitation = imitation.Imitation{
	New:      New,
	ClientID: "OrDeRsWeBfIrStClIeNt000000000001",
	PairID:   "OrDeRsWeBsEcOnDcLiEnT00000000002",
	Settings: func(baseURL, _, adminARN string) map[string]any {
		return map[string]any{"tenantUrl": baseURL, "clientSecret": imitation.ByClientSecret(RotatorID, adminARN)}
	},
	Changes: []string{"idp:auth0.updateClient"},
	Denial:  "insufficient_scope",
}

// New makes the imitation; it is the imitation.New of Auth0.
func New(env imitation.Env) (imitation.Vendor, error) {
	a := &Auth0{env: env, admin: imitation.NewAdmin(env.Clock, RotatorID), applications: map[string]map[string]any{}}
	a.api = imitation.API{Env: env, Admin: a.admin, Body: words}
	return a, nil
}

// SetSpread sets how long a secret that is set from now on is not accepted anywhere: up to 30 seconds at Auth0 (Auth0
// docs, "Rotate Client Secrets"). The one before it is gone at once, which is the worst case.
func (a *Auth0) SetSpread(d time.Duration) { a.env.Store.SetActivationDelay(d) }

// SetApplication changes settings of an application, by their names in the Management API.
func (a *Auth0) SetApplication(clientID string, settings map[string]any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.applications[clientID] = settings
}

// Paths implements imitation.Vendor.
func (*Auth0) Paths() imitation.Paths {
	return imitation.Paths{Issuer: "", Authorization: "/authorize", Token: "/oauth/token", UserInfo: "/userinfo",
		Keys: "/.well-known/jwks.json"}
}

// TokenError implements imitation.Vendor: 401 access_denied for a client that cannot be authenticated, 403
// invalid_grant for a code, as others have observed.
func (*Auth0) TokenError(r imitation.Refusal) imitation.TokenError {
	e := imitation.RFC6749(r)
	switch r {
	case imitation.WrongSecret, imitation.UnknownClient, imitation.WrongMethod, imitation.NoCredentials:
		e.Code, e.Description = "access_denied", "Unauthorized"
	case imitation.InvalidCode:
		e.Status, e.Description = http.StatusForbidden, "Invalid authorization code"
	case imitation.InvalidRefreshToken:
		e.Status, e.Description = http.StatusForbidden, "Unknown or invalid refresh token."
	case imitation.GrantNotAllowed:
		e.Status, e.Description = http.StatusForbidden, "Grant type not allowed for the client."
	}
	return e
}

// NewSecretID implements imitation.Vendor. Auth0 has no ids for secrets; these never leave the store.
func (*Auth0) NewSecretID(string) string { return rand.Text() }

// AdminToken implements imitation.Vendor: the client secret of RotatorID.
func (a *Auth0) AdminToken() string { return a.admin.Secret }

// ServeToken implements imitation.Tokens: access tokens for the Management API.
func (a *Auth0) ServeToken(w http.ResponseWriter, r *http.Request) bool {
	if !a.admin.Is(r) {
		return false
	}
	ok, basic := a.admin.Proves(r)
	switch {
	case !ok || basic:
		e := a.TokenError(imitation.WrongSecret)
		imitation.WriteJSON(w, e.Status, e.JSON())
	case r.PostForm.Get("grant_type") != "client_credentials" || r.PostForm.Get("audience") != a.env.BaseURL+"/api/v2/":
		imitation.WriteJSON(w, http.StatusForbidden, imitation.TokenError{Code: "access_denied",
			Description: "Service not enabled within domain"}.JSON())
	default:
		a.admin.Grant(w)
	}
	return true
}

// Routes implements imitation.Vendor.
func (a *Auth0) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v2/clients/{id}", a.api.Endpoint("auth0.getClient", a.get))
	mux.HandleFunc("PATCH /api/v2/clients/{id}", a.api.Endpoint("auth0.updateClient", a.update))
	mux.HandleFunc("/api/", a.api.Unknown("auth0.unknown"))
}

// words is an error of the Management API.
func words(e *imitation.APIError) any {
	if e.Code == "" {
		e.Code = map[int]string{401: "invalid_token", 403: "insufficient_scope", 404: "inexistent_client",
			429: "too_many_requests"}[e.Status]
	}
	return map[string]any{"statusCode": e.Status, "error": http.StatusText(e.Status), "message": e.Text,
		"errorCode": e.Code}
}

// settings of an application, without its secret (Management API v2, "Get a client").
func (a *Auth0) settings(c clients.Client) map[string]any {
	out := map[string]any{"client_id": c.ID, "name": c.Name, "description": "", "tenant": "example",
		"app_type": "regular_web", "allowed_clients": []string{}, "callback_url_template": false, "sso_disabled": false,
		"cross_origin_authentication": false, "custom_login_page_on": true, "signing_keys": []any{map[string]string{
			"cert": "-----BEGIN CERTIFICATE-----", "subject": "/CN=example"}}, "client_metadata": map[string]any{},
		"token_endpoint_auth_method": method(c.AuthMethod),
		"callbacks":                  c.RedirectURIs, "grant_types": c.GrantTypes, "oidc_conformant": true,
		"is_first_party":    true,
		"global":            false,
		"jwt_configuration": map[string]any{"alg": "RS256", "lifetime_in_seconds": 36000, "secret_encoded": false},
		"refresh_token":     map[string]any{"rotation_type": "non-rotating", "expiration_type": "non-expiring"}}
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.Copy(out, a.applications[c.ID])
	return out
}

func method(m clients.AuthMethod) string {
	if m == clients.Either {
		return string(clients.Post)
	}
	return string(m)
}

// get answers with the secret, as Auth0 does to who has the scope read:client_keys.
func (a *Auth0) get(r *http.Request) (int, any, error) {
	c, err := a.env.Store.Client(r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	app := a.settings(c)
	err = a.env.Store.Update(c.ID, func(e *clients.Edit) (err error) {
		for _, s := range e.All() {
			app["client_secret"], err = e.Value(s.ID)
		}
		return err
	})
	return http.StatusOK, app, err
}

// update sets the secret; nothing else is honoured.
func (a *Auth0) update(r *http.Request) (int, any, error) {
	c, err := a.env.Store.Client(r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		ClientSecret string `json:"client_secret"`
	}
	if err := imitation.ReadJSON(r, &in); err != nil {
		return 0, nil, err
	}
	if in.ClientSecret == "" {
		return 0, nil, &imitation.APIError{Status: http.StatusBadRequest, Code: "invalid_body",
			Text: "Payload validation error: 'client_secret' is too short"}
	}
	err = a.env.Store.Update(c.ID, func(e *clients.Edit) error {
		for _, s := range e.All() {
			if v, err := e.Value(s.ID); err != nil || v == in.ClientSecret {
				return err // it is the one that is set
			}
			if err := e.Remove(s.ID); err != nil {
				return err
			}
		}
		_, err := e.Add(clients.Secret{ID: a.NewSecretID(c.ID)}, in.ClientSecret)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	app := a.settings(c)
	app["client_secret"] = in.ClientSecret
	return http.StatusOK, app, nil
}
