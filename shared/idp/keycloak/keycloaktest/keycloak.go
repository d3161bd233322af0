// Package keycloaktest imitates Keycloak on the local identity provider: a realm's endpoints, and the part of the admin
// API that finds a client, updates it, handles its current and its rotated secret, and shows the client policies.
package keycloaktest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitation"
)

const (
	// Realm is the realm of all clients.
	Realm = "staff"
	// RotatorID is the client whose service account may use the admin API; Vendor.AdminToken is its secret.
	RotatorID = "alb-secret-rotator"

	policyName, profileName = "rotate client secrets", "secret rotation"
)

// Policy is a client policy with the executor secret-rotation. Not imitated: Keycloak refuses one by which the rotated
// secret would live longer than the current one.
type Policy struct {
	// Lifetime of a new current secret, and of one that was replaced.
	Lifetime, Rotated time.Duration
	// Elsewhere: its conditions match other clients only.
	Elsewhere bool
}

// Keycloak imitates the vendor. Its methods are safe for concurrent use.
type Keycloak struct {
	env   imitation.Env
	admin *imitation.Admin
	api   imitation.API

	mu     sync.Mutex
	policy *Policy
}

var (
	_ imitation.Vendor = (*Keycloak)(nil)
	_ imitation.Tokens = (*Keycloak)(nil)
)

// Imitation is Keycloak.
var Imitation = imitation.Imitation{
	New:      New,
	ClientID: "orders-web",
	AppID:    "c1f3a9d2-7e64-4b08-9a5d-2f80c6b1e437",
	PairID:   "orders-web-second",
	Settings: func(baseURL, _, adminARN string) map[string]any {
		return map[string]any{"serverUrl": baseURL, "realm": Realm,
			"clientSecret": imitation.ByClientSecret(RotatorID, adminARN)}
	},
	Changes: []string{"idp:keycloak.regenerateSecret", "idp:keycloak.updateClient", "idp:keycloak.deleteRotated"},
	Denial:  "access_denied",
}

// New makes the imitation; it is the imitation.New of Keycloak. A policy is in force.
func New(env imitation.Env) (imitation.Vendor, error) {
	k := &Keycloak{env: env, admin: imitation.NewAdmin(env.Clock, RotatorID),
		policy: &Policy{Lifetime: 180 * 24 * time.Hour, Rotated: 14 * 24 * time.Hour}}
	k.api = imitation.API{Env: env, Admin: k.admin, Body: words}
	env.Store.EndTogether()
	return k, nil
}

// SetPolicy replaces the policy; nil is none, as without the feature client-secret-rotation.
func (k *Keycloak) SetPolicy(p *Policy) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.policy = p
}

// listed is the policy that the admin API shows, and covers whether it has effect on the clients here.
func (k *Keycloak) listed() (p Policy, exists, covers bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.policy == nil {
		return Policy{}, false, false
	}
	return *k.policy, true, !k.policy.Elsewhere
}

// Paths implements imitation.Vendor.
func (*Keycloak) Paths() imitation.Paths {
	const oidc = "/protocol/openid-connect"
	return imitation.Paths{Issuer: "/realms/" + Realm, Authorization: oidc + "/auth", Token: oidc + "/token",
		UserInfo: oidc + "/userinfo", Keys: oidc + "/certs"}
}

// TokenError implements imitation.Vendor: 401 unauthorized_client for a wrong secret, 401 invalid_client for an unknown
// client (ClientIdAndSecretAuthenticator), with the same text.
func (*Keycloak) TokenError(r imitation.Refusal) imitation.TokenError {
	e := imitation.RFC6749(r)
	switch r {
	case imitation.WrongSecret, imitation.WrongMethod, imitation.NoCredentials:
		e.Code, e.Description = "unauthorized_client", "Invalid client or Invalid client credentials"
	case imitation.UnknownClient:
		e.Description = "Invalid client or Invalid client credentials"
	case imitation.InvalidCode:
		e.Description = "Code not valid"
	}
	return e
}

