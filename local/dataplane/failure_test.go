package dataplane_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/dataplane"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// wantFailure checks what browser, metrics and access log saw of one failed login.
func (r *rig) wantFailure(status, wantStatus int, reason dataplane.Reason, metric string) {
	r.Helper()
	e := r.lastEvent()
	if status != wantStatus || e.OK || e.Reason != string(reason) || r.metric(metric) != 1 ||
		r.metric("ELBAuthSuccess") != 0 {
		r.Errorf("status %d, event %+v, %s %v; want %d %s", status, e, metric, r.metric(metric), wantStatus, reason)
	}
}

func TestWhatGoesWrongAtTheIdPIsAnsweredAndCountedAsALBDoes(t *testing.T) {
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, c := range map[string]struct {
		arrange func(*rig)
		status  int
		reason  dataplane.Reason
		metric  string
	}{
		"a secret that the IdP refuses is 561": {func(r *rig) { r.idp.accept("another") }, 561,
			dataplane.TokenRequestFailed, "ELBAuthError"},
		"a token endpoint that answers 500 is 561": {func(r *rig) { r.idp.token = status(500, "oops") }, 561,
			dataplane.TokenRequestFailed, "ELBAuthError"},
		"a token endpoint that redirects is 561": {func(r *rig) { r.idp.token = status(302, "") }, 561,
			dataplane.TokenRequestFailed, "ELBAuthError"},
		"a code that the IdP refuses is 401": {func(r *rig) {
			r.idp.token = status(400,
				`{"error":"invalid_grant"}`)
		}, 401, dataplane.InvalidGrant, "ELBAuthFailure"},
		"a token answer that is no JSON": {func(r *rig) { r.idp.token = status(200, "hello") }, 500,
			dataplane.InvalidTokenResponse, "ELBAuthFailure"},
		"a token answer without access token": {func(r *rig) { r.idp.token = status(200, `{"id_token":"a.b.c"}`) },
			500, dataplane.InvalidTokenResponse, "ELBAuthFailure"},
		"no id token": {func(r *rig) { r.idp.token = status(200, `{"access_token":"a"}`) },
			500, dataplane.InvalidIDToken, "ELBAuthFailure"},
		"an id token of another issuer": {func(r *rig) {
			r.idp.id = map[string]any{"iss": "https://other.test"}
		}, 500, dataplane.InvalidIDToken, "ELBAuthFailure"},
		"an id token for another client": {func(r *rig) {
			r.idp.id = map[string]any{"aud": []string{"other"}}
		}, 500, dataplane.InvalidIDToken, "ELBAuthFailure"},
		"an id token that has expired": {func(r *rig) { r.idp.id = map[string]any{"exp": 1} }, 500,
			dataplane.InvalidIDToken, "ELBAuthFailure"},
		"user info that answers 403": {func(r *rig) { r.idp.userinfo = status(403, "") }, 500,
			dataplane.UserinfoRequestFailed, "ELBAuthError"},
		"user info that is no JSON": {func(r *rig) { r.idp.userinfo = status(200, "hello") }, 500,
			dataplane.InvalidUserinfoResponse, "ELBAuthFailure"},
		"user info about somebody else": {func(r *rig) { r.idp.userinfo = status(200, `{"sub":"user-2"}`) },
			500, dataplane.InvalidUserinfoResponse, "ELBAuthFailure"},
		"a token endpoint that is not there": {func(r *rig) {
			r.setLogin("s1", func(c *types.AuthenticateOidcActionConfig) {
				c.TokenEndpoint = aws.String("https://127.0.0.1:1/token")
			})
		}, 500, dataplane.TokenRequestTimeout, "ELBAuthError"},
		"a user info endpoint that closes the connection": {func(r *rig) {
			r.idp.userinfo = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		}, 500, dataplane.UserinfoRequestTimeout, "ELBAuthError"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c.arrange(r)
			got, _ := r.browser().open(0)
			r.wantFailure(got, c.status, c.reason, c.metric)
			if r.app.hits != 0 {
				t.Error("the request reached the application")
			}
		})
	}
}

func TestACallbackThatIsNotInOrderIs401AndLeavesTheCodeUnspent(t *testing.T) {
	drop := func(b *browser, url string) string { b.http.Jar = must(cookiejar.New(nil)); return url }
	for name, c := range map[string]struct {
		spoil  func(b *browser, callback string) string
		reason dataplane.Reason
	}{
		"without state": {func(_ *browser, u string) string { return u[:strings.Index(u, "&state=")] },
			dataplane.MissingStateParam},
		"with a state it has not made": {func(_ *browser, u string) string { return u + "x" },
			dataplane.InvalidStateParam},
		"after 15 minutes": {func(b *browser, u string) string {
			b.pass(15*time.Minute + time.Second)
			return u
		}, dataplane.InvalidStateParam},
		"without the nonce cookie": {drop, dataplane.MissingNonce},
		"with the nonce of another login": {func(b *browser, u string) string {
			b.step("https://" + b.address(0) + "/app/page")
			return u
		}, dataplane.InvalidNonce},
		"without a code, as when the IdP reports an error": {func(_ *browser, u string) string {
			return strings.Replace(u, "code=", "error=", 1)
		}, dataplane.MissingCodeParam},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			b := r.browser()
			callback := b.step(b.step("https://" + r.address(0) + "/app/page").Header.Get("Location")).Header.Get(
				"Location")
			res := b.step(c.spoil(b, callback))
			r.wantFailure(res.StatusCode, http.StatusUnauthorized, c.reason, "ELBAuthFailure")
			if len(r.idp.requests()) != 0 {
				t.Error("the code was spent")
			}
		})
	}
}

func TestASessionCookieItHasNotMadeIs401AndIsForgotten(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	res := b.step("https://"+r.address(0)+"/app/page", "Cookie", "AWSELBAuthSessionCookie-0=forged")
	r.wantFailure(res.StatusCode, http.StatusUnauthorized, dataplane.InvalidCookie, "ELBAuthFailure")
	if c := res.Cookies(); len(c) != 1 || c[0].MaxAge >= 0 {
		t.Errorf("cookies are %v", c)
	}
}

// Anybody can make a load balancer count such an error, without an account.
func TestARequestWithoutHostHeaderIs401(t *testing.T) {
	for _, path := range []string{"/app/page", "/oauth2/idpresponse?code=1&state=1"} {
		t.Run(path, func(t *testing.T) {
			r := newRig(t)
			conn := must(tls.Dial("tcp", r.plane.Addresses(r.balancer)[0], &tls.Config{RootCAs: r.ca.Pool(),
				ServerName: "localhost"}))
			must(io.WriteString(conn, "GET "+path+" HTTP/1.0\r\n\r\n"))
			res := must(http.ReadResponse(bufio.NewReader(conn), nil))
			_, _ = res.Body.Close(), conn.Close()
			r.wantFailure(res.StatusCode, http.StatusUnauthorized, dataplane.MissingHostHeader, "ELBAuthError")
		})
	}
}
