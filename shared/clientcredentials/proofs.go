package clientcredentials

import (
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

// PrivateKeyJWT proves by a statement signed with a private key (private_key_jwt: RFC 7523, section 2.2; OpenID Connect
// Core 1.0, section 9).
type PrivateKeyJWT struct {
	ClientID string
	// KeyID is the kid under which the public key is registered at the vendor.
	KeyID string
	// Certificate, instead of KeyID, is the SHA-256 fingerprint of the certificate that is registered, in hexadecimal.
	Certificate string
	// Stored holds the RSA private key, in PEM or as a JWK.
	Stored Stored
	// Audience is what the vendor expects as aud, mostly the URL of its token endpoint.
	Audience string
	Now      func() time.Time
}

// Prove implements Proof.
func (p PrivateKeyJWT) Prove(ctx context.Context, form url.Values, _ http.Header) error {
	stored, err := p.Stored.Read(ctx, p.Stored.ARN)
	if err != nil {
		return fmt.Errorf("reading %s: %w", p.Stored.What, err)
	}
	key, err := parseKey(stored, p.KeyID)
	if err != nil {
		return failure.Wrap(failure.Precondition, err, "the secret %s is not usable as %s", p.Stored.ARN, p.Stored.What)
	}
	assertion, err := p.sign(key)
	if err != nil {
		return failure.New(failure.Internal, "the request for an access token cannot be signed by %s", p.Stored.What)
	}
	Assert(form, assertion)
	return nil
}

// Assert adds a signed statement to a request for a token (RFC 7523, section 2.2).
func Assert(form url.Values, assertion secret.Value) {
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", assertion.Reveal())
}

// Advice implements Proof.
func (p PrivateKeyJWT) Advice() string {
	return fmt.Sprintf("check that client %s is active, and that the public key with id %s is registered there, is "+
		"active and belongs to the private key in %s",
		p.ClientID, p.KeyID, p.Stored.ARN)
}

// sign makes the assertion (RFC 7523, section 3) as a JWS in compact form (RFC 7515, section 3.1). With a key's id it
// is signed by RS256 (RFC 7518, section 3.3), with a certificate as Microsoft advises: by PS256, named by x5t#S256
// (Microsoft identity platform docs, "Application authentication certificate credentials").
func (p PrivateKeyJWT) sign(key *rsa.PrivateKey) (secret.Value, error) {
	now := p.Now()
	header := map[string]string{"alg": "RS256", "kid": p.KeyID, "typ": "JWT"}
	claims := map[string]any{"iss": p.ClientID, "sub": p.ClientID, "aud": p.Audience,
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(), "jti": NewUUID()}
	if p.Certificate != "" {
		sum, err := hex.DecodeString(strings.ReplaceAll(p.Certificate, ":", ""))
		if err != nil {
			return secret.Value{}, err
		}
		header = map[string]string{"alg": "PS256", "x5t#S256": base64.RawURLEncoding.EncodeToString(sum), "typ": "JWT"}
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
	signature, err := p.signature(key, digest[:])
	if err != nil {
		return secret.Value{}, err
	}
	return secret.New(strings.Join(append(parts, base64.RawURLEncoding.EncodeToString(signature)), ".")), nil
}

func (p PrivateKeyJWT) signature(key *rsa.PrivateKey, digest []byte) ([]byte, error) {
	if p.Certificate != "" {
		return rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest,
			&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	}
	return rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest)
}

// NewUUID makes a random UUID (RFC 9562, section 5.4).
func NewUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
