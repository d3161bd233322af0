package promotesecret_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/promotesecret"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/versions"
)

const (
	older  = fakes.Old
	newer  = "version-new"
	oldest = "version-oldest" // AWSPREVIOUS before the promotion

	grace    = time.Hour
	intended = "journal version-new:live version-old:live promotion:intended"
	done     = "journal version-new:live version-old:live promotion:done"
	clean    = "journal version-new:live version-old:live"
)

var (
	before = versions.Labels{Current: older, Pending: newer, Previous: oldest}
	moved  = versions.Labels{Current: newer, Previous: older}
	undone = versions.Labels{Current: older, Previous: oldest}
)

// newWorld is a client whose new secret is on every target, and not yet current.
func newWorld(t *testing.T) *fakes.World {
	t.Helper()
	v := memory.New(memory.Options{})
	_, current := v.Current()
	return newWorldOf(t, v, current.Reveal())
}

func newWorldOf(t *testing.T, v fakes.Vendor, current string) *fakes.World {
	t.Helper()
	w := fakes.New(t, v, current)
	w.Secrets.Add(oldest, fakes.Mark+"-oldest", "AWSPREVIOUS")
	w.Secrets.Add(newer, fakes.Mark+"-new", "AWSPENDING")
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		older: {State: journal.Live, IdPSecretID: "mem-1"}, newer: {State: journal.Live, IdPSecretID: "mem-2"}}})
	w.LabelsAre(t, before)
	return w
}

func promote(w *fakes.World) (string, error) { return call(w, false, older, newer) }

func undo(w *fakes.World) error {
	_, err := call(w, true, older, newer)
	return err
}

func call(w *fakes.World, undo bool, from, to string) (string, error) {
	out, err := fakes.Call(w, promotesecret.Handler{Deps: w.Deps()}.Handle, rotation.PromoteInput{Common: w.Common(),
		Proven: rotation.Timestamp(w.Now),
		From:   rotation.Ref{VersionID: from}, To: rotation.Ref{VersionID: to}, Undo: undo,
		GracePeriodSeconds: int(grace / time.Second)})
	return out.GraceUntil, err
}

// wrote fails unless exactly these writes took effect.
func wrote(t *testing.T, w *fakes.World, want ...string) {
	t.Helper()
	if got := w.Writes(); !slices.Equal(got, want) {
		t.Errorf("the writes were %q, want %q", got, want)
	}
}

// Followers of a pair read both: a version that was made before the client id had a place in it does not become
// AWSCURRENT. What was there before goes back, whatever it has.
func TestAVersionWithAnothersClientIDIsNotPromoted(t *testing.T) {
	t.Parallel()
	const second = "client-second"
	pair := func(id string) *fakes.World {
		w := newWorldOf(t, memory.NewSlots(memory.SlotOptions{Single: true}, fakes.ClientID, second), memory.Initial)
		w.Client.IdentityProvider.ClientPair = second
		w.Client.Secret.JSONKey, w.Client.Secret.ClientIDKey = "clientSecret", "clientId"
		for version, id := range map[string]string{older: "anything", newer: id} {
			w.Secrets.Add(version, fmt.Sprintf(`{"clientId":%q,"clientSecret":%q}`, id, w.Secrets.Value(version)))
		}
		j := w.Journal.Get()
		for version, id := range map[string]string{older: fakes.ClientID, newer: second} {
			e := j.Secrets[version]
			e.ClientID = id
			j.Secrets[version] = e
		}
		w.Journal.Set(j)
		return w
	}
	w := pair(fakes.ClientID)
	_, err := promote(w)
	fakes.Failed(t, err, failure.Precondition, "belongs to client id "+second)
	w.LabelsAre(t, before)
	w = pair(second)
	if _, err := promote(w); err != nil {
		t.Error(err)
	}
	w.LabelsAre(t, moved)
	if err := undo(w); err != nil {
		t.Error(err)
	}
	w.LabelsAre(t, undone)
}

// again is the version as which a person has stored newer's secret.
const again = "version-again"

// storedAgain is a world in which again is AWSCURRENT, and the journal has this entry of newer.
func storedAgain(t *testing.T, e journal.Entry) *fakes.World {
	t.Helper()
	w := newWorld(t)
	w.Secrets.Add(again, w.Secrets.Value(newer), "AWSCURRENT")
	w.Secrets.SetLabel("AWSPREVIOUS", older)
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		older: {State: journal.Live, IdPSecretID: "mem-1"}, newer: e}})
	return w
}

