package probe_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

const code = canary + "-code"

// world is a load balancer of two nodes, an identity provider and an application; a test replaces what it wants to go
// wrong. Everything it sends is marked with the canary.
type world struct {
	idp     *httptest.Server
	nodes   [2]*httptest.Server
	client  probe.Client
	appHost string

	loginPage http.HandlerFunc    // GET  /authorize
	typed     http.HandlerFunc    // POST /login
	callback  [2]http.HandlerFunc // GET /oauth2/idpresponse, for each node
	appPage   http.HandlerFunc
	unknown   http.HandlerFunc // a browser without a session

	mu    sync.Mutex
	forms []url.Values
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{appHost: "app.example.com:8443"}
	w.loginPage = html(`<h1>Sign in</h1><form><input name=q placeholder=Search></form>
		<form method=post action="/login?state=` + canary + `"><input type=hidden name=csrf value="` + canary + `">
		<input name=login id=user autocomplete=username><input type=PASSWORD name=pw><input type=checkbox name=remember>
		<input type=checkbox name=terms checked><input name=off disabled value=1><button name=act value=go>Sign in</button><button name=act value=cancel>No</button></form>`)
	w.typed = func(rw http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie("csrf")
		if err != nil || c.Value != r.PostForm.Get("csrf") || r.PostForm.Get("pw") != canary ||
			r.PostForm.Get("login") != "synthetic@example.com" {
			http.Error(rw, canary, http.StatusUnauthorized)
			return
		}
		http.Redirect(rw, r, "https://"+w.appHost+"/oauth2/idpresponse?code="+code, http.StatusSeeOther)
	}
	w.unknown = func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, w.client.AuthorizationEndpoint+"?state="+canary, http.StatusFound)
	}
	w.appPage = html(`<p>Welcome &amp; good day, synthetic user ` + canary + `</p>`)
	w.idp = serve(t, http.HandlerFunc(w.serveIDP))
	w.client = probe.Client{Issuer: at(w.idp, "idp", "/"), ClientID: "0oa1", AuthorizationEndpoint: at(w.idp, "idp",
		"/authorize")}
	for i := range w.nodes {
		w.callback[i] = func(rw http.ResponseWriter, r *http.Request) {
			http.SetCookie(rw, &http.Cookie{Name: "AWSELBAuthSessionCookie-0", Value: canary, Path: "/", Secure: true})
			http.Redirect(rw, r, "/orders", http.StatusFound)
		}
		w.nodes[i] = serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.serveNode(i, rw, r) }))
	}
	return w
}

func html(body string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(rw, "<!doctype html><title>x</title>", body)
	}
}

func status(code int) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, canary, code) }
}

func (w *world) serveIDP(rw http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.SetCookie(rw, &http.Cookie{Name: "csrf", Value: canary, Path: "/", Secure: true})
		w.loginPage(rw, r)
		return
	}
	_ = r.ParseForm()
	w.mu.Lock()
	w.forms = append(w.forms, r.PostForm)
	w.mu.Unlock()
	if r.Header.Get("Origin") != "https://"+r.Host {
		http.Error(rw, canary, http.StatusForbidden)
		return
	}
	w.typed(rw, r)
}

func (w *world) serveNode(i int, rw http.ResponseWriter, r *http.Request) {
	_, err := r.Cookie("AWSELBAuthSessionCookie-0")
	switch {
	case r.Host != w.appHost:
		http.Error(rw, "wrong host", http.StatusMisdirectedRequest)
	case r.URL.Path == "/oauth2/idpresponse":
		w.callback[i](rw, r)
	case err != nil:
		w.unknown(rw, r)
	default:
		w.appPage(rw, r)
	}
}

func (w *world) login(t *testing.T, nodes ...*httptest.Server) ([]rotation.Evidence, error) {
	t.Helper()
	test := config.LoginTest{URL: "https://" + w.appHost + "/orders?x=" + canary, ExpectText: "Welcome & good day"}
	for _, n := range nodes {
		test.ConnectTo = append(test.ConnectTo, addr(n))
	}
	return probe.New(options(t)).Login(context.Background(), test, w.client, user, nil)
}

func TestAUserLogsInThroughBothNodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	evidence, err := w.login(t, w.nodes[0], w.nodes[1])
	if err != nil || len(evidence) != 2 {
		t.Fatalf("%+v, %v", evidence, err)
	}
	for i, e := range evidence {
		if !e.OK || e.Node != addr(w.nodes[i]) || e.Check != rotation.CheckLogin ||
			e.Subject != "https://app.example.com:8443/orders" {
			t.Errorf("evidence %d is %+v", i, e)
		}
	}
	if len(w.forms) != 2 {
		t.Fatalf("%d forms were sent: every node needs a login of its own", len(w.forms))
	}
	want := url.Values{"csrf": {canary}, "login": {"synthetic@example.com"}, "pw": {canary}, "terms": {"on"},
		"act": {"go"}}
	if w.forms[0].Encode() != want.Encode() {
		t.Errorf("the form holds other fields than a browser's would: %v", keys(w.forms[0]))
	}
	noCanary(t, evidence)
}

func keys(v url.Values) []string {
	var out []string
	for k, values := range v {
		out = append(out, fmt.Sprintf("%s×%d", k, len(values)))
	}
	return out
}

func TestALoginMayGoToTheHostsOfAliasesOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		aliases []string
		says    string // "" is a login that works
	}{
		"to an alias":            {[]string{"login"}, ""},
		"to a name nobody knows": {nil, "host login.example.com"},
		"to another alias":       {[]string{"other"}, "host login.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, a := range c.aliases {
				w.client.Aliases = append(w.client.Aliases, config.Alias{Issuer: at(w.idp, a,
					"/"), AuthorizationEndpoint: at(w.idp, a, "/authorize")})
			}
			w.unknown = redirect(at(w.idp, "login", "/authorize"))
			evidence, err := w.login(t, w.nodes[0])
			if err != nil || len(evidence) != 1 {
				t.Fatalf("%+v, %v", evidence, err)
			}
			if e := evidence[0]; e.OK != (c.says == "") || !strings.Contains(e.Detail, c.says) {
				t.Errorf("%+v, want %q", e, c.says)
			}
			if c.says != "" && len(w.forms) != 0 {
				t.Error("the password was typed")
			}
		})
	}
}

func TestALoginOnTwoPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.loginPage = html(`<form method=post action=/login><input type=hidden name=csrf value="` + canary +
		`"><input type=email name=who></form>`)
	last := w.typed
	w.typed = func(rw http.ResponseWriter, r *http.Request) {
		if r.PostForm.Get("pw") == "" {
			html(`<form method=post><input type=hidden name=csrf value="`+canary+
				`"><input type=hidden name=login value="`+r.PostForm.Get("who")+
				`"><input type=password name=pw></form>`)(rw, r)
			return
		}
		last(rw, r)
	}
	evidence, err := w.login(t, w.nodes[0])
	if err != nil || len(evidence) != 1 || !evidence[0].OK || len(w.forms) != 2 {
		t.Errorf("%+v, %v, %d forms", evidence, err, len(w.forms))
	}
}

func TestABadNodeFailsAloneWhileTheOtherPasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.callback[1] = status(561)
	evidence, err := w.login(t, w.nodes[0], w.nodes[1])
	if err != nil || len(evidence) != 2 || !evidence[0].OK || evidence[1].OK {
		t.Fatalf("%+v, %v", evidence, err)
	}
	if d := evidence[1].Detail; !strings.Contains(d, "HTTP 561") || !strings.Contains(d, "wrong client secret") ||
		!evidence[1].AtCallback {
		t.Errorf("evidence %+v", evidence[1])
	}
	noCanary(t, evidence)
}

