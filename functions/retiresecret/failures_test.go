package retiresecret_test

import (
	"context"
	"fmt"
	"testing"

	"alboidc.internal/functions/internal/fakes"
	smtest "alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

// loseReply makes the world look as if the reply to the creation of the new secret had been lost.
func loseReply(w *fakes.World) {
	edit(w, func(j *journal.Journal) {
		j.Secrets[newer] = journal.Entry{State: journal.Intended, Before: []string{oldID}, At: w.Now}
	})
}

func TestASecretWhoseReplyWasLostIsProvenWrittenDownAndRemoved(t *testing.T) {
	t.Parallel()
	for n := 0; n <= 3; n++ {
		t.Run(fmt.Sprintf("cut at write %d", n), func(t *testing.T) {
			t.Parallel()
			w, v := pending(t, switchable)
			loseReply(w)
			if n > 0 {
				w.Cut(n, true)
				if _, err := call(w, rotation.RetireDelete, newer, older); !w.Mend() {
					t.Fatalf("the call was not cut: %v", err)
				}
			}
			if _, err := call(w, rotation.RetireDelete, newer, older); err != nil {
				t.Fatal(err)
			}
			wrote(t, w, "journal version-new:live version-old:live", "Remove mem-2",
				"journal version-new:removed version-old:live")
			has(t, v, oldID)
		})
	}
}

func TestALostSecretIsWrittenDownBeforeItIsDisabled(t *testing.T) {
	t.Parallel()
	w, _ := pending(t, switchable)
	loseReply(w)
	got, err := call(w, rotation.RetireDisable, newer, older)
	answers(t, got, err, "disabled")
	wrote(t, w, "journal version-new:live version-old:live", "Disable mem-2")
	got, err = call(w, rotation.RetireDelete, newer, older)
	answers(t, got, err, "deleted")
}

func TestAnIntentThatCameToNothingIsClosed(t *testing.T) {
	t.Parallel()
	w, v := pending(t, switchable)
	loseReply(w)
	if err := v.Provider().Remove(t.Context(), newID); err != nil {
		t.Fatal(err)
	}
	stranger := v.Add(secret.New(foreign))
	got, err := call(w, rotation.RetireDelete, newer, older)
	answers(t, got, err, "absent")
	has(t, v, oldID, stranger)
	wrote(t, w, "journal version-new:removed version-old:live")
}

func TestARemovedSecretThatIsStillAcceptedKeepsTheRotationOpen(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, switchable)
	_, initial := v.Current()
	status, answer := 400, "invalid_grant"
	w.Tokens.Judge(func(value secret.Value, accepted bool) (int, string) {
		if accepted {
			return 400, "invalid_grant"
		}
		if value.Equal(initial) {
			return status, answer
		}
		return 401, "invalid_client"
	})
	_, err := retire(w, rotation.RetireDelete)
	fakes.Failed(t, err, failure.StillAccepted, "still accepts the secret of version version-old")
	answer = "invalid_request"
	_, err = retire(w, rotation.RetireDelete)
	fakes.Failed(t, err, failure.Unavailable, "cannot be told")
	status = 429
	_, err = retire(w, rotation.RetireDelete)
	fakes.Failed(t, err, failure.Throttled, "429")
	if e := w.Journal.Get(); e.Secrets[older].State != journal.Live || e.Promotion == nil {
		t.Errorf("the journal is closed: %+v", e)
	}
	status, answer = 401, "invalid_client"
	got, err := retire(w, rotation.RetireDelete)
	answers(t, got, err, "absent")
	finished(t, w, v)
}

func TestASecretThatSecretsManagerForgotCanStillBeRemoved(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, switchable)
	w.Secrets.Change(smtest.Drop(older))
	w.Secrets.SetLabel("AWSPREVIOUS", "")
	got, err := retire(w, rotation.RetireDelete)
	answers(t, got, err, "deleted")
	has(t, v, newID)
}

