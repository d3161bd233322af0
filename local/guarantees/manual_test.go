package guarantees_test

import (
	"context"
	"strings"
	"testing"

	"alboidc.internal/local/scenario"
)

// byHand is a client at an identity provider without an API, before or after a person has made a second secret.
func byHand(t *testing.T) *world { return newWorldOf(t, "manual", usual(), quick) }

func (w *world) storeByHand() string {
	w.t.Helper()
	version, err := w.StoreByHand(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return version
}

// accepted reports whether the identity provider accepts a version.
func (w *world) accepted(version string) bool {
	w.t.Helper()
	_, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.Stack.IdP.Store().Accepts(w.ClientID, values[version], w.clock.Now())
}

func (w *world) labels() map[string]string {
	w.t.Helper()
	labels, _, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		w.t.Fatal(err)
	}
	return labels
}

func TestASecretThatAPersonStoredIsRotatedTo(t *testing.T) {
	t.Parallel()
	w := byHand(t)
	for range 2 {
		old := w.labels()["AWSCURRENT"]
		version := w.storeByHand()
		w.mustRotate()
		w.atRest()
		if got := w.labels(); got["AWSCURRENT"] != version || got["AWSPREVIOUS"] != old || !w.accepted(old) {
			t.Errorf("the labels are %v", got)
		}
		told := w.notices()
		if last := told[len(told)-1]; !strings.Contains(last, "The secret of version "+old+
			": nothing of this system uses it any more; remove it at the identity provider now") {
			t.Errorf("people are told %q", last)
		}
	}
}

func TestWithoutAPersonsSecretTheRotationIsRefused(t *testing.T) {
	t.Parallel()
	w := byHand(t)
	r, _ := w.rotate(plain)
	if text(r.Error) != "Refused" || !strings.Contains(text(r.Cause),
		"aws secretsmanager put-secret-value --secret-id "+w.SecretARN+" --version-stages AWSPENDING") {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
}

func TestAMistypedSecretIsRefusedAndABetterOneRotated(t *testing.T) {
	t.Parallel()
	w := byHand(t)
	wrong, err := w.StorePending(context.Background(), "mistyped")
	if err != nil {
		t.Fatal(err)
	}
	r, _ := w.rotate(plain)
	if text(r.Error) != "Refused" || !strings.Contains(text(r.Cause),
		"does not accept the new secret that is stored as AWSPENDING (version "+wrong) {
		t.Fatalf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	version := w.storeByHand()
	w.mustRotate()
	w.atRest()
	if got := w.labels()["AWSCURRENT"]; got != version {
		t.Errorf("AWSCURRENT is %s, want %s", got, version)
	}
}

func TestAPersonsSecretIsRolledBackAndTheNextOneIsAnother(t *testing.T) {
	t.Parallel()
	w := byHand(t)
	old, version := w.labels()["AWSCURRENT"], w.storeByHand()
	untestable(w)
	if r, execution := w.rotate(plain); text(r.Error) != "RolledBack" {
		t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
	}
	w.atRest()
	if got := w.labels(); got["AWSCURRENT"] != old || got["AWSPENDING"] != "" {
		t.Errorf("the labels are %v", got)
	}
	if told := w.notices(); len(told) != 1 || !strings.Contains(told[0], "The secret of version "+version) {
		t.Errorf("people are told %q", told)
	}
	w.Stack.Faults.Clear()
	if r, _ := w.rotate(plain); text(r.Error) != "Refused" {
		t.Errorf("the next one ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.storeByHand()
	w.mustRotate()
	w.atRest()
}
