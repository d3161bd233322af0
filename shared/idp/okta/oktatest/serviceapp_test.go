package oktatest_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/url"
	"testing"
	"time"

	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/idp/okta/oktatest"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// service is a service app's side of private_key_jwt.
type service struct {
	*org
	clientID, keyID string
	key             *rsa.PrivateKey
}

func newService(t *testing.T) *service {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{org: newOrg(t), clientID: "0oaService", keyID: "kid-1", key: key}
	public := jose.JSONWebKey{Key: key.Public(), KeyID: s.keyID}
	if err := s.okta.RegisterServiceApp(oktatest.ServiceApp{ClientID: s.clientID,
		Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}}}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *service) claims() jwt.Claims {
	return jwt.Claims{Issuer: s.clientID, Subject: s.clientID, Audience: jwt.Audience{s.URL + "/oauth2/v1/token"},
		IssuedAt: jwt.NewNumericDate(imitationtest.Noon()),
		Expiry:   jwt.NewNumericDate(imitationtest.Noon().Add(5 * time.Minute)), ID: "jti-1"}
}

func (s *service) sign(alg jose.SignatureAlgorithm, key any, c jwt.Claims) string {
	s.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid",
		s.keyID))
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := jwt.Signed(signer).Claims(c).Serialize()
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *service) ask(assertion, scope string) answer {
	s.t.Helper()
	return s.read(s.Client().PostForm(s.URL+"/oauth2/v1/token", url.Values{"grant_type": {"client_credentials"},
		"scope":                 {scope},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion}}))
}

func TestServiceAppGetsATokenThatWorksForAnHourWithinItsScopes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	read := s.ask(s.sign(jose.RS256, s.key, s.claims()), "okta.apps.read").must(t, http.StatusOK)
	if read.text("token_type") != "Bearer" || read.fields["expires_in"] != 3600.0 ||
		read.text("scope") != "okta.apps.read" {
		t.Fatalf("answer: %s", read.body)
	}
	s.auth = "Bearer " + read.text("access_token")
	s.call(http.MethodGet, secrets, "").must(t, http.StatusOK)
	s.call(http.MethodPost, secrets, "{}").mustFail(t, http.StatusForbidden, "E0000006")
	second := s.claims()
	second.ID = "jti-2"
	manage := s.ask(s.sign(jose.RS256, s.key, second), "okta.apps.manage okta.apps.read").must(t, http.StatusOK)
	s.auth = "Bearer " + manage.text("access_token")
	s.call(http.MethodPost, secrets, "{}").must(t, http.StatusCreated)
	s.Clock.Advance(time.Hour)
	s.call(http.MethodGet, secrets, "").mustFail(t, http.StatusUnauthorized, "E0000011")
}

func TestAssertionIsRefusedUnlessEverythingIsRight(t *testing.T) {
	t.Parallel()
	s := newService(t)
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*jwt.Claims)
		key    any
		alg    jose.SignatureAlgorithm
		scope  string
		status int
		code   string
	}{
		"another audience": {change: func(c *jwt.Claims) {
			c.Audience = jwt.Audience{s.URL + "/oauth2/default/v1/token"}
		}, status: 401, code: "invalid_client"},
		"expired": {change: func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(imitationtest.Noon()) },
			status: 401, code: "invalid_client"},
		"no expiry": {change: func(c *jwt.Claims) { c.Expiry = nil }, status: 401, code: "invalid_client"},
		"valid for too long": {change: func(c *jwt.Claims) {
			c.Expiry = jwt.NewNumericDate(imitationtest.Noon().Add(2 * time.Hour))
		}, status: 401, code: "invalid_client"},
		"issued in the future": {change: func(c *jwt.Claims) {
			c.IssuedAt = jwt.NewNumericDate(imitationtest.Noon().Add(10 * time.Minute))
		}, status: 401, code: "invalid_client"},
		"another issuer": {change: func(c *jwt.Claims) { c.Issuer = "0oaOther" }, status: 401,
			code: "invalid_client"},
		"an unknown service app": {change: func(c *jwt.Claims) {
			c.Issuer, c.Subject = "0oaOther",
				"0oaOther"
		}, status: 401, code: "invalid_client"},
		"another key":           {key: stranger, status: 401, code: "invalid_client"},
		"a symmetric signature": {key: make([]byte, 32), alg: jose.HS256, status: 401, code: "invalid_client"},
		"an RSA-PSS signature":  {alg: jose.PS256, status: 401, code: "invalid_client"},
		"a scope not granted":   {scope: "okta.users.manage", status: 400, code: "invalid_scope"},
	} {
		claims := s.claims()
		claims.ID = name
		if c.change != nil {
			c.change(&claims)
		}
		if c.key == nil {
			c.key = s.key
		}
		if c.alg == "" {
			c.alg = jose.RS256
		}
		if c.scope == "" {
			c.scope = "okta.apps.manage"
		}
		a := s.ask(s.sign(c.alg, c.key, claims), c.scope)
		if a.status != c.status || a.text("error") != c.code || a.text("access_token") != "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := s.ask("nonsense", "okta.apps.read"); a.status != http.StatusUnauthorized {
		t.Errorf("nonsense: %d", a.status)
	}
}

func TestAssertionWithAnIDIsGoodOnceAndWithoutOneUntilItExpires(t *testing.T) {
	t.Parallel()
	s := newService(t)
	once := s.sign(jose.RS256, s.key, s.claims())
	s.ask(once, "okta.apps.read").must(t, http.StatusOK)
	if a := s.ask(once, "okta.apps.read").must(t, http.StatusUnauthorized); a.text("error") != "invalid_client" {
		t.Fatalf("replay: %s", a.body)
	}
	anonymous := s.claims()
	anonymous.ID = ""
	many := s.sign(jose.RS256, s.key, anonymous)
	s.ask(many, "okta.apps.read").must(t, http.StatusOK)
	s.ask(many, "okta.apps.read").must(t, http.StatusOK)
}

func TestServiceAppNeedsAPublicKey(t *testing.T) {
	t.Parallel()
	s := newService(t)
	private := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key, KeyID: "k"}}}
	for name, app := range map[string]oktatest.ServiceApp{"no key": {ClientID: "x"},
		"a private key": {ClientID: "x", Keys: private}, "no client id": {}} {
		if err := s.okta.RegisterServiceApp(app); err == nil {
			t.Errorf("registered with %s", name)
		}
	}
}
