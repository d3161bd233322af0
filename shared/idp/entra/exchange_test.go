package entra_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"sync"
	"testing"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/entra"
)

// exchange is one request to Microsoft Graph that must come, and its answer. Requests for access tokens are answered
// besides.
type exchange struct {
	request string // method and path
	body    string // JSON; "" is no body
	status  int
	header  map[string]string
	answer  string
}

// script is a server that expects exchanges in their order and reports everything else.
type script struct {
	*httptest.Server
	t      *testing.T
	mu     sync.Mutex
	left   []exchange
	tokens int
	ids    map[string]bool // client-request-ids
}

func play(t *testing.T, exchanges ...exchange) *script {
	t.Helper()
	s := &script{t: t, left: exchanges, ids: map[string]bool{}}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(func() {
		s.Close()
		for _, e := range s.left {
			t.Errorf("the request %s never came", e.request)
		}
	})
	return s
}

var guid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := r.Header.Get("client-request-id"); !guid.MatchString(id) || s.ids[id] {
		s.t.Errorf("the client-request-id %q is no new GUID", id)
	} else {
		s.ids[id] = true
	}
	if r.URL.Path == "/"+tenant+"/oauth2/v2.0/token" {
		s.tokens++
		write(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": adminToken})
		return
	}
	body, _ := io.ReadAll(r.Body)
	got := r.Method + " " + r.URL.RequestURI()
	if len(s.left) == 0 || s.left[0].request != got {
		s.t.Errorf("the request %s was not expected now", got)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	e := s.left[0]
	s.left = s.left[1:]
	if r.Header.Get("Authorization") != "Bearer "+adminToken || r.Header.Get("User-Agent") == "" || r.Header.Get("Accept") != "application/json" {
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

// provider is one with a client secret and further settings (each followed by a comma).
func provider(t *testing.T, s *script, more string) idp.Provider {
	t.Helper()
	p, err := entra.New(settings(s.URL, more+withSecret), client, deps(t, s.Server, adminSecret))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
