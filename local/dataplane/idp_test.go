package dataplane_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/local/localca"
)

// fakeIdP is an OpenID provider that logs everyone in at once. It accepts a code and a refresh token once each.
type fakeIdP struct {
	url string
	now func() time.Time

	mu       sync.Mutex
	accepted map[string]bool // client secrets
	codes    map[string]bool
	refresh  map[string]bool
	serial   int
	seen     []tokenRequest
	asked    []url.Values // authorization requests

	noRefresh bool
	id        map[string]any // claims that replace the id token's own
	token     http.HandlerFunc
	userinfo  http.HandlerFunc
	profile   map[string]any
}

// tokenRequest is what the token endpoint saw.
type tokenRequest struct{ grant, secret string }

func newFakeIdP(t *testing.T, ca *localca.Authority, now func() time.Time) *fakeIdP {
	t.Helper()
	f := &fakeIdP{now: now, accepted: map[string]bool{"s1": true}, codes: map[string]bool{}, refresh: map[string]bool{},
		profile: map[string]any{"sub": "user-1", "email": "user@example.test"}}
	mux := http.NewServeMux()
	mux.HandleFunc("/authorize", f.authorize)
	mux.HandleFunc("/token", f.serveToken)
	mux.HandleFunc("/userinfo", f.serveUserinfo)
	srv := httptest.NewUnstartedServer(mux)
	srv.Listener = tls.NewListener(srv.Listener, ca.ServerConfig())
	srv.Start()
	t.Cleanup(srv.Close)
	f.url = strings.Replace(srv.URL, "http://", "https://", 1)
	return f
}

// accept makes exactly these secrets valid.
func (f *fakeIdP) accept(secrets ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accepted = map[string]bool{}
	for _, s := range secrets {
		f.accepted[s] = true
	}
}

// requests is what the token endpoint has seen so far.
func (f *fakeIdP) requests() []tokenRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]tokenRequest(nil), f.seen...)
}

func (f *fakeIdP) authorize(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.serial++
	code := fmt.Sprint("code-", f.serial)
	f.codes[code] = true
	q := r.URL.Query()
	f.asked = append(f.asked, q)
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(),
		http.StatusFound)
}

func (f *fakeIdP) serveToken(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := tokenRequest{grant: r.FormValue("grant_type")}
	_, seen.secret, _ = r.BasicAuth()
	f.seen = append(f.seen, seen)
	if f.token != nil {
		f.token(w, r)
		return
	}
	if !f.accepted[seen.secret] {
		answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	from, key := f.codes, r.FormValue("code")
	if seen.grant == "refresh_token" {
		from, key = f.refresh, r.FormValue("refresh_token")
	}
	if !from[key] {
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	delete(from, key)
	f.serial++
	out := map[string]any{"access_token": fmt.Sprint("access-", f.serial), "token_type": "Bearer", "expires_in": 60,
		"id_token": f.idToken()}
	if !f.noRefresh {
		next := fmt.Sprint("refresh-", f.serial)
		f.refresh[next] = true
		out["refresh_token"] = next
	}
	answer(w, http.StatusOK, out)
}

func (f *fakeIdP) idToken() string {
	claims := map[string]any{"iss": f.url, "sub": "user-1", "aud": "orders-web", "exp": f.now().Add(time.Hour).Unix()}
	for k, v := range f.id {
		claims[k] = v
	}
	b, _ := json.Marshal(claims)
	return "e30." + base64.RawURLEncoding.EncodeToString(b) + ".c2ln"
}

func (f *fakeIdP) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.userinfo != nil:
		f.userinfo(w, r)
	case !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer access-"):
		answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token"})
	default:
		answer(w, http.StatusOK, f.profile)
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
