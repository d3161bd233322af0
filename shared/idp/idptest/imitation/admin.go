package imitation

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"alboidc.internal/shared/clock"
)

// adminTokenLifetime is how long an access token for the management API lives.
const adminTokenLifetime = time.Hour

// Admin is the client of a vendor's management API that the rotator is. It gets bearer tokens by client_credentials.
type Admin struct {
	ClientID, Secret string

	clock  clock.Clock
	mu     sync.Mutex
	tokens map[string]time.Time // and when they end
}

// NewAdmin makes an admin client with a random secret.
func NewAdmin(c clock.Clock, clientID string) *Admin {
	return &Admin{ClientID: clientID, Secret: rand.Text() + rand.Text(), clock: c, tokens: map[string]time.Time{}}
}

// Is reports whether a token request, whose form has been parsed, names the admin client, by either method.
func (a *Admin) Is(r *http.Request) bool {
	id, _, _ := presented(r)
	return id == a.ClientID
}

// Proves reports whether a token request presents the admin client's secret, and whether it does so by Basic.
func (a *Admin) Proves(r *http.Request) (ok, basic bool) {
	id, secret, basic := presented(r)
	return id == a.ClientID && subtle.ConstantTimeCompare([]byte(secret), []byte(a.Secret)) == 1, basic
}

// presented are the credentials of a token request (RFC 6749, section 2.3.1).
func presented(r *http.Request) (id, secret string, basic bool) {
	user, password, basic := r.BasicAuth()
	if !basic {
		return r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"), false
	}
	id, err1 := url.QueryUnescape(user)
	secret, err2 := url.QueryUnescape(password)
	if err1 != nil || err2 != nil {
		return "", "", true
	}
	return id, secret, true
}

// Grant answers a token request with a new access token.
func (a *Admin) Grant(w http.ResponseWriter) {
	token := rand.Text()
	a.mu.Lock()
	a.tokens[token] = a.clock.Now().Add(adminTokenLifetime)
	a.mu.Unlock()
	WriteJSON(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer",
		"expires_in": int(adminTokenLifetime / time.Second)})
}

// ServeToken answers the admin client's token request, by client_credentials, and returns true; other clients' are left
// to the provider. refuse words a refusal as the vendor does; basic: only HTTP Basic is taken.
func (a *Admin) ServeToken(w http.ResponseWriter, r *http.Request, refuse func(Refusal) TokenError, basic bool) bool {
	if !a.Is(r) {
		return false
	}
	refusal := UnsupportedGrant
	switch ok, byBasic := a.Proves(r); {
	case !ok || basic && !byBasic:
		refusal = WrongSecret
	case r.PostForm.Get("grant_type") == "client_credentials":
		a.Grant(w)
		return true
	}
	e := refuse(refusal)
	WriteJSON(w, e.Status, e.JSON())
	return true
}

// Allows reports whether a request to the management API carries an access token that is valid.
func (a *Admin) Allows(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a.mu.Lock()
	defer a.mu.Unlock()
	until, known := a.tokens[token]
	return ok && known && a.clock.Now().Before(until)
}
