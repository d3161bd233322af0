package updatealb

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

// left is the answer for a target that has had the secret and may not be changed any more.
const left = "left"

// follows is the answer for a target that a controller owns, to which it is left.
const follows = "follows"

// spared is the answer, in a rollback, for a target that was never given the secret that goes.
const spared = "spared"

const (
	// share is the most that a target leaves of its time for each one after it in a rollback, so that one whose calls
	// hang holds up no other. Where less is left, all have as much of it.
	share = 3 * time.Second
	// reserve is kept to note what was done.
	reserve = 3 * time.Second
	// looked is how old a look at AWSCURRENT may be when a target is written.
	looked = 5 * time.Second
	// patience is how long a call waits in all where requests are throttled: where a few requests in a hundred are
	// refused, the state machine would soon have tried often enough.
	patience = 20 * time.Second
	// noteAfter is how long a call works before it notes what it has set: it may be cut off.
	noteAfter = 15 * time.Second
)

// round is what one call does for its targets. What it has set it marks in the journal if it cannot set all, and the
// next try of the call leaves that out (docs/adr/0040). A mark counts for the round that made it only: in the next one,
// which may be the one that heals what other hands have done, every target is set again.
type round struct {
	s      *invocation.Invocation
	in     rotation.UpdateInput
	change alb.Change
	// until is when the time is over; zero if it never is.
	until time.Time
	// set are the results by Target.Key, also of earlier tries.
	set     map[string]string
	notices []string
	// marks are not noted yet; began is since when.
	marks    map[string]journal.Mark
	began    time.Time
	progress bool
	// longest is the longest time that a target has taken in this call.
	longest  time.Duration
	patience time.Duration
	// read is what the request that checked the last target has read of the next one.
	read *alb.Read
	// has says, in a rollback, whether a target may have the secret that goes; nil if any may.
	has func(target string) bool
	// lost: a look at AWSCURRENT has failed.
	lost bool
}

func newRound(s *invocation.Invocation, in rotation.UpdateInput, change alb.Change) *round {
	r := &round{s: s, in: in, change: change, set: map[string]string{}, marks: map[string]journal.Mark{},
		began: s.Now(), patience: patience}
	r.change.Look = r.look
	if len(in.Targets) == 1 { // the state machine's retries are enough
		r.patience = 0
	}
	return r
}

// key is the key of a target's mark. Nothing of another round has the same.
func (r *round) key(t rotation.Target) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{r.in.Common.State, r.in.Round, r.in.To.VersionID, t.Key()},
		"\n")))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// order returns the targets that are not set yet, and have to be: first those that are not known to be slow, then the
// others, the one whose turn was longest ago first. It takes over the results of the others.
func (r *round) order(marks map[string]journal.Mark) []rotation.Target {
	var todo, slow []rotation.Target
	for _, t := range r.in.Targets {
		m, known := marks[r.key(t)]
		switch {
		case r.has != nil && !r.has(t.Key()):
			r.set[t.Key()] = spared
		case r.in.Round == "" || !known || !m.Fresh(r.s.Now()):
			todo = append(todo, t)
		case m.Result == "":
			slow = append(slow, t)
		default:
			r.set[t.Key()] = m.Result
		}
	}
	slices.SortStableFunc(slow, func(a, b rotation.Target) int {
		return marks[r.key(a)].At.Compare(marks[r.key(b)].At)
	})
	return append(todo, slow...)
}

// setAll sets the targets. One that fails ends it, unless the old secret comes back: then the others come first. The
// error is one that passes by itself, if there is one: the call is tried again then, and the others are not forgotten.
// It is Unfinished if some were set and there is no time for more.
func (r *round) setAll(ctx context.Context) (rotation.UpdateOutput, error) {
	known := r.s.Marks()
	todo := r.order(known)
	if deadline, ok := ctx.Deadline(); ok {
		r.until = deadline.Add(-reserve)
	}
	var first error
	for i, t := range todo {
		if r.progress && r.over(r.longest) {
			first = r.unfinished()
			break
		}
		_, slow := known[r.key(t)]
		after := len(todo) - 1 - i
		if r.change.Next = nil; after > 0 {
			r.change.Next = &todo[i+1]
		}
		if slow || !r.change.Undo { // one that fails ends the call anyway
			after = 0
		}
		ends, err := r.one(ctx, t, after)
		if err == nil {
			continue
		}
		if ends || !r.change.Undo {
			first = err
			break
		}
		if first == nil || failure.KindOf(err).Transient() && !failure.KindOf(first).Transient() {
			first = err
		}
	}
	if first == nil {
		return r.output(), nil
	}
	if r.progress && r.over(0) && failure.Is(first, failure.Unavailable) {
		first = r.unfinished()
	}
	return rotation.UpdateOutput{}, cmp.Or(r.note(ctx), first)
}

