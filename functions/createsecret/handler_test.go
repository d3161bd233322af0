package createsecret_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/functions/createsecret"
	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/versions"
)

const (
	older    = fakes.Old
	newer    = "version-new-of-thirty-two-letters"
	first    = "mem-1" // the secret that the vendor has from the start
	foreign  = fakes.Mark + "-made-by-a-person"
	intended = "journal version-new-of-thirty-two-letters:intended version-old:live"
	asked    = intended // the same, with the time of the request to the provider
	stored   = "PutSecretValue version-new-of-thirty-two-letters"
	created  = "Create version-new-of-thirty-two-letters"
	done     = "journal version-new-of-thirty-two-letters:live version-old:live"
)

// The two kinds of provider: one takes our value, the other makes its own and keeps our tag.
var (
	takesOurs = memory.Options{MaxSecrets: 3}
	makesOwn  = memory.Options{MakesValues: true, KeepsTag: true}
)

func kinds() map[string]memory.Options {
	return map[string]memory.Options{"the provider takes our value": takesOurs,
		"the provider makes the value": makesOwn}
}

func newWorld(t *testing.T, o memory.Options) (*fakes.World, *memory.Vendor) {
	t.Helper()
	v := memory.New(o)
	_, current := v.Current()
	return fakes.New(t, v, current.Reveal()), v
}

// create makes version newer on the client's first rotation.
func create(w *fakes.World) (rotation.CreateOutput, error) {
	return call(w, rotation.CreateInput{From: rotation.Ref{VersionID: older, IdPSecretID: first},
		To: rotation.Ref{VersionID: newer}, Import: true})
}

// retry is what the state machine does: it calls again while an earlier request may still take effect.
func retry(w *fakes.World) (rotation.CreateOutput, error) {
	for range 5 {
		out, err := create(w)
		if err == nil || !strings.Contains(err.Error(), "has not answered") {
			return out, err
		}
	}
	return rotation.CreateOutput{}, errors.New("it waits for ever")
}

func call(w *fakes.World, in rotation.CreateInput) (rotation.CreateOutput, error) {
	in.Common = w.Common()
	return fakes.Call(w, createsecret.Handler{Deps: w.Deps()}.Handle, in)
}

// madeOne fails unless the vendor has one secret besides the first and others, whose value is the stored one, and the
// journal and the answer name it.
func madeOne(t *testing.T, w *fakes.World, v *memory.Vendor, out rotation.CreateOutput, others ...string) {
	t.Helper()
	id := out.To.IdPSecretID
	if out.To.VersionID != newer || id == "" || id == first || slices.Contains(others, id) {
		t.Errorf("the answer is %+v", out)
	}
	if got, want := len(v.IDs()), 2+len(others); got != want || !slices.Contains(v.IDs(), id) {
		t.Errorf("the vendor has %v, want %d secrets, %q among them", v.IDs(), want, id)
	}
	if e := w.Journal.Get().Secrets[newer]; e.State != journal.Live || e.IdPSecretID != id {
		t.Errorf("the journal says %+v, want live as %q", e, id)
	}
	w.LabelsAre(t, versions.Labels{Current: older, Pending: newer})
	value := secret.New(w.Secrets.Value(newer))
	if value.IsZero() || !v.Accepts(value) {
		t.Error("the stored value is not accepted")
	}
	if err := v.Provider().Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if v.Accepts(value) {
		t.Errorf("the stored value is not that of %s", id)
	}
}

// wrote fails unless exactly these writes took effect.
func wrote(t *testing.T, w *fakes.World, want ...string) {
	t.Helper()
	if got := w.Writes(); !slices.Equal(got, want) {
		t.Errorf("the writes were %q, want %q", got, want)
	}
}

func TestTheIntentIsWrittenFirstAndTheIDLast(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options memory.Options
		want    []string
	}{
		"our value is stored before the provider sees it": {takesOurs, []string{intended, stored, asked, created,
			done}},
		"the provider's value is stored as it arrives": {makesOwn, []string{intended, asked, created, stored, done}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t, c.options)
			out, err := create(w)
			if err != nil {
				t.Fatal(err)
			}
			wrote(t, w, c.want...)
			madeOne(t, w, v, out)
			if e := w.Journal.Get().Secrets[newer]; !slices.Equal(e.Before, []string{first}) {
				t.Errorf("there were %q before the intent, it says: a stranger's is taken for ours", e.Before)
			} else if !e.At.Equal(w.Now) {
				t.Errorf("the intent is of %s, it says: what was stored before it counts", e.At)
			}
		})
	}
}

