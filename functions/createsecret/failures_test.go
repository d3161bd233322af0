package createsecret_test

import (
	"errors"
	"testing"
	"testing/iotest"
	"time"

	"alboidc.internal/functions/createsecret"
	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

func TestWhatIsRefusedChangesNothing(t *testing.T) {
	t.Parallel()
	ref := func(v string) rotation.Ref { return rotation.Ref{VersionID: v} }
	for name, c := range map[string]struct {
		world func(*fakes.World)
		in    rotation.CreateInput
		kind  failure.Kind
		says  string
	}{
		"taking over a secret that is gone": {func(*fakes.World) {},
			rotation.CreateInput{From: rotation.Ref{VersionID: older, IdPSecretID: "mem-7"}, To: ref(newer),
				Import: true}, failure.Precondition, "does not list secret mem-7"},
		"the same version twice": {func(*fakes.World) {},
			rotation.CreateInput{From: ref(newer), To: ref(newer)}, failure.InvalidInput, "must be given and differ"},
		"no version to make": {func(*fakes.World) {},
			rotation.CreateInput{From: ref(older)}, failure.InvalidInput, "must be given and differ"},
		"no version to go from": {func(*fakes.World) {},
			rotation.CreateInput{To: ref(newer)}, failure.InvalidInput, "must be given and differ"},
		"an execution that lost the lock": {func(w *fakes.World) { w.Journal.SetOwner(fakes.Other) },
			rotation.CreateInput{From: ref(older), To: ref(newer)}, failure.LockLost, fakes.Other},
		"an execution that loses the lock at this moment": {func(w *fakes.World) {
			w.Before("List", func() { w.Journal.SetOwner(fakes.Other) })
		},
			rotation.CreateInput{From: ref(older), To: ref(newer)}, failure.LockLost, fakes.Other},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t, takesOurs)
			c.world(w)
			_, err := call(w, c.in)
			fakes.Failed(t, err, c.kind, c.says)
			wrote(t, w)
			if got := v.IDs(); len(got) != 1 {
				t.Errorf("the vendor has %v", got)
			}
		})
	}
}

func TestALimitOfTheProviderIsTold(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, memory.Options{MaxSecrets: 1})
	_, err := create(w)
	fakes.Failed(t, err, failure.IdPRejected, "limit")
}

func TestWhatFailsIsTold(t *testing.T) {
	t.Parallel()
	for name, o := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fakes.FailuresAreTold(t, func(t *testing.T) *fakes.World {
				w, _ := newWorld(t, o)
				return w
			}, func(w *fakes.World) error {
				_, err := create(w)
				return err
			}, "GetItem", "List", "journal", "PutSecretValue", "Create",
				"journal version-new-of-thirty-two-letters:live")
		})
	}
}

func TestWhetherAValueIsStoredMustBeKnown(t *testing.T) {
	t.Parallel()
	all := kinds()
	all["the provider makes the value and keeps no tag"] = memory.Options{MakesValues: true}
	for name, o := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fakes.FailuresAreTold(t, func(t *testing.T) *fakes.World {
				w, _ := newWorld(t, o)
				w.LoseReply("Create")
				_, err := create(w)
				fakes.Failed(t, err, failure.Unavailable, "")
				return w
			}, func(w *fakes.World) error {
				writes := len(w.Writes())
				_, err := create(w)
				if err != nil && len(w.Writes()) != writes {
					t.Errorf("the writes were %q", w.Writes())
				}
				return err
			}, "GetSecretValue")
		})
	}
}

func TestAnOrphanThatCannotBeRemovedIsNotForgotten(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, makesOwn)
	w.LoseReply("Create")
	_, err := create(w)
	fakes.Failed(t, err, failure.Unavailable, "")
	w.Fail("Remove", failure.New(failure.Throttled, "not now"))
	_, err = create(w)
	fakes.Failed(t, err, failure.Throttled, "not now")
	if got := v.IDs(); len(got) != 2 {
		t.Errorf("the vendor has %v", got)
	}
}

func TestWithoutRandomnessNothingIsStored(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, takesOurs)
	d := w.Deps()
	d.Rand = iotest.ErrReader(errors.New("no entropy"))
	_, err := fakes.Call(w, createsecret.Handler{Deps: d}.Handle, rotation.CreateInput{Common: w.Common(),
		From: rotation.Ref{VersionID: older}, To: rotation.Ref{VersionID: newer}})
	fakes.Failed(t, err, failure.Internal, "no entropy")
	wrote(t, w, "journal version-new-of-thirty-two-letters:intended")
	if got := v.IDs(); len(got) != 1 {
		t.Errorf("the vendor has %v", got)
	}
}

// An earlier rotation of the same name has stored a secret as this version; it was removed since, perhaps after a leak.
func TestAnOldSecretDoesNotComeBack(t *testing.T) {
	t.Parallel()
	for name, o := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t, o)
			w.Secrets.Add(newer, fakes.Mark+"-of-last-year")
			w.Secrets.SetCreated(w.Now.Add(-91 * 24 * time.Hour))
			_, err := retry(w)
			fakes.Failed(t, err, failure.Precondition, "was stored before this rotation began")
			if len(v.IDs()) != 1 || len(w.Writes()) != 0 {
				t.Errorf("the provider has %v, written was %q", v.IDs(), w.Writes())
			}
		})
	}
	// the same, found only after the intent was written
	w, v := newWorld(t, takesOurs)
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{older: {State: journal.Live, IdPSecretID: first,
		At: w.Now},
		newer: {State: journal.Intended, Before: []string{first}, At: w.Now}}})
	w.Secrets.Add(newer, fakes.Mark+"-of-last-year")
	w.Secrets.SetCreated(w.Now.Add(-91 * 24 * time.Hour))
	_, err := create(w)
	fakes.Failed(t, err, failure.Precondition, "was stored at 2026-08-23T03:00:00Z, before this rotation began")
	if v.Accepts(secret.New(w.Secrets.Value(newer))) {
		t.Error("the provider has the old secret again")
	}
}
