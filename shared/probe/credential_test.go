package probe_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/secret"
)

const (
	clientID = "0oa:orders web/1" // characters that form-encoding changes
	right    = canary + "~+/="
)

var (
	codeProbe = idp.ProbeSpec{Grant: idp.AuthorizationCode, Accepted: []string{"invalid_grant"},
		Rejected: []string{"invalid_client"}}
	keycloak = idp.ProbeSpec{Grant: idp.AuthorizationCode, Accepted: []string{"invalid_grant"},
		Rejected: []string{"unauthorized_client", "invalid_client"}}
	hydra = idp.ProbeSpec{Grant: idp.AuthorizationCode, Accepted: []string{"invalid_grant", "unauthorized_client"},
		Rejected: []string{"invalid_client"}}
	entra = idp.ProbeSpec{Grant: idp.ClientCredentials, Scope: "api://orders/.default",
		Rejected: []string{"invalid_client"}}
)

// asked is a request as the token endpoint saw it.
type asked struct {
	id, secret, method, from string
	form                     url.Values
	header                   http.Header
}

// tokenEndpoint answers with answer and keeps the requests.
type tokenEndpoint struct {
	answer func(a asked) (int, string)
	mu     sync.Mutex
	asked  []asked
}

func (e *tokenEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	a := asked{id: r.PostForm.Get("client_id"), secret: r.PostForm.Get("client_secret"), method: "client_secret_post",
		from: r.RemoteAddr, form: r.PostForm, header: r.Header}
	if id, pw, ok := r.BasicAuth(); ok {
		a.method = "client_secret_basic"
		a.id, _ = url.QueryUnescape(id)
		a.secret, _ = url.QueryUnescape(pw)
	}
	e.mu.Lock()
	e.asked = append(e.asked, a)
	e.mu.Unlock()
	status, body := e.answer(a)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// byTheSecret answers one way to the right secret and another way to any other. Both descriptions echo the request.
func byTheSecret(goodStatus int, good string, badStatus int, bad string) func(asked) (int, string) {
	return func(a asked) (int, string) {
		if a.secret == right && a.id == clientID {
			return goodStatus, good
		}
		return badStatus, bad
	}
}

func fail(code string) string {
	return `{"error":"` + code + `","error_description":"secret ` + right + ` of ` + clientID + `"}`
}

func endpoint(t *testing.T, spec idp.ProbeSpec, answer func(asked) (int, string)) (probe.Credential, probe.Endpoint,
	*tokenEndpoint) {
	t.Helper()
	h := &tokenEndpoint{answer: answer}
	s := serve(t, h)
	return probe.New(options(t)).Credential(), probe.Endpoint{TokenEndpoint: at(s, "idp", "/token"), ClientID: clientID,
		CallbackURL: "https://app.example.com/oauth2/idpresponse", AuthMethod: "client_secret_basic", Spec: spec}, h
}

func TestTheDifferentialProbeOfEachKindOfProvider(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		spec   idp.ProbeSpec
		answer func(asked) (int, string)
		good   probe.Outcome
		bad    probe.Outcome
	}{
		{"Okta", codeProbe, byTheSecret(400, fail("invalid_grant"), 401, fail("invalid_client")), probe.Accepted,
			probe.Rejected},
		{"Cognito, always 400", codeProbe, byTheSecret(400, fail("invalid_grant"), 400, fail("invalid_client")),
			probe.Accepted, probe.Rejected},
		{"Keycloak says unauthorized_client to a wrong secret", keycloak, byTheSecret(400, fail("invalid_grant"), 401,
			fail("unauthorized_client")), probe.Accepted, probe.Rejected},
		{"Hydra says unauthorized_client to a known client without the grant", hydra, byTheSecret(400,
			fail("unauthorized_client"), 401, fail("invalid_client")), probe.Accepted, probe.Rejected},
		{"Entra ID by client credentials", entra, byTheSecret(200,
			`{"access_token":"`+right+`"}`, 401, fail("invalid_client")), probe.Accepted, probe.Rejected},
		{"Entra ID by an invented code is inconclusive, not accepted", codeProbe, byTheSecret(400,
			fail("invalid_grant"), 400, fail("invalid_grant")), probe.Inconclusive, probe.Inconclusive},
		{"an endpoint that gives everybody a token", entra, byTheSecret(200, `{"access_token":"x"}`, 200,
			`{"access_token":"x"}`), probe.Inconclusive, probe.Inconclusive},
		{"an endpoint that dislikes the request", codeProbe, byTheSecret(400, fail("invalid_request"), 400,
			fail("invalid_request")), probe.Inconclusive, probe.Inconclusive},
		{"an answer to a wrong secret that says nothing is no refusal of it", codeProbe, byTheSecret(400,
			fail("invalid_grant"), 400, fail("invalid_request")), probe.Inconclusive, probe.Inconclusive},
		{"an endpoint that dislikes the right secret's request only", codeProbe, byTheSecret(400,
			fail("invalid_request"), 401, fail("invalid_client")), probe.Inconclusive, probe.Rejected},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cred, e, h := endpoint(t, c.spec, c.answer)
			for value, want := range map[string]probe.Outcome{right: c.good, "anotherValue9": c.bad} {
				v, err := cred.Differential(context.Background(), e, secret.New(value))
				if err != nil || v.Outcome != want {
					t.Errorf("got %+v (%v), want %s", v, err, want)
				}
				if v.Reason == "" {
					t.Error("no reason is given")
				}
				noCanary(t, v, err)
			}
			if h.asked[0].secret == right || len(h.asked) > 4 {
				t.Errorf("%d requests; the first one must hold a wrong secret", len(h.asked))
			}
		})
	}
}