func TestALoginThatDoesNotWorkSaysWhere(t *testing.T) {
	t.Parallel()
	form := func(attributes, fields string) http.HandlerFunc {
		return html("<form " + attributes + ">" + fields + "</form>")
	}
	const fields = `<input name=login><input type=password name=pw>`
	for _, c := range []struct {
		name   string
		change func(w *world)
		says   []string
		forms  int // how many forms were sent
	}{
		{"the page without the text", func(w *world) { w.appPage = html("another page " + canary) },
			[]string{"app.example.com:8443", "expected text"}, 1},
		{"the page without a login", func(w *world) { w.unknown = html("Welcome & good day") },
			[]string{"without a login"}, 0},
		{"the application fails", func(w *world) { w.appPage = status(500) },
			[]string{"following a redirect at app.example.com:8443", "HTTP 500"}, 1},
		{"the callback fails with 500", func(w *world) { w.callback[0] = status(500) }, []string{"HTTP 500",
			"no usable answer"}, 1},
		{"the callback fails with 401", func(w *world) { w.callback[0] = status(401) }, []string{"HTTP 401",
			"refused the identity provider's answer"}, 1},
		{"a user who may not use the client", func(w *world) {
			w.typed = redirect(
				"https://app.example.com:8443/oauth2/idpresponse?error=access_denied&state=x&error_description=" +
					canary)
			w.callback[0] = status(401)
		}, []string{"HTTP 401", "the identity provider refused the login with access_denied"}, 1},
		{"a scope that the identity provider does not know", func(w *world) {
			w.unknown = redirect("https://app.example.com:8443/oauth2/idpresponse?code=x&error=" + canary)
			w.callback[0] = status(561)
		}, []string{"HTTP 561: the identity provider refused the login"}, 0},
		{"an answer without a code", func(w *world) {
			w.typed = redirect("https://app.example.com:8443/oauth2/idpresponse?state=x")
			w.callback[0] = status(401)
		}, []string{"HTTP 401", "refused the identity provider's answer"}, 1},
		{"an identity provider that refuses the client", func(w *world) { w.loginPage = status(400) },
			[]string{"at idp.example.com", "HTTP 400"}, 0},
		{"a wrong password, told by status", func(w *world) { w.typed = status(401) },
			[]string{"sending the password at idp.example.com", "HTTP 401", "name or password"}, 1},
		{"a wrong password, told by the form again", func(w *world) { w.typed = w.loginPage },
			[]string{"asks for the password again"}, 1},
		{"a page made by scripts", func(w *world) {
			w.loginPage = html("<script>render('" + canary + "')</script><div id=root></div>")
		},
			[]string{"no login form with a password field was found at idp.example.com"}, 0},
		{"a search box only", func(w *world) { w.loginPage = form("method=post action=/login", "<input name=q>") },
			[]string{"no login form"}, 0},
		{"a registration form with two passwords", func(w *world) {
			w.loginPage = form("method=post action=/login",
				"<input type=password name=p1><input type=password name=p2>")
		}, []string{"no login form"}, 0},
		{"a second factor", func(w *world) {
			w.typed = form("method=post action=/login", "<input name=otp autocomplete=one-time-code>")
		},
			[]string{"and no redirect followed the password", "second factors"}, 1},
		{"a user name page that leads nowhere", func(w *world) {
			w.loginPage = form("method=post action=/login", "<input name=username>")
			w.typed = html("<p>hm")
		}, []string{"followed the user name"}, 1},
		{"a password without a user name", func(w *world) {
			w.loginPage = form("method=post action=/login", "<input type=password name=pw>")
		}, []string{"none for the user name"}, 0},
		{"a form sent with GET", func(w *world) { w.loginPage = form("action=/login", fields) },
			[]string{"sent with GET"}, 0},
		{"a form that leads to a stranger",
			func(w *world) { w.loginPage = form(`method=post action="https://evil.example.com/login"`, fields) },
			[]string{"evil.example.com", "not a host of the identity provider"}, 0},
		{"a form that leads to the application",
			func(w *world) { w.loginPage = form(`method=post action="https://app.example.com:8443/login"`, fields) },
			[]string{"not a host of the identity provider"}, 0},
		{"a form that leads to http", func(w *world) {
			w.loginPage = form(`method=post action="http://idp.example.com:`+portOf(w.idp)+`/login"`, fields)
		}, []string{"without https"}, 0},
		{"a redirect to a stranger", func(w *world) { w.typed = redirect("https://evil.example.com/?code=" + canary) },
			[]string{"host evil.example.com, which is none of"}, 1},
		{"a redirect to another port", func(w *world) { w.typed = redirect("https://app.example.com/?code=" + canary) },
			[]string{"which is none of"}, 1},
		{"a redirect to http", func(w *world) { w.typed = redirect("http://app.example.com:8443/?code=" + canary) },
			[]string{"without https"}, 1},
		{"a redirect to the metadata service",
			func(w *world) { w.unknown = redirect("https://169.254.169.254/latest/meta-data") },
			[]string{"which is none of"}, 0},
		{"a redirect with a password in it", func(w *world) {
			w.unknown = redirect("https://u:" + canary +
				"@app.example.com:8443/")
		}, []string{"user name in it"}, 0},
		{"a redirect that repeats the password", func(w *world) {
			w.typed = func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, "/again", http.StatusTemporaryRedirect)
			}
		}, []string{"sending the password", "HTTP 307"}, 1},
		{"redirects without end", func(w *world) { w.unknown = redirect("/orders") },
			[]string{"no page of the application after"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.change(w)
			evidence, err := w.login(t, w.nodes[0])
			if err != nil {
				t.Fatalf("a verdict is not a failure: %v", err)
			}
			detail := oneFailed(t, evidence)
			if at := strings.HasPrefix(c.name, "the callback fails"); evidence[0].AtCallback != at {
				t.Errorf("at the callback: %t, want %t", evidence[0].AtCallback, at)
			}
			for _, says := range c.says {
				if !strings.Contains(detail, says) {
					t.Errorf("detail %q does not say %q", detail, says)
				}
			}
			if len(w.forms) != c.forms {
				t.Errorf("%d forms were sent, not %d", len(w.forms), c.forms)
			}
			noCanary(t, evidence)
		})
	}
}

