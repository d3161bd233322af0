package okta_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"
)

// exchange is one request that must come, and its answer.
type exchange struct {
	request string // method and path
	auth    string // the Authorization header; "" is the API token's
	body    string // JSON; "" is no body
	status  int
	header  map[string]string
	answer  string
}

// script is a server that expects exchanges in their order and reports everything else.
type script struct {
	*httptest.Server
	t    *testing.T
	mu   sync.Mutex
	left []exchange
}

func play(t *testing.T, exchanges ...exchange) *script {
	t.Helper()
	s := &script{t: t, left: exchanges}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(func() {
		s.Close()
		for _, e := range s.left {
			t.Errorf("the request %s never came", e.request)
		}
	})
	return s
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	got := r.Method + " " + r.URL.RequestURI()
	if len(s.left) == 0 || s.left[0].request != got {
		s.t.Errorf("the request %s was not expected now", got)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	e := s.left[0]
	s.left = s.left[1:]
	if e.auth == "" {
		e.auth = "SSWS " + apiToken
	}
	if a := r.Header.Get("Authorization"); a != e.auth {
		s.t.Errorf("%s: Authorization is %q, want %q", got, a, e.auth)
	}
	if r.Header.Get("User-Agent") == "" || r.Header.Get("Accept") != "application/json" {
		s.t.Errorf("%s: the headers are %v", got, r.Header)
	}
	if !sameJSON(e.body, string(body)) {
		s.t.Errorf("%s: the body is %s, want %s", got, body, e.body)
	}
	if e.body != "" && r.Header.Get("Content-Type") != "application/json" {
		s.t.Errorf("%s: the content type is %q", got, r.Header.Get("Content-Type"))
	}
	for k, v := range e.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(e.status)
	_, _ = io.WriteString(w, e.answer)
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
