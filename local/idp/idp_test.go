package idp_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/idp"
	"alboidc.internal/local/localca"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
)

const (
	clientID = "orders-web"
	first    = "first-secret-value-0123456789abcdef"
	second   = "second-secret-value-0123456789abcde"
	callback = "https://orders.localhost:8443/oauth2/idpresponse"
	password = "correct horse"
)

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// world is a provider with one client and one user, and a client program that follows no redirect.
type world struct {
	*idp.Provider
	t      *testing.T
	clock  *clock.Virtual
	faults *fault.Injector
	http   *http.Client
	secret idp.Secret
}

func start(t *testing.T, change ...func(*idp.Options)) *world {
	t.Helper()
	authority, err := localca.New()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, clock: clock.NewVirtual(noon()), faults: &fault.Injector{}}
	o := idp.Options{Clock: w.clock, Authority: authority, Faults: w.faults, AccessTokenLifetime: 3 * time.Second}
	for _, f := range change {
		f(&o)
	}
	if w.Provider, err = idp.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	_, w.secret, err = w.RegisterClient(idp.Client{ID: clientID, RedirectURIs: []string{callback}}, first)
	if err != nil {
		t.Fatal(err)
	}
	w.AddUser(idp.User{Name: "alice", Password: password, FullName: "Alice Example"})
	w.http = authority.Client(10 * time.Second)
	w.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	w.http.Jar, _ = cookiejar.New(nil)
	return w
}

// addSecret gives the client one more live secret.
func (w *world) addSecret(value string) idp.Secret {
	w.t.Helper()
	var out idp.Secret
	err := w.Store().Update(clientID, func(e *clients.Edit) (err error) {
		out, err = e.Add(idp.Secret{ID: w.Vendor().NewSecretID(clientID)}, value)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) setStatus(id string, status clients.Status) {
	w.t.Helper()
	err := w.Store().Update(clientID, func(e *clients.Edit) error { _, err := e.SetStatus(id, status); return err })
	if err != nil {
		w.t.Fatal(err)
	}
}

type answer struct {
	status int
	header http.Header
	body   string
	fields map[string]any
}

func (w *world) do(r *http.Request) answer {
	w.t.Helper()
	got, err := w.http.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{status: got.StatusCode, header: got.Header, body: string(body)}
	_ = json.Unmarshal(body, &a.fields)
	return a
}

func (w *world) get(address string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.do(r)
}

func form(t *testing.T, address string, values url.Values) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func authorizeQuery() url.Values {
	return url.Values{"client_id": {clientID}, "response_type": {"code"},
		"scope":        {"openid email profile offline_access"},
		"redirect_uri": {callback}, "state": {"state-1"}, "nonce": {"nonce-1"}}
}

// openLogin goes to the login form and returns its id.
func (w *world) openLogin(query url.Values) string {
	w.t.Helper()
	a := w.get(w.Endpoints().Authorization + "?" + query.Encode())
	if a.status != http.StatusFound || !strings.HasPrefix(a.header.Get("Location"), w.URL()+"/login?id=") {
		w.t.Fatalf("authorize answered %d to %s: %s", a.status, a.header.Get("Location"), a.body)
	}
	page := w.get(a.header.Get("Location"))
	if page.status != http.StatusOK || !strings.Contains(page.body, `type="password"`) {
		w.t.Fatalf("the login page answered %d: %s", page.status, page.body)
	}
	u, _ := url.Parse(a.header.Get("Location"))
	return u.Query().Get("id")
}

// code logs alice in and returns the authorization code.
func (w *world) code() string {
	w.t.Helper()
	return w.codeFor(authorizeQuery())
}

func (w *world) codeFor(query url.Values) string {
	w.t.Helper()
	id := w.openLogin(query)
	a := w.do(form(w.t, w.URL()+"/login", url.Values{"id": {id}, "username": {"alice"}, "password": {password}}))
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != http.StatusSeeOther || !strings.HasPrefix(to.String(), callback+"?") ||
		to.Query().Get("state") != "state-1" {
		w.t.Fatalf("the login answered %d to %s: %s", a.status, to, a.body)
	}
	return to.Query().Get("code")
}

// token calls the token endpoint with the secret in a Basic header.
func (w *world) token(secret string, values url.Values) answer {
	w.t.Helper()
	r := form(w.t, w.Endpoints().Token, values)
	r.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(secret))
	return w.do(r)
}

func codeGrant(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}}
}

func refreshGrant(token any) url.Values {
	s, _ := token.(string)
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s}}
}

func (w *world) userInfo(token any) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.Endpoints().UserInfo, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	s, _ := token.(string)
	r.Header.Set("Authorization", "Bearer "+s)
	return w.do(r)
}

func (a answer) must(t *testing.T, status int, fields ...string) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	for i := 0; i < len(fields); i += 2 {
		if a.fields[fields[i]] != fields[i+1] {
			t.Fatalf("%s is %v, want %q", fields[i], a.fields[fields[i]], fields[i+1])
		}
	}
	return a
}
