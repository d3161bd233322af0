// Package pingonetest imitates PingOne on the local identity provider: an environment's endpoints, and the part of the
// Platform API that reads an application and handles its current and its previous secret.
package pingonetest

import (
	"crypto/rand"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitation"
)

const (
	// EnvironmentID is the id of the environment.
	EnvironmentID = "3f0c2a6e-5b1d-4c8e-9a57-0d6f1b2c3e4a"
	// WorkerID is the worker application that may use the Platform API; Vendor.AdminToken is its secret.
	WorkerID = "9d2b7c10-64fe-4a3b-8c21-7e5f4d3c2b1a"

	// longest is how long a previous secret may be kept (PingOne Platform API, "Update Application Secret").
	longest = 720 * time.Hour
	// mediaType of a request with a value of the caller's.
	mediaType = "application/vnd.pingidentity.secret+json"
)

// PingOne imitates the vendor. Its methods are safe for concurrent use.
type PingOne struct {
	env   imitation.Env
	admin *imitation.Admin
	api   imitation.API

	mu           sync.Mutex
	takesNoValue bool
}

var (
	_ imitation.Vendor = (*PingOne)(nil)
	_ imitation.Tokens = (*PingOne)(nil)
)

// Imitation is PingOne.
var Imitation = imitation.Imitation{
	New:      New,
	ClientID: "5e8d1c3a-72b4-4f60-9d15-a0c4e6b8f213",
	Settings: func(baseURL, _, adminARN string) map[string]any {
		return map[string]any{"environmentId": EnvironmentID, "apiUrl": baseURL, "authUrl": baseURL,
			"clientSecret": imitation.ByClientSecret(WorkerID, adminARN)}
	},
	Changes: []string{"idp:pingone.updateSecret", "idp:pingone.setSecret", "idp:pingone.deletePreviousSecret"},
	Denial:  "ACCESS_FAILED",
}

// New makes the imitation; it is the imitation.New of PingOne.
func New(env imitation.Env) (imitation.Vendor, error) {
	p := &PingOne{env: env, admin: imitation.NewAdmin(env.Clock, WorkerID)}
	p.api = imitation.API{Env: env, Admin: p.admin, Body: words}
	return p, nil
}

// RefuseValues makes applications refuse secrets of the caller's: PingOne documents them for imported ones.
func (p *PingOne) RefuseValues() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takesNoValue = true
}

// Paths implements imitation.Vendor.
func (*PingOne) Paths() imitation.Paths {
	return imitation.Paths{Issuer: "/" + EnvironmentID + "/as", Authorization: "/authorize", Token: "/token",
		UserInfo: "/userinfo", Keys: "/jwks"}
}

// TokenError implements imitation.Vendor. PingOne documents nothing beyond RFC 6749; its texts were seen in forums.
func (*PingOne) TokenError(r imitation.Refusal) imitation.TokenError {
	e := imitation.RFC6749(r)
	switch r {
	case imitation.WrongSecret:
		e.Description = "Request denied: Invalid client credentials (Correlation ID: 0)"
	case imitation.WrongMethod:
		e.Description = "Request denied: Unsupported authentication method (Correlation ID: 0)"
	}
	return e
}

// NewSecretID implements imitation.Vendor. PingOne has no ids for secrets; these never leave the store.
func (*PingOne) NewSecretID(string) string { return rand.Text() }

// AdminToken implements imitation.Vendor: the client secret of WorkerID.
func (p *PingOne) AdminToken() string { return p.admin.Secret }

// ServeToken implements imitation.Tokens: access tokens for the Platform API. The worker application authenticates by
// Basic, the default.
func (p *PingOne) ServeToken(w http.ResponseWriter, r *http.Request) bool {
	return p.admin.ServeToken(w, r, p.TokenError, true)
}

// Routes implements imitation.Vendor.
func (p *PingOne) Routes(mux *http.ServeMux) {
	const app = "/v1/environments/{environment}/applications/{application}"
	mux.HandleFunc("GET "+app, p.api.Endpoint("pingone.readApplication", p.readApplication))
	mux.HandleFunc("GET "+app+"/secret", p.api.Endpoint("pingone.readSecret", p.readSecret))
	mux.HandleFunc("DELETE "+app+"/secret", p.api.Endpoint("pingone.deletePreviousSecret", p.deletePrevious))
	update, set := p.api.Endpoint("pingone.updateSecret", p.updateSecret), p.api.Endpoint("pingone.setSecret",
		p.setSecret)
	mux.HandleFunc("POST "+app+"/secret", func(w http.ResponseWriter, r *http.Request) {
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == mediaType {
			set(w, r)
			return
		}
		update(w, r)
	})
	mux.HandleFunc("/v1/", p.api.Unknown("pingone.unknown"))
}

// words is an error of the Platform API (P1Error).
func words(e *imitation.APIError) any {
	if e.Code == "" || strings.Contains(e.Code, "Failure") {
		e.Code = map[int]string{400: "INVALID_DATA", 401: "ACCESS_FAILED", 403: "ACCESS_FAILED", 404: "NOT_FOUND",
			429: "REQUEST_LIMITED"}[e.Status]
	}
	if e.Code == "" {
		e.Code = "UNEXPECTED_ERROR"
	}
	return map[string]any{"id": rand.Text(), "code": e.Code, "message": e.Text}
}

// application finds the one that the path names.
func (p *PingOne) application(r *http.Request) (clients.Client, error) {
	if r.PathValue("environment") != EnvironmentID {
		return clients.Client{}, clients.ErrNotFound
	}
	return p.env.Store.Client(r.PathValue("application"))
}

