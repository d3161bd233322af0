package clientcredentials

import (
	"context"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
)

// Algorithms are those of AWS KMS, by what RFC 7518, section 3.1, calls them.
var Algorithms = map[string]types.SigningAlgorithmSpec{
	RS256: types.SigningAlgorithmSpecRsassaPkcs1V15Sha256,
	PS256: types.SigningAlgorithmSpecRsassaPssSha256,
	ES256: types.SigningAlgorithmSpecEcdsaSha256,
}

// patience is how long KMS may take, repeats included, before the call fails and the step is tried again.
const patience = 15 * time.Second

// kmsKey is a private key in AWS KMS, which never leaves it.
type kmsKey struct {
	aws func(region string) aws.Config
	arn string
	// what completes "signing with …".
	what string
}

// sign has KMS sign a SHA-256 digest. It fails as package awserr says, with Precondition if the key cannot sign. A
// repeat is harmless.
func (k kmsKey) sign(ctx context.Context, algorithm string, digest []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := kms.NewFromConfig(k.aws(config.RegionOf(k.arn))).Sign(ctx, &kms.SignInput{KeyId: &k.arn,
		Message: digest, MessageType: types.MessageTypeDigest, SigningAlgorithm: Algorithms[algorithm]})
	if err != nil {
		return nil, k.explain(err, algorithm)
	}
	if algorithm != ES256 {
		return out.Signature, nil
	}
	signature, err := joinECDSA(out.Signature)
	if err != nil {
		return nil, failure.New(failure.Unavailable, "signing with %s: the answer of AWS KMS cannot be read", k.what)
	}
	return signature, nil
}

// explain says what the operator can do about a key that does not sign (KMS API reference, Sign, "Errors").
func (k kmsKey) explain(err error, algorithm string) error {
	var disabled *types.DisabledException
	var state *types.KMSInvalidStateException
	var usage *types.InvalidKeyUsageException
	var missing *types.NotFoundException
	doing := fmt.Sprintf("signing with %s by the KMS key %s", k.what, k.arn)
	switch {
	case errors.As(err, &disabled):
		return awserr.As(failure.Precondition, err, "%s: the key is disabled; enable it: aws kms enable-key", doing)
	case errors.As(err, &state):
		return awserr.As(failure.Precondition, err, "%s: the key is about to be deleted, or has no key material; "+
			"cancel that (aws kms cancel-key-deletion, then enable-key), or register another key and give its keyArn",
			doing)
	case errors.As(err, &usage):
		return awserr.As(failure.Precondition, err, "%s: the key cannot sign by %s; keyArn must name one with usage "+
			"SIGN_VERIFY and of a fitting spec: %s", doing, algorithm, Specs(algorithm))
	case errors.As(err, &missing):
		return awserr.As(failure.Precondition, err, "%s: there is no such key; correct keyArn", doing)
	case awserr.KindOf(err) == failure.AccessDenied:
		return awserr.Wrap(err, "%s: the function's role needs kms:Sign for it, and so must the key's own policy allow",
			doing)
	}
	return awserr.Wrap(err, "%s", doing)
}

// Specs names the key specs that an algorithm needs.
func Specs(algorithm string) string {
	if algorithm == ES256 {
		return "ECC_NIST_P256"
	}
	return "RSA_2048, RSA_3072 or RSA_4096"
}

// joinECDSA makes the signature of a JWS, two numbers of 32 bytes (RFC 7518, section 3.4), of one in DER, as KMS
// answers (KMS API reference, Sign; RFC 3279, section 2.2.3).
func joinECDSA(der []byte) ([]byte, error) {
	var pair struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &pair)
	if err != nil || len(rest) > 0 || pair.R.Sign() <= 0 || pair.S.Sign() <= 0 || pair.R.BitLen() > 256 ||
		pair.S.BitLen() > 256 {
		return nil, errors.New("no ECDSA signature of P-256")
	}
	out := make([]byte, 64)
	pair.R.FillBytes(out[:32])
	pair.S.FillBytes(out[32:])
	return out, nil
}
