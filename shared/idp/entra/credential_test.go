package entra_test

import (
	"context"
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
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/entra"
	"alboidc.internal/shared/idp/idptest/httpvendor"
	"alboidc.internal/shared/secret"
)

const (
	fingerprint     = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
	withCertificate = `"certificate": {"clientId": "` + rotatorID + `", "keySecretArn": "` + secretARN + `", "sha256": "` + fingerprint + `"}`
	withIdentity    = `"webIdentity": {"clientId": "` + rotatorID + `"}`
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

func pkcs1(k *rsa.PrivateKey) string {
	return pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k))
}

func pkcs8(key any) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pemOf("PRIVATE KEY", der)
}

// login is the token endpoint and, behind it, a registration.
type login struct {
	*httptest.Server
	status int
	answer string // "" is a good one
	forms  []url.Values
	used   []string // the Authorization headers at Graph
}

func newLogin(t *testing.T, status int, answer string) *login {
	t.Helper()
	s := &login{status: status, answer: answer}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *login) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/token") {
		s.used = append(s.used, r.Header.Get("Authorization"))
		_, _ = w.Write([]byte(registration))
		return
	}
	_ = r.ParseForm()
	s.forms = append(s.forms, r.PostForm)
	if s.answer != "" {
		w.WriteHeader(s.status)
		_, _ = w.Write([]byte(s.answer))
		return
	}
	httpvendor.Write(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3600, "ext_expires_in": 3600, "access_token": fmt.Sprintf("token-%d", len(s.forms))})
}

// list makes a provider and lists with it.
func list(t *testing.T, s *login, credential string, change ...func(*idp.Deps)) error {
	t.Helper()
	d := deps(t, s.Server, adminSecret)
	d.WebIdentity = func(_ context.Context, audience string) (secret.Value, error) {
		return secret.New("jwt.for." + audience), nil
	}
	for _, f := range change {
		f(&d)
	}
	p, err := entra.New(settings(s.URL, credential), client, d)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.List(t.Context())
	return err
}

func storing(value string) func(*idp.Deps) {
	return func(d *idp.Deps) {
		d.Secret = func(context.Context, string) (secret.Value, error) { return secret.New(value), nil }
	}
}

func TestAClientSecretIsSentInTheForm(t *testing.T) {
	t.Parallel()
	s := newLogin(t, 0, "")
	if err := list(t, s, withSecret, storing(adminSecret+"\n")); err != nil {
		t.Fatal(err)
	}
	want := url.Values{"grant_type": {"client_credentials"}, "client_id": {rotatorID}, "scope": {s.URL + "/.default"}, "client_secret": {adminSecret}}
	if got := s.forms[0].Encode(); got != want.Encode() {
		t.Errorf("the form is %s, want %s", got, want.Encode())
	}
}