func (p *PingOne) readApplication(r *http.Request) (int, any, error) {
	c, err := p.application(r)
	if err != nil {
		return 0, nil, err
	}
	method := map[clients.AuthMethod]string{clients.Basic: "CLIENT_SECRET_BASIC",
		clients.Post: "CLIENT_SECRET_POST"}[c.AuthMethod]
	return http.StatusOK, map[string]any{"id": c.ID, "name": c.Name, "enabled": true, "type": "WEB_APP",
		"protocol":   "OPENID_CONNECT",
		"grantTypes": []string{"AUTHORIZATION_CODE", "REFRESH_TOKEN"}, "tokenEndpointAuthMethod": method,
		"redirectUris": c.RedirectURIs}, nil
}

// slots are the secrets that are alive: the newest is the current one.
func (p *PingOne) slots(e *clients.Edit) (current clients.Secret, previous *clients.Secret, err error) {
	now := p.env.Clock.Now()
	all := e.All()
	if len(all) == 0 {
		return current, nil, clients.ErrNotFound
	}
	for _, s := range all[:len(all)-1] {
		if !s.Live(now) {
			if err := e.Remove(s.ID); err != nil { // it has ended by itself
				return current, nil, err
			}
			continue
		}
		previous = &s
	}
	return all[len(all)-1], previous, nil
}

// body is the answer to every request about the secret.
func (p *PingOne) body(c clients.Client, e *clients.Edit) (map[string]any, error) {
	current, previous, err := p.slots(e)
	if err != nil {
		return nil, err
	}
	value, err := e.Value(current.ID)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"environment": map[string]string{"id": EnvironmentID}, "secret": value}
	if previous == nil {
		return out, nil
	}
	if value, err = e.Value(previous.ID); err != nil {
		return nil, err
	}
	told := map[string]any{"secret": value, "expiresAt": stamp(previous.ExpiresAt)}
	if used := p.env.Store.LastUsed(c.ID, previous.ID); !used.IsZero() {
		told["lastUsed"] = stamp(used)
	}
	out["previous"] = told
	return out, nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// change carries f out on the application's secrets and answers with them.
func (p *PingOne) change(r *http.Request, f func(clients.Client, *clients.Edit) error) (int, any, error) {
	c, err := p.application(r)
	if err != nil {
		return 0, nil, err
	}
	var body map[string]any
	err = p.env.Store.Update(c.ID, func(e *clients.Edit) error {
		if err := f(c, e); err != nil {
			return err
		}
		body, err = p.body(c, e)
		return err
	})
	return http.StatusOK, body, err
}

func (p *PingOne) readSecret(r *http.Request) (int, any, error) {
	return p.change(r, func(clients.Client, *clients.Edit) error { return nil })
}

// updateSecret makes a new current secret. What was the previous one is gone; what was the current one is kept until
// the time that the request names, or ends at once.
func (p *PingOne) updateSecret(r *http.Request) (int, any, error) {
	var in struct {
		Previous *struct {
			ExpiresAt time.Time `json:"expiresAt"`
		} `json:"previous"`
	}
	if r.ContentLength != 0 {
		if err := imitation.ReadJSON(r, &in); err != nil {
			return 0, nil, err
		}
	}
	now := p.env.Clock.Now()
	if in.Previous != nil && (!in.Previous.ExpiresAt.After(now) || in.Previous.ExpiresAt.After(now.Add(longest))) {
		return 0, nil, &imitation.APIError{Status: http.StatusBadRequest, Code: "INVALID_DATA",
			Text: "previous.expiresAt must be in the future, and 30 days from now at most"}
	}
	return p.change(r, func(c clients.Client, e *clients.Edit) error {
		current, previous, err := p.slots(e)
		if err != nil {
			return err
		}
		if previous != nil {
			if err := e.Remove(previous.ID); err != nil {
				return err
			}
		}
		if in.Previous == nil {
			err = e.Remove(current.ID)
		} else {
			_, err = e.Expire(current.ID, in.Previous.ExpiresAt)
		}
		if err != nil {
			return err
		}
		_, err = e.Add(clients.Secret{ID: p.NewSecretID(c.ID)}, rand.Text()+rand.Text()+rand.Text())
		return err
	})
}

// setSecret makes a value of the caller's the only secret.
func (p *PingOne) setSecret(r *http.Request) (int, any, error) {
	var in struct {
		Secret string `json:"secret"`
	}
	if err := imitation.ReadJSON(r, &in); err != nil {
		return 0, nil, err
	}
	p.mu.Lock()
	refused := p.takesNoValue || in.Secret == ""
	p.mu.Unlock()
	if refused {
		return 0, nil, &imitation.APIError{Status: http.StatusBadRequest, Code: "INVALID_DATA",
			Text: "the application takes no imported secret"}
	}
	return p.change(r, func(c clients.Client, e *clients.Edit) error {
		for _, s := range e.All() {
			if err := e.Remove(s.ID); err != nil {
				return fmt.Errorf("replacing the secrets: %w", err)
			}
		}
		_, err := e.Add(clients.Secret{ID: p.NewSecretID(c.ID)}, in.Secret)
		return err
	})
}

// deletePrevious ends the previous secret; if there is none, that is success.
func (p *PingOne) deletePrevious(r *http.Request) (int, any, error) {
	_, _, err := p.change(r, func(_ clients.Client, e *clients.Edit) error {
		_, previous, err := p.slots(e)
		if err != nil || previous == nil {
			return err
		}
		return e.Remove(previous.ID)
	})
	return http.StatusNoContent, nil, err
}