// A person has stored as AWSCURRENT what was about to be made: the version that is undone has the secret in use.
func TestWhatIsUndoneMayBeStoredAsAWSCURRENT(t *testing.T) {
	t.Parallel()
	w := storedAgain(t, journal.Entry{State: journal.Intended, Unused: true})
	if _, err := call(w, true, again, newer); err != nil {
		t.Error(err)
	}
	w.LabelsAre(t, versions.Labels{Current: again, Previous: older})
}

// A person has stored the new secret as AWSCURRENT, and the plan knows it as that version: so must the journal, before
// AWSCURRENT leaves that.
func TestWhatIsUndoneIsKnownAsThePlanKnowsIt(t *testing.T) {
	t.Parallel()
	w := storedAgain(t, journal.Entry{State: journal.Live, IdPSecretID: "mem-2", Unused: true})
	d := w.Deps()
	d.Registrations = nil // as it is deployed
	if _, err := fakes.Call(w, promotesecret.Handler{Deps: d}.Handle, rotation.PromoteInput{Common: w.Common(),
		Proven: rotation.Timestamp(w.Now), From: rotation.Ref{VersionID: older}, To: rotation.Ref{VersionID: again},
		Undo: true}); err != nil {
		t.Error(err)
	}
	w.LabelsAre(t, versions.Labels{Current: older})
	known := w.Journal.Get().Secrets
	if e := known[again]; len(known) != 2 || e.State != journal.Live || e.IdPSecretID != "mem-2" || e.Unused {
		t.Errorf("the journal knows %+v", known)
	}
}

// cuts runs f once for every write, before and after its effect.
func cuts(t *testing.T, writes int, f func(t *testing.T, n int, after bool)) {
	for n := 1; n <= writes; n++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("cut at write %d, after its effect: %v", n, after), func(t *testing.T) {
				t.Parallel()
				f(t, n, after)
			})
		}
	}
}

func TestAPromotionIsWrittenDownBeforeALabelMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	until, err := promote(w)
	if err != nil {
		t.Fatal(err)
	}
	wrote(t, w, intended, "AWSCURRENT version-old>version-new", "AWSPENDING version-new>", done)
	w.LabelsAre(t, moved)
	want := journal.Promotion{From: older, To: newer, PreviousBefore: oldest, At: w.Now, GraceUntil: w.Now.Add(grace)}
	if got := w.Journal.Get().Promotion; got == nil || *got != want {
		t.Errorf("the journal holds %+v, want %+v", got, want)
	}
	if until != rotation.Timestamp(w.Now.Add(grace)) {
		t.Errorf("the grace period ends %s", until)
	}
}

func TestARepeatAnswersTheSameEndOfTheGracePeriod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, err := promote(w)
	if err != nil {
		t.Fatal(err)
	}
	writes := w.Writes()
	w.Now = w.Now.Add(10 * time.Minute)
	two, err := promote(w)
	if err != nil || one != two {
		t.Errorf("the repeat answers %q (%v), want %q", two, err, one)
	}
	wrote(t, w, writes...)
}

func TestAPromotionCutAtAnyWriteIsCompletedByARepeat(t *testing.T) {
	t.Parallel()
	cuts(t, 4, func(t *testing.T, n int, after bool) {
		w := newWorld(t)
		w.Cut(n, after)
		if _, err := promote(w); !failure.Is(err, failure.Unavailable) || !w.Mend() {
			t.Fatalf("the call was not cut: %v", err)
		}
		w.Now = w.Now.Add(time.Minute)
		until, err := promote(w)
		if err != nil {
			t.Fatal(err)
		}
		w.LabelsAre(t, moved)
		p := w.Journal.Get().Promotion
		if p == nil || p.PreviousBefore != oldest || p.GraceUntil.Sub(p.At) != grace ||
			rotation.Timestamp(p.GraceUntil) != until {
			t.Errorf("the journal holds %+v, the answer is %s", p, until)
		}
	})
}

func TestAnEmergencyHasNoGracePeriodAndARepeatNeither(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	start := rotation.Timestamp(w.Now)
	for range 2 {
		out, err := fakes.Call(w, promotesecret.Handler{Deps: w.Deps()}.Handle,
			rotation.PromoteInput{Common: w.Common(), Proven: rotation.Timestamp(w.Now),
				From: rotation.Ref{VersionID: older}, To: rotation.Ref{VersionID: newer}})
		if err != nil || out.GraceUntil != start {
			t.Errorf("the grace period ends %q (%v), want %q", out.GraceUntil, err, start)
		}
		w.Now = w.Now.Add(time.Minute)
	}
}

