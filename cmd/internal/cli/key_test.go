package cli_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp/okta/oktatest"
)

// signs is a key in KMS.
const signs = "arn:aws:kms:eu-central-1:111122223333:key/5c6d7e8f-1111-2222-3333-444455556666"

// A person registers at the provider what is printed, and from then on no secret is stored for it.
func TestAKeyIsRegisteredAsItIsPrinted(t *testing.T) {
	t.Parallel()
	inWorld(t, registerKey)
}

func registerKey(w *world) {
	if err := w.CreateSchedules(context.Background()); err != nil {
		w.Error(err)
	}
	for arn, says := range map[string]string{"alias/okta": "is not the ARN of a KMS key",
		strings.Replace(signs, "key/", "alias/", 1): "not of an alias", signs: "NotFoundException"} {
		code, out, errs := w.run("key", arn)
		if code == 0 || !strings.Contains(out+errs, says) {
			w.Errorf("%s: %d %s%s", arn, code, out, errs)
		}
	}
	if _, err := w.Stack.KMS.Signing(signs, "RSA_2048"); err != nil {
		w.Error(err)
	}
	code, out, errs := w.run("key", signs, "--kid", "rotator-2026")
	text, keyPEM, _ := strings.Cut(out, "\n\n")
	var jwk jose.JSONWebKey
	block, _ := pem.Decode([]byte(keyPEM))
	if err := json.Unmarshal([]byte(text), &jwk); code != 0 || err != nil || block == nil {
		w.Fatalf("printed was %d %s%s (%v)", code, out, errs, err)
	}
	if err := w.Stack.IdP.Vendor().(*oktatest.Okta).RegisterServiceApp(oktatest.ServiceApp{ClientID: "0oaService",
		Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk}}}); err != nil {
		w.Fatal(err)
	}
	before := w.Config.IdentityProvider.Settings
	var settings map[string]any
	if err := json.Unmarshal(before, &settings); err != nil {
		w.Fatal(err)
	}
	delete(settings, "apiToken")
	use := func(algorithm string) {
		settings["serviceApp"] = map[string]string{"clientId": "0oaService", "keyArn": signs, "keyId": "rotator-2026",
			"algorithm": algorithm}
		w.configure(func(c *config.Client) { c.IdentityProvider.Settings, _ = json.Marshal(settings) })
	}
	use("RS256")
	code, out, errs = w.run("doctor")
	w.want(code, 0, out, errs, `^stack .* nothing is wrong$`, `^note: orders-web: keys: client 0oaService is known by `+
		`this public key: .*"kid":"rotator-2026"`, `^  remedy: compare it with .*: admin console, Applications`)
	use("ES256")
	code, out, errs = w.run("doctor")
	w.want(code, 1, out, errs, `^error: orders-web: keys: the key `+signs+`, of usage SIGN_VERIFY and spec RSA_2048, `+
		`cannot sign by ES256$`, `remedy: name a key of usage SIGN_VERIFY and spec ECC_NIST_P256 in identityProvider`)
	if _, err := w.Stack.KMS.Signing(signs, "ECC_SECG_P256K1"); err != nil {
		w.Fatal(err)
	}
	code, out, errs = w.run("doctor")
	w.want(code, 1, out, errs, `^error: orders-web: keys: .* and spec ECC_SECG_P256K1, cannot sign by ES256$`)
	if _, err := w.Stack.KMS.Signing(signs, "RSA_2048"); err != nil {
		w.Fatal(err)
	}
	use("RS256")
	w.Stack.KMS.Set(signs, "PendingDeletion")
	code, out, errs = w.run("doctor")
	w.want(code, 1, out, errs, `^error: orders-web: keys: the key `+signs+` is about to be deleted$`)
	w.Stack.KMS.Set(signs, "Enabled")
	w.certify()
}

// certify has a certificate printed, as Entra ID takes it.
func (w *world) certify() {
	w.Helper()
	code, out, errs := w.run("key", signs, "--certificate", "--days", "30")
	block, _ := pem.Decode([]byte(out))
	if code != 0 || block == nil || !strings.Contains(errs, "sha256: ") {
		w.Fatalf("printed was %d %s%s", code, out, errs)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !c.NotAfter.Equal(c.NotBefore.AddDate(0, 0, 30)) || c.CheckSignature(c.SignatureAlgorithm,
		c.RawTBSCertificate, c.Signature) != nil {
		w.Errorf("the certificate is %+v (%v)", c, err)
	}
	code, out, errs = w.run("key", signs, "--certificate", "--days", "0")
	w.want(code, 2, out, errs, `--days must be 1 to 3650`)
}
