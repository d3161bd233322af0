package clientcredentials_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/failure"
)

// testKey is made once: RSA keys are slow to make.
var testKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })

func newKey(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(key any) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pemOf("PRIVATE KEY", der)
}

func jwkOf(k *rsa.PrivateKey, kid string) string {
	b := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }
	out, _ := json.Marshal(map[string]string{"kty": "RSA", "kid": kid, "n": b(k.N), "e": b(big.NewInt(int64(k.E))),
		"d": b(k.D),
		"p": b(k.Primes[0]), "q": b(k.Primes[1])})
	return string(out)
}

// longJWK is no key, but as long as one of 9000 bits.
func longJWK() string {
	k := *testKey()
	k.N = new(big.Int).Lsh(big.NewInt(1), 9000)
	return jwkOf(&k, "")
}

const (
	fingerprint = "00:0102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
	thumbprint  = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// keyIn is a key that is stored as a text.
func keyIn(text string) clientcredentials.PrivateKey {
	return clientcredentials.PrivateKey{KeyPlace: clientcredentials.KeyPlace{KeySecretARN: arn}, What: "the key",
		Read: stored(text).Read}
}

// prove asks for a token by a key that is stored as a text.
func prove(t *testing.T, key string, p clientcredentials.PrivateKeyJWT) (url.Values, error) {
	t.Helper()
	if p.Key.KeyARN == "" {
		p.Key = keyIn(key)
	}
	p.ClientID, p.Audience, p.Now = "rotator", "https://login.example.com/token", func() time.Time { return noon }
	form, _, _, err := ask(t, p, 200, good)
	return form, err
}

var (
	byKey         = clientcredentials.PrivateKeyJWT{KeyID: "kid-1"}
	byCertificate = clientcredentials.PrivateKeyJWT{Certificate: fingerprint}
)

func TestAnAssertionIsSignedForFiveMinutes(t *testing.T) {
	t.Parallel()
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	k := newKMS(t)
	rsaAtKMS, curveAtKMS := k.signing("RSA_3072"), k.signing("ECC_NIST_P256")
	nbf := float64(noon.Unix())
	for name, tt := range map[string]struct {
		proof      clientcredentials.PrivateKeyJWT
		public     crypto.PublicKey
		algorithm  jose.SignatureAlgorithm
		keyID, x5t any
		nbf        any
	}{
		"by a key":         {byKey, testKey().Public(), jose.RS256, "kid-1", nil, nil},
		"by a certificate": {byCertificate, testKey().Public(), jose.PS256, "", thumbprint, nbf},
		"by KMS":           {k.on(byKey, "RSA_3072", ""), rsaAtKMS, jose.RS256, "kid-1", nil, nil},
		"by a curve at KMS": {k.on(byKey, "ECC_NIST_P256", "ES256"), curveAtKMS, jose.ES256, "kid-1",
			nil, nil},
		"by a certificate of KMS": {k.on(byCertificate, "RSA_3072", ""), rsaAtKMS, jose.PS256, "", thumbprint, nbf},
	} {
		seen := map[any]bool{}
		for range 2 {
			form, err := prove(t, pkcs8(testKey()), tt.proof)
			if err != nil ||
				form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
				t.Fatalf("%s: the form is %v, %v", name, form, err)
			}
			token, err := jwt.ParseSigned(form.Get("client_assertion"), []jose.SignatureAlgorithm{tt.algorithm})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var claims map[string]any
			if err := token.Claims(tt.public, &claims); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if tt.algorithm == jose.PS256 {
				verifyPSS(t, tt.public.(*rsa.PublicKey), form.Get("client_assertion"))
			}
			id := claims["jti"]
			if !uuid.MatchString(fmt.Sprint(id)) || seen[id] {
				t.Errorf("%s: the id %v is no new UUID", name, id)
			}
			seen[id] = true
			h := token.Headers[0]
			if h.KeyID != tt.keyID || h.ExtraHeaders["x5t#S256"] != tt.x5t || h.ExtraHeaders["typ"] != "JWT" {
				t.Errorf("%s: the header is %+v", name, h)
			}
			if claims["iss"] != "rotator" || claims["sub"] != "rotator" ||
				claims["aud"] != "https://login.example.com/token" ||
				claims["iat"] != float64(noon.Unix()) || claims["exp"] != float64(noon.Add(5*time.Minute).Unix()) ||
				claims["nbf"] != tt.nbf {
				t.Errorf("%s: the claims are %v", name, claims)
			}
		}
	}
}

// verifyPSS wants the salt as long as the hash (RFC 7518, section 3.5), which go-jose does not.
func verifyPSS(t *testing.T, key *rsa.PublicKey, assertion string) {
	t.Helper()
	dot := strings.LastIndex(assertion, ".")
	signature, _ := base64.RawURLEncoding.DecodeString(assertion[dot+1:])
	digest, options := sha256.Sum256([]byte(assertion[:dot])), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	if err := rsa.VerifyPSS(key, crypto.SHA256, digest[:], signature, options); err != nil {
		t.Error(err)
	}
}

func TestAKeyMayHaveAnyUsualForm(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{
		"PKCS #8":                    "\n" + pkcs8(testKey()),
		"PKCS #1":                    pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(testKey())),
		"JWK":                        jwkOf(testKey(), "kid-1"),
		"JWK without kid":            jwkOf(testKey(), ""),
		"a key behind a certificate": pemOf("CERTIFICATE", []byte("passed over")) + pkcs8(testKey()),
	} {
		if _, err := prove(t, key, byKey); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnUnusableKeyIsRefusedBeforeAnyRequest(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const oldStyle = "-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES-256-CBC,00\n\nY2FuYXJ5\n-----END RSA PRIVATE " +
		"KEY-----\n"
	for name, tt := range map[string]struct{ key, says string }{
		"no key":                  {"canary-no-key", "holds no RSA private key"},
		"JSON without a key":      {`{"kty": "RSA", "n": "canary"}`, "holds no RSA private key"},
		"a damaged key":           {strings.Replace(pkcs8(testKey()), "A", "B", 40), "holds no RSA private key"},
		"a broken key":            {pemOf("PRIVATE KEY", []byte("canary")), "holds no RSA private key"},
		"only a certificate":      {pemOf("CERTIFICATE", []byte("canary")), "holds no RSA private key"},
		"another kid":             {jwkOf(testKey(), "canary-kid"), "is not the keyId"},
		"an encrypted key":        {pemOf("ENCRYPTED PRIVATE KEY", []byte("canary")), "is encrypted"},
		"an old-style encryption": {oldStyle, "is encrypted"},
		"a short key":             {pkcs8(newKey(1024)), "shorter than 2048"},
		"a long key":              {longJWK(), "longer than 8192 bits"},
		"a long text":             {pemOf("PRIVATE KEY", make([]byte, 15<<10)), "longer than 8192 bits"},
		"an EC key":               {pkcs8(ec), "holds no RSA private key"},
	} {
		form, err := prove(t, tt.key, byKey)
		if !failure.Is(err, failure.Precondition) || !strings.Contains(err.Error(), tt.says) ||
			!strings.Contains(err.Error(), arn) {
			t.Errorf("%s: %v, want %s with %q and the ARN", name, err, failure.Precondition, tt.says)
		}
		if form != nil || strings.Contains(fmt.Sprint(err), "canary") {
			t.Errorf("%s: asked with %v; the error is %v", name, form, err)
		}
	}
}