// Who may invoke the function must not keep an old secret valid for longer than the configuration says.
func TestNoCallMakesTheGracePeriodLonger(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour // as configured
	for seconds, want := range map[int]time.Duration{86_399: day - time.Second, 86_401: day, 1 << 62: day, -1: 0} {
		w := newWorld(t)
		end := rotation.Timestamp(w.Now.Add(want))
		out, err := fakes.Call(w, promotesecret.Handler{Deps: w.Deps()}.Handle,
			rotation.PromoteInput{Common: w.Common(), Proven: rotation.Timestamp(w.Now),
				From: rotation.Ref{VersionID: older}, To: rotation.Ref{VersionID: newer}, GracePeriodSeconds: seconds})
		if err != nil || out.GraceUntil != end {
			t.Errorf("%d s: the grace period ends %q (%v), want %q", seconds, out.GraceUntil, err, end)
		}
	}
}

// The delay is a floor for every call; from a rollback on followers need it once more, if they may have the new secret.
func TestFollowersHaveTheirTimeWhateverTheCallSays(t *testing.T) {
	t.Parallel()
	const delay = 2 * time.Hour
	follow := func(w *fakes.World) {
		w.Client.Followers = &config.Followers{MaxDelaySeconds: int(delay / time.Second)}
	}
	w := newWorld(t)
	follow(w)
	j := w.Journal.Get()
	e := j.Secrets[newer]
	e.Unused = true
	j.Secrets[newer] = e
	w.Journal.Set(j)
	moved := w.Now
	until, err := promote(w)
	if want := rotation.Timestamp(moved.Add(delay)); err != nil || until != want {
		t.Errorf("the grace period of an hour ends %q (%v), want %q", until, err, want)
	}
	if w.Journal.Get().Secrets[newer].Unused {
		t.Error("followers may have the new secret, and the journal does not say so")
	}
	w.Now = w.Now.Add(3 * delay)
	if err := undo(w); err != nil {
		t.Fatal(err)
	}
	j = w.Journal.Get()
	if at := j.FollowedAt(older, 0); !at.Equal(w.Now.Add(delay)) {
		t.Errorf("after the rollback followers have the old secret at %s, want %s", at, w.Now.Add(delay))
	}
	w.Now = w.Now.Add(time.Minute)
	if err := undo(w); err != nil || !reflect.DeepEqual(w.Journal.Get().Current, j.Current) {
		t.Errorf("a repeat has them wait anew: %+v (%v)", w.Journal.Get().Current, err)
	}
	w.Now = w.Now.Add(3 * delay)
	w.Secrets.SetLabel("AWSCURRENT", newer) // by a person, in a rollback
	err = undo(w)
	if j = w.Journal.Get(); err != nil || !j.FollowedAt(older, 0).Equal(w.Now.Add(delay)) {
		t.Errorf("followers that read it have no time: %+v (%v)", j.Current, err)
	}
	w.Now = w.Now.Add(3 * delay)
	w.Secrets.SetLabel("AWSPREVIOUS", newer) // AWSCURRENT was on it, by a person, and is back
	j.Secrets[newer] = e
	w.Journal.Set(j)
	err = undo(w)
	if j = w.Journal.Get(); err != nil || j.Secrets[newer].Unused || !j.FollowedAt(older, 0).Equal(w.Now.Add(delay)) {
		t.Errorf("nobody may have read it: %+v, %+v (%v)", j.Secrets[newer], j.Current, err)
	}
}

func TestThePromotionOfAnEarlierRotationIsReplaced(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]journal.Promotion{
		"of the version in use":               {From: oldest, To: older},
		"of another new version, rolled back": {From: older, To: "version-ancient"},
		"of a repair to the same version":     {From: older, To: newer, Repair: true},
	} {
		w := newWorld(t)
		j := w.Journal.Get()
		p.PreviousBefore, p.At, p.GraceUntil = "version-ancient", w.Now.Add(-9*grace), w.Now.Add(-8*grace)
		j.Promotion = &p
		w.Journal.Set(j)
		until, err := promote(w)
		if err != nil {
			t.Fatal(err)
		}
		if p := w.Journal.Get().Promotion; until != rotation.Timestamp(w.Now.Add(grace)) ||
			p.PreviousBefore != oldest || p.To != newer {
			t.Errorf("%s: the old secret goes before its grace period is over, at %s; the journal holds %+v", name,
				until, p)
		}
	}
}

