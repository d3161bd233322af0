package retiresecret_test

import (
	"fmt"
	"testing"

	"alboidc.internal/functions/internal/fakes"
	smtest "alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/failure"
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

func TestWhatFailsIsTold(t *testing.T) {
	t.Parallel()
	world := func(t *testing.T) *fakes.World {
		w, _ := promoted(t, switchable)
		return w
	}
	action := func(a rotation.RetireAction) func(*fakes.World) error {
		return func(w *fakes.World) error {
			_, err := retire(w, a)
			return err
		}
	}
	fakes.FailuresAreTold(t, world, action(rotation.RetireDisable), "GetItem", "DescribeSecret", "List",
		"GetSecretValue", "Disable")
	fakes.FailuresAreTold(t, world, action(rotation.RetireDelete), "GetItem", "DescribeSecret", "List",
		"GetSecretValue", "Remove", "AWSPENDING", "journal")
	fakes.FailuresAreTold(t, func(t *testing.T) *fakes.World {
		w := world(t)
		if _, err := retire(w, rotation.RetireDisable); err != nil {
			t.Fatal(err)
		}
		return w
	}, action(rotation.RetireEnable), "GetItem", "List", "Enable", "GetSecretValue")
}

func TestWhetherALostSecretIsOursMustBeKnown(t *testing.T) {
	t.Parallel()
	fakes.FailuresAreTold(t, func(t *testing.T) *fakes.World {
		w, _ := pending(t, switchable)
		loseReply(w)
		return w
	}, func(w *fakes.World) error {
		_, err := call(w, rotation.RetireDelete, newer, older)
		return err
	}, "List", "GetSecretValue", "journal version-new:live", "Remove", "journal version-new:removed")
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
