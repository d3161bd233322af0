package entra_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/sts"
	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/entra"
	"alboidc.internal/shared/idp/entra/entratest"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/secret"
)

const (
	appID     = "bbbbbbbb-0000-4000-8000-000000000002"
	objectID  = "cccccccc-0000-4000-8000-000000000003"
	rotatorID = entratest.RotatorID
	secretARN = imitationtest.AdminARN
)

var client = idp.Client{Name: "orders-web", ClientID: appID}

func settings(url, more string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"tenantId": %q, "graphUrl": %q, "loginUrl": %q, %s}`, entratest.TenantID, url,
		url, more))
}

// newTenant is an Entra ID with the client's app registration.
func newTenant(t *testing.T) *imitationtest.Vendor {
	t.Helper()
	v := imitationtest.Start(t, entratest.Imitation, map[idptest.Operation]string{idptest.Check: "entra.getApplication",
		idptest.List: "entra.getApplication", idptest.Create: "entra.addPassword",
		idptest.Remove: "entra.removePassword"})
	v.Register(clients.Client{ID: appID, AppID: objectID})
	return v
}

// credential registers a way to prove who the rotator is. It returns the settings, and changes what the functions have.
type credential func(t *testing.T, v *imitationtest.Vendor, d *idp.Deps) (settings string)

// newProvider is a provider with a credential and further settings, each followed by a comma.
func newProvider(t *testing.T, v *imitationtest.Vendor, c credential, more string) idp.Provider {
	t.Helper()
	d := v.Deps()
	p, err := entra.New(settings(v.URL, more+c(t, v, &d)), client, d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	withSecret   = `"clientSecret": {"clientId": "` + rotatorID + `", "secretArn": "` + secretARN + `"}`
	withIdentity = `"webIdentity": {"clientId": "` + rotatorID + `"}`
)

func bySecret(*testing.T, *imitationtest.Vendor, *idp.Deps) string { return withSecret }

func storing(value string) func(context.Context, string) (secret.Value, error) {
	return func(context.Context, string) (secret.Value, error) { return secret.New(value), nil }
}

// rotatorKey is made once: RSA keys are slow to make.
var rotatorKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func register(t *testing.T, v *imitationtest.Vendor, r entratest.Rotator) {
	t.Helper()
	r.ClientID = rotatorID
	if err := v.Double.(*entratest.Entra).RegisterRotator(r); err != nil {
		t.Fatal(err)
	}
}

// registerCertificate returns the certificate's fingerprint.
func registerCertificate(t *testing.T, v *imitationtest.Vendor, der []byte) string {
	t.Helper()
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	register(t, v, entratest.Rotator{Certificate: certificate})
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func byCertificate(t *testing.T, v *imitationtest.Vendor, d *idp.Deps) string {
	t.Helper()
	key := rotatorKey()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: imitationtest.Noon().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	d.Secret = storing(string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY",
		Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	return fmt.Sprintf(`"certificate": {"clientId": %q, "keySecretArn": %q, "sha256": %q}`, rotatorID, secretARN,
		registerCertificate(t, v, der))
}

// byKMS has a key in AWS KMS sign the certificate, and then for the rotator.
func byKMS(t *testing.T, v *imitationtest.Vendor, d *idp.Deps) string {
	_, c := imitationtest.GiveKey(t, d, "RSA_3072")
	der, err := clientcredentials.Certify(t.Context(), c, imitationtest.KeyARN, "rotator", imitationtest.Noon(),
		imitationtest.Noon().AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`"certificate": {"clientId": %q, "keyArn": %q, "sha256": %q}`, rotatorID, imitationtest.KeyARN,
		registerCertificate(t, v, der))
}

// byIdentity trusts an identity with a key of ours, for an audience.
func byIdentity(audience, settings string) credential {
	return func(t *testing.T, v *imitationtest.Vendor, d *idp.Deps) string {
		public := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: rotatorKey().Public(), KeyID: "sts-1",
			Algorithm: string(jose.RS256)}}}
		register(t, v, entratest.Rotator{Federated: &entratest.Federated{Issuer: sts.Issuer, Subject: sts.Role,
			Audience: audience,
			Keys:     func() (jose.JSONWebKeySet, error) { return public, nil }}})
		d.WebIdentity = func(_ context.Context, audience string) (secret.Value, error) {
			key := jose.SigningKey{Algorithm: jose.RS256, Key: rotatorKey()}
			signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithHeader("kid", "sts-1"))
			if err != nil {
				return secret.Value{}, err
			}
			claims := jwt.Claims{Issuer: sts.Issuer, Subject: sts.Role, Audience: jwt.Audience{audience},
				IssuedAt: jwt.NewNumericDate(imitationtest.Noon()),
				Expiry:   jwt.NewNumericDate(imitationtest.Noon().Add(time.Minute))}
			token, err := jwt.Signed(signer).Claims(claims).Serialize()
			return secret.New(token), err
		}
		return settings
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, credential := range map[string]credential{"with a client secret": bySecret,
		"with a certificate": byCertificate, "with a certificate of KMS": byKMS,
		"with a web identity": byIdentity("api://AzureADTokenExchange", withIdentity)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
				v := newTenant(t)
				return newProvider(t, v, credential, ""), v.Named(appID)
			}})
		})
	}
	t.Run("of a registration for personal accounts", func(t *testing.T) {
		t.Parallel()
		idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
			v := newTenant(t)
			v.Double.(*entratest.Entra).SetSignInAudience(appID, "AzureADandPersonalMicrosoftAccount")
			return newProvider(t, v, bySecret, `"personalAccounts": true,`), v.Named(appID)
		}})
	})
}

func TestAWebIdentityMayHaveAnotherAudience(t *testing.T) {
	t.Parallel()
	const government = "api://AzureADTokenExchangeUSGov"
	with := byIdentity(government, `"webIdentity": {"clientId": "`+rotatorID+`", "audience": "`+government+`"}`)
	if _, err := newProvider(t, newTenant(t), with, "").List(t.Context()); err != nil {
		t.Error(err)
	}
}

// The functions' own request to AWS STS, as in production.
func TestTheFunctionsRoleIsAllTheCredentialNeeded(t *testing.T) {
	t.Parallel()
	bySTS := func(t *testing.T, v *imitationtest.Vendor, d *idp.Deps) string {
		service := sts.New(clock.NewVirtual(imitationtest.Noon()))
		register(t, v, entratest.Rotator{Federated: &entratest.Federated{Issuer: sts.Issuer, Subject: sts.Role,
			Audience: "api://AzureADTokenExchange", Keys: service.Keys}})
		tokens := awssts.NewFromConfig(awsapi.Config(awsapi.NewServer(clock.Real{}, nil, service), "eu-central-1"))
		d.WebIdentity = func(ctx context.Context, audience string) (secret.Value, error) {
			out, err := tokens.GetWebIdentityToken(ctx, &awssts.GetWebIdentityTokenInput{Audience: []string{audience},
				SigningAlgorithm: aws.String("RS256"), DurationSeconds: aws.Int32(60)})
			if err != nil {
				return secret.Value{}, err
			}
			return secret.New(*out.WebIdentityToken), nil
		}
		return withIdentity
	}
	v := newTenant(t)
	made, err := newProvider(t, v, bySTS, "").Create(t.Context(), idp.CreateRequest{Tag: "v2"})
	if err != nil || !v.Named(appID).Accepts(made.Value) {
		t.Errorf("Create: %v", err)
	}
}

func TestARegistrationIsFoundByItsObjectID(t *testing.T) {
	t.Parallel()
	v := newTenant(t)
	v.Answer("GET /v1.0/applications(appId='"+appID+"')", 500, "")
	p := newProvider(t, v, bySecret, `"applicationObjectId": "`+objectID+`",`)
	if _, err := p.List(t.Context()); err != nil {
		t.Error(err)
	}
	made, err := p.Create(t.Context(), idp.CreateRequest{Tag: "v2"})
	if err != nil || !v.Named(appID).Accepts(made.Value) {
		t.Fatalf("Create: %v", err)
	}
	if err := p.Remove(t.Context(), made.ID); err != nil || v.Named(appID).Accepts(made.Value) {
		t.Errorf("Remove: %v", err)
	}
}

func TestARemovalThatTheListHasNotHeardOfIsTriedAgain(t *testing.T) {
	t.Parallel()
	v := newTenant(t)
	p := newProvider(t, v, bySecret, "")
	v.Clock.Advance(time.Minute)
	v.Double.(*entratest.Entra).SetListDelay(20 * time.Second)
	current, _ := v.Named(appID).Current()
	if err := p.Remove(t.Context(), current); err != nil {
		t.Fatal(err)
	}
	if err := p.Remove(t.Context(), current); !failure.Is(err, failure.Unavailable) {
		t.Errorf("again, while the list lags behind: %v (%s), want %s", err, failure.KindOf(err), failure.Unavailable)
	}
	v.Clock.Advance(20 * time.Second)
	if err := p.Remove(t.Context(), current); err != nil {
		t.Errorf("again, when the list knows: %v", err)
	}
}

func TestASecretWhoseReplyWasLostIsListedInTheEnd(t *testing.T) {
	t.Parallel()
	v := newTenant(t)
	p := newProvider(t, v, bySecret, "")
	v.Clock.Advance(time.Minute)
	v.Double.(*entratest.Entra).SetListDelay(20 * time.Second)
	v.Break(idptest.Create, idptest.LoseReply)
	if _, err := p.Create(t.Context(), idp.CreateRequest{Tag: "v2"}); !failure.Is(err, failure.Unavailable) {
		t.Fatalf("Create without a reply: %v", err)
	}
	for _, want := range []int{1, 2} {
		list, err := p.List(t.Context())
		if err != nil || len(list) != want || list[want-1].Tag != map[int]string{1: "", 2: "v2"}[want] {
			t.Fatalf("List is %+v, %v; want %d secrets", list, err, want)
		}
		v.Clock.Advance(20 * time.Second)
	}
}
