package entratest_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/url"
	"testing"
	"time"

	"alboidc.internal/shared/idp/entra/entratest"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const rotatorID = "dddddddd-0000-4000-8000-000000000004"

// The identity that AWS STS would state (IAM user guide, "Outbound identity federation").
const (
	stsIssuer = "https://00000000-1111-2222-3333-444444444444.tokens.sts.global.api.aws"
	role      = "arn:aws:iam::111122223333:role/alb-rotator"
	exchange  = "api://AzureADTokenExchange"
)

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestTheRotatorsTokenWorksForAnHour(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.graph(http.MethodGet, app, "").must(t, http.StatusOK)
	x.Clock.Advance(time.Hour)
	x.graph(http.MethodGet, app, "").must(t, http.StatusUnauthorized)
}

func TestTheRotatorsCredentialMustBeRight(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.admin(url.Values{"client_secret": {"wrong"}}).mustRefuse(t, http.StatusUnauthorized, "invalid_client", 7000215)
	x.admin(nil).mustRefuse(t, http.StatusUnauthorized, "invalid_client", 7000218)
	x.admin(url.Values{"client_secret": {x.entra.AdminToken()}, "scope": {"https://other/.default"}}).mustRefuse(t,
		http.StatusBadRequest, "invalid_scope", 70011)
	for name, r := range map[string]entratest.Rotator{"no credential": {ClientID: rotatorID},
		"no client id": {Secret: "s"}} {
		if err := x.entra.RegisterRotator(r); err == nil {
			t.Errorf("registered with %s", name)
		}
	}
}

func TestAForeignTokenMustMatchTheFederatedCredential(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	key, stranger := newKey(t), newKey(t)
	public := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "sts-1",
		Algorithm: string(jose.RS256)}}}
	err := x.entra.RegisterRotator(entratest.Rotator{ClientID: rotatorID,
		Federated: &entratest.Federated{Issuer: stsIssuer, Subject: role, Audience: exchange,
			Keys: func() (jose.JSONWebKeySet, error) { return public, nil }}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*jwt.Claims)
		key    any
		alg    jose.SignatureAlgorithm
		keyID  string
		number int // 0 is success
	}{
		"all is right":   {},
		"another issuer": {change: func(c *jwt.Claims) { c.Issuer = "https://other" }, number: 700211},
		"another audience": {change: func(c *jwt.Claims) { c.Audience = jwt.Audience{"api://other"} },
			number: 700212},
		"another role": {change: func(c *jwt.Claims) { c.Subject += "-other" }, number: 700213},
		"an expired token": {change: func(c *jwt.Claims) {
			c.Expiry = jwt.NewNumericDate(imitationtest.Noon().Add(-6 * time.Minute))
		}, number: 700024},
		"a token without an end":  {change: func(c *jwt.Claims) { c.Expiry = nil }, number: 700024},
		"another key":             {key: stranger, number: 7000272},
		"an unknown key":          {keyID: "sts-2", number: 7000272},
		"another algorithm":       {alg: jose.PS256, number: 7000272},
		"a symmetric signature":   {alg: jose.HS256, key: make([]byte, 32), number: 50027},
		"the rotator's own claim": {change: func(c *jwt.Claims) { c.Issuer = rotatorID }, number: 700027},
	} {
		claims := jwt.Claims{Issuer: stsIssuer, Subject: role, Audience: jwt.Audience{exchange},
			IssuedAt: jwt.NewNumericDate(imitationtest.Noon()),
			Expiry:   jwt.NewNumericDate(imitationtest.Noon().Add(time.Minute))}
		if c.change != nil {
			c.change(&claims)
		}
		if c.key == nil {
			c.key = key
		}
		if c.alg == "" {
			c.alg = jose.RS256
		}
		if c.keyID == "" {
			c.keyID = "sts-1"
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: c.alg, Key: c.key},
			(&jose.SignerOptions{}).WithHeader("kid", c.keyID))
		if err != nil {
			t.Fatal(err)
		}
		token, err := jwt.Signed(signer).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			a := x.admin(url.Values{"client_id": {rotatorID}, "client_assertion": {token},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}})
			if c.number == 0 {
				a.must(t, http.StatusOK)
				return
			}
			a.mustRefuse(t, http.StatusUnauthorized, "invalid_client", c.number)
		})
	}
	x.admin(url.Values{"client_id": {rotatorID}, "client_assertion": {"nonsense"},
		"client_assertion_type": {"other"}}).mustRefuse(t, http.StatusUnauthorized, "invalid_client", 50027)
}