func TestAWebIdentityTokenIsSentAsAssertion(t *testing.T) {
	t.Parallel()
	for credential, audience := range map[string]string{
		withIdentity: "api://AzureADTokenExchange",
		`"webIdentity": {"clientId": "` + rotatorID + `", "audience": "api://AzureADTokenExchangeUSGov"}`: "api://AzureADTokenExchangeUSGov",
	} {
		s := newLogin(t, 0, "")
		if err := list(t, s, credential, storing("")); err != nil {
			t.Fatal(err)
		}
		want := url.Values{"grant_type": {"client_credentials"}, "client_id": {rotatorID}, "scope": {s.URL + "/.default"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {"jwt.for." + audience}}
		if got := s.forms[0].Encode(); got != want.Encode() {
			t.Errorf("the form is %s, want %s", got, want.Encode())
		}
	}
}

func TestAWebIdentityThatCannotBeGotEndsTheRequest(t *testing.T) {
	t.Parallel()
	s := newLogin(t, 0, "")
	refused := func(d *idp.Deps) {
		d.WebIdentity = func(context.Context, string) (secret.Value, error) {
			return secret.Value{}, failure.New(failure.AccessDenied, "no right")
		}
	}
	if err := list(t, s, withIdentity, refused); !failure.Is(err, failure.AccessDenied) {
		t.Errorf("without the right: %v", err)
	}
	if err := list(t, s, withIdentity, func(d *idp.Deps) { d.WebIdentity = nil }); !failure.Is(err, failure.Internal) {
		t.Errorf("without a way to get one: %v", err)
	}
	if len(s.forms) != 0 {
		t.Errorf("%d tokens were asked for", len(s.forms))
	}
}

func TestACertificateSignsAnAssertion(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string]string{
		"PKCS 1":                   pkcs1(testKey()),
		"PKCS 8":                   "\n" + pkcs8(testKey()),
		"a key behind certificate": pemOf("CERTIFICATE", []byte("passed over")) + pkcs8(testKey()),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newLogin(t, 0, "")
			if err := list(t, s, withCertificate, storing(stored)); err != nil {
				t.Fatal(err)
			}
			header, claims := verify(t, s.forms[0].Get("client_assertion"))
			if header["alg"] != "PS256" || header["typ"] != "JWT" || header["x5t#S256"] != "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" {
				t.Errorf("the header is %v", header)
			}
			if claims["aud"] != s.URL+"/"+tenant+"/oauth2/v2.0/token" || claims["iss"] != rotatorID || claims["sub"] != rotatorID || !guid.MatchString(fmt.Sprint(claims["jti"])) ||
				claims["nbf"] != float64(now.Unix()) || claims["iat"] != float64(now.Unix()) || claims["exp"] != float64(now.Add(5*time.Minute).Unix()) {
				t.Errorf("the claims are %v", claims)
			}
		})
	}
}

// verify checks an assertion's signature as Entra ID does.
func verify(t *testing.T, assertion string) (header, claims map[string]any) {
	t.Helper()
	part := strings.Split(assertion, ".")
	if len(part) != 3 {
		t.Fatalf("the assertion is %q", assertion)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(part[i])
		if err != nil || json.Unmarshal(b, into) != nil {
			t.Fatalf("part %d of the assertion is %q", i, part[i])
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(part[2])
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(part[0] + "." + part[1]))
	if err := rsa.VerifyPSS(&testKey().PublicKey, crypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}); err != nil {
		t.Error(err)
	}
	return header, claims
}

func TestUnusableCredentialsAreNotSent(t *testing.T) {
	t.Parallel()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := newLogin(t, 0, "")
	for name, tt := range map[string]struct{ credential, stored, says string }{
		"a secret with a space":   {withSecret, "canary canary", "does not hold a client secret"},
		"an empty secret":         {withSecret, "\n", "does not hold a client secret"},
		"no key":                  {withCertificate, "canary", "no RSA private key"},
		"a broken key":            {withCertificate, pemOf("PRIVATE KEY", []byte("canary")), "no RSA private key"},
		"only a certificate":      {withCertificate, pemOf("CERTIFICATE", []byte("canary")), "no RSA private key"},
		"a key of another kind":   {withCertificate, pkcs8(curve), "no RSA private key"},
		"a short key":             {withCertificate, pkcs1(newKey(1024)), "shorter than 2048 bits"},
		"a long key":              {withCertificate, pemOf("PRIVATE KEY", make([]byte, 9<<10)), "longer than 8192 bits"},
		"an encrypted key":        {withCertificate, pemOf("ENCRYPTED PRIVATE KEY", []byte("canary")), "is encrypted"},
		"an old-style encryption": {withCertificate, "-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES-256-CBC,00\n\nY2FuYXJ5\n-----END RSA PRIVATE KEY-----\n", "is encrypted"},
	} {
		err := list(t, s, tt.credential, storing(tt.stored))
		if !failure.Is(err, failure.Precondition) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), secretARN) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want %q", name, err, tt.says)
		}
	}
	for _, credential := range []string{withSecret, withCertificate} {
		err := list(t, s, credential, func(d *idp.Deps) {
			d.Secret = func(context.Context, string) (secret.Value, error) {
				return secret.Value{}, failure.New(failure.AccessDenied, "no access")
			}
		})
		if !failure.Is(err, failure.AccessDenied) {
			t.Errorf("a credential out of reach: %v", err)
		}
	}
	if len(s.forms) != 0 {
		t.Errorf("%d tokens were asked for", len(s.forms))
	}
}

