package imitationtest

import (
	"crypto"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/kms"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/idp"
)

// KeyARN is that of the key that GiveKey makes, and KeyID its last part.
const (
	KeyID  = "1234abcd-12ab-34cd-56ef-1234567890ab"
	KeyARN = "arn:aws:kms:eu-west-1:111122223333:key/" + KeyID
)

// made are the KMS with one key, by the key's spec. RSA keys are slow to make, and no test changes one.
var made sync.Map

type madeKey struct {
	service *kms.Service
	public  crypto.PublicKey
}

// GiveKey gives an adapter a KMS with one key that signs, and returns the public key and AWS as the adapter has it.
func GiveKey(t *testing.T, d *idp.Deps, spec string) (crypto.PublicKey, aws.Config) {
	t.Helper()
	once, _ := made.LoadOrStore(spec, sync.OnceValues(func() (madeKey, error) {
		service := kms.New()
		public, err := service.Signing(KeyARN, spec)
		return madeKey{service, public}, err
	}))
	k, err := once.(func() (madeKey, error))()
	if err != nil {
		t.Fatal(err)
	}
	server := awsapi.NewServer(clock.Real{}, nil, k.service)
	d.AWS = func(region string) aws.Config { return awsapi.Config(server, region) }
	return k.public, d.AWS("eu-west-1")
}
