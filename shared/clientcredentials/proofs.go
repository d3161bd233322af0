package clientcredentials

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/secret"
)

// assertionLife is short: an assertion is used at once.
const assertionLife = 5 * time.Minute

// Stored is a credential in Secrets Manager.
type Stored struct {
	Read func(ctx context.Context, arn string) (secret.Value, error)
	ARN  string
	// What completes "reading …", e.g. "the Okta API token".
	What string
}

// Text is the whole secret, without space around it, as one word of printable ASCII.
func (s Stored) Text(ctx context.Context) (secret.Value, error) {
	v, err := s.Read(ctx, s.ARN)
	if err != nil {
		return secret.Value{}, fmt.Errorf("reading %s: %w", s.What, err)
	}
	text := strings.TrimSpace(v.Reveal())
	if !tokenPattern.MatchString(text) {
		return secret.Value{}, failure.New(failure.Precondition,
			"the secret %s does not hold %s, and nothing else, in plain text", s.ARN, s.What)
	}
	return secret.New(text), nil
}

// Authorize sends Text as a bearer token.
func (s Stored) Authorize(ctx context.Context, r *http.Request) error {
	v, err := s.Text(ctx)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+v.Reveal())
	return nil
}

// ClientSecret proves by a client secret (RFC 6749, section 2.3.1).
type ClientSecret struct {
	ClientID string
	Stored   Stored
	// Basic sends it by HTTP Basic authentication (client_secret_basic), else in the form (client_secret_post).
	Basic bool
}

// Prove implements Proof.
func (c ClientSecret) Prove(ctx context.Context, form url.Values, header http.Header) error {
	v, err := c.Stored.Text(ctx)
	if err != nil {
		return err
	}
	if !c.Basic {
		form.Set("client_id", c.ClientID)
		form.Set("client_secret", v.Reveal())
		return nil
	}
	pair := url.QueryEscape(c.ClientID) + ":" + url.QueryEscape(v.Reveal())
	header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	return nil
}

// Advice implements Proof.
func (c ClientSecret) Advice() string {
	return fmt.Sprintf("the client secret in %s is not one of client %s, or has expired, or the client must "+
		"authenticate in another way: store a valid one, and check that the client is enabled",
		c.Stored.ARN, c.ClientID)
}

// Algorithms by which an assertion is signed (RFC 7518, section 3.1).
const (
	RS256 = "RS256"
	PS256 = "PS256"
	ES256 = "ES256"
)

// PrivateKeyJWT proves by a statement signed with a private key (private_key_jwt: RFC 7523, section 2.2; OpenID Connect
// Core 1.0, section 9).
type PrivateKeyJWT struct {
	ClientID string
	// KeyID is the kid under which the public key is registered at the vendor.
	KeyID string
	// Certificate, instead of KeyID, is the SHA-256 fingerprint of the certificate that is registered, in hexadecimal.
	Certificate string
	// Key is the private key.
	Key PrivateKey
	// Audience is what the vendor expects as aud, mostly the URL of its token endpoint.
	Audience string
	Now      func() time.Time
}

// PrivateKey is where a private key is, and what reaches it.
type PrivateKey struct {
	KeyPlace
	// Algorithm is ES256 for an elliptic curve; "" is RSA.
	Algorithm string
	// What completes "reading …" and "signing with …", e.g. "the private key of the Okta service app".
	What string
	Read func(ctx context.Context, arn string) (secret.Value, error)
	AWS  func(region string) aws.Config
}

// Prove implements Proof.
func (p PrivateKeyJWT) Prove(ctx context.Context, form url.Values, _ http.Header) error {
	sign := kmsKey{p.Key.AWS, p.Key.KeyARN, p.Key.What}.sign
	if p.Key.KeyARN == "" {
		key, err := p.readKey(ctx)
		if err != nil {
			return err
		}
		sign = rsaKey{key}.sign
	}
	assertion, err := p.sign(ctx, sign)
	if err != nil {
		return err
	}
	Assert(form, assertion)
	return nil
}

// readKey reads the key from Secrets Manager, each time, so that a key replaced meanwhile counts at once.
func (p PrivateKeyJWT) readKey(ctx context.Context) (*rsa.PrivateKey, error) {
	stored, err := p.Key.Read(ctx, p.Key.KeySecretARN)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", p.Key.What, err)
	}
	key, err := parseKey(stored, p.KeyID)
	if err != nil {
		return nil, failure.Wrap(failure.Precondition, err, "the secret %s is not usable as %s", p.Key.KeySecretARN,
			p.Key.What)
	}
	return key, nil
}

// Assert adds a signed statement to a request for a token (RFC 7523, section 2.2).
func Assert(form url.Values, assertion secret.Value) {
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", assertion.Reveal())
}

// Advice implements Proof.
func (p PrivateKeyJWT) Advice() string {
	return fmt.Sprintf("check that client %s is active, and that the public key with id %s is registered there, is "+
		"active and belongs to the private key in %s", p.ClientID, p.KeyID, p.Key.Where())
}

// sign makes the assertion (RFC 7523, section 3) as a JWS in compact form (RFC 7515, section 3.1). With a key's id it
// is signed by RS256 (RFC 7518, section 3.3) or ES256, with a certificate as Microsoft advises: by PS256, named by
// x5t#S256 (Microsoft identity platform docs, "Application authentication certificate credentials").
func (p PrivateKeyJWT) sign(ctx context.Context, sign func(ctx context.Context, algorithm string,
	digest []byte) ([]byte, error)) (secret.Value, error) {
	now := p.Now()
	header := map[string]string{"alg": cmp.Or(p.Key.Algorithm, RS256), "kid": p.KeyID, "typ": "JWT"}
	claims := map[string]any{"iss": p.ClientID, "sub": p.ClientID, "aud": p.Audience,
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(), "jti": NewUUID()}
	if p.Certificate != "" {
		sum, err := hex.DecodeString(strings.ReplaceAll(p.Certificate, ":", ""))
		if err != nil {
			return secret.Value{}, failure.New(failure.Internal, "the certificate's fingerprint cannot be read")
		}
		header = map[string]string{"alg": PS256, "x5t#S256": base64.RawURLEncoding.EncodeToString(sum), "typ": "JWT"}
		claims["nbf"] = now.Unix()
	}
	var parts []string
	for _, part := range []any{header, claims} {
		b, err := json.Marshal(part)
		if err != nil {
			return secret.Value{}, err
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(b))
	}
	digest := sha256.Sum256([]byte(strings.Join(parts, ".")))
	signature, err := sign(ctx, header["alg"], digest[:])
	if err != nil {
		return secret.Value{}, err
	}
	return secret.New(strings.Join(append(parts, base64.RawURLEncoding.EncodeToString(signature)), ".")), nil
}

// rsaKey is a private key that was read.
type rsaKey struct{ key *rsa.PrivateKey }

func (k rsaKey) sign(_ context.Context, algorithm string, digest []byte) ([]byte, error) {
	var o crypto.SignerOpts = crypto.SHA256
	if algorithm == PS256 {
		o = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	signature, err := k.key.Sign(rand.Reader, digest, o)
	if err != nil {
		return nil, failure.New(failure.Internal, "the request for an access token cannot be signed")
	}
	return signature, nil
}

// NewUUID makes a random UUID (RFC 9562, section 5.4).
func NewUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
