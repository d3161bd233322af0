package createsecret_test

import (
	"errors"
	"strings"
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

// The note that the provider was asked stays then, and a retry waits for what that may have made.
func TestARefusalThatCannotBeNotedIsNoSuccess(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, memory.Options{MaxSecrets: 1})
	w.Cut(4, false)
	_, err := create(w)
	fakes.Failed(t, err, failure.Unavailable, "")
	if !w.Mend() {
		t.Errorf("the fourth write was not cut; the writes are %q", w.Writes())
	}
	if e := w.Journal.Get().Secrets[newer]; e.State != journal.Intended || e.Asked.IsZero() {
		t.Errorf("the journal says %+v", e)
	}
}

func TestWhatFailsIsTold(t *testing.T) {
	t.Parallel()
	const second = "client-second"
	ids := func(o memory.Options) func(*testing.T) *fakes.World {
		return func(t *testing.T) *fakes.World {
			w, _ := newWorld(t, o)
			return w
		}
	}
	slots := func(o memory.SlotOptions, others ...string) func(*testing.T) *fakes.World {
		return func(t *testing.T) *fakes.World {
			w := fakes.New(t, memory.NewSlots(o, append([]string{fakes.ClientID}, others...)...), memory.Initial)
			w.Client.IdentityProvider.AllowInterruption = o.Single && others == nil
			w.Client.IdentityProvider.ClientPair = strings.Join(others, "")
			return w
		}
	}
	for name, c := range map[string]struct {
		world     func(*testing.T) *fakes.World
		id        string // of the secret in use
		lost      string // the request whose reply may be lost before
		tolerated []string
	}{
		"the provider takes our value": {ids(takesOurs), first, "Create", nil},
		"the provider makes the value": {ids(makesOwn), first, "Create", nil},
		// two that it made are told apart by nothing, so then a person has to
		"the provider makes the value and keeps no tag": {ids(memory.Options{MakesValues: true}), first, "Create",
			[]string{"journal " + newer + ":live"}},
		"the one in use becomes the previous": {slots(memory.SlotOptions{}), older, "Shift", nil},
		"the same, and it takes no value":     {slots(memory.SlotOptions{TakesNoValue: true}), older, "Shift", nil},
		"the same, hidden":                    {slots(memory.SlotOptions{Hidden: true}), older, "Shift", nil},
		"the only one is overwritten":         {slots(memory.SlotOptions{Single: true}), older, "Set", nil},
		"two registrations take turns":        {slots(memory.SlotOptions{Single: true}, second), older, "Set", nil},
		"a person makes it": {func(t *testing.T) *fakes.World {
			v := memory.NewSlots(memory.SlotOptions{}, fakes.ClientID)
			w := fakes.New(t, fakes.ByHand{Slots: v}, memory.Initial)
			w.Secrets.Add(newer, v.Shift(fakes.ClientID).Reveal(), "AWSPENDING")
			return w
		}, older, "", nil},
		"the one in use was stored again": {func(t *testing.T) *fakes.World {
			w := ids(takesOurs)(t)
			w.Secrets.Add("version-again", w.Secrets.Value(older), "AWSCURRENT")
			w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{older: {State: journal.Live,
				IdPSecretID: first, At: w.Now}}})
			return w
		}, first, "", nil},
	} {
		create := func(w *fakes.World) error {
			_, err := call(w, rotation.CreateInput{From: rotation.Ref{VersionID: older, IdPSecretID: c.id},
				To: rotation.Ref{VersionID: newer}, Import: true})
			return err
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fakes.FailuresAreTold(t, c.world, create, c.tolerated...)
		})
		if c.lost == "" {
			continue
		}
		t.Run(name+", after a lost reply", func(t *testing.T) {
			t.Parallel()
			fakes.FailuresAreTold(t, func(t *testing.T) *fakes.World {
				w := c.world(t)
				w.LoseReply(c.lost)
				fakes.Failed(t, create(w), failure.Unavailable, "the reply was lost")
				return w
			}, create, c.tolerated...)
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
