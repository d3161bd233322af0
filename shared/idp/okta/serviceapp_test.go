package okta_test

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
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/httpvendor"
	"alboidc.internal/shared/idp/okta"
)

const withServiceApp = `"serviceApp": {"clientId": "0oaService", "keySecretArn": "` + keyARN + `", "keyId": "kid-1"}`

// testKey is made once: RSA keys are slow to make.
var testKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })

func newKey(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

func pemOf(kind string, der []byte, err error) string {
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(key any) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pemOf("PRIVATE KEY", der, err)
}

func jwkOf(k *rsa.PrivateKey, kid string) string {
	b := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }
	out, _ := json.Marshal(map[string]string{"kty": "RSA", "kid": kid, "n": b(k.N), "e": b(big.NewInt(int64(k.E))), "d": b(k.D),
		"p": b(k.Primes[0]), "q": b(k.Primes[1])})
	return string(out)
}

// authServer is the organisation's authorization server and, behind it, an app without secrets.
type authServer struct {
	*httptest.Server
	t      *testing.T
	status int
	answer string // of the token endpoint; "" is a good one
	tokens int
	ids    map[string]bool
}

func newAuthServer(t *testing.T, status int, answer string) *authServer {
	t.Helper()
	s := &authServer{t: t, status: status, answer: answer, ids: map[string]bool{}}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *authServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/oauth2/v1/token" {
		if got, want := r.Header.Get("Authorization"), fmt.Sprintf("Bearer token-%d", s.tokens); got != want {
			s.t.Errorf("Authorization is %q, want %q", got, want)
		}
		httpvendor.Write(w, http.StatusOK, []any{})
		return
	}
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.Header.Get("Authorization") != "" {
		s.t.Errorf("the token request is %s, %v", r.Method, err)
	}
	for name, want := range map[string]string{
		"grant_type":            "client_credentials",
		"scope":                 "okta.apps.manage okta.apps.read",
		"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
	} {
		if got := r.PostForm.Get(name); got != want {
			s.t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	s.verify(r.PostForm.Get("client_assertion"))
	s.tokens++
	if s.answer != "" {
		w.WriteHeader(s.status)
		_, _ = w.Write([]byte(s.answer))
		return
	}
	httpvendor.Write(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": fmt.Sprintf("token-%d", s.tokens)})
}

// verify checks a client assertion as an authorization server does.
func (s *authServer) verify(assertion string) {
	part := strings.Split(assertion, ".")
	if len(part) != 3 {
		s.t.Fatalf("the assertion has %d parts", len(part))
	}
	var header struct{ Alg, Kid string }
	var claims struct {
		Iss, Sub, Aud, Jti string
		Iat, Exp           int64
	}
	for i, v := range []any{&header, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(part[i])
		if err != nil || json.Unmarshal(b, v) != nil {
			s.t.Fatalf("part %d of the assertion cannot be read", i)
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(part[2])
	digest := sha256.Sum256([]byte(part[0] + "." + part[1]))
	if err != nil || rsa.VerifyPKCS1v15(&testKey().PublicKey, crypto.SHA256, digest[:], signature) != nil {
		s.t.Error("the signature is wrong")
	}
	if header.Alg != "RS256" || header.Kid != "kid-1" {
		s.t.Errorf("the header is %+v", header)
	}
	if claims.Iss != "0oaService" || claims.Sub != "0oaService" || claims.Aud != s.URL+"/oauth2/v1/token" || claims.Exp-claims.Iat != 300 {
		s.t.Errorf("the claims are %+v", claims)
	}
	if claims.Jti == "" || s.ids[claims.Jti] {
		s.t.Errorf("the jti %q is empty or was used before", claims.Jti)
	}
	s.ids[claims.Jti] = true
}

// serviceAppProvider returns a provider and the pointer to its time.
func serviceAppProvider(t *testing.T, s *authServer, key string) (idp.Provider, *time.Time) {
	t.Helper()
	now := time.Unix(1772359200, 0)
	d := httpvendor.Deps(t, s.Server, map[string]string{keyARN: key}, now)
	d.Now = func() time.Time { return now }
	p, err := okta.New(settings(s.URL, withServiceApp), idp.Client{ClientID: "0oaClient"}, d)
	if err != nil {
		t.Fatal(err)
	}
	return p, &now
}

func TestTheServiceAppSignsForATokenAndKeepsItUntilItEnds(t *testing.T) {
	t.Parallel()
	s := newAuthServer(t, 0, "")
	p, now := serviceAppProvider(t, s, pkcs8(testKey()))
	for _, step := range []struct {
		after  time.Duration
		tokens int
	}{{0, 1}, {58 * time.Minute, 1}, {time.Minute, 2}, {time.Second, 2}} {
		*now = now.Add(step.after)
		if _, err := p.List(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.tokens != step.tokens {
			t.Errorf("at %s: %d tokens were fetched, want %d", *now, s.tokens, step.tokens)
		}
	}
}

func TestTheServiceAppsKeyMayHaveAnyUsualForm(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{
		"PKCS #8":         pkcs8(testKey()),
		"PKCS #1":         pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(testKey()), nil),
		"JWK":             jwkOf(testKey(), "kid-1"),
		"JWK without kid": jwkOf(testKey(), ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := serviceAppProvider(t, newAuthServer(t, 0, ""), key)
			if _, err := p.List(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// longJWK is no key, but as long as one of 9000 bits.
func longJWK() string {
	k := *testKey()
	k.N = new(big.Int).Lsh(big.NewInt(1), 9000)
	return jwkOf(&k, "")
}

func TestAnUnusableKeyIsRefusedBeforeAnyRequest(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ key, says string }{
		"no key":             {"canary-no-key", "holds no RSA private key"},
		"JSON without a key": {`{"kty": "RSA", "n": "canary"}`, "holds no RSA private key"},
		"a damaged key":      {strings.Replace(pkcs8(testKey()), "A", "B", 40), "holds no RSA private key"},
		"another kid":        {jwkOf(testKey(), "canary-kid"), "is not the keyId"},
		"an encrypted key":   {pemOf("ENCRYPTED PRIVATE KEY", []byte("canary"), nil), "is encrypted"},
		"a short key":        {pkcs8(newKey(1024)), "shorter than 2048"},
		"a long key":         {longJWK(), "longer than 8192 bits"},
		"a long text":        {pemOf("PRIVATE KEY", make([]byte, 15<<10), nil), "longer than 8192 bits"},
		"an EC key":          {pkcs8(ec), "holds no RSA private key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newAuthServer(t, 0, "")
			p, _ := serviceAppProvider(t, s, tt.key)
			_, err := p.List(t.Context())
			if !failure.Is(err, failure.Precondition) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), keyARN) {
				t.Errorf("got %v, want %s with %q and the ARN", err, failure.Precondition, tt.says)
			}
			if s.tokens != 0 || strings.Contains(fmt.Sprint(err), "canary") {
				t.Errorf("%d requests were made; the error is %v", s.tokens, err)
			}
		})
	}
}

func TestARefusedTokenIsExplained(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		answer string
		kind   failure.Kind
		says   string
	}{
		"a wrong key":       {401, `{"error": "invalid_client", "error_description": "canary"}`, failure.IdPRejected, "public key with id kid-1"},
		"a missing scope":   {400, `{"error": "invalid_scope", "error_description": "canary"}`, failure.IdPRejected, "grant the service app 0oaService the scopes"},
		"DPoP":              {400, `{"error": "invalid_dpop_proof", "error_description": "canary"}`, failure.Precondition, "Require Demonstrating Proof of Possession"},
		"a DPoP token":      {200, `{"access_token": "canary", "token_type": "DPoP", "expires_in": 3600}`, failure.Precondition, "Require Demonstrating Proof of Possession"},
		"no token":          {200, `{"token_type": "Bearer", "expires_in": 3600}`, failure.Unavailable, "not understood"},
		"a token of spaces": {200, `{"access_token": "can ary", "token_type": "Bearer"}`, failure.Unavailable, "not understood"},
		"too many requests": {429, `{"errorCode": "E0000047"}`, failure.Throttled, "E0000047"},
		"a server error":    {500, `canary`, failure.Unavailable, "HTTP 500"},
		"an unknown code":   {400, `{"error": "Canary canary"}`, failure.IdPRejected, "HTTP 400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := serviceAppProvider(t, newAuthServer(t, tt.status, tt.answer), pkcs8(testKey()))
			_, err := p.List(t.Context())
			if !failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) || strings.Contains(strings.ToLower(err.Error()), "canary") {
				t.Errorf("got %s: %v; want %s with %q", failure.KindOf(err), err, tt.kind, tt.says)
			}
		})
	}
}
