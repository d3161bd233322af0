package updatealb_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/updatealb"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
)

// minute is a context of a call that has so much time by the world's clock.
type minute struct {
	context.Context
	deadline time.Time
}

func (m minute) Deadline() (time.Time, bool) { return m.deadline, true }

// slowly lets each of the next requests whose names begin with op take so long.
func slowly(w *fakes.World, op string, each time.Duration, times int) {
	for range times {
		w.Before(op, func() { w.Now = w.Now.Add(each) })
	}
}

// tryRound makes one try of a call, and returns the rules that it wrote, by their numbers.
func tryRound(t *testing.T, w *fakes.World, in rotation.UpdateInput) (wrote int, err error) {
	t.Helper()
	before := len(w.Writes())
	in.Common, in.From, in.Proven = w.Common(), rotation.Ref{VersionID: fakes.Old}, rotation.Timestamp(w.Now)
	in.Common.State = "SetTargetSecret"
	out, err := updatealb.Handler{Deps: w.Deps()}.Handle(minute{t.Context(), w.Now.Add(time.Minute)}, in)
	if open := func(u rotation.Updated) bool { return u.Result != "updated" }; err == nil &&
		(len(out.Targets) != len(in.Targets) || slices.ContainsFunc(out.Targets, open)) {
		t.Errorf("what an earlier try set is not told: %+v of %d targets", out.Targets, len(in.Targets))
	}
	return len(w.Writes()) - before, err
}

func TestATryLeavesOutWhatItsRoundHasSet(t *testing.T) {
	t.Parallel()
	const round, later = "2026-11-22T03:00:00.000Z", "2026-11-22T03:20:00.000Z"
	for name, c := range map[string]struct {
		round  string        // of the first try
		after  time.Duration // until the second
		then   string        // the round of that
		undo   bool
		kind   failure.Kind
		writes int // of the second, of four targets of which the first try sets two
	}{
		"the same round":                   {round, time.Second, round, false, failure.Unfinished, 2},
		"the same round of a rollback":     {round, time.Second, round, true, failure.Unfinished, 2},
		"the same round, almost an hour":   {round, 57 * time.Minute, round, false, failure.Unfinished, 2},
		"the same, redriven days later":    {round, 72 * time.Hour, round, false, failure.Unfinished, 4},
		"another round":                    {round, 20 * time.Minute, later, false, failure.Unfinished, 4},
		"one of an earlier definition":     {"", time.Second, "", false, failure.Unavailable, 4},
		"one of the definition after that": {"", time.Second, round, false, failure.Unavailable, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			in := rotation.UpdateInput{Targets: several(w, 3), To: rotation.Ref{VersionID: newer}, Undo: c.undo,
				Round: c.round}
			slowly(w, "Modify", 25*time.Second, 2)
			wrote, err := tryRound(t, w, in)
			fakes.Failed(t, err, c.kind, "2 of its 4 targets")
			if wrote != 2 {
				t.Errorf("the first try wrote %d targets", wrote)
			}
			w.Now = w.Now.Add(c.after)
			in.Round = c.then
			if wrote, err = tryRound(t, w, in); err != nil || wrote != c.writes {
				t.Errorf("the second try wrote %d targets, must write %d (%v)", wrote, c.writes, err)
			}
		})
	}
}

// What is set is noted before the function can be cut off.
func TestACallThatIsCutOffHasNotedWhatItSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := rotation.UpdateInput{Targets: several(w, 3), To: rotation.Ref{VersionID: newer}, Round: "a"}
	slowly(w, "Modify", 16*time.Second, 2)
	w.Cut(3, false) // nothing that comes after takes effect either
	if wrote, err := tryRound(t, w, in); err == nil || wrote != 2 {
		t.Fatalf("it wrote %d targets (%v)", wrote, err)
	}
	w.Mend()
	if wrote, err := tryRound(t, w, in); err != nil || wrote != 2 {
		t.Errorf("the second try wrote %d targets, must write two (%v)", wrote, err)
	}
}

// One whose calls hang holds up no other, and one that is only slow has the whole time once it is known to be.
func TestASlowTargetHasItsTimeInARollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	targets := several(w, 4)
	in := rotation.UpdateInput{Targets: targets[:4], To: rotation.Ref{VersionID: newer}, Undo: true, Round: "a"}
	slowly(w, "DescribeListeners", 48*time.Second, 1)
	w.Fail("ModifyListener", failure.New(failure.Unavailable, "no answer"))
	wrote, err := tryRound(t, w, in)
	if fakes.Failed(t, err, failure.Unavailable, ""); wrote != 3 {
		t.Errorf("%d targets are set beside one that hangs", wrote)
	}
	slowly(w, "DescribeListeners", 25*time.Second, 2)
	in.Targets = targets // one more, which comes first
	if wrote, err := tryRound(t, w, in); err != nil || wrote != 2 || w.Writes()[4] != "ModifyListener" {
		t.Errorf("a target that is slow holds up others, or is not set: %d of %q (%v)", wrote, w.Writes(), err)
	}
}

// The waits for a throttled read end before the call does, or nobody hears what the matter was.
func TestACallEndsBeforeItIsCutOffWhereReadsAreThrottled(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string]int{"one target": 0, "ten targets": 9} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			in := rotation.UpdateInput{Targets: several(w, rules), To: rotation.Ref{VersionID: newer}, Round: "1"}
			for range 200 {
				w.Fail("DescribeListeners", failure.New(failure.Throttled, "not now"))
			}
			began := w.Now
			wrote, err := tryRound(t, w, in)
			took := w.Now.Sub(began)
			if !failure.Is(err, failure.Throttled) || wrote != 0 || took < 40*time.Second || took > 57*time.Second {
				t.Errorf("after %s and %d writes it ends with %v", took, wrote, err)
			}
		})
	}
}
