package browser_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/browser"
	"alboidc.internal/local/localca"
)

const password = "correct horse & battery"

// site is HTTPS on loopback under any number of names, all of which the browser resolves to it.
type site struct {
	authority *localca.Authority
	address   string
}

func serve(t *testing.T, h http.Handler) *site {
	t.Helper()
	authority, err := localca.New()
	if err != nil {
		t.Fatal(err)
	}
	address := listen(t, &http.Server{Handler: h, TLSConfig: authority.ServerConfig()})
	return &site{authority: authority, address: address}
}

// listen runs the server on loopback until the test ends and returns its address.
func listen(t testing.TB, server *http.Server) string {
	t.Helper()
	// refused certificates are expected
	server.ReadHeaderTimeout, server.ErrorLog = time.Second, log.New(io.Discard, "", 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return listener.Addr().String()
}

func (s *site) browser(t *testing.T) *browser.Browser {
	t.Helper()
	b := browser.New(browser.Options{Roots: s.authority.Pool(), Resolve: func(hostPort string) string {
		if strings.HasSuffix(hostPort, ".test:443") {
			return s.address
		}
		return ""
	}})
	t.Cleanup(b.Close)
	return b
}

const loginPage = `<html><body>
<form action="/search"><input name="q"></form>
<form method="post" action="%s">
 <input type="hidden" name="csrf" value="a&amp;b"><input type="submit" name="go" value="x">
 <label>User<input type="email" name="user"></label><input type="password" name="pass"><input name="later" value="kept">
</form></body></html>`

// portal is a site whose pages need a login on another host, in the way an identity provider does it.
func portal(result int) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET app.test/", func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("session"); err != nil || c.Value != "alice" {
			http.Redirect(w, r, "https://login.test/form?state=hidden-state", http.StatusFound)
			return
		}
		w.WriteHeader(result)
		_, _ = fmt.Fprint(w, "the application")
	})
	mux.HandleFunc("GET app.test/back", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: r.FormValue("user"), Secure: true, Path: "/"})
		http.Redirect(w, r, "/", http.StatusFound)
	})
	mux.HandleFunc("GET login.test/form", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "form", Value: "cookie-value", Secure: true, HttpOnly: true})
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, loginPage, "check")
	})
	mux.HandleFunc("POST login.test/check", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		want := url.Values{"csrf": {"a&b"}, "user": {"alice"}, "pass": {password}, "later": {"kept"}}
		if c, err := r.Cookie("form"); err != nil || c.Value != "cookie-value" || r.PostForm.Encode() != want.Encode() {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprintf(w, loginPage, "check")
			return
		}
		http.Redirect(w, r, "https://app.test/back?user=alice&code=hidden-code", http.StatusSeeOther)
	})
	return mux
}

func TestLoginFillsInTheFormAndKeepsTheSession(t *testing.T) {
	t.Parallel()
	b := serve(t, portal(http.StatusOK)).browser(t)
	page, err := b.Login(t.Context(), "https://app.test/", "alice", password)
	if err != nil {
		t.Fatal(err)
	}
	if page.URL.String() != "https://app.test/" || string(page.Body) != "the application" {
		t.Fatalf("arrived at %s: %s", page.URL, page.Body)
	}
	again, err := b.Get(t.Context(), "https://app.test/")
	if err != nil || again.Status != http.StatusOK || again.LoginForm() {
		t.Fatalf("the session did not last: %d, %v", again.Status, err)
	}
}

func TestABrowserThatForgetsHasNoSession(t *testing.T) {
	t.Parallel()
	b := serve(t, portal(http.StatusOK)).browser(t)
	if _, err := b.Login(t.Context(), "https://app.test/", "alice", password); err != nil {
		t.Fatal(err)
	}
	b.Forget()
	if page, err := b.Get(t.Context(), "https://app.test/"); err != nil || !page.LoginForm() {
		t.Fatalf("still logged in: %d, %v", page.Status, err)
	}
}

// redirect sends every page on to another address if status is 302; else it shows a login form and sends that on.
func redirect(to string, status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/check" || status == http.StatusFound {
			http.Redirect(w, r, to, status)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, loginPage, "/check")
	})
}

// static answers every request alike.
func static(status int, kind, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	})
}

func TestFailureNamesStepHostAndStatusAndNoSecret(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		site     http.Handler
		password string
		says     string
	}{
		"the password is wrong": {portal(200), "wrong-password", "log in at login.test (status 401): "},
		"the application fails after the login": {portal(561), password,
			"return to the page at app.test (status 561): "},
		"the first page fails": {static(503, "text/plain", "busy"), password,
			"open the page at app.test (status 503): "},
		"there is no login": {static(200, "text/html", "<p>open to all</p>"), password,
			"read the login form at app.test (status 200): "},
		"the form is not HTML": {static(200, "application/json", loginPage), password,
			"read the login form at app.test (status 200): "},
		"the form has no user name": {static(200, "text/html", `<form><input type=password name=p></form>`),
			password, "fill in the login form at app.test (status 200): "},
		"redirects never end": {redirect("/again?code=hidden-code", 302), password,
			"open the page at app.test: more than 12 redirects"},
		"a redirect leaves the known hosts": {redirect("https://elsewhere.example/?code=hidden-code", 302),
			password, "open the page at elsewhere.example: "},
		"a redirect leaves https": {redirect("http://app.test/?code=hidden-code", 302), password,
			"open the page at app.test: scheme"},
		"a redirect to nowhere": {static(302, "text/plain", ""), password, "open the page at app.test (status 302): "},
		"the form would go to another host": {redirect("https://other.test/steal", 307), password,
			"return to the page at app.test (status 307): "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := serve(t, c.site).browser(t).Login(t.Context(), "https://app.test/", "alice", c.password)
			if err == nil || !strings.HasPrefix(err.Error(), c.says) {
				t.Fatalf("error: %v", err)
			}
			for _, hidden := range []string{c.password, "hidden-state", "hidden-code", "cookie-value"} {
				if strings.Contains(err.Error(), hidden) {
					t.Errorf("the error shows %s", hidden)
				}
			}
		})
	}
}

func TestCookiesStayWithTheirHost(t *testing.T) {
	t.Parallel()
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "who", Value: r.Host, Secure: true})
		_, _ = fmt.Fprint(w, r.Header.Get("Cookie"))
	}))
	b := s.browser(t)
	for _, step := range []struct{ address, want string }{
		{"https://a.test/", ""}, {"https://b.test/", ""}, {"https://a.test/", "who=a.test"}, {"https://b.test/",
			"who=b.test"},
	} {
		page, err := b.Get(t.Context(), step.address)
		if err != nil || string(page.Body) != step.want {
			t.Fatalf("%s got %q, want %q, %v", step.address, page.Body, step.want, err)
		}
	}
}

func TestBrowserTrustsOnlyItsRoots(t *testing.T) {
	t.Parallel()
	s, stranger := serve(t, portal(http.StatusOK)), serve(t, portal(http.StatusOK))
	b := browser.New(browser.Options{Roots: stranger.authority.Pool(),
		Resolve: func(string) string { return s.address }})
	if _, err := b.Get(t.Context(), "https://app.test/"); err == nil {
		t.Fatal("a foreign certificate was accepted")
	}
}

func TestVisitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	b := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})).browser(t)
	if _, err := b.Get(ctx, "https://app.test/"); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