// Whatever has to be read before a secret goes, and after it.
func TestWhatFailsIsTold(t *testing.T) {
	t.Parallel()
	of := func(make func(*testing.T, memory.Options) (*fakes.World, *memory.Vendor), o memory.Options,
		changes ...func(*fakes.World)) func(*testing.T) *fakes.World {
		return func(t *testing.T) *fakes.World {
			w, _ := make(t, o)
			for _, change := range changes {
				change(w)
			}
			return w
		}
	}
	slots := func(o memory.SlotOptions) func(*testing.T) *fakes.World {
		return func(t *testing.T) *fakes.World {
			w, _ := shifted(t, o)
			w.Client.IdentityProvider.AllowInterruption = o.Single
			return w
		}
	}
	stored := func(w *fakes.World) { w.Secrets.Add(again, value, "AWSCURRENT") }
	unknown := func(w *fakes.World) { edit(w, func(j *journal.Journal) { delete(j.Secrets, newer) }) }
	off := func(w *fakes.World) {
		d := w.Vendor.Registration(fakes.ClientID).(idp.Disabler)
		if err := d.Disable(context.Background(), oldID); err != nil {
			t.Error(err)
		}
	}
	for name, c := range map[string]struct {
		world         func(*testing.T) *fakes.World
		action        rotation.RetireAction
		version, keep string
		tolerated     string
	}{
		// the test that follows decides
		"disable":              {of(promoted, switchable), rotation.RetireDisable, older, newer, "token after Disable"},
		"enable":               {of(promoted, switchable, off), rotation.RetireEnable, older, newer, ""},
		"delete":               {of(promoted, switchable), rotation.RetireDelete, older, newer, ""},
		"delete a lost secret": {of(pending, switchable, loseReply), rotation.RetireDelete, newer, older, ""},
		"delete beside a secret that was stored again": {of(promoted, switchable, stored), rotation.RetireDelete, older,
			newer, ""},
		"delete beside one that the journal does not know": {of(promoted, switchable, unknown), rotation.RetireDelete,
			older, newer, ""},
		"disable beside one that the journal does not know": {of(promoted, switchable, unknown), rotation.RetireDisable,
			older, newer, "token after Disable"},
		"delete, and what lost requests made": {func(t *testing.T) *fakes.World {
			w, _, _ := tagged(t)
			return w
		}, rotation.RetireDelete, older, newer, ""},
		"disable where the last use is told": {slots(memory.SlotOptions{}), rotation.RetireDisable, older, newer, ""},
		"delete the previous one":            {slots(memory.SlotOptions{}), rotation.RetireDelete, older, newer, ""},
		"delete what is not shown": {slots(memory.SlotOptions{Hidden: true}), rotation.RetireDelete, older,
			newer, ""},
		"delete the only one": {slots(memory.SlotOptions{Single: true}), rotation.RetireDelete, older,
			newer, ""},
		"enable the only one": {slots(memory.SlotOptions{Single: true}), rotation.RetireEnable, older,
			newer, ""},
		"delete a pair's": {func(t *testing.T) *fakes.World {
			w, _ := switched(t)
			return w
		}, rotation.RetireDelete, older, newer, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tolerated []string
			if c.tolerated != "" {
				tolerated = []string{c.tolerated}
			}
			fakes.FailuresAreTold(t, c.world, func(w *fakes.World) error {
				_, err := call(w, c.action, c.version, c.keep)
				return err
			}, tolerated...)
		})
	}
}

func TestWhetherTheRemovedSecretIsRefusedMustBeKnown(t *testing.T) {
	t.Parallel()
	w, _ := promoted(t, switchable)
	removed := false
	w.Before("Remove", func() { removed = true })
	w.Tokens.Judge(func(v secret.Value, accepted bool) (int, string) {
		switch {
		case accepted && v.Equal(secret.New(value)):
			return 400, "invalid_grant"
		case removed:
			return 503, ""
		}
		return 401, "invalid_client"
	})
	_, err := retire(w, rotation.RetireDelete)
	fakes.Failed(t, err, failure.Unavailable, "cannot answer now: HTTP 503")
	if w.Journal.Get().Promotion == nil {
		t.Error("the rotation is closed")
	}
}