// NewSecretID implements imitation.Vendor. Keycloak has no ids for secrets; these never leave the store.
func (*Keycloak) NewSecretID(string) string { return rand.Text() }

// AdminToken implements imitation.Vendor: the client secret of RotatorID.
func (k *Keycloak) AdminToken() string { return k.admin.Secret }

// ServeToken implements imitation.Tokens: access tokens for the admin API.
func (k *Keycloak) ServeToken(w http.ResponseWriter, r *http.Request) bool {
	return k.admin.ServeToken(w, r, k.TokenError, false)
}

// Routes implements imitation.Vendor.
func (k *Keycloak) Routes(mux *http.ServeMux) {
	const realm = "/admin/realms/" + Realm
	const client = realm + "/clients/{id}"
	mux.HandleFunc("GET "+realm+"/clients", k.api.Endpoint("keycloak.findClient", k.find))
	mux.HandleFunc("PUT "+client, k.api.Endpoint("keycloak.updateClient", k.update))
	mux.HandleFunc("GET "+client+"/client-secret", k.api.Endpoint("keycloak.readSecret", k.readSecret))
	mux.HandleFunc("POST "+client+"/client-secret", k.api.Endpoint("keycloak.regenerateSecret", k.regenerate))
	mux.HandleFunc("GET "+client+"/client-secret/rotated", k.api.Endpoint("keycloak.readRotated", k.readRotated))
	mux.HandleFunc("DELETE "+client+"/client-secret/rotated", k.api.Endpoint("keycloak.deleteRotated", k.deleteRotated))
	mux.HandleFunc("GET "+realm+"/client-policies/profiles", k.api.Endpoint("keycloak.readProfiles", k.readProfiles))
	mux.HandleFunc("GET "+realm+"/client-policies/policies", k.api.Endpoint("keycloak.readPolicies", k.readPolicies))
	mux.HandleFunc("/admin/", k.api.Unknown("keycloak.unknown"))
}

// words is an error of the admin API, which has several shapes.
func words(e *imitation.APIError) any {
	switch {
	case e.Status == http.StatusBadRequest || e.Status == http.StatusNotFound:
		return map[string]any{"error": e.Text}
	case e.Code == "" || strings.Contains(e.Code, "Failure"):
		return map[string]any{"error": "HTTP " + strconv.Itoa(e.Status) + " " + http.StatusText(e.Status)}
	}
	return map[string]any{"error": e.Code, "error_description": e.Text}
}

// find answers with the client that has the client id, and an empty list if there is none.
func (k *Keycloak) find(r *http.Request) (int, any, error) {
	c, err := k.env.Store.Client(r.URL.Query().Get("clientId"))
	if err != nil {
		return http.StatusOK, []any{}, nil
	}
	out := map[string]any{"id": c.AppID, "clientId": c.ID, "name": c.Name, "enabled": true,
		"protocol": "openid-connect", "publicClient": false, "bearerOnly": false,
		"standardFlowEnabled": true, "serviceAccountsEnabled": false, "clientAuthenticatorType": "client-secret",
		"redirectUris": c.RedirectURIs, "webOrigins": []string{},
		"fullScopeAllowed": true, "defaultClientScopes": []string{"basic", "email", "profile"},
		"access": map[string]bool{"view": true, "configure": true, "manage": true}}
	err = k.env.Store.Update(c.ID, func(e *clients.Edit) error {
		s, err := k.slots(e)
		if err != nil {
			return err
		}
		// realm_client: it is no client of a realm's administration; the rotated secret is shown here, too
		attributes := map[string]string{"realm_client": "false"}
		if !s.current.ExpiresAt.IsZero() {
			attributes["client.secret.expiration.time"] = epoch(s.current.ExpiresAt)
		}
		if s.rotated != nil {
			attributes["client.secret.creation.time"] = epoch(s.current.Created)
			attributes["client.secret.rotated.creation.time"] = epoch(s.current.Created)
			attributes["client.secret.rotated.expiration.time"] = epoch(s.rotated.ExpiresAt)
			if attributes["client.secret.rotated"], err = e.Value(s.rotated.ID); err != nil {
				return err
			}
		}
		out["attributes"] = attributes
		out["secret"], err = e.Value(s.current.ID)
		return err
	})
	return http.StatusOK, []any{out}, err
}