func TestOneCalibrationServesManyClassifications(t *testing.T) {
	t.Parallel()
	cred, e, h := endpoint(t, codeProbe, byTheSecret(400, fail("invalid_grant"), 401, fail("invalid_client")))
	if err := cred.Calibrate(context.Background(), e, secret.New(right)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if v, err := cred.Classify(context.Background(), e, secret.New(right)); err != nil ||
			v.Outcome != probe.Accepted {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	wrong, connections := 0, map[string]bool{}
	for _, a := range h.asked {
		connections[a.from] = true
		if a.secret != right {
			wrong++
			if len(a.secret) != len(right) {
				t.Errorf("the wrong secret has %d characters, the right one %d", len(a.secret), len(right))
			}
		}
	}
	if wrong != 1 || len(h.asked) != 4 {
		t.Errorf("%d wrong secrets in %d requests", wrong, len(h.asked))
	}
	if len(connections) != 4 {
		t.Errorf("%d connections for 4 requests: on a kept one all reach the same token server", len(connections))
	}
}

// What the endpoint asks to wait is waited within the call if it is short, and left to the caller otherwise.
func TestAToldWaitIsKept(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	reset := fmt.Sprint(now.Add(7 * time.Second).Unix())
	for name, c := range map[string]struct {
		status        int
		body          string
		header, value string
		refusals      int // in a row
		within        time.Duration
		waits         []time.Duration
		left          time.Duration // in the failure; 0 is success
	}{
		"seconds": {429, "", "Retry-After", "3", 1, 0, []time.Duration{3 * time.Second}, 0},
		"a date": {503, "", "Retry-After", now.Add(4 * time.Second).Format(http.TimeFormat), 1, 0,
			[]time.Duration{4 * time.Second}, 0},
		"whatever the status": {400, fail("temporarily_unavailable"), "Retry-After", "2", 1, 0,
			[]time.Duration{2 * time.Second}, 0},
		"a firewall's page":     {403, "<html>", "Retry-After", "1", 1, 0, []time.Duration{time.Second}, 0},
		"the reset of a limit":  {429, "", "X-Rate-Limit-Reset", reset, 1, 0, []time.Duration{8 * time.Second}, 0},
		"a reset without limit": {503, "", "X-Rate-Limit-Reset", reset, 1, 0, nil, -1},
		"no wait":               {429, "", "X-Other", "1", 1, 0, nil, -1},
		"a wait that is long":   {429, "", "Retry-After", "30", 1, 0, nil, 30 * time.Second},
		"a year":                {429, "", "Retry-After", "31536000", 1, 0, nil, 5 * time.Minute},
		"a call that ends":      {429, "", "Retry-After", "5", 1, 6 * time.Second, nil, 5 * time.Second},
		"again and again": {429, "", "Retry-After", "3", 9, 0, []time.Duration{3 * time.Second, 3 * time.Second},
			3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked, waits := 0, []time.Duration(nil)
			s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", now.Format(http.TimeFormat))
				w.Header().Set(c.header, c.value)
				if asked++; asked <= c.refusals {
					w.WriteHeader(c.status)
					_, _ = io.WriteString(w, c.body)
					return
				}
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, fail("invalid_grant"))
			}))
			o := options(t)
			o.Now = func() time.Time { return now.Add(time.Hour) } // the other side's clock counts
			o.Sleep = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
			ctx := t.Context()
			if c.within > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.within)
				defer cancel()
			}
			v, err := probe.New(o).Credential().Classify(ctx, probe.Endpoint{TokenEndpoint: at(s, "idp", "/token"),
				ClientID: clientID, AuthMethod: "client_secret_post", Spec: codeProbe}, secret.New(right))
			told, _ := httpclient.Status(err)
			if !slices.Equal(waits, c.waits) || (c.left == 0) != (v.Outcome == probe.Accepted) ||
				c.left > 0 && (told == nil || told.Wait != c.left) {
				t.Errorf("waited %v, want %v; then %+v (%v)", waits, c.waits, v, err)
			}
			noCanary(t, err)
		})
	}
}

