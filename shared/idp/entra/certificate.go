package entra

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

const (
	// assertionLife follows Microsoft's advice: 5 to 10 minutes at most (Microsoft identity platform docs, "Application
	// authentication certificate credentials").
	assertionLife = 5 * time.Minute
	// minKeyBits is the shortest RSA key for PS256 (RFC 7518, section 3.5).
	minKeyBits = 2048
	// maxKeyBits limits the work for a key that somebody stored; Entra ID takes no longer ones than 4096. maxKeyBytes is more
	// than the encoding of such a key, which is checked before it is read.
	maxKeyBits  = 8192
	maxKeyBytes = 8 << 10
)

// What can be wrong with a stored key. The parsers' own errors are not passed on: they may quote what they read.
var (
	errNoKey     = errors.New("it holds no RSA private key in PEM form (PKCS #8 or PKCS #1)")
	errEncrypted = errors.New("its private key is encrypted; store it unencrypted, Secrets Manager encrypts it")
	errShort     = errors.New("its RSA key is shorter than 2048 bits")
	errLong      = errors.New("its RSA key is longer than 8192 bits")
)

// signed proves who we are by a statement signed with the key of a certificate.
type signed struct {
	Certificate
	audience string
	read     func(ctx context.Context, arn string) (secret.Value, error)
	now      func() time.Time
}

// Advice implements clientcredentials.Proof.
func (s signed) Advice() string {
	return fmt.Sprintf("check that the certificate with the SHA-256 fingerprint in %s is one of app %s, has not expired, "+
		"and belongs to the private key in %s", idp.Setting("certificate.sha256"), s.ClientID, s.KeySecretARN)
}

// Prove implements clientcredentials.Proof.
func (s signed) Prove(ctx context.Context, form url.Values, _ http.Header) error {
	stored, err := s.read(ctx, s.KeySecretARN)
	if err != nil {
		return fmt.Errorf("reading the private key of the rotator's own app registration: %w", err)
	}
	key, err := parseKey(stored)
	if err != nil {
		return failure.Wrap(failure.Precondition, err, "the secret %s is not usable as the private key of the rotator's own app registration", s.KeySecretARN)
	}
	assertion, err := s.sign(key)
	if err != nil {
		return failure.New(failure.Internal, "the request for an access token of Microsoft Entra ID cannot be signed")
	}
	assert(form, secret.New(assertion))
	return nil
}

// sign makes the assertion (RFC 7523, section 3) as a JWS in compact form, signed by PS256 (RFC 7518, section 3.5) as
// Microsoft advises, with the certificate named by x5t#S256.
func (s signed) sign(key *rsa.PrivateKey) (string, error) {
	thumbprint, err := hex.DecodeString(strings.ReplaceAll(s.SHA256, ":", ""))
	if err != nil {
		return "", err
	}
	now := s.now()
	header, err := json.Marshal(map[string]string{"alg": "PS256", "typ": "JWT", "x5t#S256": base64.RawURLEncoding.EncodeToString(thumbprint)})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(map[string]any{"aud": s.audience, "iss": s.ClientID, "sub": s.ClientID, "jti": newGUID(),
		"nbf": now.Unix(), "iat": now.Unix(), "exp": now.Add(assertionLife).Unix()})
	if err != nil {
		return "", err
	}
	signing := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	digest := sha256.Sum256([]byte(signing))
	signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil {
		return "", err
	}
	return signing + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// parseKey reads the first private key of a PEM text; certificates beside it are passed over.
func parseKey(stored secret.Value) (*rsa.PrivateKey, error) {
	rest := []byte(stored.Reveal())
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errNoKey
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return nil, errEncrypted
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if len(block.Bytes) > maxKeyBytes {
			return nil, errLong
		}
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		}
		key, ok := parsed.(*rsa.PrivateKey)
		if err != nil || !ok {
			return nil, errNoKey
		}
		if key.N.BitLen() < minKeyBits {
			return nil, errShort
		}
		if key.N.BitLen() > maxKeyBits {
			return nil, errLong
		}
		return key, nil
	}
}