func TestRetriesAfterCutsAtAnyWriteMakeExactlyOneSecret(t *testing.T) {
	t.Parallel()
	type cut struct {
		n     int
		after bool
	}
	var cuts []cut
	for n := 1; n <= 5; n++ {
		cuts = append(cuts, cut{n, false}, cut{n, true})
	}
	for name, o := range kinds() {
		for _, a := range cuts {
			for _, b := range cuts {
				t.Run(fmt.Sprintf("%s, cut at %v then %v", name, a, b), func(t *testing.T) {
					t.Parallel()
					w, v := newWorld(t, o)
					w.Cut(a.n, a.after)
					if _, err := create(w); !failure.Is(err, failure.Unavailable) || !w.Mend() {
						t.Fatalf("the first call was not cut: %v", err)
					}
					w.Cut(b.n, b.after)
					if _, err := retry(w); w.Mend() != (err != nil) {
						t.Fatalf("the second call says %v", err)
					}
					out, err := retry(w)
					if err != nil {
						t.Fatal(err)
					}
					madeOne(t, w, v, out)
				})
			}
		}
	}
}

func TestASecretWhoseReplyWasLostIsAdoptedByProof(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, takesOurs)
	w.LoseReply("Create")
	_, err := create(w)
	fakes.Failed(t, err, failure.Unavailable, "")
	out, err := create(w)
	if err != nil {
		t.Fatal(err)
	}
	wrote(t, w, intended, stored, asked, created, done)
	madeOne(t, w, v, out)
}

func TestASecretThatALateRequestMakesIsAdopted(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, takesOurs)
	w.Fail("Create", failure.New(failure.Unavailable, "no answer"))
	_, err := create(w)
	fakes.Failed(t, err, failure.Unavailable, "no answer")
	_, err = create(w) // nothing to be seen for 40 s
	fakes.Failed(t, err, failure.Unavailable, "has not answered")
	w.Before("List", func() { v.Add(secret.New(w.Secrets.Value(newer))) }) // and there it is
	out, err := create(w)
	if err != nil {
		t.Fatal(err)
	}
	wrote(t, w, intended, stored, asked, done)
	madeOne(t, w, v, out)
}

func TestTheProviderIsAskedAgainOnceNothingCanComeLate(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, takesOurs)
	w.Fail("Create", failure.New(failure.Unavailable, "no answer"))
	start := w.Now
	_, err := create(w)
	fakes.Failed(t, err, failure.Unavailable, "no answer")
	out, err := retry(w)
	if err != nil {
		t.Fatal(err)
	}
	if waited := w.Now.Sub(start); waited < 75*time.Second {
		t.Errorf("it asked again after %s", waited)
	}
	madeOne(t, w, v, out)
}

// Retries of a step last about a minute, a list may lag for longer.
func TestAListThatLagsBehindDoesNotHoldUpWhatWasMade(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, takesOurs)
	out, err := create(w)
	if err != nil {
		t.Fatal(err)
	}
	id := out.To.IdPSecretID
	v.Hide(id)
	if again, err := create(w); err != nil || again != out {
		t.Errorf("again, while the list lags: %+v, %v, want %+v", again, err, out)
	}
}

// The removal of what an unanswered request made got no answer either: where secrets have no ids, it would hit the next
// one.
func TestNothingIsMadeWhileARemovalMayStillTakeEffect(t *testing.T) {
	t.Parallel()
	w, v := slotWorld(t, memory.SlotOptions{})
	w.LoseReply("Shift")
	if _, err := shift(w); err == nil {
		t.Fatal("the reply was not lost")
	}
	w.LoseReply("Restore")
	var err error
	for range 3 {
		if _, err = shift(w); err != nil && strings.Contains(err.Error(), "the reply was lost") {
			break
		}
	}
	fakes.Failed(t, err, failure.Unavailable, "the reply was lost")
	began := w.Now
	for range 3 {
		if _, err = shift(w); err == nil {
			break
		}
		fakes.Failed(t, err, failure.Unavailable, "no new one is made before 1m15s are over")
	}
	if waited := w.Now.Sub(began); err != nil || waited < 75*time.Second || len(v.Live(fakes.ClientID)) != 2 {
		t.Errorf("the next one was made after %s (%v)", waited, err)
	}
}