func TestAnEndpointThatCannotTellIsAPrecondition(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]failure.Kind{"invalid_grant": failure.Precondition,
		"invalid_request": failure.Unavailable} { // the latter may be another answer next time
		cred, e, _ := endpoint(t, codeProbe, byTheSecret(400, fail("invalid_grant"), 400, fail(code)))
		err := cred.Calibrate(context.Background(), e, secret.New(right))
		if !failure.Is(err, want) || !strings.Contains(err.Error(), "HTTP 400 "+code) {
			t.Errorf("%s to a wrong secret: the error is %v, want %s", code, err, want)
		}
		noCanary(t, err)
	}
}

func TestTheRequestIsTheOneOfALoadBalancerWithAnInventedCode(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			cred, e, h := endpoint(t, codeProbe, byTheSecret(400, fail("invalid_grant"), 401, fail("invalid_client")))
			e.AuthMethod = method
			for range 2 {
				if v, err := cred.Classify(context.Background(), e, secret.New(right)); err != nil ||
					v.Outcome != probe.Accepted {
					t.Fatalf("%+v, %v", v, err)
				}
			}
			a, b := h.asked[0], h.asked[1]
			if a.method != method || a.form.Has("client_secret") != (method == "client_secret_post") {
				t.Errorf("authenticated with %s", a.method)
			}
			if a.form.Get("grant_type") != "authorization_code" || a.form.Get("redirect_uri") != e.CallbackURL {
				t.Errorf("form has grant %q and callback %q", a.form.Get("grant_type"), a.form.Get("redirect_uri"))
			}
			if code := a.form.Get("code"); !strings.HasPrefix(code, "probe-") || len(code) < 30 ||
				code == b.form.Get("code") {
				t.Errorf("codes %q and %q are not invented afresh", code, b.form.Get("code"))
			}
			if a.header.Get("User-Agent") == "" || a.header.Get("Content-Type") != "application/x-www-form-urlencoded" {
				t.Errorf("headers %v", a.header)
			}
		})
	}
}

