package idp

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	oidccrypto "github.com/zitadel/oidc/v3/pkg/crypto"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// keys signs ID tokens and publishes what verifies them.
type keys struct {
	signer jose.Signer
	public jose.JSONWebKeySet
}

func newKeys(key *ecdsa.PrivateKey) (*keys, error) {
	public := jose.JSONWebKey{Key: key.Public(), Algorithm: string(jose.ES256), Use: "sig"}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("naming the signing key: %w", err)
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key,
		KeyID: public.KeyID}}, nil)
	if err != nil {
		return nil, fmt.Errorf("preparing the signing key: %w", err)
	}
	return &keys{signer: signer, public: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}}}, nil
}

// idToken signs an ID token. A refreshed one carries no nonce (OpenID Connect Core 1.0, section 12.2).
func (k *keys) idToken(issuer string, a authorization, nonce, accessToken string, now time.Time) (string, error) {
	claims := oidc.NewIDTokenClaims(issuer, a.subject, nil, now.Add(idTokenLifetime), a.authTime, nonce,
		"", []string{"pwd"}, a.clientID, 0)
	claims.IssuedAt = oidc.FromTime(now) // the constructor reads the machine's time
	claims.ClientID = ""                 // not a claim of ID tokens; the audience says it
	hash, err := oidc.ClaimHash(accessToken, jose.ES256)
	if err != nil {
		return "", err
	}
	claims.AccessTokenHash = hash
	return oidccrypto.Sign(claims, k.signer)
}