func epoch(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// slots are a client's secrets.
type slots struct {
	current clients.Secret
	rotated *clients.Secret
}

// slots are those in the store: the newest is the current one. Under a policy the current one has an end, which
// Keycloak sets at the first login; all clients here are taken to have logged in.
func (k *Keycloak) slots(e *clients.Edit) (slots, error) {
	all := e.All()
	if len(all) == 0 {
		return slots{}, clients.ErrNotFound
	}
	s := slots{current: all[len(all)-1]}
	if len(all) > 1 {
		s.rotated = &all[0]
	}
	p, _, covers := k.listed()
	if !covers || !s.current.ExpiresAt.IsZero() {
		return s, nil
	}
	var err error
	s.current, err = e.Expire(s.current.ID, s.current.Created.Add(p.Lifetime))
	return s, err
}

// change carries f out on a client's secrets.
func (k *Keycloak) change(r *http.Request, f func(*clients.Edit, slots) error) error {
	c, err := k.env.Store.ByAppID(r.PathValue("id"))
	if err != nil {
		return &imitation.APIError{Status: http.StatusNotFound, Text: "Could not find client"}
	}
	return k.env.Store.Update(c.ID, func(e *clients.Edit) error {
		s, err := k.slots(e)
		if err != nil {
			return err
		}
		return f(e, s)
	})
}

// update sets the secret, if the body has one, and lets the policy look at the client. Other settings must be as they
// are.
func (k *Keycloak) update(r *http.Request) (int, any, error) {
	var in struct {
		ClientID               string          `json:"clientId"`
		ServiceAccountsEnabled bool            `json:"serviceAccountsEnabled"`
		WebOrigins             json.RawMessage `json:"webOrigins"`
		Secret                 string          `json:"secret"`
		Attributes             map[string]any  `json:"attributes"`
	}
	if err := imitation.ReadJSON(r, &in); err != nil {
		return 0, nil, err
	}
	c, err := k.env.Store.ByAppID(r.PathValue("id"))
	if err == nil && (in.ClientID != "" && in.ClientID != c.ID || in.ServiceAccountsEnabled ||
		string(in.WebOrigins) != "[]" || len(in.Attributes) > 0) {
		return 0, nil, &imitation.APIError{Status: http.StatusNotImplemented,
			Text: "the local stack changes nothing but the secret"}
	}
	err = k.change(r, func(e *clients.Edit, s slots) error {
		_, _, covers := k.listed()
		// a policy replaces a secret that has ended, at the next update
		over := covers && !s.current.ExpiresAt.After(k.env.Clock.Now())
		if over && in.Attributes == nil { // it fails on them (OIDCClientSecretConfigWrapper), and changes nothing
			return &imitation.APIError{Status: http.StatusInternalServerError, Code: "unknown_error",
				Text: "For more on this error consult the server log."}
		}
		if in.Secret != "" {
			if s.current, err = k.replace(e, s.current, in.Secret); err != nil {
				return err
			}
		}
		switch {
		case over:
			_, err = k.rotate(e, s)
		case !covers:
			err = k.forget(e, s)
		}
		return err
	})
	return http.StatusNoContent, nil, err
}

// replace makes a value the current secret. Its end stays that of the one before.
func (k *Keycloak) replace(e *clients.Edit, old clients.Secret, value string) (clients.Secret, error) {
	if v, err := e.Value(old.ID); err != nil || v == value {
		return old, err
	}
	if err := e.Remove(old.ID); err != nil {
		return old, err
	}
	return e.Add(clients.Secret{ID: k.NewSecretID(""), ExpiresAt: old.ExpiresAt}, value)
}

// forget removes what a policy had noted, as Keycloak does when an update finds that none covers the client.
func (k *Keycloak) forget(e *clients.Edit, s slots) error {
	if s.rotated != nil {
		if err := e.Remove(s.rotated.ID); err != nil {
			return err
		}
	}
	_, err := e.Expire(s.current.ID, time.Time{})
	return err
}

// rotate makes a new current secret. What was the current one becomes the rotated one, if a policy covers the client.
func (k *Keycloak) rotate(e *clients.Edit, s slots) (string, error) {
	if err := k.forget(e, s); err != nil {
		return "", err
	}
	p, _, covers := k.listed()
	made := clients.Secret{ID: k.NewSecretID("")}
	var err error
	now := k.env.Clock.Now()
	if covers && p.Rotated > 0 {
		_, err = e.Expire(s.current.ID, now.Add(p.Rotated))
	} else {
		err = e.Remove(s.current.ID)
	}
	if err != nil {
		return "", err
	}
	if covers {
		made.ExpiresAt = now.Add(p.Lifetime)
	}
	value := rand.Text() + rand.Text()
	_, err = e.Add(made, value)
	return value, err
}

// Regenerate makes a new secret as a person in the admin console does.
func (k *Keycloak) Regenerate(clientID string) (value string, err error) {
	return value, k.env.Store.Update(clientID, func(e *clients.Edit) error {
		s, err := k.slots(e)
		if err == nil {
			value, err = k.rotate(e, s)
		}
		return err
	})
}

func credential(value string) map[string]string {
	return map[string]string{"type": "secret", "value": value}
}

func (k *Keycloak) readSecret(r *http.Request) (int, any, error) {
	var value string
	err := k.change(r, func(e *clients.Edit, s slots) (err error) {
		value, err = e.Value(s.current.ID)
		return err
	})
	return http.StatusOK, credential(value), err
}

func (k *Keycloak) regenerate(r *http.Request) (int, any, error) {
	var value string
	err := k.change(r, func(e *clients.Edit, s slots) (err error) {
		value, err = k.rotate(e, s)
		return err
	})
	return http.StatusOK, credential(value), err
}

// readRotated shows also one that has ended, until something removes it.
func (k *Keycloak) readRotated(r *http.Request) (int, any, error) {
	var value string
	err := k.change(r, func(e *clients.Edit, s slots) (err error) {
		if s.rotated == nil {
			return &imitation.APIError{Status: http.StatusNotFound, Text: "Client does not have a rotated secret"}
		}
		value, err = e.Value(s.rotated.ID)
		return err
	})
	return http.StatusOK, credential(value), err
}

// deleteRotated ends the rotated secret; if there is none, that is success.
func (k *Keycloak) deleteRotated(r *http.Request) (int, any, error) {
	err := k.change(r, func(e *clients.Edit, s slots) error {
		if s.rotated == nil {
			return nil
		}
		return e.Remove(s.rotated.ID)
	})
	return http.StatusNoContent, nil, err
}

func (k *Keycloak) readProfiles(*http.Request) (int, any, error) {
	profiles := []any{}
	if p, exists, _ := k.listed(); exists {
		profiles = append(profiles, map[string]any{"name": profileName,
			"executors": []any{map[string]any{"executor": "secret-rotation", "configuration": map[string]any{
				"expiration-period":         int(p.Lifetime / time.Second),
				"rotated-expiration-period": int(p.Rotated / time.Second), "remaining-rotation-period": 0}}}})
	}
	return http.StatusOK, map[string]any{"profiles": profiles}, nil
}

func (k *Keycloak) readPolicies(*http.Request) (int, any, error) {
	policies := []any{}
	if _, exists, _ := k.listed(); exists {
		policies = append(policies, map[string]any{"name": policyName, "enabled": true,
			"conditions": []any{map[string]any{"condition": "any-client", "configuration": map[string]any{}}},
			"profiles":   []string{profileName}})
	}
	return http.StatusOK, map[string]any{"policies": policies}, nil
}
