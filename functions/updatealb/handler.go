// Package updatealb puts a client secret on a few targets.
package updatealb

import (
	"context"
	"strings"
	"time"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
)

// left is the answer for a target that has had the secret and may not be changed any more.
const left = "left"

// follows is the answer for a target that a controller owns, to which it is left.
const follows = "follows"

// Handler is the function.
type Handler struct{ Deps invocation.Deps }

// Handle sets the secret of version in.To on in.Targets, one after the other, and changes nothing else there; a repeat
// sets the same value, and a target that is gone is an answer, not an error. It touches no target while AWSCURRENT is a
// third version, and puts only a secret on them that is in use or in a rotation's hand, and that the identity provider
// accepted not long ago. A target that a controller owns by now is left to it, if the configuration says so.
func (h Handler) Handle(ctx context.Context, in rotation.UpdateInput) (rotation.UpdateOutput, error) {
	if n := len(in.Targets); n == 0 || n > rotation.TargetsPerCall {
		return rotation.UpdateOutput{}, failure.New(failure.InvalidInput, "targets: %d, must be 1 to %d", n,
			rotation.TargetsPerCall)
	}
	s, err := h.Deps.Open(ctx, in.Common)
	if err != nil {
		return rotation.UpdateOutput{}, err
	}
	change, err := prepare(ctx, s, in)
	if err != nil {
		return rotation.UpdateOutput{}, err
	}
	if err := note(ctx, s); err != nil {
		return rotation.UpdateOutput{}, err
	}
	out, err := setAll(ctx, s, in.Targets, change)
	if err != nil {
		return rotation.UpdateOutput{}, err
	}
	return out, note(ctx, s)
}

// prepare makes sure that the secret may be written, and returns what to write.
func prepare(ctx context.Context, s *invocation.Invocation, in rotation.UpdateInput) (c alb.Change, err error) {
	if _, err := s.Own(ctx); err != nil {
		return c, err
	}
	stands := ""
	if in.From.VersionID != "" { // a call of an earlier definition does not tell
		if stands, _, err = s.ResolveCurrent(ctx, in.From.VersionID, in.To.VersionID); err != nil {
			return c, err
		}
	}
	if stands != in.To.VersionID { // an empty version is refused by Value, which reads it
		if err := s.MustBeInHand(ctx, in.To.VersionID); err != nil {
			return c, err
		}
	}
	c.Undo = in.Undo
	if c.Secret, err = s.Value(ctx, in.To.VersionID); err != nil {
		return c, err
	}
	if c.ClientID, err = s.ClientID(ctx, in.To); err != nil {
		return c, err
	}
	if c.Registration, err = s.Registration(ctx); err != nil {
		return c, err
	}
	return c, s.MustBeProven(ctx, in.To.VersionID, in.Proven, "the secret that is to be put on targets")
}

// setAll sets the targets. One that fails ends it, unless the old secret comes back: then the others come first. The
// error is one that passes by itself, if there is one: the call is tried again then, and the others are not forgotten.
func setAll(ctx context.Context, s *invocation.Invocation, targets []rotation.Target,
	change alb.Change) (out rotation.UpdateOutput, first error) {
	var notices []string
	patience := patience
	if len(targets) == 1 { // a call that is tried again has no other to set again
		patience = 0
	}
	for i, t := range targets {
		var result, notice string
		var err error
		for pause := time.Second; ; pause *= 2 {
			if err := s.LookAgainAfter(ctx, looked); err != nil {
				return out, err
			}
			result, notice, err = set(ctx, s, t, change, len(targets)-1-i)
			if !failure.Is(err, failure.Throttled) || patience < pause || s.Sleep(ctx, pause) != nil {
				break
			}
			patience -= pause
		}
		switch {
		case err == nil:
			out.Targets, out.Result = append(out.Targets, rotation.Updated{Target: t.Name, Result: result}), result
			notices = append(notices, notice)
		case !change.Undo:
			return out, err
		case first == nil || failure.KindOf(err).Transient() && !failure.KindOf(first).Transient():
			first = err
		}
	}
	out.Notice = strings.TrimSpace(strings.Join(notices, " "))
	return out, first
}

const (
	// share is the most that a target leaves of its time for each one after it, so that one whose calls hang holds up
	// no other. Where less is left, all have as much of it.
	share = 3 * time.Second
	// looked is how old a look at AWSCURRENT may be when a target is written.
	looked = 5 * time.Second
	// patience is how long a call waits in all where requests are throttled. A call that is tried again sets all of its
	// targets again: where a few requests in a hundred are refused, it would hardly ever come to its end.
	patience = 20 * time.Second
)

// set sets one target, to which so many others come after.
func set(ctx context.Context, s *invocation.Invocation, t rotation.Target, change alb.Change,
	after int) (result, notice string, err error) {
	if deadline, ok := ctx.Deadline(); ok && after > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-time.Duration(after)*shareOf(deadline.Sub(s.Now()),
			after)))
		defer cancel()
	}
	if change.Registration.LeavesToControllers {
		by, err := s.Balancers.Owner(ctx, t)
		if err != nil || by != "" {
			s.Log.InfoContext(ctx, "left to its controller", "target", t.Name, "controller", by)
			return follows, "", err
		}
	}
	done, err := s.Balancers.SetSecret(ctx, t, change)
	if t.Left && failure.Is(err, failure.AccessDenied) {
		return left, "", nil
	}
	if err != nil {
		return "", "", err
	}
	if done.Notice != "" {
		s.Log.WarnContext(ctx, "other hands on a target", "target", t.Name, "notice", done.Notice)
	}
	return string(done.Result), done.Notice, nil
}

// shareOf is what a target leaves, of the time that is left, for each of so many after it.
func shareOf(left time.Duration, after int) time.Duration {
	return min(share, left/time.Duration(after+1))
}

// note notes the time of a write, before it, since it may outlast this call, and after it. A call that has lost the
// lock writes nothing.
func note(ctx context.Context, s *invocation.Invocation) error {
	return s.Journal.NoteWrite(ctx, s.Common.Client, s.Common.Execution, s.Now())
}