func TestAnEndpointOfVersion1GetsAResourceInsteadOfAScope(t *testing.T) {
	t.Parallel()
	spec := entra
	spec.Resource = clientID
	cred, e, h := endpoint(t, spec, byTheSecret(200, `{"access_token":"x"}`, 401, fail("invalid_client")))
	for path, want := range map[string]string{"/oauth2/token": "resource", "/oauth2/v2.0/token": "scope"} {
		e.TokenEndpoint = strings.TrimSuffix(e.TokenEndpoint, "/token") + path
		h.asked = nil
		if v, err := cred.Classify(context.Background(), e, secret.New(right)); err != nil ||
			v.Outcome != probe.Accepted {
			t.Fatalf("%+v, %v", v, err)
		}
		if f := h.asked[0].form; !f.Has(want) || f.Has("scope") == f.Has("resource") {
			t.Errorf("%s was sent scope %q and resource %q", path, f.Get("scope"), f.Get("resource"))
		}
		e.TokenEndpoint = strings.TrimSuffix(e.TokenEndpoint, path) + "/token"
	}
}

func TestTheClientCredentialsGrantSendsItsScopeAndNoCode(t *testing.T) {
	t.Parallel()
	cred, e, h := endpoint(t, entra, byTheSecret(200, `{"access_token":"t"}`, 401, fail("invalid_client")))
	if _, err := cred.Classify(context.Background(), e, secret.New(right)); err != nil {
		t.Fatal(err)
	}
	if f := h.asked[0].form; f.Get("grant_type") != "client_credentials" || f.Get("scope") != entra.Scope ||
		f.Has("code") {
		t.Errorf("form is %v", f)
	}
}

func TestAnswersThatAreNoVerdictAreFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		kind   failure.Kind
	}{{429, failure.Throttled}, {500, failure.Unavailable}, {502, failure.Unavailable}, {503, failure.Unavailable},
		{504, failure.Unavailable}} {
		cred, e, _ := endpoint(t, codeProbe, func(asked) (int, string) { return c.status, fail("invalid_grant") })
		_, err := cred.Differential(context.Background(), e, secret.New(right))
		if !failure.Is(err, c.kind) {
			t.Errorf("HTTP %d is %v", c.status, err)
		}
		noCanary(t, err)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	thief := &tokenEndpoint{answer: func(asked) (int, string) { return 400, fail("invalid_grant") }}
	other := serve(t, thief)
	s := serve(t, http.RedirectHandler(at(other, "thief", "/token?s="+canary), http.StatusTemporaryRedirect))
	cred := probe.New(options(t)).Credential()
	cred.HTTP.CheckRedirect = nil // even if the caller's client would
	v, err := cred.Classify(context.Background(), probe.Endpoint{TokenEndpoint: at(s, "idp",
		"/token"), ClientID: clientID,
		AuthMethod: "client_secret_post", Spec: codeProbe}, secret.New(right))
	if !failure.Is(err, failure.Unavailable) || len(thief.asked) != 0 {
		t.Errorf("%+v (%v); the other host saw %d requests", v, err, len(thief.asked))
	}
	noCanary(t, v, err)
}

