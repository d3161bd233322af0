package retiresecret_test

import (
	"testing"

	"alboidc.internal/functions/internal/fakes"
	smtest "alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

// Somebody stored the new secret again, as another version, e.g. with another member of the JSON object changed.
func TestASecretThatWasStoredAgainStays(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, switchable)
	w.Secrets.Add("version-again", value, "AWSCURRENT")
	w.Secrets.SetLabel("AWSPREVIOUS", newer)
	got, err := retire(w, rotation.RetireDelete) // the execution still knows it as the new version
	answers(t, got, err, "deleted")
	has(t, v, newID)
	j := w.Journal.Get()
	if e := j.Secrets["version-again"]; e.State != journal.Live || e.IdPSecretID != newID ||
		j.Secrets[newer].State != "" || j.Promotion != nil {
		t.Errorf("the journal is %+v", j)
	}
	// and another execution that takes the earlier version for a leftover
	got, err = call(w, rotation.RetireDelete, newer, "version-again")
	answers(t, got, err, "absent")
	has(t, v, newID)
}

func TestAVersionThatIsGoneIsNotRemovedWhileAWSCURRENTIsUnknown(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, switchable)
	w.Secrets.Add("version-again", value, "AWSCURRENT")
	w.Secrets.Change(smtest.Drop(newer)) // Secrets Manager drops versions without a label
	for _, action := range []rotation.RetireAction{rotation.RetireDisable, rotation.RetireDelete} {
		_, err := call(w, action, newer, "version-again")
		fakes.Failed(t, err, failure.Precondition, "whether they are the same secret cannot be told")
	}
	has(t, v, oldID, newID)
}

// tagged is a client whose provider keeps our tag, and which has a secret with the tag of the new version that nobody
// knows: a request without an answer made it. left are its own secret and that of another
// system.
func tagged(t *testing.T) (w *fakes.World, v *memory.Vendor, left []string) {
	t.Helper()
	v = memory.New(memory.Options{MakesValues: true, KeepsTag: true})
	_, current := v.Current()
	w = fakes.New(t, v, current.Reveal())
	made := v.AddTagged(newer, secret.New(value))
	v.AddTagged(newer, secret.New(foreign+"-lost"))
	others := v.AddTagged("version-of-another-system", secret.New(foreign))
	w.Secrets.Add(newer, value, "AWSCURRENT")
	w.Secrets.SetLabel("AWSPREVIOUS", older)
	w.Journal.Set(journal.Journal{Promotion: &journal.Promotion{From: older, To: newer, At: w.Now, GraceUntil: w.Now},
		Secrets: map[string]journal.Entry{
			older: {State: journal.Live, IdPSecretID: oldID, Imported: true, At: w.Now},
			newer: {State: journal.Live, IdPSecretID: made, Before: []string{oldID}, At: w.Now}}})
	return w, v, []string{made, others}
}

func TestWhatALostRequestMadeIsFoundByItsTagInTheEnd(t *testing.T) {
	t.Parallel()
	w, v, left := tagged(t)
	got, err := retire(w, rotation.RetireDelete)
	answers(t, got, err, "deleted")
	has(t, v, left...)
}

func TestARemovalThatEndsTheOtherSecretTooIsTold(t *testing.T) {
	t.Parallel()
	w, _ := promoted(t, switchable)
	removed := false
	w.Before("Remove", func() { removed = true })
	w.Tokens.Judge(func(v secret.Value, accepted bool) (int, string) {
		if accepted && !removed {
			return 400, "invalid_grant"
		}
		return 401, "invalid_client"
	})
	_, err := retire(w, rotation.RetireDelete)
	fakes.Failed(t, err, failure.Unavailable, "whether the identity provider refuses the secret of version "+
		"version-old cannot be told: refused, but the secret that stays: HTTP 401 invalid_client")
	if w.Journal.Get().Promotion == nil {
		t.Error("the rotation is closed all the same")
	}
}