func TestAPromotionIsUndoneFromWhereverItStopped(t *testing.T) {
	t.Parallel()
	cuts(t, 4, func(t *testing.T, n int, after bool) {
		w := newWorld(t)
		w.Cut(n, after)
		if _, err := promote(w); !failure.Is(err, failure.Unavailable) || !w.Mend() {
			t.Fatalf("the call was not cut: %v", err)
		}
		wasUndone(t, w)
	})
}

// wasUndone undoes and fails unless everything is as it was, but for AWSPENDING, which is gone.
func wasUndone(t *testing.T, w *fakes.World) {
	t.Helper()
	if err := undo(w); err != nil {
		t.Fatal(err)
	}
	w.LabelsAre(t, undone)
	if p := w.Journal.Get().Promotion; p != nil {
		t.Errorf("the journal still holds %+v", p)
	}
}

func TestAnUndoMovesTheLabelsAndThenForgetsThePromotion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := promote(w); err != nil {
		t.Fatal(err)
	}
	w.Secrets.SetLabel("AWSPENDING", newer) // AWS may leave it there
	promotion := len(w.Writes())
	wasUndone(t, w)
	if got, want := w.Writes()[promotion:], []string{"AWSCURRENT version-new>version-old",
		"AWSPREVIOUS version-new>version-oldest",
		"AWSPENDING version-new>", clean}; !slices.Equal(got, want) {
		t.Errorf("the writes were %q, want %q", got, want)
	}
	writes := w.Writes()
	wasUndone(t, w)
	wrote(t, w, writes...)
}

func TestAnUndoCutAtAnyWriteIsCompletedByARepeat(t *testing.T) {
	t.Parallel()
	cuts(t, 4, func(t *testing.T, n int, after bool) {
		w := newWorld(t)
		if _, err := promote(w); err != nil {
			t.Fatal(err)
		}
		w.Secrets.SetLabel("AWSPENDING", newer)
		w.Cut(n, after)
		if err := undo(w); !failure.Is(err, failure.Unavailable) || !w.Mend() {
			t.Fatalf("the call was not cut: %v", err)
		}
		if n < 4 && w.Journal.Get().Promotion == nil {
			t.Error("the promotion was forgotten before the labels were back")
		}
		wasUndone(t, w)
	})
}

func TestAnUndoWithoutAPromotionTakesOnlyThePendingLabelOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.Journal.Get()
	e := j.Secrets[newer]
	e.Unused = true // so it stays: nobody who reads AWSCURRENT has to be waited for before it goes
	j.Secrets[newer] = e
	w.Journal.Set(j)
	wasUndone(t, w)
	wrote(t, w, "AWSPENDING version-new>")
}

func TestAnUndoPutsPreviousOnNeitherCurrentNorTheBadOne(t *testing.T) {
	t.Parallel()
	for _, previous := range []string{"", older, newer} {
		w := newWorld(t)
		w.Secrets.SetLabel("AWSCURRENT", newer)
		w.Secrets.SetLabel("AWSPREVIOUS", older)
		j := w.Journal.Get()
		j.Promotion = &journal.Promotion{From: older, To: newer, PreviousBefore: previous}
		w.Journal.Set(j)
		if err := undo(w); err != nil {
			t.Fatal(err)
		}
		w.LabelsAre(t, versions.Labels{Current: older})
	}
}

func TestAnUndoKeepsTheLabelsOfAStranger(t *testing.T) {
	t.Parallel()
	const stranger = "version-stranger"
	for name, c := range map[string]struct {
		label, says string
		kind        failure.Kind
		want        versions.Labels
	}{
		"AWSPENDING stays and the rest is undone": {"AWSPENDING", "",
			"", versions.Labels{Current: older, Pending: stranger, Previous: oldest}},
		"AWSCURRENT stays and nothing is undone": {"AWSCURRENT", "somebody else changed the secret",
			failure.Superseded, versions.Labels{Current: stranger, Previous: older}},
		"AWSPREVIOUS stays and nothing is undone": {"AWSPREVIOUS",
			"something else moved it", failure.Precondition, versions.Labels{Current: newer, Previous: stranger}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if _, err := promote(w); err != nil {
				t.Fatal(err)
			}
			w.Secrets.Add(stranger, fakes.Mark+"-stranger", c.label)
			writes := w.Writes()
			err := undo(w)
			w.LabelsAre(t, c.want)
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			fakes.Failed(t, err, c.kind, c.says)
			wrote(t, w, writes...)
			if w.Journal.Get().Promotion == nil {
				t.Error("the promotion is forgotten")
			}
		})
	}
}

