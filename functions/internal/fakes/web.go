package fakes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/secret"
)

// TokenEndpoint is the identity provider as load balancers and browsers see it: the token endpoint, and a login page
// that takes any name and password.
type TokenEndpoint struct {
	wire   *Wire
	server *httptest.Server

	mu     sync.Mutex
	vendor Vendor
	judge  func(value secret.Value, accepted bool) (status int, code string)
	asked  []presented // in order
}

// presented is one client authentication.
type presented struct{ clientID, secret string }

func newTokenEndpoint(t testing.TB, wire *Wire, v Vendor) *TokenEndpoint {
	e := &TokenEndpoint{wire: wire, vendor: v}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", e.token)
	mux.HandleFunc("GET /authorize", func(rw http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(rw,
			`<form method=post action="/login?back=%s"><input name=username><input type=password name=password></form>`,
			url.QueryEscape(r.URL.Query().Get("redirect_uri")))
	})
	mux.HandleFunc("POST /login", func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, r.URL.Query().Get("back")+"?code=1", http.StatusSeeOther)
	})
	e.server = serve(t, mux)
	return e
}

// serve starts a TLS server on loopback.
func serve(t testing.TB, h http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate()}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// certificate is every server's: httptest's own has an RSA key, and handshakes with that are half of what tests cost.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"example.com"}}
	der, err := x509.CreateCertificate(crand.Reader, c, c, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// URL is the endpoint's URL with the path.
func (e *TokenEndpoint) URL(path string) string { return e.server.URL + path }

// Judge replaces the endpoint's answers. accepted is what the vendor says about the secret; nil goes back to that.
func (e *TokenEndpoint) Judge(f func(value secret.Value, accepted bool) (status int, code string)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.judge = f
}

// Asked is how many secrets were presented since the last call of Asked, and how many of those the vendor does not
// know.
func (e *TokenEndpoint) Asked() (all, wrong int) {
	all = len(e.presented())
	for _, s := range e.presented() {
		if !e.vendor.AcceptsFrom(s.clientID, secret.New(s.secret)) {
			wrong++
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = nil
	return all, wrong
}

func (e *TokenEndpoint) presented() []presented {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.asked)
}

func (e *TokenEndpoint) roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(e.server.Certificate())
	return roots
}

// token answers as RFC 6749, section 5.2, wants it: the secret is looked at first, and the code is an invented one.
func (e *TokenEndpoint) token(rw http.ResponseWriter, r *http.Request) {
	clientID, raw, _ := r.BasicAuth()
	clientID, _ = url.QueryUnescape(clientID)
	raw, _ = url.QueryUnescape(raw)
	value := secret.New(raw)
	e.mu.Lock()
	e.asked = append(e.asked, presented{clientID, raw})
	judge := e.judge
	e.mu.Unlock()
	switch err := e.wire.read("token", func() error { return nil }); {
	case failure.Is(err, failure.Throttled):
		rw.WriteHeader(http.StatusTooManyRequests)
		return
	case err != nil:
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	accepted := e.vendor.AcceptsFrom(clientID, value)
	status, code := http.StatusUnauthorized, "invalid_client"
	if accepted {
		status, code = http.StatusBadRequest, "invalid_grant"
	}
	if judge != nil {
		status, code = judge(value, accepted)
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(map[string]string{"error": code, "error_description": raw + " is not liked"})
}

// App is a node of the load balancer and the application behind it.
type App struct {
	server *httptest.Server
	tokens *TokenEndpoint

	mu    sync.Mutex
	fault int
	// refused: the identity provider refuses the node's own requests.
	refused bool
	loads   int
}

func newApp(t testing.TB, tokens *TokenEndpoint) *App {
	a := &App{tokens: tokens}
	a.server = serve(t, http.HandlerFunc(a.serve))
	return a
}

// URL is the application's URL with the path.
func (a *App) URL(path string) string { return a.server.URL + path }

// Fail makes the node answer everything with an HTTP status; 0 ends it.
func (a *App) Fail(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fault = status
}

// Refuse makes the node's own requests to the identity provider fail, as with a wrong client secret.
func (a *App) Refuse() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused = true
}

// Visits is how many requests there were.
func (a *App) Visits() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.loads
}

func (a *App) serve(rw http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.loads++
	fault, refused := a.fault, a.refused
	a.mu.Unlock()
	_, err := r.Cookie("AWSELBAuthSessionCookie-0")
	switch {
	case fault != 0:
		rw.WriteHeader(fault)
	case refused && r.URL.Path == "/oauth2/idpresponse":
		rw.WriteHeader(561)
	case r.URL.Path == "/oauth2/idpresponse":
		http.SetCookie(rw, &http.Cookie{Name: "AWSELBAuthSessionCookie-0", Value: "1", Path: "/", Secure: true})
		http.Redirect(rw, r, "/", http.StatusFound)
	case err != nil:
		q := url.Values{"client_id": {ClientID}, "response_type": {"code"}, "state": {"s"},
			"redirect_uri": {a.URL("/oauth2/idpresponse")}}
		http.Redirect(rw, r, a.tokens.URL("/authorize")+"?"+q.Encode(), http.StatusFound)
	default:
		_, _ = fmt.Fprint(rw, "welcome")
	}
}
