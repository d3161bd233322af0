package clientcredentials

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"

	"alboidc.internal/shared/secret"
)

// minKeyBits is the shortest RSA key for RS256 and PS256 (RFC 7518, sections 3.3 and 3.5).
const minKeyBits = 2048

// maxKeyBits limits the work for a key that somebody stored; providers take no longer ones than 4096 (Okta, Entra ID).
// maxKeyText is more than twice as long as the text of such a key.
const (
	maxKeyBits = 8192
	maxKeyText = 16 << 10
)

// What can be wrong with a stored key. The parsers' own errors are not passed on: they may quote what they read.
var (
	errNoKey     = errors.New("it holds no RSA private key in PEM (PKCS #8 or PKCS #1) or JWK form")
	errEncrypted = errors.New("its private key is encrypted; store it unencrypted, Secrets Manager encrypts it")
	errShort     = errors.New("its RSA key is shorter than 2048 bits")
	errLong      = errors.New("its RSA key is longer than 8192 bits")
	errOtherKey  = errors.New("the kid of its JWK is not the keyId of the settings")
)

// parseKey reads an RSA private key in PEM or JWK form. A JWK may have no other id than keyID, unless that is "".
func parseKey(stored secret.Value, keyID string) (*rsa.PrivateKey, error) {
	text := strings.TrimSpace(stored.Reveal())
	if len(text) > maxKeyText {
		return nil, errLong
	}
	var key *rsa.PrivateKey
	var err error
	if strings.HasPrefix(text, "{") {
		key, err = parseJWK(text, keyID)
	} else {
		key, err = parsePEM(text)
	}
	if err != nil {
		return nil, err
	}
	if key.N.BitLen() < minKeyBits {
		return nil, errShort
	}
	if key.N.BitLen() > maxKeyBits {
		return nil, errLong
	}
	if key.Validate() != nil {
		return nil, errNoKey
	}
	return key, nil
}

// parsePEM reads the first private key; certificates before it are passed over.
func parsePEM(text string) (*rsa.PrivateKey, error) {
	block, rest := pem.Decode([]byte(text))
	for block != nil && !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errNoKey
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
		return nil, errEncrypted
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errNoKey
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errNoKey
	}
	return key, nil
}

// jwk is an RSA private key (RFC 7518, section 6.3) with its two primes, which is how Okta's console shows it.
type jwk struct {
	Kty string `json:"kty"`
	Kid string `json:"kid"`
	N   string `json:"n"`
	E   string `json:"e"`
	D   string `json:"d"`
	P   string `json:"p"`
	Q   string `json:"q"`
}

func parseJWK(text, keyID string) (*rsa.PrivateKey, error) {
	var j jwk
	if json.Unmarshal([]byte(text), &j) != nil || j.Kty != "RSA" {
		return nil, errNoKey
	}
	if j.Kid != "" && keyID != "" && j.Kid != keyID {
		return nil, errOtherKey
	}
	numbers := make([]*big.Int, 0, 5)
	for _, s := range []string{j.N, j.E, j.D, j.P, j.Q} {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || len(b) == 0 {
			return nil, errNoKey
		}
		numbers = append(numbers, new(big.Int).SetBytes(b))
	}
	e := numbers[1]
	if !e.IsInt64() || e.Int64() > 1<<31-1 {
		return nil, errNoKey
	}
	if numbers[0].BitLen() > maxKeyBits {
		return nil, errLong
	}
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: numbers[0], E: int(e.Int64())}, D: numbers[2],
		Primes: numbers[3:]}
	if key.Validate() != nil {
		return nil, errNoKey
	}
	key.Precompute()
	return key, nil
}
