package okta_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/idp/okta"
	"alboidc.internal/shared/idp/okta/oktatest"
	"alboidc.internal/shared/secret"
)

const (
	tokenARN = imitationtest.AdminARN
	keyARN   = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:okta-key-AbCdEf"
)

func settings(url, more string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"orgUrl": %q, "appId": "0oaApp", %s}`, url, more))
}

const serviceAppSettings = `"serviceApp": {"clientId": "0oaService", "keySecretArn": "` + keyARN +
	`", "keyId": "kid-1"}`

const withToken = `"apiToken": {"secretArn": "` + tokenARN + `"}`

var client = idp.Client{Name: "orders-web", ClientID: "0oaClient"}

// org is an Okta with the client's app.
func org(t *testing.T) *imitationtest.Vendor {
	t.Helper()
	v := imitationtest.Start(t, oktatest.Imitation, map[idptest.Operation]string{
		idptest.Check: "okta.getApp", idptest.List: "okta.listSecrets", idptest.Create: "okta.createSecret",
		idptest.Remove: "okta.deleteSecret", idptest.Disable: "okta.deactivateSecret",
		idptest.Enable: "okta.activateSecret",
	})
	v.Register(clients.Client{ID: client.ClientID, AppID: "0oaApp"})
	return v
}

// signingKey is made once: RSA keys are slow to make.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// withServiceApp registers a service app, and returns a provider that signs with what is stored as its key; "" is the
// key.
func withServiceApp(t *testing.T, v *imitationtest.Vendor, stored string) idp.Provider {
	t.Helper()
	registerServiceApp(t, v, signingKey().Public(), "kid-1", jose.RS256)
	if stored == "" {
		der := x509.MarshalPKCS1PrivateKey(signingKey())
		stored = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der}))
	}
	d := v.Deps()
	d.Secret = func(context.Context, string) (secret.Value, error) { return secret.New(stored), nil }
	return newProvider(t, v.URL, serviceAppSettings, d)
}

// byKMS has a key in AWS KMS sign for the service app.
func byKMS(spec string, algorithm jose.SignatureAlgorithm) func(*testing.T, *imitationtest.Vendor) idp.Provider {
	return func(t *testing.T, v *imitationtest.Vendor) idp.Provider {
		t.Helper()
		d := v.Deps()
		public, _ := imitationtest.GiveKey(t, &d, spec)
		registerServiceApp(t, v, public, imitationtest.KeyID, algorithm)
		return newProvider(t, v.URL,
			fmt.Sprintf(`"serviceApp": {"clientId": "0oaService", "keyArn": %q, "algorithm": %q}`,
				imitationtest.KeyARN, algorithm), d)
	}
}

func registerServiceApp(t *testing.T, v *imitationtest.Vendor, key any, kid string, algorithm jose.SignatureAlgorithm) {
	t.Helper()
	public := jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: string(algorithm), Use: "sig"}
	app := oktatest.ServiceApp{ClientID: "0oaService", Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}}}
	if err := v.Double.(*oktatest.Okta).RegisterServiceApp(app); err != nil {
		t.Fatal(err)
	}
}

func newProvider(t *testing.T, url, more string, d idp.Deps) idp.Provider {
	t.Helper()
	p, err := okta.New(settings(url, more), client, d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, credential := range map[string]func(*testing.T, *imitationtest.Vendor) idp.Provider{
		"with an API token": func(t *testing.T, v *imitationtest.Vendor) idp.Provider {
			return newProvider(t, v.URL, withToken, v.Deps())
		},
		"with a service app": func(t *testing.T, v *imitationtest.Vendor) idp.Provider {
			return withServiceApp(t, v, "")
		},
		"with a key in KMS":   byKMS("RSA_2048", jose.RS256),
		"with a curve in KMS": byKMS("ECC_NIST_P256", jose.ES256),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
				v := org(t)
				return credential(t, v), v.Named(client.ClientID)
			}})
		})
	}
}
