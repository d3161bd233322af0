package albnode

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"time"

	"alboidc.internal/shared/awstest/elbv2"
)

// claimsLifetime is how long x-amzn-oidc-data is valid: long enough for the one request it travels with.
const claimsLifetime = 2 * time.Minute

// signer signs x-amzn-oidc-data.
type signer struct {
	key    *ecdsa.PrivateKey
	kid    string
	public []byte
}

func newSigner() (*signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of user claims: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("encoding the key of user claims: %w", err)
	}
	sum := sha256.Sum256(der)
	return &signer{key: key, kid: fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]),
		public: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}, nil
}

// addHeaders puts the user's identity into the request to the target (Elastic Load Balancing user guide, Authenticate
// users using an Application Load Balancer, User claims encoding and signature verification).
func (v *visit) addHeaders(o *elbv2.OIDC, id identity) bool {
	jwt, err := v.plane.signer.sign(v.balancer.ARN, o, id.claims, v.plane.o.Now().Add(claimsLifetime))
	if err != nil {
		v.report(Login, v.rule.ARN, UnhandledException, 0)
		v.refuse(UnhandledException)
		return false
	}
	v.r.Header.Set("x-amzn-oidc-accesstoken", id.tokens.access)
	v.r.Header.Set("x-amzn-oidc-identity", id.subject)
	v.r.Header.Set("x-amzn-oidc-data", jwt)
	return true
}

// sign makes a JWT whose parts are base64url WITH padding, unlike RFC 7515 asks, as ALB's are.
func (s *signer) sign(balancerARN string, o *elbv2.OIDC, claims map[string]any, expires time.Time) (string, error) {
	header, err := json.Marshal(map[string]any{"typ": "JWT", "alg": "ES256", "kid": s.kid, "iss": o.Issuer, "client": o.ClientID,
		"signer": balancerARN, "exp": expires.Unix()})
	if err != nil {
		return "", fmt.Errorf("encoding a JWT header: %w", err)
	}
	all := maps.Clone(claims)
	all["exp"], all["iss"] = expires.Unix(), o.Issuer
	payload, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("encoding user claims: %w", err)
	}
	text := base64.URLEncoding.EncodeToString(header) + "." + base64.URLEncoding.EncodeToString(payload)
	sum := sha256.Sum256([]byte(text))
	r, t, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		return "", fmt.Errorf("signing user claims: %w", err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	t.FillBytes(sig[32:])
	return text + "." + base64.URLEncoding.EncodeToString(sig), nil
}
