package probe

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

// User is a synthetic user: one that exists only to be logged in by this test.
type User struct{ Name, Password secret.Value }

// ParseUser reads a user from a secret of the form {"username": "…", "password": "…"}; other members are ignored. The
// failure, InvalidInput, names the member that is missing.
func ParseUser(v secret.Value) (User, error) {
	var u struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	// the decoder's own error would quote the value
	if err := json.Unmarshal([]byte(v.Reveal()), &u); err != nil {
		return User{}, failure.New(failure.InvalidInput,
			`the synthetic user's secret is not a JSON object {"username": "…", "password": "…"}`)
	}
	if u.Username == "" || u.Password == "" {
		missing := "username"
		if u.Username != "" {
			missing = "password"
		}
		return User{}, failure.New(failure.InvalidInput, "the synthetic user's secret has no member %q", missing)
	}
	return User{Name: secret.New(u.Username), Password: secret.New(u.Password)}, nil
}

// Login logs the user in from scratch, through every address of the URL's host, and expects the application's page with
// t.ExpectText. It visits, over https, only the URL's host and those of the provider, and types the password only into
// a form of the provider's; it understands plain HTML forms, neither scripts nor second factors. A login that does not
// work gives evidence that is not OK, an address without a verdict also a failure: Unavailable, Throttled or
// Precondition. enough may end the test after an address; nil tests all.
func (p *Prober) Login(ctx context.Context, t config.LoginTest, c Client, user User,
	enough func(rotation.Evidence) bool) ([]rotation.Evidence, error) {
	if t.ExpectText == "" || user.Name.IsZero() || user.Password.IsZero() {
		return nil, failure.New(failure.InvalidInput, "a login test needs a text to expect, a user name and a password")
	}
	idpHosts := map[string]bool{}
	for _, n := range c.names() {
		for _, raw := range []string{n.Issuer, n.AuthorizationEndpoint} {
			u, err := httpsURL(raw)
			if err != nil {
				return nil, failure.New(failure.InvalidInput,
					"a login test needs https issuers and authorization endpoints")
			}
			idpHosts[hostPort(u)] = true
		}
	}
	return p.testNodes(ctx, rotation.CheckLogin, t.URL, t.ConnectTo, enough,
		func(ctx context.Context, u *url.URL, node string) (string, error) {
			if idpHosts[hostPort(u)] {
				return "", failure.New(failure.InvalidInput,
					"a login test needs an application whose host is not the identity provider's")
			}
			v := newVisit(p, u, node, idpHosts, user)
			return v.login(ctx, t.ExpectText)
		})
}

// maxPages limits one login, redirects included.
const maxPages = 25

// login opens pages until one of the application's is reached.
func (v *visit) login(ctx context.Context, expect string) (string, error) {
	next := step{doing: "opening the URL", to: v.app}
	for range maxPages {
		pg, err := v.open(ctx, next)
		if err != nil {
			return "", err
		}
		switch {
		case pg.redirect != nil:
			next = step{doing: "following a redirect", to: pg.redirect}
		case hostPort(pg.from) == hostPort(v.app):
			return v.checkArrival(pg, expect)
		default:
			if next, err = v.fill(pg); err != nil {
				return "", err
			}
		}
	}
	return "", newFailure("%s: no page of the application after %d requests", v.app.Host, maxPages)
}

func (v *visit) checkArrival(pg page, expect string) (string, error) {
	if !v.sentPassword {
		return "", newFailure("%s showed its page without a login: no authenticate action answers at this URL",
			v.app.Host)
	}
	if !pg.contains(expect) {
		return "", newFailure("%s: the page after the login does not contain the expected text", v.app.Host)
	}
	return "the synthetic user logged in and reached the application", nil
}

// fill chooses the login form of an identity provider's page and fills in what it asks for.
func (v *visit) fill(pg page) (step, error) {
	forms := parseForms(pg.body)
	for _, f := range forms {
		if name := f.password(); name != "" {
			return v.fillPassword(pg, f, name)
		}
	}
	if !v.sentName {
		for _, f := range forms {
			if name := f.userName(); name != "" {
				values := f.values()
				values.Set(name, v.user.Name.Reveal())
				v.sentName = true
				return v.submit(pg, f, values, "sending the user name")
			}
		}
	}
	after := "was found"
	switch {
	case v.sentPassword:
		after = "and no redirect followed the password"
	case v.sentName:
		after = "followed the user name"
	}
	return step{}, newFailure("no login form with a password field %s at %s: pages made by scripts, consent pages and "+
		"second factors cannot be tested, use a synthetic user without them or a redirect test", after, pg.from.Host)
}

func (v *visit) fillPassword(pg page, f form, passwordField string) (step, error) {
	if v.sentPassword {
		return step{}, newFailure("%s asks for the password again: it refused the synthetic user's name or password",
			pg.from.Host)
	}
	values := f.values()
	name := f.userName()
	if name == "" && !v.sentName {
		return step{}, newFailure("the login form of %s has a password field but none for the user name", pg.from.Host)
	}
	if name != "" {
		values.Set(name, v.user.Name.Reveal())
	}
	values.Set(passwordField, v.user.Password.Reveal())
	v.sentName, v.sentPassword = true, true
	return v.submit(pg, f, values, "sending the password")
}

// submit makes the step that sends a form. It accepts only POST: a GET would put what was typed into a URL.
func (v *visit) submit(pg page, f form, values url.Values, doing string) (step, error) {
	if f.method != "POST" {
		return step{}, newFailure("the login form of %s is sent with %s, not POST", pg.from.Host, method(f.method))
	}
	to, err := pg.from.Parse(f.action)
	if err != nil {
		return step{}, newFailure("the login form of %s has an action that is not a URL", pg.from.Host)
	}
	to.Fragment = ""
	to.Host = strings.ToLower(to.Host)
	if !v.idpHosts[hostPort(to)] {
		return step{}, newFailure("the login form of %s leads to %s, which is not a host of the identity provider",
			pg.from.Host, shownHost(to))
	}
	return step{doing: doing, to: to, form: values, origin: pg.from}, nil
}

// method returns a form's method for display. It comes from a page, so it is shown only if HTML knows it.
func method(m string) string {
	if m == "GET" || m == "DIALOG" {
		return m
	}
	return "an unknown method"
}
