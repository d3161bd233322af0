// Package oktatest imitates Okta on the local identity provider: the paths of the custom authorization server
// "default", the texts of its token endpoint, and the part of the management API that handles an app's client secrets
// (Okta Management API, tag ApplicationSSOPublicKeys).
package oktatest

import (
	"crypto/rand"
	"math/big"
	"net/http"
	"sync"

	"alboidc.internal/shared/idp/idptest/imitation"
)

// Okta imitates the vendor. Its methods are safe for concurrent use.
type Okta struct {
	env        imitation.Env
	adminToken string

	mu       sync.Mutex
	api      bucket                 // /api/v1/apps and all below it
	oauth    bucket                 // the org authorization server's token endpoint
	services map[string]*ServiceApp // by client id
	tokens   map[string]bearer      // access tokens of service apps
	spent    map[string]int64       // client id + jti of used assertions → their exp
	hidden   bool
}

var _ imitation.Vendor = (*Okta)(nil)

// Imitation is Okta.
var Imitation = imitation.Imitation{
	New:      New,
	ClientID: "0oaorderswebclient01",
	AppID:    "0oaordersapp0000001",
	Settings: func(baseURL, appID, adminARN string) map[string]any {
		return map[string]any{"orgUrl": baseURL, "appId": appID, "apiToken": map[string]string{"secretArn": adminARN}}
	},
	Changes: []string{"idp:okta.createSecret", "idp:okta.deactivateSecret", "idp:okta.deleteSecret",
		"idp:okta.activateSecret"},
	Denial: "E0000006",
}

// New makes the imitation; it is the imitation.New of Okta.
func New(env imitation.Env) (imitation.Vendor, error) {
	return &Okta{env: env, adminToken: randomString("00", 40), api: bucket{perMinute: DefaultRateLimit},
		oauth:    bucket{perMinute: DefaultRateLimit},
		services: map[string]*ServiceApp{}, tokens: map[string]bearer{}, spent: map[string]int64{}}, nil
}

// HideValues makes reads leave out the values of secrets.
func (o *Okta) HideValues() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hidden = true
}

// Paths implements imitation.Vendor: the endpoints of a custom authorization server.
func (*Okta) Paths() imitation.Paths {
	return imitation.Paths{Issuer: "/oauth2/default", Authorization: "/v1/authorize", Token: "/v1/token",
		UserInfo: "/v1/userinfo", Keys: "/v1/keys"}
}

// TokenError implements imitation.Vendor. The text for a wrong secret is the documented one (Okta developer guide
// "Implement OAuth for Okta with a service app", troubleshooting); the others are worded after observed answers.
func (*Okta) TokenError(r imitation.Refusal) imitation.TokenError {
	e := imitation.RFC6749(r)
	switch r {
	case imitation.WrongSecret:
		e.Description = "The client secret supplied for a confidential client is invalid."
	case imitation.UnknownClient:
		e.Description = "Invalid value for 'client_id' parameter."
	case imitation.WrongMethod:
		e.Description = "The client authentication method is not the one registered for the client."
	case imitation.NoCredentials:
		e.Description = "Client authentication failed. Either the client or the client credentials are invalid."
	case imitation.InvalidCode:
		e.Description = "The authorization code is invalid or has expired."
	case imitation.InvalidRefreshToken:
		e.Description = "The refresh token is invalid or expired."
	case imitation.GrantNotAllowed:
		e.Description = "The client is not authorized to use the provided grant type."
	case imitation.UnsupportedGrant:
		e.Description = "The authorization grant type is not supported by the authorization server."
	}
	return e
}

// NewSecretID implements imitation.Vendor.
func (*Okta) NewSecretID(string) string { return randomString("ocs", 17) }

// AdminToken implements imitation.Vendor: the API token for the SSWS scheme.
func (o *Okta) AdminToken() string { return o.adminToken }

// Routes implements imitation.Vendor.
func (o *Okta) Routes(mux *http.ServeMux) {
	o.env.Know("okta.serviceToken")
	const app, secrets = "/api/v1/apps/{appId}", "/api/v1/apps/{appId}/credentials/secrets"
	for _, route := range []struct {
		pattern, operation, scope string
		handle                    handler
	}{
		{"GET " + app, "okta.getApp", scopeRead, o.getApp},
		{"GET " + secrets, "okta.listSecrets", scopeRead, o.listSecrets},
		{"POST " + secrets, "okta.createSecret", scopeManage, o.createSecret},
		{"GET " + secrets + "/{secretId}", "okta.getSecret", scopeRead, o.getSecret},
		{"POST " + secrets + "/{secretId}/lifecycle/activate", "okta.activateSecret", scopeManage, o.activateSecret},
		{"POST " + secrets + "/{secretId}/lifecycle/deactivate",
			"okta.deactivateSecret", scopeManage, o.deactivateSecret},
		{"DELETE " + secrets + "/{secretId}", "okta.deleteSecret", scopeManage, o.deleteSecret},
	} {
		mux.HandleFunc(route.pattern, o.endpoint(route.operation, route.scope, route.handle))
	}
	mux.HandleFunc("/api/", o.endpoint("okta.unknown", scopeRead, func(r *http.Request) (int, any, error) {
		return 0, nil, notFound(r.Method+" "+r.URL.Path, "endpoint of the local stack")
	}))
	mux.HandleFunc("POST "+tokenPath, o.serviceToken)
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// randomString returns prefix followed by n random letters and digits.
func randomString(prefix string, n int) string {
	out := []byte(prefix)
	for range n {
		i, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil {
			panic(err) // crypto/rand.Reader never fails since Go 1.24
		}
		out = append(out, alphabet[i.Int64()])
	}
	return string(out)
}