func TestAnUndoKeepsThePromotionOfAnotherVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.Journal.Get()
	j.Promotion = &journal.Promotion{From: oldest, To: older, PreviousBefore: "version-ancient", At: w.Now,
		GraceUntil: w.Now}
	w.Journal.Set(j)
	if err := undo(w); err != nil {
		t.Fatal(err)
	}
	w.LabelsAre(t, undone)
	if w.Journal.Get().Promotion == nil {
		t.Error("the promotion of the version in use is forgotten")
	}
	// nor does that say which version was AWSPREVIOUS before this one
	j.Promotion.PreviousBefore = oldest
	w.Journal.Set(j)
	w.Secrets.SetLabel("AWSCURRENT", newer)
	w.Secrets.SetLabel("AWSPREVIOUS", older)
	if err := undo(w); err != nil {
		t.Fatal(err)
	}
	w.LabelsAre(t, versions.Labels{Current: older})
}

func TestAPromotionIsRefusedWhenAStrangerMovedTheLabel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Secrets.Add("version-stranger", fakes.Mark+"-stranger", "AWSCURRENT")
	_, err := promote(w)
	fakes.Failed(t, err, failure.Superseded, "version-stranger")
	wrote(t, w)
}

func TestWhatIsRefusedMovesNoLabel(t *testing.T) {
	t.Parallel()
	for _, undo := range []bool{false, true} {
		w := newWorld(t)
		for _, c := range [][2]string{{"", newer}, {older, ""}, {newer, newer}} {
			_, err := call(w, undo, c[0], c[1])
			fakes.Failed(t, err, failure.InvalidInput, "must be given and differ")
		}
		w.Journal.SetOwner(fakes.Other)
		_, err := call(w, undo, older, newer)
		fakes.Failed(t, err, failure.LockLost, fakes.Other)
		wrote(t, w)
		w.LabelsAre(t, before)
	}
}

func TestWhatFailsIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		undo, promoted bool
		byHand         bool   // a person made the new one AWSCURRENT, which the journal does not know
		again          string // what is stored again as AWSCURRENT
		ago            time.Duration
	}{
		"promote":                               {},
		"promote, long after the proof":         {ago: time.Hour},
		"promote what was stored again":         {again: older},
		"undo":                                  {undo: true, promoted: true},
		"undo, long after the proof":            {undo: true, promoted: true, ago: time.Hour},
		"undo, and the new one is stored again": {undo: true, promoted: true, again: newer},
		"undo, and the old one is stored again": {undo: true, again: older},
		"undo what a person has promoted":       {undo: true, byHand: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fakes.FailuresAreTold(t, func(t *testing.T) *fakes.World {
				w := newWorld(t)
				w.Tokens.Judge(func(v secret.Value, old bool) (int, string) {
					if old || v.Equal(secret.New(fakes.Mark+"-new")) {
						return 400, "invalid_grant"
					}
					return 401, "invalid_client"
				})
				if c.promoted {
					if _, err := promote(w); err != nil {
						t.Fatal(err)
					}
					w.Secrets.SetLabel("AWSPENDING", newer)
				}
				if c.byHand {
					j := w.Journal.Get()
					j.Secrets[newer] = journal.Entry{State: journal.Live, IdPSecretID: "mem-2", Unused: true}
					w.Journal.Set(j)
					w.Secrets.SetLabel("AWSCURRENT", newer)
					w.Secrets.SetLabel("AWSPREVIOUS", older)
				}
				if c.again != "" {
					w.Secrets.Add("version-again", w.Secrets.Value(c.again), "AWSCURRENT")
				}
				return w
			}, func(w *fakes.World) error {
				d := w.Deps()
				d.Registrations = nil // as it is deployed
				_, err := fakes.Call(w, promotesecret.Handler{Deps: d}.Handle,
					rotation.PromoteInput{Common: w.Common(), Proven: rotation.Timestamp(w.Now.Add(-c.ago)),
						From: rotation.Ref{VersionID: older}, To: rotation.Ref{VersionID: newer}, Undo: c.undo})
				return err
			})
		})
	}
}
