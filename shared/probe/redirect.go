package probe

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
)

// callbackPath is the path at which a load balancer receives the identity provider's answer (Application Load Balancers
// user guide, "Prepare to use an OIDC-compliant IdP").
const callbackPath = "/oauth2/idpresponse"

// Redirect opens a URL without a session, at every address of its host, and expects to be sent to an authorization
// endpoint of c with c's client id and this host's callback URL. It proves which rule answers and how it is configured,
// and nothing about the secret. A wrong answer gives evidence that is not OK, an address without an answer also a
// failure: Unavailable, Throttled or Precondition.
func (p *Prober) Redirect(ctx context.Context, t config.RedirectTest, c Client) ([]rotation.Evidence, error) {
	var endpoints []*url.URL
	for _, n := range c.names() {
		endpoint, err := httpsURL(n.AuthorizationEndpoint)
		if err != nil || c.ClientID == "" {
			return nil, failure.New(failure.InvalidInput,
				"a redirect test needs https authorization endpoints and a client id")
		}
		endpoints = append(endpoints, endpoint)
	}
	return p.testNodes(ctx, rotation.CheckRedirect, t.URL, t.ConnectTo, nil,
		func(ctx context.Context, u *url.URL, node string) (string, error) {
			location, err := p.firstRedirect(ctx, u, node)
			if err != nil {
				return "", err
			}
			want := matchEndpoint(location, endpoints)
			host := u.Host
			if t.Follower {
				host = ""
			}
			if problems := loginRedirectProblems(location, want, c, host); len(problems) > 0 {
				return "", newFailure("%s", strings.Join(problems, "; "))
			}
			return "HTTP 302 to " + want.Host + " with the client's id and callback URL", nil
		})
}

// matchEndpoint returns the authorization endpoint that a redirect leads to; if it leads to none, the first, which is
// the newClient's own.
func matchEndpoint(location *url.URL, endpoints []*url.URL) *url.URL {
	for _, e := range endpoints {
		if hostPort(location) == hostPort(e) && pathOrRoot(location) == pathOrRoot(e) {
			return e
		}
	}
	return endpoints[0]
}

func (p *Prober) firstRedirect(ctx context.Context, u *url.URL, node string) (*url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, failure.New(failure.InvalidInput, "a smoke test needs an absolute https URL")
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := p.newClient(pin{hostPort(u), node}, nil).Do(req)
	if err != nil {
		return nil, explainNoAnswer(u.Host, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := checkAvailable(u.Host, resp.StatusCode); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusFound {
		return nil, newFailure("%s answered HTTP %d instead of 302 to the identity provider", u.Host, resp.StatusCode)
	}
	location, err := resp.Location()
	if err != nil {
		return nil, newFailure("%s answered HTTP 302 without a usable Location", u.Host)
	}
	return location, nil
}

// loginRedirectProblems compares a load balancer's redirect to the identity provider with what it should be, and names
// every difference. Of a follower, with no appHost, only the application knows the redirect URI.
func loginRedirectProblems(got, want *url.URL, c Client, appHost string) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if got.Scheme != want.Scheme {
		add("the redirect's scheme is not %s", want.Scheme)
	}
	if hostPort(got) != hostPort(want) {
		add("the redirect goes to host %s, not to the authorization endpoint's %s", shownHost(got), want.Host)
	}
	if pathOrRoot(got) != pathOrRoot(want) {
		add("the redirect's path is not the authorization endpoint's %s", pathOrRoot(want))
	}
	q := got.Query()
	switch {
	case hasOnly(q, "client_id", c.ClientID):
	case c.Follows != "" && hasOnly(q, "client_id", c.Follows):
		add("client_id is not the client's, but that of the pair's other registration: if a follower answers " +
			"there, set " +
			"follower: true in this test")
	default:
		add("client_id is not the client's")
	}
	if !hasOnly(q, "response_type", "code") {
		add("response_type is not code")
	}
	callback := url.URL{Scheme: "https", Host: appHost, Path: callbackPath}
	if back, err := url.Parse(q.Get("redirect_uri")); appHost != "" && (err != nil || len(q["redirect_uri"]) != 1 ||
		back.Scheme != callback.Scheme || hostPort(back) != hostPort(&callback) || back.EscapedPath() != callbackPath) {
		add("redirect_uri is not %s", callback.String())
	}
	if q.Get("state") == "" {
		add("state is missing")
	}
	return out
}

// pathOrRoot returns a URL's path, "/" for an empty one.
func pathOrRoot(u *url.URL) string {
	if u.EscapedPath() == "" {
		return "/"
	}
	return u.EscapedPath()
}

func hasOnly(q url.Values, name, value string) bool { return len(q[name]) == 1 && q[name][0] == value }
