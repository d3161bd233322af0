// Package authentiktest imitates authentik on the local identity provider: its token endpoint, and the part of its API
// that finds an OAuth2/OpenID provider and sets its one secret, as releases up to 2026.8 do it, and as 2026.11 does.
package authentiktest

import (
	"crypto/rand"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitation"
)

// Authentik imitates the vendor. Its methods are safe for concurrent use.
type Authentik struct {
	env   imitation.Env
	api   imitation.API
	token string

	mu       sync.Mutex
	ids      []string                  // client ids, by pk
	settings map[string]map[string]any // that differ from the usual ones, by client id
	objects  bool
	shared   map[string]string // client id of the secret, by that of another client that shares it
}

var (
	_ imitation.Vendor = (*Authentik)(nil)
	_ imitation.Tokens = (*Authentik)(nil)
)

// Imitation is authentik.
var Imitation = imitation.Imitation{
	New:      New,
	ClientID: "orders-web",
	PairID:   "orders-web-second",
	Settings: func(baseURL, _, adminARN string) map[string]any {
		return map[string]any{"serverUrl": baseURL, "apiToken": map[string]string{"secretArn": adminARN}}
	},
	Changes: []string{"idp:authentik.updateProvider", "idp:authentik.updateSecret"},
	Denial:  "permission_denied",
}

// New makes the imitation; it is the imitation.New of authentik.
func New(env imitation.Env) (imitation.Vendor, error) {
	a := &Authentik{env: env, token: rand.Text() + rand.Text(), settings: map[string]map[string]any{},
		shared: map[string]string{}}
	a.api = imitation.API{Env: env, Body: words}
	return a, nil
}

// SetObjects says whether secrets are objects of their own, as from release 2026.11 on.
func (a *Authentik) SetObjects(objects bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.objects = objects
}

// Share lets a client have the secret object of another.
func (a *Authentik) Share(clientID, others string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shared[clientID] = others
}

// SetClient changes settings of a client, by their names in the API.
func (a *Authentik) SetClient(clientID string, settings map[string]any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settings[clientID] = settings
}

// Paths implements imitation.Vendor. The issuer is not authentik's, which ends with the application and a slash, or is
// the server's address with a slash.
func (*Authentik) Paths() imitation.Paths {
	return imitation.Paths{Issuer: "/application/o", Authorization: "/authorize/", Token: "/token/",
		UserInfo: "/userinfo/", Keys: "/orders-web/jwks/"}
}

// TokenError implements imitation.Vendor: always 400, with one text for each code, and the id of the request
// (authentik's repository, providers/oauth2/errors.py).
func (*Authentik) TokenError(r imitation.Refusal) imitation.TokenError {
	e := imitation.RFC6749(r)
	e.Status, e.Extra = http.StatusBadRequest, map[string]any{"request_id": rand.Text()}
	switch e.Code {
	case "invalid_client":
		e.Description = "Client authentication failed (e.g., unknown client, no client authentication included, or " +
			"unsupported authentication method)"
	case "invalid_grant", "unauthorized_client":
		e.Code, e.Description = "invalid_grant", "The provided authorization grant or refresh token is invalid, "+
			"expired, revoked, does not match the redirection URI used in the authorization request, or was issued to "+
			"another client"
	}
	return e
}

