package httpclient_test

import (
	"net/http"
	"net/url"
	"testing"

	"alboidc.internal/shared/httpclient"
)

func TestCookiesGoBackToThePathThatTheyCameFrom(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path, from, to string
		want           bool
	}{
		"escaped, as Keycloak sends it": {"/realms/Gr%C3%B6%C3%9Fe%20%27x%27/",
			"/realms/Gr%C3%B6%C3%9Fe%20%27x%27/auth",
			"/realms/Gr%C3%B6%C3%9Fe%20%27x%27/login-actions/authenticate", true},
		"a percent sign in the name": {"/realms/100%25/", "/realms/100%25/auth", "/realms/100%25/login", true},
		"without a path, its folder": {"", "/a%20b/form", "/a%20b/check", true},
		"another folder":             {"", "/a%20b/form", "/a/check", false},
		"another realm":              {"/realms/a%20b/", "/realms/a%20b/auth", "/realms/a/auth", false},
		"plain":                      {"/realms/staff/", "/realms/staff/auth", "/realms/staff/login", true},
	} {
		from, err := url.Parse("https://sso.example.com" + c.from)
		to, also := url.Parse("https://sso.example.com" + c.to)
		if err != nil || also != nil {
			t.Fatal(err, also)
		}
		jar := httpclient.NewJar()
		jar.SetCookies(from, []*http.Cookie{{Name: "session", Value: "x", Path: c.path}})
		if got := len(jar.Cookies(to)) == 1; got != c.want {
			t.Errorf("%s: that the cookie goes back is %t", name, got)
		}
	}
}