// over reports whether the time is over for something that takes so long.
func (r *round) over(long time.Duration) bool {
	return !r.until.IsZero() && r.s.Now().Add(long).After(r.until)
}

// unfinished is the error of a call whose time is over.
func (r *round) unfinished() error {
	kind := failure.Unfinished
	if r.in.Round == "" { // an earlier definition does not know it
		kind = failure.Unavailable
	}
	return failure.New(kind, "the time of this call was over when %d of its %d targets were set, because Elastic Load "+
		"Balancing answers slowly: the next call sets the others", len(r.set), len(r.in.Targets))
}

// one sets one target and leaves time for so many others. Where requests are throttled it waits and begins again. ends:
// it is no failure of this target, and counts for all.
func (r *round) one(ctx context.Context, t rotation.Target, after int) (ends bool, err error) {
	if r.s.Now().Sub(r.began) >= noteAfter {
		if err := r.note(ctx); err != nil {
			return true, err
		}
	}
	began := r.s.Now()
	for pause := time.Second; ; pause *= 2 {
		if err := r.look(ctx); err != nil {
			return true, err
		}
		result, err := r.try(ctx, t, after)
		if r.lost {
			return true, err
		}
		if err == nil {
			r.set[t.Key()], r.progress = result, true
			r.marks[r.key(t)] = journal.Mark{Result: result, At: r.s.Now().UTC()}
			r.longest = max(r.longest, r.s.Now().Sub(began))
			return false, nil
		}
		if !failure.Is(err, failure.Throttled) || r.patience < pause || r.over(pause) || r.s.Sleep(ctx, pause) != nil {
			return false, err
		}
		r.patience -= pause
	}
}

// look fails if AWSCURRENT has moved.
func (r *round) look(ctx context.Context) error {
	err := r.s.LookAgainAfter(ctx, looked)
	r.lost = err != nil
	return err
}

// try makes one attempt on one target. If that takes longer than it may, it is marked as slow, and has its whole time
// the next time.
func (r *round) try(ctx context.Context, t rotation.Target, after int) (result string, err error) {
	limit := r.until
	if !r.until.IsZero() {
		now := r.s.Now()
		limit = limit.Add(-time.Duration(after) * shareOf(limit.Sub(now), after))
		var cancel context.CancelFunc
		ctx, cancel = r.s.Within(ctx, limit.Sub(now))
		defer cancel()
	}
	// what came to a controller since it got the new secret is put back, since that may go before the controller comes
	if r.change.Registration.LeavesToControllers && !r.change.Undo {
		by, err := r.s.Balancers.Owner(ctx, t)
		if by != "" {
			r.s.Log.InfoContext(ctx, "left to its controller", "target", t.Name, "controller", by)
		}
		if err != nil || by != "" {
			return follows, err
		}
	}
	r.change.Read, r.read = r.read, nil
	done, err := r.s.Balancers.SetSecret(ctx, t, r.change)
	r.read = done.Next
	if t.Left && failure.Is(err, failure.AccessDenied) {
		return left, nil
	}
	if err != nil {
		if !r.until.IsZero() && !r.s.Now().Before(limit) {
			r.marks[r.key(t)] = journal.Mark{At: r.s.Now().UTC()}
		}
		return "", err
	}
	if done.Notice != "" {
		r.s.Log.WarnContext(ctx, "other hands on a target", "target", t.Name, "notice", done.Notice)
		r.notices = append(r.notices, done.Notice)
	}
	return string(done.Result), nil
}

// shareOf is what a target leaves, of the time that is left, for each of so many after it.
func shareOf(left time.Duration, after int) time.Duration {
	return min(share, left/time.Duration(after+1))
}

// note notes the marks that this call has made since it last did. A call of an earlier definition makes none.
func (r *round) note(ctx context.Context) error {
	if r.in.Round == "" || len(r.marks) == 0 {
		return nil
	}
	r.began = r.s.Now()
	if err := r.s.Journal.NoteMarks(ctx, r.s.Common.Client, r.s.Common.Execution, r.began, r.marks); err != nil {
		return err
	}
	clear(r.marks)
	return nil
}

// output is the answer when every target is set.
func (r *round) output() rotation.UpdateOutput {
	out := rotation.UpdateOutput{Notice: strings.Join(r.notices, " ")}
	for _, t := range r.in.Targets {
		out.Result = r.set[t.Key()]
		out.Targets = append(out.Targets, rotation.Updated{Target: t.Name, Result: out.Result})
	}
	return out
}
