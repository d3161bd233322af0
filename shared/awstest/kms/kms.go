// Package kms is a double of AWS KMS: how keys are, and signatures by asymmetric ones, as the API reference describes
// them.
package kms

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"

	"alboidc.internal/shared/awstest/awsapi"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

// Service is AWS KMS.
type Service struct {
	mu   sync.Mutex
	keys map[string]*key // by ARN
}

type key struct {
	state, spec, usage string
	private            crypto.Signer // nil for a symmetric one
}

var _ awsapi.Service = (*Service)(nil)

// New returns a KMS without keys.
func New() *Service { return &Service{keys: map[string]*key{}} }

// Set makes a symmetric key, or changes the state of one: Enabled, Disabled, PendingDeletion.
func (s *Service) Set(arn, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[arn] == nil {
		s.keys[arn] = &key{spec: "SYMMETRIC_DEFAULT", usage: "ENCRYPT_DECRYPT"}
	}
	s.keys[arn].state = state
}

// usage of a key that signs.
const signs = "SIGN_VERIFY"

// Signing makes a key that signs: RSA_2048, RSA_3072, RSA_4096 or ECC_NIST_P256. It returns the public key.
func (s *Service) Signing(arn, spec string) (crypto.PublicKey, error) {
	return s.make(arn, spec, signs)
}

// Encrypting makes an RSA key that encrypts, and so cannot sign.
func (s *Service) Encrypting(arn string) error {
	_, err := s.make(arn, "RSA_2048", "ENCRYPT_DECRYPT")
	return err
}

func (s *Service) make(arn, spec, usage string) (crypto.PublicKey, error) {
	k := &key{state: "Enabled", spec: spec, usage: usage}
	var bits int
	var err error
	switch _, scanErr := fmt.Sscanf(spec, "RSA_%d", &bits); {
	case spec == "ECC_NIST_P256", spec == "ECC_SECG_P256K1": // which the standard library does not have
		k.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case scanErr == nil:
		k.private, err = rsa.GenerateKey(rand.Reader, bits)
	default:
		err = fmt.Errorf("kms: key spec %s is not implemented", spec)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[arn] = k
	return k.private.Public(), nil
}

// SigningName implements awsapi.Service.
func (*Service) SigningName() string { return "kms" }

// Protocol implements awsapi.Service.
func (*Service) Protocol() awsapi.Protocol { return awsapi.JSON11 }

var inputs = awsapi.InputsOf(sdk.DescribeKeyInput{}, sdk.GetPublicKeyInput{}, sdk.SignInput{})

// Inputs implements awsapi.Modelled.
func (*Service) Inputs() awsapi.Inputs { return inputs }

var operations = awsapi.Operations[*Service]{
	"DescribeKey":  (*Service).describe,
	"GetPublicKey": (*Service).publicKey,
	"Sign":         (*Service).sign,
}

// Handle implements awsapi.Service.
func (s *Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	return operations.Handle(s, &s.mu, call)
}

// find returns the key with that ARN in the Region that is asked. KMS takes ids and aliases, too; nobody here asks so.
func (s *Service) find(call *awsapi.Call, id string) (*key, error) {
	parts := strings.Split(id, ":")
	if k := s.keys[id]; k != nil && len(parts) > 3 && parts[3] == call.Region {
		return k, nil
	}
	return nil, awsapi.Errorf("NotFoundException", "Key '%s' does not exist", id)
}

// named returns the key that a call names, and nothing else.
func (s *Service) named(call *awsapi.Call) (k *key, arn string, err error) {
	var in struct{ KeyId string } //nolint:revive // the API's name
	if err := call.Decode(&in); err != nil {
		return nil, "", err
	}
	k, err = s.find(call, in.KeyId)
	return k, in.KeyId, err
}

func (s *Service) describe(call *awsapi.Call) (any, error) {
	k, arn, err := s.named(call)
	if err != nil {
		return nil, err
	}
	m := map[string]any{"KeyId": arn, "Arn": arn, "KeyState": k.state, "KeyManager": "CUSTOMER",
		"KeyUsage": k.usage, "KeySpec": k.spec}
	if k.usage == signs {
		m["SigningAlgorithms"] = k.algorithms()
	}
	return map[string]any{"KeyMetadata": m}, nil
}

// algorithms are those of its spec that the double signs by (developer guide, "Key spec reference").
func (k *key) algorithms() []string {
	if strings.HasPrefix(k.spec, "RSA_") {
		return []string{"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PSS_SHA_256"}
	}
	return []string{"ECDSA_SHA_256"}
}

// usable refuses a key that is disabled or about to be deleted (developer guide, "Key states of KMS keys").
func (k *key) usable(arn string) error {
	switch {
	case k.state == "Disabled":
		return awsapi.Errorf("DisabledException", "%s is disabled.", arn)
	case k.state != "Enabled":
		return awsapi.Errorf("KMSInvalidStateException", "%s is pending deletion.", arn)
	}
	return nil
}

func (s *Service) publicKey(call *awsapi.Call) (any, error) {
	k, arn, err := s.named(call)
	if err != nil {
		return nil, err
	}
	if err := k.usable(arn); err != nil {
		return nil, err
	}
	if k.private == nil {
		return nil, awsapi.Errorf("UnsupportedOperationException", "%s key spec is %s which is not asymmetric.", arn,
			k.spec)
	}
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	if err != nil {
		return nil, err
	}
	return map[string]any{"KeyId": arn, "KeySpec": k.spec, "KeyUsage": k.usage, "PublicKey": der,
		"SigningAlgorithms": k.algorithms()}, nil
}

func (s *Service) sign(call *awsapi.Call) (any, error) {
	var in struct {
		KeyId            string //nolint:revive // the API's name
		Message          []byte
		MessageType      string
		SigningAlgorithm string
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	k, err := s.find(call, in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := k.usable(in.KeyId); err != nil {
		return nil, err
	}
	switch {
	case k.usage != signs:
		return nil, awsapi.Errorf("InvalidKeyUsageException", "%s key usage is %s which is not valid for Sign.",
			in.KeyId, k.usage)
	case !slices.Contains(k.algorithms(), in.SigningAlgorithm):
		return nil, awsapi.Errorf("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec %s.",
			in.SigningAlgorithm, k.spec)
	case in.MessageType != "DIGEST": // RAW is the default
		return nil, awsapi.NotImplementedParameter(call, "MessageType="+in.MessageType)
	case len(in.Message) != crypto.SHA256.Size():
		return nil, awsapi.Errorf("ValidationException", "Digest is invalid length for algorithm %s.",
			in.SigningAlgorithm)
	}
	var o crypto.SignerOpts = crypto.SHA256
	if in.SigningAlgorithm == "RSASSA_PSS_SHA_256" {
		o = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	signature, err := k.private.Sign(rand.Reader, in.Message, o) // of ECDSA in DER, as KMS answers
	if err != nil {
		return nil, err
	}
	return map[string]any{"KeyId": in.KeyId, "Signature": signature, "SigningAlgorithm": in.SigningAlgorithm}, nil
}