func TestAValueThatWasLostIsRemovedByItsTagAndMadeAnew(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, makesOwn)
	person := v.Add(secret.New(foreign)) // before the intent
	w.LoseReply("Create")
	_, err := create(w)
	fakes.Failed(t, err, failure.Unavailable, "")
	another := v.Add(secret.New(foreign + "2")) // and after it, without our tag
	out, err := create(w)
	if err != nil {
		t.Fatal(err)
	}
	wrote(t, w, intended, asked, created, "Remove mem-3", asked, created, stored, done)
	madeOne(t, w, v, out, person, another)
}

func TestASecretThatSomebodyElseMadeIsNotTouched(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, takesOurs)
	w.Fail("Create", failure.New(failure.Throttled, "later"))
	_, err := create(w)
	fakes.Failed(t, err, failure.Throttled, "later")
	person := v.Add(secret.New(foreign))
	out, err := create(w)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(v.IDs(), person) {
		t.Error("the other's secret is gone")
	}
	madeOne(t, w, v, out, person)
}

func TestWhichOfTwoNewSecretsIsOursIsLeftToAPerson(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, takesOurs)
	w.LoseReply("Create")
	_, err := create(w)
	fakes.Failed(t, err, failure.Unavailable, "")
	person := v.Add(secret.New(foreign))
	_, err = create(w)
	fakes.Failed(t, err, failure.Precondition, person)
	fakes.Failed(t, err, failure.Precondition, "mem-2")
	wrote(t, w, intended, stored, asked, created)
	if got := v.IDs(); len(got) != 3 {
		t.Errorf("the vendor has %v", got)
	}
}

// sameID is a vendor that answers a create with the id of another secret.
type sameID struct {
	fakes.Vendor
	id string
}

func (v sameID) Registration(clientID string) idp.Registration {
	return sameIDProvider{v.Vendor.Registration(clientID).(idp.Provider), v.id}
}

type sameIDProvider struct {
	idp.Provider
	id string
}

func (p sameIDProvider) Create(ctx context.Context, r idp.CreateRequest) (idp.Created, error) {
	made, err := p.Provider.Create(ctx, r)
	made.ID = p.id
	return made, err
}

func TestAnIDThatWasThereBeforeIsNotTheNewSecrets(t *testing.T) {
	t.Parallel()
	for name, o := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := memory.New(o)
			_, current := v.Current()
			w := fakes.New(t, sameID{v, first}, current.Reveal())
			_, err := create(w)
			fakes.Failed(t, err, failure.Precondition, "the id of one that was there before, "+first)
			if e := w.Journal.Get().Secrets[newer]; e.State != journal.Intended || e.IdPSecretID != "" {
				t.Errorf("the journal says %+v: undoing it would remove the secret in use", e)
			}
		})
	}
}

func TestNoSecondSecretIsMadeWhileTheFirstMayExist(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, takesOurs)
	w.LoseReply("Create")
	_, err := create(w)
	fakes.Failed(t, err, failure.Unavailable, "")
	w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 400, "invalid_request" })
	_, err = create(w)
	fakes.Failed(t, err, failure.Unavailable, "cannot be told")
	w.Tokens.Judge(nil)
	out, err := create(w)
	if err != nil {
		t.Fatal(err)
	}
	wrote(t, w, intended, stored, asked, created, done)
	madeOne(t, w, v, out)
}

func TestAValueThatALateWriteStoredCounts(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, takesOurs)
	late := fakes.Mark + "-stored-by-a-killed-call"
	w.Before("PutSecretValue", func() { w.Secrets.Add(newer, late, "AWSPENDING") })
	out, err := create(w)
	if err != nil {
		t.Fatal(err)
	}
	if w.Secrets.Value(newer) != late {
		t.Error("the stored value was replaced")
	}
	madeOne(t, w, v, out)
}

func TestTheFirstRotationTakesTheSecretInUseOver(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, takesOurs)
	start := w.Now
	if _, err := create(w); err != nil {
		t.Fatal(err)
	}
	j := w.Journal.Get()
	if e := j.Secrets[older]; e.State != journal.Live || e.IdPSecretID != first || !e.Imported || !e.At.Equal(start) {
		t.Errorf("the imported secret is %+v", e)
	}
	if e := j.Secrets[newer]; e.Imported || !slices.Equal(e.Before, []string{first}) {
		t.Errorf("the new secret is %+v", e)
	}
}

