package idp_test

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/idp"
	"alboidc.internal/local/localca"
	"alboidc.internal/shared/idp/idptest/clients"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

func TestCodeIsGoodOnceForItsClientAndForFiveMinutes(t *testing.T) {
	t.Parallel()
	w := start(t)
	if _, _, err := w.RegisterClient(idp.Client{ID: "other", RedirectURIs: []string{callback}}, second); err != nil {
		t.Fatal(err)
	}
	code := w.code()
	stolen := form(t, w.Endpoints().Token, codeGrant(code))
	stolen.SetBasicAuth("other", second)
	w.do(stolen).must(t, http.StatusBadRequest, "error", "invalid_grant")
	w.token(first, codeGrant(code)).must(t, http.StatusOK)
	w.token(first, codeGrant(code)).must(t, http.StatusBadRequest, "error", "invalid_grant")
	late := w.code()
	w.clock.Advance(5 * time.Minute)
	w.token(first, codeGrant(late)).must(t, http.StatusBadRequest, "error", "invalid_grant")
	elsewhere := codeGrant(w.code())
	elsewhere.Set("redirect_uri", "https://elsewhere.localhost/")
	w.token(first, elsewhere).must(t, http.StatusBadRequest, "error", "invalid_grant")
}

func TestCodeWithAChallengeNeedsItsVerifier(t *testing.T) {
	t.Parallel()
	w := start(t)
	const verifier = "verifier-0123456789-0123456789-0123456789-01"
	query := authorizeQuery()
	query.Set("code_challenge_method", "S256")
	query.Set("code_challenge", oidc.NewSHACodeChallenge(verifier))
	for sent, status := range map[string]int{verifier: http.StatusOK, verifier + "x": http.StatusBadRequest,
		"": http.StatusBadRequest} {
		grant := codeGrant(w.codeFor(query))
		grant.Set("code_verifier", sent)
		w.token(first, grant).must(t, status)
	}
}

func TestClientIsAuthenticatedBeforeTheGrantIsLookedAt(t *testing.T) {
	t.Parallel()
	w := start(t)
	probe := codeGrant("probe-an-invented-code")
	w.token("wrong", probe).must(t, http.StatusUnauthorized, "error", "invalid_client",
		"error_description", "The client secret supplied for a confidential client is invalid.")
	w.token(first, probe).must(t, http.StatusBadRequest, "error", "invalid_grant")
	code := w.code()
	w.token("wrong", codeGrant(code)).must(t, http.StatusUnauthorized)
	w.token(first, codeGrant(code)).must(t, http.StatusOK) // the refused request did not use up the code
}

func TestTokenEndpointHoldsTheClientToItsMethod(t *testing.T) {
	t.Parallel()
	w := start(t)
	for id, method := range map[string]clients.AuthMethod{"by-basic": clients.Basic, "by-post": clients.Post,
		"by-either": clients.Either} {
		if _, _, err := w.RegisterClient(idp.Client{ID: id, AuthMethod: method}, second); err != nil {
			t.Fatal(err)
		}
		inBody := codeGrant("invented")
		inBody.Set("client_id", id)
		inBody.Set("client_secret", second)
		inHeader := form(t, w.Endpoints().Token, codeGrant("invented"))
		inHeader.SetBasicAuth(id, second)
		// invalid_grant: the client was authenticated
		wantBasic, wantPost := http.StatusBadRequest, http.StatusBadRequest
		switch method {
		case clients.Basic:
			wantPost = http.StatusUnauthorized
		case clients.Post:
			wantBasic = http.StatusUnauthorized
		}
		if got := w.do(form(t, w.Endpoints().Token, inBody)).status; got != wantPost {
			t.Errorf("%s in the body: %d, want %d", id, got, wantPost)
		}
		if got := w.do(inHeader).status; got != wantBasic {
			t.Errorf("%s in the header: %d, want %d", id, got, wantBasic)
		}
	}
}

func TestTokenEndpointRefusesRequestsByTheStandardsRules(t *testing.T) {
	t.Parallel()
	w := start(t)
	if _, _, err := w.RegisterClient(idp.Client{ID: "codes-only", GrantTypes: []string{"authorization_code"}},
		second); err != nil {
		t.Fatal(err)
	}
	both := codeGrant("x")
	both.Set("client_secret", first)
	w.token(first, both).must(t, http.StatusBadRequest, "error", "invalid_request")
	w.token(first, url.Values{}).must(t, http.StatusBadRequest, "error", "invalid_request")
	w.token(first, url.Values{"grant_type": {"authorization_code"}}).must(t, http.StatusBadRequest, "error",
		"invalid_request")
	w.token(first, url.Values{"grant_type": {"client_credentials"}}).must(t, http.StatusBadRequest, "error",
		"unsupported_grant_type")
	w.token(first, url.Values{"grant_type": {"password"}}).must(t, http.StatusBadRequest, "error",
		"unsupported_grant_type")
	w.token(first, refreshGrant("invented")).must(t, http.StatusBadRequest, "error", "invalid_grant")
	w.do(form(t, w.Endpoints().Token, codeGrant("x"))).must(t, http.StatusUnauthorized, "error", "invalid_client")
	refresh := form(t, w.Endpoints().Token, refreshGrant("x"))
	refresh.SetBasicAuth("codes-only", second)
	w.do(refresh).must(t, http.StatusBadRequest, "error", "unauthorized_client")
	stranger := form(t, w.Endpoints().Token, codeGrant("x"))
	stranger.SetBasicAuth("stranger", second)
	w.do(stranger).must(t, http.StatusUnauthorized, "error", "invalid_client")
	w.get(w.Endpoints().Token).must(t, http.StatusMethodNotAllowed)
}

