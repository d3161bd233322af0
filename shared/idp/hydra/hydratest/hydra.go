// Package hydratest imitates Ory Hydra on the local identity provider: its public endpoints, and the part of the admin
// API that reads a client, rotates its secret and sets one.
package hydratest

import (
	"crypto/rand"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitation"
)

// keeps is how many earlier secrets Hydra keeps; the oldest falls off.
const keeps = 5

// Hydra imitates the vendor. Its methods are safe for concurrent use.
type Hydra struct {
	env imitation.Env
	api imitation.API

	mu       sync.Mutex
	version  string
	rotates  bool
	settings map[string]map[string]any // that differ from the usual ones, by client id
	outrun   int
}

var _ imitation.Vendor = (*Hydra)(nil)

// Imitation is Ory Hydra.
var Imitation = imitation.Imitation{
	New:      New,
	ClientID: "orders-web",
	PairID:   "orders-web-second",
	Settings: func(baseURL, _, _ string) map[string]any {
		return map[string]any{"adminUrl": baseURL, "removeAllPrevious": true}
	},
	Changes: []string{"idp:hydra.rotateSecret", "idp:hydra.patchClient"},
	Denial:  "request_forbidden",
}

// New makes the imitation; it is the imitation.New of Hydra.
func New(env imitation.Env) (imitation.Vendor, error) {
	h := &Hydra{env: env, version: "v26.3.0", rotates: true, settings: map[string]map[string]any{}}
	// the admin API of a Hydra of one's own has no authentication
	h.api = imitation.API{Env: env, Body: words}
	return h, nil
}

// SetVersion sets the version that Hydra tells, and whether it can rotate secrets; releases up to v26.2.0 cannot.
func (h *Hydra) SetVersion(version string, rotates bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.version, h.rotates = version, rotates
}

// SetClient changes settings of a client, by their names in the admin API.
func (h *Hydra) SetClient(clientID string, settings map[string]any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settings[clientID] = settings
}

// Outrun makes the next n rotations lose against another at the same instant: they are answered with success, but the
// other's secret is the one that stays (seen on a real Hydra).
func (h *Hydra) Outrun(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.outrun = n
}

func (h *Hydra) release() (version string, rotates bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.version, h.rotates
}

// Paths implements imitation.Vendor.
func (*Hydra) Paths() imitation.Paths {
	return imitation.Paths{Issuer: "", Authorization: "/oauth2/auth", Token: "/oauth2/token", UserInfo: "/userinfo",
		Keys: "/.well-known/jwks.json"}
}

// TokenError implements imitation.Vendor: Hydra follows RFC 6749, with a text of its own for clients.
func (*Hydra) TokenError(r imitation.Refusal) imitation.TokenError {
	e := imitation.RFC6749(r)
	if e.Code == "invalid_client" {
		e.Description = "Client authentication failed (e.g., unknown client, no client authentication included, or " +
			"unsupported authentication method)."
	}
	if r == imitation.WrongMethod {
		e.Description += " The OAuth 2.0 Client supports client authentication method 'client_secret_post', but " +
			"method 'client_secret_basic' was requested."
	}
	return e
}

// NewSecretID implements imitation.Vendor. Hydra has no ids for secrets; these never leave the store.
func (*Hydra) NewSecretID(string) string { return rand.Text() }

// AdminToken implements imitation.Vendor: there is none.
func (*Hydra) AdminToken() string { return "" }

// Routes implements imitation.Vendor.
func (h *Hydra) Routes(mux *http.ServeMux) {
	const client = "/admin/clients/{id}"
	mux.HandleFunc("GET "+client, h.api.Endpoint("hydra.getClient", h.get))
	mux.HandleFunc("PATCH "+client, h.api.Endpoint("hydra.patchClient", h.patch))
	mux.HandleFunc("POST "+client+"/secrets/rotate", h.ifRotates(h.api.Endpoint("hydra.rotateSecret", h.rotate)))
	mux.HandleFunc("GET /version", h.api.Endpoint("hydra.version", func(*http.Request) (int, any, error) {
		version, _ := h.release()
		return http.StatusOK, map[string]string{"version": version}, nil
	}))
	mux.HandleFunc("/admin/", h.api.Unknown("hydra.unknown"))
}

// ifRotates answers as the router of an old release, which does not know the path.
func (h *Hydra) ifRotates(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, rotates := h.release(); !rotates {
			http.NotFound(w, r)
			return
		}
		next(w, r)
	}
}

