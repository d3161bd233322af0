package probe

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/secret"
)

// hidden is the synthetic user's password, and stands in pages, cookies and URLs.
const hidden = "CANARYpassword7Kq"

// site is a load balancer with an application, and an identity provider that shows two pages before it sends the
// browser back. The second is also the answer to a form; a third form ends the login.
type site struct {
	t        *testing.T
	pages    [2]string
	status   int
	location string
	requests int
	typed    int // how many requests had the password
	back     bool
}

// RoundTrip implements http.RoundTripper.
func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.requests++
	body := ""
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(b)
	}
	s.check(r, body)
	answer := func(status int, location, text string) (*http.Response, error) {
		h := http.Header{"Set-Cookie": {"session=" + hidden + "; Secure"}, "Content-Type": {"text/html"}}
		if location != "" {
			h.Set("Location", location)
		}
		return &http.Response{StatusCode: status, Header: h, Request: r,
			Body: io.NopCloser(strings.NewReader(text))}, nil
	}
	switch {
	case r.URL.Host == "app.example" && r.URL.Path == callbackPath && r.URL.Query().Get("code") == "right":
		s.back = true
		return answer(302, "/welcome", "")
	case r.URL.Host == "app.example" && s.back:
		return answer(200, "", "welcome")
	case r.URL.Host == "app.example":
		return answer(302, "https://idp.example/authorize?state="+hidden, "")
	case s.requests == 2:
		return answer(200, "", s.pages[0])
	case s.requests == 3:
		return answer(s.status, s.location, s.pages[1])
	case strings.Contains(body, url.QueryEscape(hidden)):
		return answer(303, "https://app.example"+callbackPath+"?code=right", "")
	default:
		return answer(401, "", hidden)
	}
}

// check looks at where a request goes, and whether it takes the password there.
func (s *site) check(r *http.Request, body string) {
	known := r.URL.Host == "app.example" || r.URL.Host == "idp.example" || r.URL.Host == "idp.example:443" ||
		r.URL.Host == "app.example:443"
	if r.URL.Scheme != "https" || !known || r.URL.User != nil {
		s.t.Errorf("a request goes to %s", r.URL.Redacted())
	}
	values, _ := url.ParseQuery(body)
	if !slices.ContainsFunc(slices.Collect(maps.Values(values)), func(texts []string) bool {
		return slices.Contains(texts, hidden)
	}) {
		return
	}
	if s.typed++; s.typed > 1 || r.Method != http.MethodPost || r.URL.Hostname() != "idp.example" {
		s.t.Errorf("the password goes to %s by %s, time %d", r.URL.Hostname(), r.Method, s.typed)
	}
}

// Whatever pages an identity provider shows, the password is typed at most once, only into a form of its own that is
// sent by POST; a login counts only if the application was reached after that; no text shows what was typed.
func FuzzLoginForm(f *testing.F) {
	const form = `<form method=post action="/login"><input name=user><input type=password name=pass></form>`
	const name = `<form method=post action=?next><input type=email name=login><button name=a value=b></form>`
	for _, p := range [][2]string{{form, ""}, {name, form}, {form, form}, {name, name}, {"", ""}, {"<html>", name},
		{strings.Replace(form, "/login", "https://evil.example/", 1), form}, {form + name, "welcome"},
		{strings.Replace(form, "/login", "https://app.example/x", 1), form}, {strings.Replace(form, "post",
			"get", 1), ""},
		{strings.Replace(form, "/login", "http://idp.example/", 1), ""}, {strings.Replace(name, "?next",
			"//idp.example", 1),
			strings.Replace(form, "name=user", "type=password name=pass2", 1)},
		{strings.Replace(form, "/login", "https://u:p@idp.example/", 1), ""}, {"<form><form>" + form, name}} {
		f.Add(p[0], p[1], 200, "")
		f.Add(p[0], p[1], 302, "https://app.example/oauth2/idpresponse?code=right&x="+hidden)
		f.Add(p[0], p[1], 307, "https://evil.example/?"+hidden)
		f.Add(p[0], p[1], 401, "")
	}
	f.Fuzz(func(t *testing.T, first, second string, status int, location string) {
		if strings.ContainsFunc(location, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Skip("net/http sends no such header")
		}
		s := &site{t: t, pages: [2]string{first, second}, status: 200 + int(uint(status)%400), location: location}
		v := newVisit(New(Options{}), mustURL("https://app.example/"), "", map[string]bool{"idp.example:443": true},
			User{Name: secret.New("synthetic"), Password: secret.New(hidden)})
		v.client.Transport = s
		detail, err := v.login(context.Background(), "welcome")
		if err == nil && (!s.back || !v.sentPassword) {
			t.Error("a login counts without one")
		}
		if err != nil && !failure.Is(err, failure.SmokeTestFailed) && !failure.Is(err, failure.Unavailable) &&
			!failure.Is(err, failure.Throttled) {
			t.Errorf("it ends as %s: %v", failure.KindOf(err), err)
		}
		if s.requests > maxPages {
			t.Errorf("%d requests", s.requests)
		}
		if text := fmt.Sprintf("%s %v %+v", detail, err, err); strings.Contains(text, hidden) {
			t.Errorf("the password is shown: %s", text)
		}
	})
}

func mustURL(raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil {
		panic(err)
	}
	return u
}
