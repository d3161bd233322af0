package dataplane_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/dataplane"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func TestALoginReachesTheApplicationAndCountsOnce(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.mustOpen(0)
	if got := r.app.last.URL.RequestURI(); got != "/app/page?x=1" {
		t.Errorf("the application was asked for %s", got)
	}
	b.mustOpen(0)
	if n := r.metric("ELBAuthSuccess"); n != 1 || len(r.idp.requests()) != 1 {
		t.Errorf("counted %v logins", n)
	}
	e := r.lastEvent()
	if e.Kind != dataplane.Login || !e.OK || e.Reason != "" || e.Rule != r.rule || e.Node != 0 {
		t.Errorf("the event is %+v", e)
	}
}

func TestTheBrowserIsSentToTheIdPWithTheRuleSettings(t *testing.T) {
	r := newRig(t)
	r.setLogin("s1", func(c *types.AuthenticateOidcActionConfig) {
		c.Scope = aws.String("openid email")
		c.AuthenticationRequestExtraParams = map[string]string{"prompt": "login"}
	})
	res := r.browser().step("https://" + r.address(1) + "/app/page")
	u := must(res.Location())
	q := u.Query()
	if res.StatusCode != http.StatusFound || u.Scheme+"://"+u.Host+u.Path != r.idp.url+"/authorize" ||
		q.Get("state") == "" {
		t.Fatalf("got %d %s", res.StatusCode, u)
	}
	for k, want := range map[string]string{"client_id": "orders-web", "response_type": "code", "scope": "openid email",
		"prompt":       "login",
		"redirect_uri": "https://" + r.address(1) + "/oauth2/idpresponse"} {
		if q.Get(k) != want {
			t.Errorf("%s is %q, want %q", k, q.Get(k), want)
		}
	}
	if i := slices.IndexFunc(res.Cookies(), func(c *http.Cookie) bool {
		return c.Name == "AWSALBAuthNonce" && c.Secure && c.HttpOnly
	}); i < 0 {
		t.Errorf("cookies are %v", res.Cookies())
	}
}

func TestASessionWorksOnBothNodesAndItsCookieIsSecureAndHTTPOnly(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	first := b.step("https://" + r.address(0) + "/app/page")
	back := b.step(first.Header.Get("Location")).Header.Get("Location")
	done := b.step(back)
	if i := slices.IndexFunc(done.Cookies(), func(c *http.Cookie) bool {
		return c.Name == "AWSELBAuthSessionCookie-0" && c.Secure && c.HttpOnly
	}); i < 0 {
		t.Fatalf("the callback answered %d with cookies %v", done.StatusCode, done.Cookies())
	}
	if got := done.Header.Get("Location"); got != "https://"+r.address(0)+"/app/page" {
		t.Errorf("the browser is sent to %s", got)
	}
	b.mustOpen(1)
	b.mustOpen(0)
	if len(r.idp.requests()) != 1 {
		t.Errorf("logged in %d times", len(r.idp.requests()))
	}
}

func TestALoginBegunAtOneNodeMayEndAtTheOther(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	back := b.step(b.step("https://" + r.address(0) + "/app/page").Header.Get("Location")).Header.Get("Location")
	res := b.step(strings.Replace(back, r.address(0), r.address(1), 1))
	if res.StatusCode != http.StatusFound || r.lastEvent().Node != 1 {
		t.Errorf("got %d", res.StatusCode)
	}
}

func TestTargetsGetTheSubjectAndTheClaimsWithPadding(t *testing.T) {
	r := newRig(t)
	r.browser().mustOpen(0)
	parts := strings.Split(r.app.last.Header.Get("x-amzn-oidc-data"), ".")
	var head, claims map[string]any
	for i, v := range []*map[string]any{&head, &claims} {
		if err := json.Unmarshal(must(base64.URLEncoding.DecodeString(parts[i])), v); err != nil {
			t.Fatal(err)
		}
	}
	if head["iss"] != r.idp.url || head["client"] != "orders-web" || head["signer"] != r.balancer ||
		claims["email"] != "user@example.test" {
		t.Errorf("got %v %v", head, claims)
	}
	if got := r.idp.requests(); len(got) != 1 || got[0] != (tokenRequest{"authorization_code", "s1"}) {
		t.Errorf("the token endpoint saw %v", got)
	}
}

func TestOnUnauthenticatedRequestDenyAnswers401AndAllowLetsIn(t *testing.T) {
	r := newRig(t)
	on := func(behaviour types.AuthenticateOidcActionConditionalBehaviorEnum) *http.Response {
		r.setLogin("s1", func(c *types.AuthenticateOidcActionConfig) { c.OnUnauthenticatedRequest = behaviour })
		return r.browser().step("https://"+r.address(0)+"/app/page", "x-amzn-oidc-identity", "forged")
	}
	if res := on("deny"); res.StatusCode != http.StatusUnauthorized || r.app.hits != 0 {
		t.Errorf("deny answered %d", res.StatusCode)
	}
	if res := on("allow"); res.StatusCode != http.StatusOK || r.app.hits != 1 ||
		r.app.last.Header.Get("x-amzn-oidc-identity") != "" {
		t.Errorf("allow answered %d", res.StatusCode)
	}
}

func TestASessionEndsAtItsTimeout(t *testing.T) {
	r := newRig(t)
	r.idp.noRefresh = true
	r.setLogin("s1", func(c *types.AuthenticateOidcActionConfig) { c.SessionTimeout = aws.Int64(600) })
	b := r.browser()
	b.mustOpen(0)
	url := "https://" + r.address(0) + "/app/page"
	r.pass(599 * time.Second) // long after the access token: without a refresh token the session goes on
	if res := b.step(url); res.StatusCode != http.StatusOK {
		t.Errorf("before the timeout: %d", res.StatusCode)
	}
	r.pass(2 * time.Second)
	if res := b.step(url); res.StatusCode != http.StatusFound {
		t.Errorf("after the timeout: %d", res.StatusCode)
	}
}
