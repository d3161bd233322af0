package clientcredentials

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
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
		return secret.Value{}, failure.New(failure.Precondition, "the secret %s does not hold %s, and nothing else, in plain text", s.ARN, s.What)
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
	return fmt.Sprintf("the client secret in %s is not one of client %s, or has expired, or the client must authenticate in another way: store a valid one, and check that the client is enabled",
		c.Stored.ARN, c.ClientID)
}

// PrivateKeyJWT proves by a statement signed with a private key (private_key_jwt: RFC 7523, section 2.2; OpenID Connect
// Core 1.0, section 9).
type PrivateKeyJWT struct {
	ClientID string
	// KeyID is the kid under which the public key is registered at the vendor.
	KeyID string
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
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", assertion.Reveal())
	return nil
}

// Advice implements Proof.
func (p PrivateKeyJWT) Advice() string {
	return fmt.Sprintf("check that client %s is active, and that the public key with id %s is registered there, is active and belongs to the private key in %s",
		p.ClientID, p.KeyID, p.Stored.ARN)
}

// sign makes the assertion (RFC 7523, section 3) as a JWS in compact form, signed by RS256 (RFC 7515, section 3.1; RFC
// 7518, section 3.3).
func (p PrivateKeyJWT) sign(key *rsa.PrivateKey) (secret.Value, error) {
	now := p.Now()
	header, err := json.Marshal(map[string]string{"alg": "RS256", "kid": p.KeyID, "typ": "JWT"})
	if err != nil {
		return secret.Value{}, err
	}
	payload, err := json.Marshal(map[string]any{"iss": p.ClientID, "sub": p.ClientID, "aud": p.Audience,
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(), "jti": rand.Text()})
	if err != nil {
		return secret.Value{}, err
	}
	signing := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	digest := sha256.Sum256([]byte(signing))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		return secret.Value{}, err
	}
	return secret.New(signing + "." + base64.RawURLEncoding.EncodeToString(signature)), nil
}
