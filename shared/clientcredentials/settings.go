package clientcredentials

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

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
	KeyPlace
	// KeyID is the kid under which the public key is registered; with keyArn the key's id at KMS by default.
	KeyID string `json:"keyId,omitempty"`
	// Algorithm is RS256 by default; ES256 for a key in KMS of spec ECC_NIST_P256.
	Algorithm string `json:"algorithm,omitempty"`
}

// KeyPlace says where a private key is. Exactly one is given.
type KeyPlace struct {
	// KeySecretARN of the Secrets Manager secret that holds the RSA private key, in PEM or, but for a certificate, as a
	// JWK.
	KeySecretARN string `json:"keySecretArn,omitempty"`
	// KeyARN of the asymmetric key in AWS KMS that signs. The private key never leaves KMS.
	KeyARN string `json:"keyArn,omitempty"`
}

// Where names the place.
func (k KeyPlace) Where() string { return k.KeySecretARN + k.KeyARN }

// Check adds the problems of a place at path.
func (k KeyPlace) Check(ps *strictjson.Problems, path, holds string) {
	switch {
	case (k.KeySecretARN == "") == (k.KeyARN == ""):
		ps.Add(path, "needs exactly one of keyArn, a key in AWS KMS, and keySecretArn, the secret that holds %s", holds)
	case k.KeyARN == "":
		config.CheckSecretARN(ps, path+".keySecretArn", k.KeySecretARN, holds)
	case strings.Contains(k.KeyARN, ":alias/"):
		ps.Add(path+".keyArn",
			"must be the ARN of the key itself, not of an alias, which could be moved to a key that "+
				"is not registered: aws kms describe-key --key-id ALIAS shows it")
	case !config.IsKeyARN(k.KeyARN):
		ps.Add(path+".keyArn", "must be the ARN of a KMS key, as in arn:aws:kms:REGION:ACCOUNT:key/ID")
	}
}

// Check adds the problems of a key at path.
func (k KeySettings) Check(ps *strictjson.Problems, path string) {
	checkID(ps, path+".clientId", k.ClientID)
	k.KeyPlace.Check(ps, path, "the private key of the rotator's own client")
	if k.KeyID == "" && k.KeyARN == "" {
		ps.Add(path+".keyId", "is missing: the key id (kid) of the public key at the rotator's own client")
	}
	switch {
	case k.Algorithm != "" && k.Algorithm != RS256 && k.Algorithm != ES256:
		ps.Add(path+".algorithm", "must be RS256 (default) or ES256")
	case k.Algorithm == ES256 && k.KeyARN == "":
		ps.Add(path+".algorithm", "must be left out with keySecretArn: a stored key is one of RSA")
	}
}

// ID is the kid.
func (k KeySettings) ID() string {
	return cmp.Or(k.KeyID, k.KeyARN[strings.LastIndex(k.KeyARN, "/")+1:])
}

// Proof makes the proof by that key. audience is what the vendor expects in an assertion, what names the key.
func (k KeySettings) Proof(a Access, audience, what string) PrivateKeyJWT {
	return PrivateKeyJWT{ClientID: k.ClientID, KeyID: k.ID(), Audience: audience, Now: a.Now,
		Key: PrivateKey{KeyPlace: k.KeyPlace, Algorithm: k.Algorithm, What: what, Read: a.Secret, AWS: a.AWS}}
}

// Access is what a credential is reached by.
type Access struct {
	// Secret reads one from Secrets Manager by ARN.
	Secret func(ctx context.Context, arn string) (secret.Value, error)
	// AWS is the configuration of an AWS SDK client for a Region.
	AWS func(region string) aws.Config
	Now func() time.Time
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
		k.Check(ps, path+".privateKey")
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
func (s Settings) Proof(a Access, audience string, basic bool) Proof {
	if c := s.ClientSecret; c != nil {
		return ClientSecret{ClientID: c.ClientID, Basic: basic,
			Stored: Stored{Read: a.Secret, ARN: c.SecretARN, What: "the client secret of the rotator's own client"}}
	}
	return s.PrivateKey.Proof(a, audience, "the private key of the rotator's own client")
}