// ServeToken implements imitation.Tokens: a grant that the client may not use is refused before its secret is looked
// at, and a redirect URI that is not registered like a wrong secret, after it.
func (a *Authentik) ServeToken(w http.ResponseWriter, r *http.Request) bool {
	id, value, basic := r.BasicAuth()
	if !basic {
		id, value = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	c, err := a.env.Store.Client(id)
	if err != nil {
		return false
	}
	var refusal imitation.Refusal
	switch grant := r.PostForm.Get("grant_type"); {
	case !slices.Contains(c.GrantTypes, grant):
		refusal = imitation.GrantNotAllowed
	case grant == "authorization_code" && a.env.Store.Accepts(id, value, a.env.Clock.Now()) &&
		!slices.ContainsFunc(c.RedirectURIs, func(u string) bool {
			matches, _ := path.Match(u, r.PostForm.Get("redirect_uri"))
			return matches
		}):
		refusal = imitation.WrongSecret
	default:
		return false
	}
	e := a.TokenError(refusal)
	imitation.WriteJSON(w, e.Status, e.JSON())
	return true
}

// NewSecretID implements imitation.Vendor. authentik has no ids for secrets; these never leave the store.
func (*Authentik) NewSecretID(string) string { return rand.Text() }

// AdminToken implements imitation.Vendor: an API token.
func (a *Authentik) AdminToken() string { return a.token }

// Routes implements imitation.Vendor.
func (a *Authentik) Routes(mux *http.ServeMux) {
	for pattern, o := range map[string]struct {
		operation string
		handle    imitation.Handler
	}{
		"GET /api/v3/providers/oauth2/{$}":                 {"authentik.listProviders", a.list},
		"PATCH /api/v3/providers/oauth2/{pk}/{$}":          {"authentik.updateProvider", a.update},
		"GET /api/v3/secrets/secrets/{object}/used_by/{$}": {"authentik.listUsers", a.usedBy},
		"PATCH /api/v3/secrets/secrets/{object}/{$}":       {"authentik.updateSecret", a.updateObject},
		"/api/": {"authentik.unknown", func(r *http.Request) (int, any, error) {
			return 0, nil, &imitation.APIError{Status: http.StatusNotImplemented, Text: r.Method + " " + r.URL.Path}
		}},
	} {
		mux.HandleFunc(pattern, a.api.Endpoint(o.operation, func(r *http.Request) (int, any, error) {
			if r.Header.Get("Authorization") != "Bearer "+a.token {
				return 0, nil, &imitation.APIError{Status: http.StatusForbidden, Text: "Token invalid/expired"}
			}
			return o.handle(r)
		}))
	}
}

// words is an error of the API. Not all have a code.
func words(e *imitation.APIError) any {
	out := map[string]any{"detail": e.Text}
	if e.Code != "" {
		out["code"] = e.Code
	}
	return out
}

// pk is the client's number. a.mu is held.
func (a *Authentik) pk(clientID string) int {
	if !slices.Contains(a.ids, clientID) {
		a.ids = append(a.ids, clientID)
	}
	return slices.Index(a.ids, clientID) + 1
}

// object is the id of the object that has the client's secret. a.mu is held.
func (a *Authentik) object(clientID string) string {
	if other, shares := a.shared[clientID]; shares {
		clientID = other
	}
	return "00000000-0000-4000-8000-00000000000" + strconv.Itoa(a.pk(clientID))
}

// show is a client (API schema, OAuth2Provider).
func (a *Authentik) show(c clients.Client, value string) map[string]any {
	redirects := []map[string]string{}
	for _, u := range c.RedirectURIs {
		mode := "strict"
		if strings.Contains(u, "*") { // a glob of the local stack
			mode, u = "regex", strings.ReplaceAll(regexp.QuoteMeta(u), `\*`, "[^/]*")
		}
		redirects = append(redirects, map[string]string{"matching_mode": mode, "url": u,
			"redirect_uri_type": "authorization"})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]any{"pk": a.pk(c.ID), "name": c.Name, "client_id": c.ID, "client_type": "confidential",
		"component": "ak-provider-oauth2-form", "grant_types": c.GrantTypes, "redirect_uris": redirects,
		"authorization_flow": "8d8bf0f4", "signing_key": "2b1a5f9c", "encryption_key": nil,
		"sub_mode":    "hashed_user_id",
		"issuer_mode": "global", "assigned_application_slug": c.ID, "assigned_application_name": c.Name,
		"access_token_validity": "hours=1", "include_claims_in_id_token": true, "property_mappings": []string{"b", "a"}}
	if a.objects {
		out["secret"] = a.object(c.ID)
	} else {
		out["client_secret"] = value
	}
	maps.Copy(out, a.settings[c.ID])
	return out
}

// list finds a client by its client id.
func (a *Authentik) list(r *http.Request) (int, any, error) {
	results := []any{}
	if c, err := a.env.Store.Client(r.URL.Query().Get("client_id")); err == nil {
		value := ""
		err := a.env.Store.Update(c.ID, func(e *clients.Edit) (err error) {
			for _, s := range e.All() {
				value, err = e.Value(s.ID)
			}
			return err
		})
		if err != nil {
			return 0, nil, err
		}
		results = append(results, a.show(c, value))
	}
	return http.StatusOK, map[string]any{"pagination": map[string]int{"count": len(results)}, "results": results,
		"autocomplete": struct{}{}}, nil
}

// byPK returns the client with a number, and whether secrets are objects.
func (a *Authentik) byPK(r *http.Request) (clients.Client, bool, error) {
	a.mu.Lock()
	n, err := strconv.Atoi(r.PathValue("pk"))
	found := err == nil && n > 0 && n <= len(a.ids)
	id, objects := "", a.objects
	if found {
		id = a.ids[n-1]
	}
	a.mu.Unlock()
	c, err := a.env.Store.Client(id)
	return c, objects, err
}

// update sets the value where it is the client's own. Where it is not, the field is unknown, and ignored.
func (a *Authentik) update(r *http.Request) (int, any, error) {
	c, objects, err := a.byPK(r)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		ClientSecret string `json:"client_secret"`
	}
	if err := imitation.ReadJSON(r, &in); err != nil {
		return 0, nil, err
	}
	if len(in.ClientSecret) > 255 {
		return 0, nil, &imitation.APIError{Status: http.StatusBadRequest, Text: "no more than 255 characters"}
	}
	if !objects {
		if err := a.set(c.ID, in.ClientSecret); err != nil {
			return 0, nil, err
		}
	}
	return http.StatusOK, a.show(c, in.ClientSecret), nil
}