func TestALaterRotationTakesNothingOver(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, takesOurs)
	entry := journal.Entry{State: journal.Live, IdPSecretID: first, At: w.Now}
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{older: entry}})
	if _, err := call(w, rotation.CreateInput{From: rotation.Ref{VersionID: older},
		To: rotation.Ref{VersionID: newer}}); err != nil {
		t.Fatal(err)
	}
	if e := w.Journal.Get().Secrets[older]; e.Imported || e.IdPSecretID != first {
		t.Errorf("the old secret became %+v", e)
	}
}

func TestARepeatAfterSuccessChangesNothing(t *testing.T) {
	t.Parallel()
	for name, o := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t, o)
			one, err := create(w)
			if err != nil {
				t.Fatal(err)
			}
			writes := w.Writes()
			two, err := create(w)
			if err != nil || one != two {
				t.Errorf("the repeat answers %+v (%v), want %+v", two, err, one)
			}
			wrote(t, w, writes...)
			madeOne(t, w, v, two)
		})
	}
}

// slotWorld is a client whose provider has no ids for secrets.
func slotWorld(t *testing.T, o memory.SlotOptions) (*fakes.World, *memory.Slots) {
	t.Helper()
	v := memory.NewSlots(o, fakes.ClientID)
	return fakes.New(t, v, memory.Initial), v
}

func shift(w *fakes.World) (rotation.CreateOutput, error) {
	return call(w, rotation.CreateInput{From: rotation.Ref{VersionID: older, IdPSecretID: older},
		To: rotation.Ref{VersionID: newer}, Import: true})
}

func TestNothingIsMadeWhileAnEarlierRemovalMayStillTakeEffect(t *testing.T) {
	t.Parallel()
	w, v := slotWorld(t, memory.SlotOptions{})
	removed := w.Now.Add(-30 * time.Second)
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		older:          {State: journal.Live, IdPSecretID: older, Imported: true},
		"version-gone": {State: journal.Removed, IdPSecretID: "version-gone", At: removed}}})
	w.Sleeps = 1
	_, err := shift(w)
	fakes.Failed(t, err, failure.Unavailable, "no new one is made before 1m15s are over")
	if n := len(v.Live(fakes.ClientID)); n != 1 {
		t.Errorf("the vendor has %d secrets", n)
	}
	w.Sleeps = 0
	if _, err := shift(w); err != nil || w.Now.Sub(removed) < 75*time.Second {
		t.Errorf("made %s after the removal (%v)", w.Now.Sub(removed), err)
	}
}

func TestASecretThatWasKeptIsTakenUp(t *testing.T) {
	t.Parallel()
	w, v := slotWorld(t, memory.SlotOptions{TakesNoValue: true})
	kept := v.Shift(fakes.ClientID)
	w.Secrets.Add("version-kept", kept.Reveal())
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		older:          {State: journal.Live, IdPSecretID: older, Imported: true},
		"version-kept": {State: journal.Kept, IdPSecretID: "version-kept"}}})
	out, err := shift(w)
	if err != nil || out.To.IdPSecretID != newer || !kept.Equal(secret.New(w.Secrets.Value(newer))) ||
		len(v.Live(fakes.ClientID)) != 2 {
		t.Errorf("the answer is %+v (%v)", out, err)
	}
	if s := w.Journal.Get().Secrets; s["version-kept"].State != journal.Removed || s[newer].State != journal.Live {
		t.Errorf("the journal says %+v", s)
	}
}

// A shift whose reply is lost cannot be undone where the provider takes no values: what it made is taken up.
func TestALostShiftIsMadeUpFor(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]memory.SlotOptions{"put back": {}, "taken up": {TakesNoValue: true},
		"hidden": {Hidden: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := slotWorld(t, o)
			w.LoseReply("Shift")
			if _, err := shift(w); err == nil {
				t.Fatal("the reply was not lost")
			}
			var out rotation.CreateOutput
			var err error
			for range 5 {
				if out, err = shift(w); err == nil {
					break
				}
			}
			if err != nil || out.To != (rotation.Ref{VersionID: newer, IdPSecretID: newer}) {
				t.Fatalf("the answer is %+v (%v)", out, err)
			}
			live := v.Live(fakes.ClientID)
			if len(live) != 2 || !live[0].Equal(secret.New(w.Secrets.Value(newer))) ||
				!live[1].Equal(secret.New(memory.Initial)) {
				t.Errorf("the vendor has %d secrets, or other ones", len(live))
			}
		})
	}
}
