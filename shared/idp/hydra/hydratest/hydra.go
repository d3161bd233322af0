// Package hydratest is Ory Hydra's vendor on the local identity provider: its public endpoints, and the part of the
// admin API that reads a client, rotates its secret and sets one.
package hydratest

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync"

	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitation"
)

// keeps is how many earlier secrets Hydra keeps; the oldest falls off.
const keeps = 5

// Hydra is the vendor. Its methods are safe for concurrent use.
type Hydra struct {
	env imitation.Env
	api imitation.API

	mu      sync.Mutex
	version string
	rotates bool
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

// New makes the vendor; it is the imitation.New of Hydra.
func New(env imitation.Env) (imitation.Vendor, error) {
	h := &Hydra{env: env, version: "v26.3.0", rotates: true}
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

// client is what the admin API shows; a secret only in the answer that makes it.
func client(c clients.Client, secret string) map[string]any {
	out := map[string]any{"client_id": c.ID, "client_name": c.Name, "redirect_uris": c.RedirectURIs,
		"grant_types": c.GrantTypes, "response_types": []string{"code"},
		"scope": "openid offline_access", "audience": []string{}, "subject_type": "public",
		"token_endpoint_auth_method": string(c.AuthMethod), "metadata": map[string]any{}}
	if secret != "" {
		out["client_secret"] = secret
	}
	return out
}

func (h *Hydra) get(r *http.Request) (int, any, error) {
	c, err := h.env.Store.Client(r.PathValue("id"))
	return http.StatusOK, client(c, ""), err
}

// change carries f out on the client's secrets, the newest of which is the current one.
func (h *Hydra) change(r *http.Request, made string, f func(clients.Client, *clients.Edit) error) (int, any, error) {
	c, err := h.env.Store.Client(r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	err = h.env.Store.Update(c.ID, func(e *clients.Edit) error { return f(c, e) })
	return http.StatusOK, client(c, made), err
}

// rotate makes a new current secret and keeps the earlier ones.
func (h *Hydra) rotate(r *http.Request) (int, any, error) {
	made := rand.Text() // 26 characters, as Hydra's
	return h.change(r, made, func(c clients.Client, e *clients.Edit) error {
		if _, err := e.Add(clients.Secret{ID: h.NewSecretID(c.ID)}, made); err != nil {
			return err
		}
		return removeAllBut(e, keeps+1)
	})
}

// patch sets the secret, which drops all earlier ones; nothing else is honoured.
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
	return h.change(r, "", func(c clients.Client, e *clients.Edit) error {
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