func redirect(to string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Location", to)
		rw.WriteHeader(http.StatusFound)
	}
}

func TestALoginWithoutAVerdictIsATransientFailure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(w *world)
		kind   failure.Kind
		says   string
	}{
		{"the identity provider is busy", func(w *world) { w.loginPage = status(429) }, failure.Throttled,
			"idp.example.com"},
		{"the identity provider is down", func(w *world) { w.typed = status(503) }, failure.Unavailable,
			"sending the password at idp.example.com"},
		{"the application is down", func(w *world) { w.appPage = status(502) }, failure.Unavailable, "app.example.com"},
		{"the node is down", func(w *world) { w.nodes[0].Close() }, failure.Unavailable, "refused the connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.change(w)
			evidence, err := w.login(t, w.nodes[0])
			if !failure.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) ||
				!strings.Contains(err.Error(), addr(w.nodes[0])) {
				t.Errorf("error is %v", err)
			}
			oneFailed(t, evidence)
			noCanary(t, evidence, err)
		})
	}
}

func TestALoginTestThatIsNotDescribedIsInvalidInput(t *testing.T) {
	t.Parallel()
	good := config.LoginTest{URL: "https://app.example.com/", ExpectText: "x"}
	for name, change := range map[string]func(*config.LoginTest, *probe.Client, *probe.User){
		"no text": func(l *config.LoginTest, _ *probe.Client, _ *probe.User) {
			l.ExpectText = ""
		},
		"no user name": func(_ *config.LoginTest, _ *probe.Client, u *probe.User) {
			u.Name = secret.Value{}
		},
		"no password": func(_ *config.LoginTest, _ *probe.Client, u *probe.User) {
			u.Password = secret.Value{}
		},
		"no issuer": func(_ *config.LoginTest, c *probe.Client, _ *probe.User) { c.Issuer = "" },
		"an issuer without TLS": func(_ *config.LoginTest, c *probe.Client, _ *probe.User) {
			c.Issuer = "http://idp.example.com"
		},
		"an application without TLS": func(l *config.LoginTest, _ *probe.Client, _ *probe.User) {
			l.URL = "http://app.example.com/"
		},
		"the identity provider's pages": func(l *config.LoginTest, c *probe.Client, _ *probe.User) { l.URL = c.Issuer },
	} {
		l, c, u := good, okta, user
		change(&l, &c, &u)
		if _, err := probe.New(options(t)).Login(context.Background(), l, c, u, nil); !failure.Is(err,
			failure.InvalidInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASyntheticUserIsReadFromItsSecret(t *testing.T) {
	t.Parallel()
	u, err := probe.ParseUser(secret.New(`{"username":"synthetic@example.com","password":"` + canary + `","note":1}`))
	if err != nil || !u.Name.Equal(user.Name) || !u.Password.Equal(user.Password) {
		t.Errorf("error %v, or another user", err)
	}
	noCanary(t, u)
	for in, says := range map[string]string{
		`{"username":"` + canary + `"}`:   `"password"`,
		`{"password":"` + canary + `"}`:   `"username"`,
		canary:                            "not a JSON object",
		`{"username":["` + canary + `"]}`: "not a JSON object",
	} {
		_, err := probe.ParseUser(secret.New(in))
		if !failure.Is(err, failure.InvalidInput) || !strings.Contains(err.Error(), says) {
			t.Errorf("error is %v", err)
		}
		noCanary(t, err)
	}
}