func TestAnAccessTokenIsUsedUntilShortlyBeforeItsEnd(t *testing.T) {
	t.Parallel()
	s := newLogin(t, 0, "")
	d := deps(t, s.Server, adminSecret)
	at := now
	d.Now = func() time.Time { return at }
	p, err := entra.New(settings(s.URL, withSecret), client, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, later := range []time.Duration{0, 59*time.Minute - time.Second, 59 * time.Minute} {
		at = now.Add(later)
		if _, err := p.List(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(s.used, ", "); got != "Bearer token-1, Bearer token-1, Bearer token-2" {
		t.Errorf("used were %s", got)
	}
}

// tokenError is the documented shape of an error of the token endpoint; its texts must not come through.
func tokenError(code string, number int) string {
	return fmt.Sprintf(`{"error": %q, "error_description": "AADSTS%d: text of the vendor. Trace ID: vendor", "error_codes": [%d],
 "timestamp": "2026-03-01 10:00:05Z", "trace_id": "vendor", "correlation_id": "vendor", "error_uri": "https://vendor"}`, code, number, number)
}

func TestARefusedTokenIsExplained(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status             int
		answer, credential string
		kind               failure.Kind
		says               string
	}{
		"a wrong secret":          {401, tokenError("invalid_client", 7000215), withSecret, failure.IdPRejected, "is not one of client " + rotatorID + ", or has expired"},
		"a foreign certificate":   {401, tokenError("invalid_client", 700027), withCertificate, failure.IdPRejected, "check that the certificate"},
		"no federated credential": {401, tokenError("invalid_client", 700213), withIdentity, failure.IdPRejected, "needs a federated credential"},
		"an unknown app":          {400, tokenError("unauthorized_client", 700016), withSecret, failure.IdPRejected, "exists and is enabled there"},
		"an unknown tenant":       {400, tokenError("invalid_request", 90002), withSecret, failure.IdPRejected, "check identityProvider.settings.tenantId"},
		"a blocked workload":      {400, tokenError("invalid_grant", 53003), withSecret, failure.IdPRejected, "Conditional Access"},
		"another cloud":           {400, tokenError("invalid_resource", 500011), withSecret, failure.IdPRejected, "same cloud"},
		"too many requests":       {429, tokenError("temporarily_unavailable", 90055), withSecret, failure.Throttled, "HTTP 429"},
		"a server error":          {503, "<html>vendor", withSecret, failure.Unavailable, "HTTP 503"},
		"no token":                {200, `{"token_type": "Bearer", "expires_in": 3600}`, withSecret, failure.Unavailable, "not understood"},
		"a token of another kind": {200, `{"token_type": "pop", "expires_in": 3600, "access_token": "vendor"}`, withSecret, failure.Unavailable, "not understood"},
		"nonsense":                {200, `vendor`, withSecret, failure.Unavailable, "not understood"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stored := adminSecret
			if tt.credential == withCertificate {
				stored = pkcs1(testKey())
			}
			err := list(t, newLogin(t, tt.status, tt.answer), tt.credential, storing(stored))
			if !failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %s: %v; want %s with %q", failure.KindOf(err), err, tt.kind, tt.says)
			}
			for _, foreign := range []string{"vendor", adminSecret} {
				if strings.Contains(err.Error(), foreign) {
					t.Errorf("the error shows %q: %v", foreign, err)
				}
			}
		})
	}
}
