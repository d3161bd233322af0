// Package entratest imitates Microsoft Entra ID on the local identity provider: the token endpoint of one tenant, and
// the part of Microsoft Graph v1.0 that handles the client secrets of an app registration. It shows what makes Entra ID
// different: values are made there and shown once, lists lag behind, several token servers learn of a new secret one
// after the other, and the form of an authorization code is checked before the secret. One path differs: the issuer
// here is https://HOST/TENANT, not https://HOST/TENANT/v2.0, because all endpoints of the local provider are below its
// issuer.
package entratest

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitation"
)

const (
	// TenantID is the directory (tenant) id.
	TenantID = "7a1f0c52-3b5e-4e0d-9c61-0f6c5f0b2d11"
	// RotatorID is the application (client) id of an app registration that owns every other; its client secret is the
	// vendor's AdminToken.
	RotatorID = "c0de2f6e-5d1b-4b36-8a55-90c3d1f7a002"
)

// Entra imitates the vendor. Its methods are safe for concurrent use.
type Entra struct {
	env         imitation.Env
	adminSecret string

	mu        sync.Mutex
	rotators  map[string]*Rotator // by client id
	tokens    map[string]bearer   // access tokens for Microsoft Graph
	audiences map[string]string   // signInAudience by client id
	assigned  map[string]bool     // client ids that require assignment
	policy    Policy
	listDelay time.Duration
	history   map[string][]clients.Change // by client id, oldest first
	replicas  []time.Duration
	turn      int
}

var (
	_ imitation.Vendor = (*Entra)(nil)
	_ imitation.Tokens = (*Entra)(nil)
)

// Imitation is Microsoft Entra ID.
var Imitation = imitation.Imitation{
	New:      New,
	ClientID: "0b6f7e4c-51d2-4c1e-9a77-6f0f2a9d1c34",
	AppID:    "6d1b1f0a-8a0e-4b9c-8f43-2f6f2c5f7b21",
	Settings: func(baseURL, _, adminARN string) map[string]any {
		return map[string]any{"tenantId": TenantID, "graphUrl": baseURL, "loginUrl": baseURL,
			"clientSecret": imitation.ByClientSecret(RotatorID, adminARN)}
	},
	Changes: []string{"idp:entra.addPassword", "idp:entra.removePassword"},
	Denial:  "Authorization_RequestDenied",
}

// New makes the imitation; it is the imitation.New of Entra ID.
func New(env imitation.Env) (imitation.Vendor, error) {
	e := &Entra{env: env, adminSecret: newSecretText(), rotators: map[string]*Rotator{}, tokens: map[string]bearer{},
		audiences: map[string]string{}, assigned: map[string]bool{},
		history: map[string][]clients.Change{}, replicas: []time.Duration{0}}
	e.rotators[RotatorID] = &Rotator{ClientID: RotatorID, Secret: e.adminSecret}
	env.Store.OnChange(e.remember)
	return e, nil
}

// Policy is an app management policy of the tenant (Microsoft Graph docs, "Microsoft Entra application management
// policies"). The zero value allows everything.
type Policy struct {
	// NoSecrets forbids new client secrets (passwordAddition).
	NoSecrets bool
	// MaxLifetime is the longest life of a new one (passwordLifetime); 0 is any.
	MaxLifetime time.Duration
}

// SetPolicy puts a policy in force.
func (e *Entra) SetPolicy(p Policy) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.policy = p
}

// SetSignInAudience sets which accounts an app registration allows; AzureADMyOrg by default.
func (e *Entra) SetSignInAudience(clientID, audience string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.audiences[clientID] = audience
}

// RequireAssignment sets "Assignment required" for the enterprise application of a client id: only apps and users that
// are assigned to it get tokens for it, and an app cannot be assigned to itself.
func (e *Entra) RequireAssignment(clientID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.assigned[clientID] = true
}

func (e *Entra) requiresAssignment(clientID string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.assigned[clientID]
}

// SetListDelay makes reads of an app registration show its secrets as they were that long ago.
func (e *Entra) SetListDelay(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.listDelay = d
}

// SetReplicas gives the token endpoint several servers, which take turns. Each learns of a new secret that much later
// than the store's activation delay says. No argument is one server without a lag.
func (e *Entra) SetReplicas(lags ...time.Duration) {
	if len(lags) == 0 {
		lags = []time.Duration{0}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.replicas, e.turn = lags, 0
}

// Paths implements imitation.Vendor.
func (*Entra) Paths() imitation.Paths {
	return imitation.Paths{Issuer: "/" + TenantID, Authorization: "/oauth2/v2.0/authorize", Token: "/oauth2/v2.0/token",
		UserInfo: "/oidc/userinfo", Keys: "/discovery/v2.0/keys"}
}

// NewSecretID implements imitation.Vendor.
func (*Entra) NewSecretID(string) string { return clientcredentials.NewUUID() }

// AdminToken implements imitation.Vendor: the client secret of the app registration RotatorID.
func (e *Entra) AdminToken() string { return e.adminSecret }

// Routes implements imitation.Vendor.
func (e *Entra) Routes(mux *http.ServeMux) {
	e.env.Know("entra.adminToken", "token")
	for _, app := range []string{"/v1.0/applications/{objectId}", "/v1.0/{address}"} {
		mux.HandleFunc("GET "+app, e.endpoint("entra.getApplication", e.getApplication))
		mux.HandleFunc("POST "+app+"/addPassword", e.endpoint("entra.addPassword", e.addPassword))
		mux.HandleFunc("POST "+app+"/removePassword", e.endpoint("entra.removePassword", e.removePassword))
	}
	mux.HandleFunc("/v1.0/", e.endpoint("entra.unknown", func(r *http.Request) (int, any, error) {
		return 0, nil, &graphError{http.StatusNotImplemented, "NotImplemented",
			"The local stack does not implement " + r.Method + " " + r.URL.Path}
	}))
}

// newSecretText makes a value in the form of Entra ID's: 40 characters, which are not all safe in a form.
func newSecretText() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789~._"
	random := make([]byte, 36)
	_, _ = rand.Read(random)
	for i, b := range random {
		random[i] = alphabet[int(b)%len(alphabet)] // the slight bias does not matter here
	}
	return string(random[:3]) + "8Q~" + string(random[3:]) + "~"
}
