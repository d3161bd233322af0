package clientcredentials_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/go-jose/go-jose/v4"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/kms"
	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/fault"
)

// keys are those of a KMS, by their specs.
type keys struct {
	t      *testing.T
	kms    *kms.Service
	faults *fault.Injector
	server *awsapi.Server
}

func newKMS(t *testing.T) keys {
	t.Helper()
	k := keys{t, kms.New(), &fault.Injector{}, nil}
	k.server = awsapi.NewServer(clock.Real{}, k.faults, k.kms)
	return k
}

func arnOf(spec string) string {
	return "arn:aws:kms:eu-west-1:111122223333:key/" + strings.ReplaceAll(spec, "_", "-")
}

func (k keys) signing(spec string) crypto.PublicKey {
	k.t.Helper()
	public, err := k.kms.Signing(arnOf(spec), spec)
	if err != nil {
		k.t.Fatal(err)
	}
	return public
}

// on is a proof by a key of KMS.
func (k keys) on(p clientcredentials.PrivateKeyJWT, spec, algorithm string) clientcredentials.PrivateKeyJWT {
	p.Key = clientcredentials.PrivateKey{KeyPlace: clientcredentials.KeyPlace{KeyARN: arnOf(spec)}, What: "the key",
		Algorithm: algorithm,
		AWS:       func(region string) aws.Config { return awsapi.Config(k.server, region) }}
	return p
}

// A key that does not sign is told of by its ARN, with what to do, and nothing is asked of the vendor.
func TestAKeyOfKMSThatDoesNotSign(t *testing.T) {
	t.Parallel()
	const spec = "RSA_2048"
	for name, tt := range map[string]struct {
		do        func(keys)
		algorithm string
		kind      failure.Kind
		says      string
	}{
		"there is none": {func(keys) {}, "", failure.Precondition, "correct keyArn"},
		"it is disabled": {func(k keys) { k.signing(spec); k.kms.Set(arnOf(spec), "Disabled") }, "",
			failure.Precondition, "enable-key"},
		"it is about to be deleted": {func(k keys) { k.signing(spec); k.kms.Set(arnOf(spec), "PendingDeletion") }, "",
			failure.Precondition, "cancel-key-deletion"},
		"it encrypts": {func(k keys) { _ = k.kms.Encrypting(arnOf(spec)) }, "", failure.Precondition, "SIGN_VERIFY"},
		"it is symmetric": {func(k keys) { k.kms.Set(arnOf(spec), "Enabled") }, "", failure.Precondition,
			"SIGN_VERIFY"},
		"it is no curve": {func(k keys) { k.signing(spec) }, "ES256", failure.Precondition, "ECC_NIST_P256"},
		"nobody may": {func(k keys) { k.signing(spec); k.refuse(400, "AccessDeniedException") }, "",
			failure.AccessDenied, "needs kms:Sign"},
		"too often": {func(k keys) { k.signing(spec); k.refuse(400, "ThrottlingException") }, "", failure.Throttled,
			"ThrottlingException"},
		"KMS is out of order": {func(k keys) { k.signing(spec); k.refuse(500, "KMSInternalException") }, "",
			failure.Unavailable, "KMSInternalException"},
		"a custom key store is out of reach": {func(k keys) {
			k.signing(spec)
			k.refuse(500,
				"KeyUnavailableException")
		},
			"", failure.Unavailable, "KeyUnavailableException"},
	} {
		k := newKMS(t)
		tt.do(k)
		form, err := prove(t, "", k.on(byKey, spec, tt.algorithm))
		if !failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) ||
			!strings.Contains(err.Error(), arnOf(spec)) || form != nil {
			t.Errorf("%s: %v (%s), want %s with %q; asked was %v", name, err, failure.KindOf(err), tt.kind, tt.says,
				form)
		}
	}
}

func (k keys) refuse(status int, code string) {
	k.t.Helper()
	if _, err := k.faults.Add(fault.Rule{Service: "kms", Operation: "Sign", Mode: fault.Refuse, Status: status,
		Code: code}); err != nil {
		k.t.Fatal(err)
	}
}

// What is printed of a key is what a vendor verifies by.
func TestWhatIsRegisteredOfAKeyOfKMS(t *testing.T) {
	t.Parallel()
	k := newKMS(t)
	for _, spec := range []string{"RSA_2048", "ECC_NIST_P256"} {
		public, c := k.signing(spec), awsapi.Config(k.server, "eu-west-1")
		read, err := clientcredentials.PublicKey(t.Context(), c, arnOf(spec))
		if err != nil {
			t.Fatal(err)
		}
		text, err := clientcredentials.JWK(read, "kid-1")
		var jwk jose.JSONWebKey
		if err != nil || jwk.UnmarshalJSON([]byte(text)) != nil || jwk.KeyID != "kid-1" || jwk.Use != "sig" ||
			!jwk.Valid() || !public.(interface{ Equal(crypto.PublicKey) bool }).Equal(jwk.Key) {
			t.Errorf("%s: the JWK is %s, %v", spec, text, err)
		}
		der, err := clientcredentials.Certify(t.Context(), c, arnOf(spec), "rotator", noon, noon.AddDate(1, 0, 0))
		if spec != "RSA_2048" {
			if err == nil || !strings.Contains(err.Error(), "not one of RSA") {
				t.Errorf("%s: %v", spec, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil || cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) != nil ||
			!public.(*rsa.PublicKey).Equal(cert.PublicKey) || !cert.NotAfter.Equal(noon.AddDate(1, 0, 0)) ||
			cert.IsCA {
			t.Errorf("the certificate is %+v, %v", cert, err)
		}
	}
}

// A key in KMS is not read anew, but asked anew: one that was disabled signs for no further token.
func TestAKeyOfKMSIsAskedForEveryToken(t *testing.T) {
	t.Parallel()
	k := newKMS(t)
	k.signing("RSA_2048")
	p := k.on(byKey, "RSA_2048", "")
	p.Now = time.Now
	if _, err := prove(t, "", p); err != nil {
		t.Fatal(err)
	}
	k.kms.Set(arnOf("RSA_2048"), "Disabled")
	if _, err := prove(t, "", p); !failure.Is(err, failure.Precondition) {
		t.Errorf("with a disabled key: %v", err)
	}
	k.kms.Set(arnOf("RSA_2048"), "Enabled")
	if _, err := prove(t, "", p); err != nil {
		t.Errorf("with a key that is enabled again: %v", err)
	}
}
