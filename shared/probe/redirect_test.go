package probe_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
)

var okta = probe.Client{Issuer: "https://idp.example.com/oauth2/default", ClientID: "0oa1", Follows: "0oa2",
	AuthorizationEndpoint: "https://idp.example.com/oauth2/default/v1/authorize"}

const appURL = "https://app.example.com:8443/orders?token=" + canary

// loginLocation is the Location that a load balancer sends for appURL, with changes.
func loginLocation(change func(u *url.URL, q url.Values)) string {
	u, _ := url.Parse(okta.AuthorizationEndpoint)
	q := url.Values{"client_id": {"0oa1"}, "response_type": {"code"}, "scope": {"openid"}, "state": {canary},
		"redirect_uri": {"https://app.example.com:8443/oauth2/idpresponse"}}
	if change != nil {
		change(u, q)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func answerWith(status int, location string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if location != "" {
			w.Header().Set("Location", location)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(canary))
	})
}

func TestEveryNodeThatRedirectsToTheIdentityProviderIsOK(t *testing.T) {
	t.Parallel()
	var hosts, serverNames []string
	alb := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts, serverNames = append(hosts, r.Host), append(serverNames, r.TLS.ServerName)
		http.Redirect(w, r, loginLocation(nil), http.StatusFound)
	})
	a, b := serve(t, alb), serve(t, alb)
	evidence, err := probe.New(options(t)).Redirect(context.Background(),
		config.RedirectTest{URL: appURL, ConnectTo: []string{addr(a), addr(b)}}, okta)
	if err != nil || len(evidence) != 2 {
		t.Fatalf("%+v, %v", evidence, err)
	}
	for i, node := range []string{addr(a), addr(b)} {
		if e := evidence[i]; !e.OK || e.Node != node || e.Check != rotation.CheckRedirect ||
			e.Subject != "https://app.example.com:8443/orders" {
			t.Errorf("evidence %d is %+v", i, e)
		}
	}
	if strings.Join(hosts, " ") != "app.example.com:8443 app.example.com:8443" || strings.Join(serverNames,
		" ") != "app.example.com app.example.com" {
		t.Errorf("the nodes were asked for host %v with server name %v", hosts, serverNames)
	}
	noCanary(t, evidence)
}

func TestWithoutAddressesTheURLsNameIsResolved(t *testing.T) {
	t.Parallel()
	var s = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, loginLocation(func(_ *url.URL, q url.Values) {
			q.Set("redirect_uri", "https://"+r.Host+"/oauth2/idpresponse")
		}), http.StatusFound)
	}))
	evidence, err := probe.New(options(t)).Redirect(context.Background(), config.RedirectTest{URL: at(s, "app",
		"/")}, okta)
	if err != nil || len(evidence) != 1 || !evidence[0].OK || evidence[0].Node != addr(s) {
		t.Errorf("%+v, %v", evidence, err)
	}
}

func TestARedirectMayGoToAnAliasOnly(t *testing.T) {
	t.Parallel()
	client := okta
	client.Aliases = []config.Alias{{Issuer: "https://login.example.com",
		AuthorizationEndpoint: "https://LOGIN.example.com:443/authorize"}}
	for to, want := range map[string]string{
		"https://login.example.com/authorize": "", "https://idp.example.com/oauth2/default/v1/authorize": "",
		"https://login.example.com/oauth2/default/v1/authorize": "goes to host login.example.com",
		"https://idp.example.com/authorize":                     "path is not the authorization endpoint's",
		"https://other.example.com/authorize":                   "goes to host other.example.com",
	} {
		s := serve(t, answerWith(http.StatusFound, loginLocation(func(u *url.URL, _ url.Values) {
			x, _ := url.Parse(to)
			u.Host, u.Path = x.Host, x.Path
		})))
		evidence, err := probe.New(options(t)).Redirect(context.Background(), config.RedirectTest{URL: appURL,
			ConnectTo: []string{addr(s)}}, client)
		if err != nil || len(evidence) != 1 || evidence[0].OK != (want == "") ||
			!strings.Contains(evidence[0].Detail, want) {
			t.Errorf("to %s: %+v (%v)", to, evidence, err)
		}
	}
}

func TestEveryDifferenceOfTheRedirectIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		change func(u *url.URL, q url.Values)
		says   []string
		// follower: the test is for a follower.
		follower bool
	}{
		{name: "the page itself", status: 200, says: []string{"HTTP 200 instead of 302"}},
		{name: "a permanent redirect", status: 301, says: []string{"HTTP 301 instead of 302"}},
		{name: "a failed login", status: 561, says: []string{"HTTP 561"}},
		{name: "http", change: func(u *url.URL, _ url.Values) { u.Scheme = "http" },
			says: []string{"scheme is not https"}},
		{name: "another host", change: func(u *url.URL, _ url.Values) { u.Host = "evil.example.com" },
			says: []string{"goes to host evil.example.com"}},
		{name: "another port", change: func(u *url.URL, _ url.Values) { u.Host = "idp.example.com:444" },
			says: []string{"goes to host idp.example.com:444"}},
		{name: "another path", change: func(u *url.URL, _ url.Values) { u.Path = "/oauth2/other/" + canary },
			says: []string{"path is not the authorization endpoint's /oauth2/default/v1/authorize"}},
		{name: "another client", change: func(_ *url.URL, q url.Values) { q.Set("client_id", canary) },
			says: []string{"client_id is not the client's"}},
		{name: "two clients", change: func(_ *url.URL, q url.Values) { q.Add("client_id", canary) },
			says: []string{"client_id is not the client's"}},
		{name: "no client", change: func(_ *url.URL, q url.Values) { q.Del("client_id") },
			says: []string{"client_id is not the client's"}},
		{name: "another response type", change: func(_ *url.URL, q url.Values) { q.Set("response_type", "token") },
			says: []string{"response_type is not code"}},
		{name: "callback over http", change: func(_ *url.URL, q url.Values) {
			q.Set("redirect_uri", "http://app.example.com:8443/oauth2/idpresponse")
		}, says: []string{"redirect_uri is not https://app.example.com:8443/oauth2/idpresponse"}},
		{name: "callback of another host", change: func(_ *url.URL, q url.Values) {
			q.Set("redirect_uri", "https://evil.example.com/oauth2/idpresponse")
		}, says: []string{"redirect_uri is not"}},
		{name: "callback on another path", change: func(_ *url.URL, q url.Values) {
			q.Set("redirect_uri", "https://app.example.com:8443/cb")
		}, says: []string{"redirect_uri is not"}},
		{name: "a follower's own callback", follower: true, change: func(_ *url.URL, q url.Values) {
			q.Set("redirect_uri", "https://app.example.com:8443/cb")
			q.Set("client_id", canary)
		}, says: []string{"client_id is not the client's"}},
		{name: "a follower with the pair's other registration", change: func(_ *url.URL, q url.Values) {
			q.Set("client_id", okta.Follows)
		}, says: []string{"that of the pair's other registration: if a follower answers there, set follower: true"}},
		{name: "no callback", change: func(_ *url.URL, q url.Values) { q.Del("redirect_uri") },
			says: []string{"redirect_uri is not"}},
		{name: "no state", change: func(_ *url.URL, q url.Values) { q.Del("state") },
			says: []string{"state is missing"}},
		{name: "several differences", change: func(u *url.URL, q url.Values) {
			u.Host = "x.example.com"
			q.Del("client_id")
			q.Del("state")
		},
			says: []string{"x.example.com", "client_id", "state"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.status == 0 {
				c.status = http.StatusFound
			}
			s := serve(t, answerWith(c.status, loginLocation(c.change)))
			evidence, err := probe.New(options(t)).Redirect(context.Background(), config.RedirectTest{URL: appURL,
				ConnectTo: []string{addr(s)}, Follower: c.follower}, okta)
			if err != nil {
				t.Fatalf("a verdict is not a failure: %v", err)
			}
			detail := oneFailed(t, evidence)
			for _, says := range c.says {
				if !strings.Contains(detail, says) {
					t.Errorf("detail %q does not say %q", detail, says)
				}
			}
			if n := len(strings.Split(detail, "; ")); n != len(c.says) {
				t.Errorf("%d differences are named, not %d: %s", n, len(c.says), detail)
			}
			noCanary(t, evidence)
		})
	}
}

func TestA302WithoutLocationIsNotOK(t *testing.T) {
	t.Parallel()
	s := serve(t, answerWith(http.StatusFound, ""))
	evidence, err := probe.New(options(t)).Redirect(context.Background(), config.RedirectTest{URL: appURL,
		ConnectTo: []string{addr(s)}}, okta)
	if detail := oneFailed(t, evidence); err != nil || !strings.Contains(detail, "without a usable Location") {
		t.Errorf("%s (%v)", detail, err)
	}
}

func TestANodeWithoutAVerdictFailsTheCheckOfAll(t *testing.T) {
	t.Parallel()
	good, closed := serve(t, answerWith(http.StatusFound, loginLocation(nil))), serve(t, http.NotFoundHandler())
	closed.Close()
	for name, c := range map[string]struct {
		node string
		kind failure.Kind
	}{
		"down":             {addr(closed), failure.Unavailable},
		"not available":    {addr(serve(t, answerWith(503, ""))), failure.Unavailable},
		"too many at once": {addr(serve(t, answerWith(429, ""))), failure.Throttled},
	} {
		evidence, err := probe.New(options(t)).Redirect(context.Background(),
			config.RedirectTest{URL: appURL, ConnectTo: []string{c.node, addr(good)}}, okta)
		if !failure.Is(err, c.kind) || len(evidence) != 2 || evidence[0].OK || !evidence[1].OK {
			t.Errorf("%s: %+v, %v", name, evidence, err)
		}
		noCanary(t, evidence, err)
	}
}

func TestARedirectTestThatIsNotDescribedIsInvalidInput(t *testing.T) {
	t.Parallel()
	p := probe.New(options(t))
	noClient, noEndpoint := okta, okta
	noClient.ClientID, noEndpoint.AuthorizationEndpoint = "", "http://idp.example.com/authorize"
	for name, c := range map[string]struct {
		url    string
		client probe.Client
	}{"http": {"http://app.example.com/", okta}, "no client id": {appURL, noClient},
		"an endpoint without TLS": {appURL, noEndpoint}} {
		if evidence, err := p.Redirect(context.Background(), config.RedirectTest{URL: c.url},
			c.client); !failure.Is(err, failure.InvalidInput) {
			t.Errorf("%s: %+v, %v", name, evidence, err)
		}
	}
	_, err := p.Redirect(context.Background(), config.RedirectTest{URL: "https://metadata.example.com/",
		ConnectTo: []string{"169.254.169.254:80"}}, okta)
	if !failure.Is(err, failure.Precondition) {
		t.Errorf("metadata address: %v", err)
	}
}