// words is an error of the admin API.
func words(e *imitation.APIError) any {
	if e.Code == "" || strings.Contains(e.Code, "Failure") {
		e.Code = map[int]string{400: "invalid_request", 401: "request_unauthorized", 403: "request_forbidden",
			404: "not_found", 429: "too_many_requests"}[e.Status]
	}
	if e.Code == "" {
		e.Code = "error"
	}
	return map[string]any{"error": e.Code, "error_description": e.Text, "status_code": e.Status}
}

// client is what the admin API shows (API reference, oAuth2Client); a secret only in the answer that makes or sets it.
func (h *Hydra) client(c clients.Client, secret string) map[string]any {
	stamp := c.Created.UTC().Format(time.RFC3339)
	out := map[string]any{"client_id": c.ID, "client_name": c.Name, "redirect_uris": c.RedirectURIs,
		"grant_types": c.GrantTypes, "response_types": []string{"code"},
		"scope": "openid offline_access", "audience": []string{}, "subject_type": "public", "owner": "",
		"policy_uri": "", "allowed_cors_origins": []string{}, "tos_uri": "", "client_uri": "", "logo_uri": "",
		"contacts": nil, "client_secret_expires_at": 0, "jwks": map[string]any{},
		"userinfo_signed_response_alg": "none",
		"token_endpoint_auth_method":   string(c.AuthMethod), "metadata": map[string]any{}, "skip_consent": false,
		"skip_logout_consent": nil, "authorization_code_grant_access_token_lifespan": nil, "created_at": stamp,
		"updated_at": stamp, "registration_client_uri": h.env.BaseURL + "/oauth2/register/"}
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.Copy(out, h.settings[c.ID])
	if secret != "" {
		out["client_secret"] = secret
	}
	return out
}

func (h *Hydra) get(r *http.Request) (int, any, error) {
	c, err := h.env.Store.Client(r.PathValue("id"))
	return http.StatusOK, h.client(c, ""), err
}

// change carries f out on the client's secrets, the newest of which is the current one.
func (h *Hydra) change(r *http.Request, value string, f func(clients.Client, *clients.Edit) error) (int, any, error) {
	c, err := h.env.Store.Client(r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	err = h.env.Store.Update(c.ID, func(e *clients.Edit) error { return f(c, e) })
	return http.StatusOK, h.client(c, value), err
}

// rotate makes a new current secret and keeps the earlier ones.
func (h *Hydra) rotate(r *http.Request) (int, any, error) {
	made := rand.Text() // 26 characters, as Hydra's
	stays := made
	h.mu.Lock()
	if h.outrun > 0 {
		stays, h.outrun = rand.Text(), h.outrun-1
	}
	h.mu.Unlock()
	return h.change(r, made, func(c clients.Client, e *clients.Edit) error {
		if _, err := e.Add(clients.Secret{ID: h.NewSecretID(c.ID)}, stays); err != nil {
			return err
		}
		return removeAllBut(e, keeps+1)
	})
}

// patch sets the secret, which drops all earlier ones; nothing else is honoured. The answer has the secret in it.
func (h *Hydra) patch(r *http.Request) (int, any, error) {
	var in []struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value string `json:"value"`
	}
	if err := imitation.ReadJSON(r, &in); err != nil {
		return 0, nil, err
	}
	if len(in) != 1 || in[0].Op != "replace" || in[0].Path != "/client_secret" || len(in[0].Value) < 6 {
		return 0, nil, &imitation.APIError{Status: http.StatusBadRequest,
			Text: "the local stack only replaces /client_secret, by 6 characters or more"}
	}
	return h.change(r, in[0].Value, func(c clients.Client, e *clients.Edit) error {
		if version, _ := h.release(); h.client(c, "")["jwks_uri"] != nil && strings.HasPrefix(version, "v2.") {
			return &imitation.APIError{Status: http.StatusBadRequest, Code: "invalid_client_metadata",
				Text: "Fields jwks and jwks_uri can not both be set, you must choose one."}
		}
		if _, err := e.Add(clients.Secret{ID: h.NewSecretID(c.ID)}, in[0].Value); err != nil {
			return err
		}
		return removeAllBut(e, 1)
	})
}

// removeAllBut removes all but the newest n secrets.
func removeAllBut(e *clients.Edit, n int) error {
	all := e.All()
	for _, s := range all[:max(0, len(all)-n)] {
		if err := e.Remove(s.ID); err != nil {
			return err
		}
	}
	return nil
}
