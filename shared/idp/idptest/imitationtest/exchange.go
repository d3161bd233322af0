package imitationtest

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

// Deps are the dependencies of a provider that talks to a test server with TLS, and reads secrets by ARN. It does not
// really sleep.
func Deps(t testing.TB, s *httptest.Server, secrets map[string]string, now time.Time) idp.Deps {
	t.Helper()
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	client, err := httpclient.New(httpclient.Options{RootCAs: root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return idp.Deps{
		HTTP: client,
		Secret: func(_ context.Context, arn string) (secret.Value, error) {
			v, ok := secrets[arn]
			if !ok {
				return secret.Value{}, failure.New(failure.AccessDenied, "no access to %s", arn)
			}
			return secret.New(v), nil
		},
		Now:   func() time.Time { return now },
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
}

// Exchange is one request that must come, and its answer.
type Exchange struct {
	// Request is the method and the path with its query.
	Request string
	// Auth is the Authorization header; "" is that of the script.
	Auth string
	// Body is JSON; "" is no body. ContentType is application/json unless given.
	Body, ContentType string
	Status            int
	Header            map[string]string
	Answer            string
}

// Script is a server that expects exchanges in their order and reports everything else.
type Script struct {
	*httptest.Server
	// Aside answers requests that belong to no exchange, e.g. for access tokens, and looks at all: it returns whether
	// it has answered. Set it before the first request.
	Aside func(w http.ResponseWriter, r *http.Request) bool

	t    testing.TB
	auth string
	mu   sync.Mutex
	left []Exchange
}

// Play starts a server with TLS for exchanges whose requests have the Authorization header, and fails the test if one
// does not come.
func Play(t testing.TB, auth string, exchanges ...Exchange) *Script {
	t.Helper()
	s := &Script{t: t, auth: auth, left: exchanges}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(func() {
		s.Close()
		for _, e := range s.left {
			t.Errorf("the request %s never came", e.Request)
		}
	})
	return s
}

// ServeHTTP implements http.Handler.
func (s *Script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Aside != nil && s.Aside(w, r) {
		return
	}
	body, _ := io.ReadAll(r.Body)
	got := r.Method + " " + r.URL.RequestURI()
	if len(s.left) == 0 || s.left[0].Request != got {
		s.t.Errorf("the request %s was not expected now", got)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	e := s.left[0]
	s.left = s.left[1:]
	if e.Auth == "" {
		e.Auth = s.auth
	}
	if a := r.Header.Get("Authorization"); a != e.Auth {
		s.t.Errorf("%s: Authorization is %q, want %q", got, a, e.Auth)
	}
	if r.Header.Get("User-Agent") == "" || r.Header.Get("Accept") != "application/json" {
		s.t.Errorf("%s: the headers are %v", got, r.Header)
	}
	if !sameJSON(e.Body, string(body)) {
		s.t.Errorf("%s: the body is %s, want %s", got, body, e.Body)
	}
	if e.ContentType == "" && e.Body != "" {
		e.ContentType = "application/json"
	}
	if c := r.Header.Get("Content-Type"); c != e.ContentType {
		s.t.Errorf("%s: the content type is %q, want %q", got, c, e.ContentType)
	}
	for k, v := range e.Header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(e.Status)
	_, _ = io.WriteString(w, e.Answer)
}

func sameJSON(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}