func TestAnEndpointThatCannotBeAskedIsAFailureThatShowsNoSecret(t *testing.T) {
	t.Parallel()
	s := serve(t, http.NotFoundHandler())
	gone := at(s, "idp", "/token?x="+canary)
	silent := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices that the client has gone only after the body
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // an answer could still arrive before the connection is closed
	}))
	rude := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte("HTTP/1.1 " + canary + "\r\n\r\n"))
		_ = conn.Close()
	}))
	badLocation := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://%zz/?code="+canary)
		w.WriteHeader(http.StatusFound)
	}))
	closed := serve(t, http.NotFoundHandler())
	closed.Close()
	for _, c := range []struct {
		name, url string
		change    func(*probe.Options)
		kind      failure.Kind
		says      string
	}{
		{name: "unknown name", url: "https://idp.invalid/token", kind: failure.Unavailable, says: "cannot be resolved"},
		{name: "refused connection", url: at(closed, "idp", "/token"), kind: failure.Unavailable,
			says: "refused the connection"},
		{name: "no answer in time", url: at(silent, "idp",
			"/token"), change: func(o *probe.Options) { o.RequestTimeout = 50 * time.Millisecond },
			kind: failure.Unavailable, says: "in time"},
		{name: "not HTTP", url: at(rude, "idp", "/token"), kind: failure.Unavailable, says: "not understood"},
		{name: "a Location that is no URL", url: at(badLocation, "idp", "/token"), kind: failure.Unavailable,
			says: "not understood"},
		{name: "a certificate of nobody", url: gone, change: func(o *probe.Options) { o.RootCAs = nil },
			kind: failure.Precondition, says: "certificate"},
		{name: "loopback that is not allowed", url: gone, change: func(o *probe.Options) { o.AllowLoopback = false },
			kind: failure.Precondition, says: "loopback"},
		{name: "metadata address", url: "https://169.254.169.254/token", kind: failure.Precondition,
			says: "link-local"},
		{name: "a name that resolves to the metadata address", url: "https://sly.example.com/token",
			change: func(o *probe.Options) { o.Resolver = names{"sly.example.com": "169.254.169.254"} },
			kind:   failure.Precondition, says: "link-local"},
		{name: "http", url: "http://idp.example.com/token", kind: failure.InvalidInput, says: "https"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options(t)
			if c.change != nil {
				c.change(&o)
			}
			e := probe.Endpoint{TokenEndpoint: c.url, ClientID: clientID, AuthMethod: "client_secret_post",
				Spec: codeProbe}
			_, err := probe.New(o).Credential().Classify(context.Background(), e, secret.New(right))
			if !failure.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error is %v", err)
			}
			noCanary(t, err)
		})
	}
}

func TestAnEndpointThatIsNotDescribedIsInvalidInput(t *testing.T) {
	t.Parallel()
	good := probe.Endpoint{TokenEndpoint: "https://idp.example.com/token", ClientID: clientID,
		AuthMethod: "client_secret_basic", Spec: codeProbe}
	for name, change := range map[string]func(*probe.Endpoint, *secret.Value){
		"no secret":                func(_ *probe.Endpoint, v *secret.Value) { *v = secret.Value{} },
		"no client id":             func(e *probe.Endpoint, _ *secret.Value) { e.ClientID = "" },
		"an authentication method": func(e *probe.Endpoint, _ *secret.Value) { e.AuthMethod = "private_key_jwt" },
		"no grant":                 func(e *probe.Endpoint, _ *secret.Value) { e.Spec = idp.ProbeSpec{} },
		"user and password in the URL": func(e *probe.Endpoint, _ *secret.Value) {
			e.TokenEndpoint = "https://a:b@idp.example.com/"
		},
		"a token endpoint without host": func(e *probe.Endpoint, _ *secret.Value) {
			e.TokenEndpoint = "https:///token"
		},
	} {
		e, v := good, secret.New(right)
		change(&e, &v)
		if _, err := probe.New(options(t)).Credential().Classify(context.Background(), e, v); !failure.Is(err,
			failure.InvalidInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnEndlessAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	cred, e, _ := endpoint(t, codeProbe, func(asked) (int, string) {
		return 400, `{"error":"invalid_grant","pad":"` + string(bytes.Repeat([]byte("x"), 3<<20)) + `"}`
	})
	v, err := cred.Classify(context.Background(), e, secret.New(right))
	if !failure.Is(err, failure.Unavailable) {
		t.Errorf("%+v, %v", v, err)
	}
}