func TestAuthorizeRefusesWhatTheClientMayNotAsk(t *testing.T) {
	t.Parallel()
	w := start(t)
	for name, c := range map[string]struct {
		key, value string
		redirected string // the error sent back to the client; empty if nothing may be sent there
	}{
		"an unknown client":          {"client_id", "stranger", ""},
		"a foreign redirect address": {"redirect_uri", "https://evil.localhost/", ""},
		"the implicit flow":          {"response_type", "id_token", "unauthorized_client"},
		"no openid scope":            {"scope", "email", "invalid_scope"},
		"a login without a form":     {"prompt", "none", "login_required"},
	} {
		query := authorizeQuery()
		query.Set(c.key, c.value)
		a := w.get(w.Endpoints().Authorization + "?" + query.Encode())
		to, _ := url.Parse(a.header.Get("Location"))
		if c.redirected == "" {
			if a.status != http.StatusBadRequest || to.String() != "" {
				t.Errorf("%s: status %d, sent to %s", name, a.status, to)
			}
			continue
		}
		if !strings.HasPrefix(to.String(), callback) || !strings.Contains(to.RawQuery+to.Fragment,
			"error="+c.redirected) {
			t.Errorf("%s: status %d, sent to %s", name, a.status, to)
		}
	}
}

func TestRedirectAddressMayMatchAGlob(t *testing.T) {
	t.Parallel()
	w := start(t)
	if _, _, err := w.RegisterClient(idp.Client{ID: "many",
		RedirectURIs: []string{"https://*.localhost:*/oauth2/idpresponse"}}, second); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]int{
		"https://a.localhost:1234/oauth2/idpresponse":           http.StatusFound,
		"https://evil.example/x.localhost:1/oauth2/idpresponse": http.StatusBadRequest,
		"https://a.localhost:1234/other":                        http.StatusBadRequest,
	} {
		query := authorizeQuery()
		query.Set("client_id", "many")
		query.Set("redirect_uri", address)
		if a := w.get(w.Endpoints().Authorization + "?" + query.Encode()); a.status != want {
			t.Errorf("%s: %d, want %d", address, a.status, want)
		}
	}
}

func TestLoginNeedsThePasswordAndTheBrowserThatAskedForIt(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.openLogin(authorizeQuery())
	good := url.Values{"id": {id}, "username": {"alice"}, "password": {password}}
	for name, change := range map[string][2]string{"a wrong password": {"password", "wrong"},
		"an unknown user": {"username", "mallory"}} {
		bad := url.Values{"id": {id}, "username": {"alice"}, "password": {password}}
		bad.Set(change[0], change[1])
		a := w.do(form(t, w.URL()+"/login", bad))
		if a.status != http.StatusUnauthorized || !strings.Contains(a.body, "<form") ||
			strings.Contains(a.body, password) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	jar := w.http.Jar
	w.http.Jar, _ = cookiejar.New(nil)
	w.do(form(t, w.URL()+"/login", good)).must(t, http.StatusBadRequest)
	w.http.Jar = jar
	page, err := url.Parse(w.URL() + "/login")
	if err != nil {
		t.Fatal(err)
	}
	cookies := jar.Cookies(page)
	w.do(form(t, w.URL()+"/login", good)).must(t, http.StatusSeeOther)
	for _, c := range cookies {
		c.Secure, c.Path = true, "/login"
	}
	jar.SetCookies(page, cookies)
	w.do(form(t, w.URL()+"/login", good)).must(t, http.StatusBadRequest) // a form works once, even with its cookie
	late := w.openLogin(authorizeQuery())
	w.clock.Advance(time.Hour)
	good.Set("id", late)
	w.do(form(t, w.URL()+"/login", good)).must(t, http.StatusBadRequest)
}

func TestStartRefusesWhatItCannotServe(t *testing.T) {
	t.Parallel()
	authority, err := localca.New()
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]idp.Options{
		"no authority":      {},
		"an unknown vendor": {Authority: authority, Vendor: "nobody"},
		"a public address":  {Authority: authority, Addr: "0.0.0.0:0"},
		"no address at all": {Authority: authority, Addr: "nowhere"},
	} {
		if p, err := idp.Start(context.Background(), o); err == nil {
			_ = p.Close()
			t.Errorf("it started with %s", name)
		}
	}
}

func TestProviderStopsWithItsContext(t *testing.T) {
	t.Parallel()
	authority, err := localca.New()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p, err := idp.Start(ctx, idp.Options{Authority: authority})
	if err != nil {
		t.Fatal(err)
	}
	keys := func() error {
		got, err := authority.Client(time.Second).Get(p.Issuer() + "/v1/keys")
		if err == nil {
			_ = got.Body.Close()
		}
		return err
	}
	if err := keys(); err != nil {
		t.Fatal(err)
	}
	cancel()
	p.Wait()
	if keys() == nil {
		t.Fatal("it still answers")
	}
}
