package clientcredentials

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// PublicKey is what is to be registered at a provider of a key in AWS KMS. c is for the key's Region. The error is the
// SDK's.
func PublicKey(ctx context.Context, c aws.Config, arn string) (crypto.PublicKey, error) {
	out, err := kms.NewFromConfig(c).GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &arn})
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(out.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("the public key of %s cannot be read: %w", arn, err)
	}
	return key, nil
}

// JWK writes a public key in the form in which providers register it (RFC 7517, RFC 7518, section 6).
func JWK(key crypto.PublicKey, kid string) (string, error) {
	text := base64.RawURLEncoding.EncodeToString
	jwk := map[string]string{"kid": kid, "use": "sig"}
	switch key := key.(type) {
	case *rsa.PublicKey:
		jwk["kty"], jwk["alg"], jwk["n"] = "RSA", RS256, text(key.N.Bytes())
		jwk["e"] = text(big.NewInt(int64(key.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 4, then both coordinates (SEC 1, section 2.3.3)
		if err != nil || key.Params().BitSize != 256 {
			return "", fmt.Errorf("the curve %s is not P-256", key.Params().Name)
		}
		jwk["kty"], jwk["alg"], jwk["crv"] = "EC", ES256, "P-256"
		jwk["x"], jwk["y"] = text(point[1:33]), text(point[33:])
	default:
		return "", fmt.Errorf("a key of type %T is no RSA key and none of an elliptic curve", key)
	}
	out, err := json.Marshal(jwk)
	return string(out), err
}

// Certify has a key in AWS KMS sign a certificate about itself: providers that register certificates (Entra ID) take it
// for its key, and trust no issuer.
func Certify(ctx context.Context, c aws.Config, arn, name string, from, until time.Time) ([]byte, error) {
	public, err := PublicKey(ctx, c, arn)
	if err != nil {
		return nil, err
	}
	if _, is := public.(*rsa.PublicKey); !is {
		return nil, fmt.Errorf("the key %s is not one of RSA, which a certificate here needs: %s", arn, Specs(PS256))
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // RFC 5280, section 4.1.2.2
	if err != nil {
		return nil, err
	}
	about := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: from,
		NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		SignatureAlgorithm: x509.SHA256WithRSA}
	sign := kmsKey{aws: func(string) aws.Config { return c }, arn: arn, what: "the certificate's key"}
	return x509.CreateCertificate(rand.Reader, about, about, public, signer{public,
		func(digest []byte) ([]byte, error) { return sign.sign(ctx, RS256, digest) }})
}

// signer is a key in AWS KMS as the standard library wants it.
type signer struct {
	public crypto.PublicKey
	sign   func(digest []byte) ([]byte, error)
}

// Public implements crypto.Signer.
func (s signer) Public() crypto.PublicKey { return s.public }

// Sign implements crypto.Signer.
func (s signer) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.sign(digest)
}
