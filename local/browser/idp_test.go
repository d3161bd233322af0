package browser_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"alboidc.internal/local/browser"
	"alboidc.internal/local/idp"
	"alboidc.internal/local/localca"
	"alboidc.internal/shared/idp/idptest/clients"
)

// application is a relying party on one page: it sends the browser to the provider and redeems the code.
type application struct {
	provider *idp.Provider
	client   *http.Client
	secret   string
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	self := "https://app.test/oauth2/idpresponse"
	code := r.URL.Query().Get("code")
	if code == "" {
		q := url.Values{"client_id": {"app"}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {self}, "state": {"s"}}
		http.Redirect(w, r, a.provider.Endpoints().Authorization+"?"+q.Encode(), http.StatusFound)
		return
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {self}}
	ask, _ := http.NewRequestWithContext(r.Context(), http.MethodPost, a.provider.Endpoints().Token, strings.NewReader(form.Encode()))
	ask.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	ask.SetBasicAuth("app", a.secret)
	got, err := a.client.Do(ask)
	if err != nil {
		http.Error(w, "unreachable", http.StatusInternalServerError)
		return
	}
	defer func() { _ = got.Body.Close() }()
	var tokens struct {
		IDToken string `json:"id_token"`
	}
	if got.StatusCode != http.StatusOK || json.NewDecoder(got.Body).Decode(&tokens) != nil || tokens.IDToken == "" {
		w.WriteHeader(561)
		return
	}
	_, _ = w.Write([]byte("welcome"))
}

func newApplication(t testing.TB) (*application, *browser.Browser) {
	t.Helper()
	authority, err := localca.New()
	if err != nil {
		t.Fatal(err)
	}
	provider, err := idp.Start(t.Context(), idp.Options{Authority: authority})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = provider.Close() })
	a := &application{provider: provider, client: authority.Client(0), secret: "secret-one"}
	server := &http.Server{Handler: a, TLSConfig: authority.ServerConfig()}
	address := listen(t, server)
	_, _, err = provider.RegisterClient(idp.Client{ID: "app", RedirectURIs: []string{"https://app.test/oauth2/idpresponse"}}, "secret-one")
	if err != nil {
		t.Fatal(err)
	}
	provider.AddUser(idp.User{Name: "alice", Password: password})
	b := browser.New(browser.Options{Roots: authority.Pool(), Resolve: func(hostPort string) string {
		return map[string]string{"app.test:443": address}[hostPort]
	}})
	t.Cleanup(b.Close)
	return a, b
}

func TestUserLogsInThroughTheProviderWithAnyLiveSecret(t *testing.T) {
	t.Parallel()
	a, b := newApplication(t)
	login := func() (browser.Page, error) { return b.Login(t.Context(), "https://app.test/", "alice", password) }
	if page, err := login(); err != nil || string(page.Body) != "welcome" {
		t.Fatalf("%s, %v", page.Body, err)
	}
	var oldID string
	err := a.provider.Store().Update("app", func(e *clients.Edit) error {
		oldID = e.All()[0].ID
		_, err := e.Add(idp.Secret{ID: "second"}, "secret-two")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	a.secret = "secret-two"
	if _, err := login(); err != nil {
		t.Fatal(err)
	}
	a.secret = "secret-one"
	if _, err := login(); err != nil {
		t.Fatal(err)
	}
	err = a.provider.Store().Update("app", func(e *clients.Edit) error { _, err := e.SetStatus(oldID, clients.Inactive); return err })
	if err != nil {
		t.Fatal(err)
	}
	if page, err := login(); err == nil || page.Status != 561 {
		t.Fatalf("a login with a disabled secret ended with %d, %v", page.Status, err)
	}
}

func TestUserWithAWrongPasswordStaysOutside(t *testing.T) {
	t.Parallel()
	_, b := newApplication(t)
	if page, err := b.Login(t.Context(), "https://app.test/", "alice", "guess"); err == nil || page.Status != http.StatusUnauthorized {
		t.Fatalf("%d, %v", page.Status, err)
	}
}

func BenchmarkLogin(b *testing.B) {
	_, first := newApplication(b)
	for b.Loop() {
		if _, err := first.Another().Login(b.Context(), "https://app.test/", "alice", password); err != nil {
			b.Fatal(err)
		}
	}
}
