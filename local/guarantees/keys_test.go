package guarantees_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stack"
	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/entra/entratest"
	"alboidc.internal/shared/idp/okta/oktatest"
)

// signs is a key in AWS KMS.
const signs = "arn:aws:kms:" + scenario.Home + ":111122223333:key/5c6d7e8f-1111-2222-3333-444455556666"

// signing has the client's provider know the rotator by signatures of that key, and no credential be stored. It returns
// the provider's settings.
func (w *world) signing(spec string) (settings map[string]any) {
	w.t.Helper()
	public, err := w.Stack.KMS.Signing(signs, spec)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(w.Config.IdentityProvider.Settings, &settings); err != nil {
		w.t.Fatal(err)
	}
	const clientID = "0a1b2c3d-1111-2222-3333-444455556666"
	switch v := w.Stack.IdP.Vendor().(type) {
	case *oktatest.Okta:
		algorithm := map[bool]string{true: "RS256", false: "ES256"}[strings.HasPrefix(spec, "RSA")]
		delete(settings, "apiToken")
		settings["serviceApp"] = map[string]string{"clientId": clientID, "keyArn": signs, "algorithm": algorithm}
		key := jose.JSONWebKey{Key: public, KeyID: signs[strings.LastIndex(signs, "/")+1:]}
		err = v.RegisterServiceApp(oktatest.ServiceApp{ClientID: clientID,
			Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}}})
	case *entratest.Entra:
		certificate := w.certificate()
		delete(settings, "clientSecret")
		settings["certificate"] = map[string]string{"clientId": clientID, "keyArn": signs,
			"sha256": fmt.Sprintf("%x", sha256.Sum256(certificate.Raw))}
		err = v.RegisterRotator(entratest.Rotator{ClientID: clientID, Certificate: certificate})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.configure(func(c *config.Client) { c.IdentityProvider.Settings, _ = json.Marshal(settings) })
	return settings
}

func (w *world) certificate() *x509.Certificate {
	w.t.Helper()
	now := w.clock.Now()
	der, err := clientcredentials.Certify(context.Background(), w.Stack.AWS(scenario.Home), signs, "rotator", now,
		now.AddDate(1, 0, 0))
	if err != nil {
		w.t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		w.t.Fatal(err)
	}
	return certificate
}

func TestAKeyInKMSIsAllTheCredentialNeeded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		vendor, spec, ends string
		prepare            func(*world)
	}{
		"okta, a rotation":            {"okta", "RSA_2048", "", func(*world) {}},
		"okta, by an elliptic curve":  {"okta", "ECC_NIST_P256", "", func(*world) {}},
		"okta, a rollback":            {"okta", "RSA_2048", "RolledBack", func(w *world) { w.failing("TestSecret") }},
		"okta, a throttled signature": {"okta", "RSA_2048", "", throttleSignatures},
		"entra, a rotation":           {"entra", "RSA_2048", "", func(*world) {}},
		"entra, a rollback":           {"entra", "RSA_2048", "RolledBack", func(w *world) { w.failing("TestSecret") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, c.vendor, usual(), quick)
			w.signing(c.spec)
			signed := 0
			w.Stack.Faults.Observe(func(service, operation, _ string) {
				if service == "kms" && operation == "Sign" {
					signed++
				}
			})
			c.prepare(w)
			if r, execution := w.rotate(plain); text(r.Error) != c.ends {
				t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			if signed == 0 {
				t.Error("nothing was signed")
			}
			w.atRest()
		})
	}
}

// A certificate ends some day, and no API shows the rotator its own: people say when, and hear of it before.
func TestPeopleHearBeforeTheRotatorsCertificateEnds(t *testing.T) {
	t.Parallel()
	for days, tells := range map[int]bool{13: true, 20: false} {
		w := newWorldOf(t, "entra", usual(), quick)
		settings := w.signing("RSA_2048")
		ends := w.clock.Now().AddDate(0, 0, days).UTC().Format(time.RFC3339)
		settings["certificate"].(map[string]string)["ends"] = ends
		w.configure(func(c *config.Client) { c.IdentityProvider.Settings, _ = json.Marshal(settings) })
		m := w.measured(w.start(measure))
		if got := strings.Contains(m.RotationRefused, ends); got != tells || w.people("now or soon",
			"certificate.ends") != tells {
			t.Errorf("%d days before: measured %+v, people read %q", days, m, w.mails())
		}
		if r, _ := w.rotate(`{"client": "orders-web", "dryRun": true}`); !strings.Contains(string(r.Output), ends) {
			t.Errorf("the plan does not warn: %s", r.Output)
		}
		w.mustRotate()
		w.atRest()
	}
}

func throttleSignatures(w *world) {
	w.fault(fault.Rule{Service: "kms", Operation: "Sign", Times: 5, Mode: fault.Refuse, Status: 400,
		Code: "ThrottlingException"})
}

// A key that is disabled in the middle stops what needs the provider's admin API, and harms no login. People are told
// which key, and once it is enabled a redrive ends what was begun.
func TestAKeyThatIsDisabledInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, stack.Options{Vendor: "okta"}, usual(), quick)
	w.signing("RSA_2048")
	w.when("GracePeriod", func(string) { w.Stack.KMS.Set(signs, "Disabled") }) // tokens end before it does
	r, execution := w.rotate(plain)
	path := w.path(execution)
	if r.Status != asl.Failed || text(r.Error) != "Precondition" || !strings.Contains(text(r.Cause), signs) ||
		!strings.Contains(text(r.Cause), "enable-key") {
		t.Fatalf("ended at %s as %s: %s", path[len(path)-1], text(r.Error), text(r.Cause))
	}
	if live := w.Stack.IdP.Store().Secrets(w.ClientID); len(live) != 2 {
		t.Errorf("the identity provider holds %+v", live)
	}
	told := ""
	for _, m := range w.Stack.SNS.Messages(w.TopicARN) {
		told += m.Message
	}
	if !strings.Contains(told, signs) {
		t.Errorf("told was %s", told)
	}
	w.pass(2 * time.Hour)
	w.Stack.KMS.Set(signs, "Enabled")
	if r := w.redrive(execution); text(r.Error) != "RolledBack" {
		t.Errorf("the redrive ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
	}
	w.atRest()
}