// set makes a value the client's only secret.
func (a *Authentik) set(clientID, value string) error {
	return a.env.Store.Update(clientID, func(e *clients.Edit) error {
		for _, s := range e.All() {
			if v, err := e.Value(s.ID); err != nil || v == value {
				return err // it is the one that is set
			}
			if err := e.Remove(s.ID); err != nil {
				return err
			}
		}
		_, err := e.Add(clients.Secret{ID: a.NewSecretID(clientID)}, value)
		return err
	})
}

// users are the clients that have the object of a request.
func (a *Authentik) users(r *http.Request) (out []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range slices.Clone(a.ids) {
		if a.objects && a.object(id) == r.PathValue("object") {
			out = append(out, id)
		}
	}
	return out
}

func (a *Authentik) usedBy(r *http.Request) (int, any, error) {
	out := []map[string]any{}
	for _, id := range a.users(r) {
		a.mu.Lock()
		out = append(out, map[string]any{"app": "authentik_providers_oauth2", "model_name": "oauth2provider",
			"pk": strconv.Itoa(a.pk(id)), "name": id, "action": "none"})
		a.mu.Unlock()
	}
	if len(out) == 0 {
		return 0, nil, clients.ErrNotFound
	}
	return http.StatusOK, out, nil
}

// updateObject sets the value for all that share it. The answer does not show it.
func (a *Authentik) updateObject(r *http.Request) (int, any, error) {
	users := a.users(r)
	var in struct {
		Value string `json:"value"`
	}
	if err := imitation.ReadJSON(r, &in); err != nil {
		return 0, nil, err
	}
	if len(users) == 0 {
		return 0, nil, clients.ErrNotFound
	}
	for _, id := range users {
		if err := a.set(id, in.Value); err != nil {
			return 0, nil, err
		}
	}
	return http.StatusOK, map[string]any{"pk": r.PathValue("object"), "name": users[0] + " client secret",
		"type":    "text",
		"managed": nil, "created": "2026-03-01T12:00:00Z", "last_updated": "2026-03-01T12:00:00Z"}, nil
}
