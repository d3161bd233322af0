package clientcredentials

import (
	"context"
	"time"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/strictjson"
)

// Settings say how the rotator proves to a management API who it is; a provider embeds them in its own. Exactly one of
// them is set.
type Settings struct {
	ClientSecret *SecretSettings `json:"clientSecret,omitempty"`
	PrivateKey   *KeySettings    `json:"privateKey,omitempty"`
}

// SecretSettings are for a client secret of the rotator's own client.
type SecretSettings struct {
	ClientID string `json:"clientId"`
	// SecretARN of the Secrets Manager secret that holds the client secret's value.
	SecretARN string `json:"secretArn"`
}

// KeySettings are for a private key of the rotator's own client (private_key_jwt).
type KeySettings struct {
	ClientID string `json:"clientId"`
	// KeySecretARN of the Secrets Manager secret that holds the RSA private key, in PEM or as a JWK.
	KeySecretARN string `json:"keySecretArn"`
	// KeyID is the kid under which the public key is registered.
	KeyID string `json:"keyId"`
}

// Check adds the problems of settings at path.
func (s Settings) Check(ps *strictjson.Problems, path string) {
	if (s.ClientSecret == nil) == (s.PrivateKey == nil) {
		ps.Add(path, "needs exactly one of clientSecret and privateKey")
	}
	if c := s.ClientSecret; c != nil {
		checkID(ps, path+".clientSecret.clientId", c.ClientID)
		config.CheckSecretARN(ps, path+".clientSecret.secretArn", c.SecretARN,
			"the client secret of the rotator's own client")
	}
	if k := s.PrivateKey; k != nil {
		checkID(ps, path+".privateKey.clientId", k.ClientID)
		config.CheckSecretARN(ps, path+".privateKey.keySecretArn", k.KeySecretARN,
			"the private key of the rotator's own client")
		if k.KeyID == "" {
			ps.Add(path+".privateKey.keyId",
				"is missing: the key id (kid) of the public key at the rotator's own client")
		}
	}
}

func checkID(ps *strictjson.Problems, path, id string) {
	if id == "" {
		ps.Add(path, "is missing: the client id of the rotator's own client")
	}
}

// ClientID is that of the rotator's own client.
func (s Settings) ClientID() string {
	if s.ClientSecret != nil {
		return s.ClientSecret.ClientID
	}
	return s.PrivateKey.ClientID
}

// Proof makes the proof that the settings choose. audience is what the vendor expects in an assertion; basic is how it
// wants a client secret.
func (s Settings) Proof(read func(ctx context.Context, arn string) (secret.Value, error), now func() time.Time,
	audience string, basic bool) Proof {
	if c := s.ClientSecret; c != nil {
		return ClientSecret{ClientID: c.ClientID, Basic: basic,
			Stored: Stored{Read: read, ARN: c.SecretARN, What: "the client secret of the rotator's own client"}}
	}
	return PrivateKeyJWT{ClientID: s.PrivateKey.ClientID, KeyID: s.PrivateKey.KeyID, Audience: audience, Now: now,
		Stored: Stored{Read: read, ARN: s.PrivateKey.KeySecretARN, What: "the private key of the rotator's own client"}}
}
