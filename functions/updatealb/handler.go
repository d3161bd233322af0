// Package updatealb puts a client secret on a few targets.
package updatealb

import (
	"context"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
)

// Handler is the function.
type Handler struct{ Deps invocation.Deps }

// Handle sets the secret of version in.To on in.Targets, one after the other, and changes nothing else there; a repeat
// sets the same value, but leaves out what this round has set, and a target that is gone is an answer, not an error. It
// touches no target while AWSCURRENT is a third version, and puts only a secret on them that is in use or in a
// rotation's hand, and that the identity provider accepted not long ago. A target that a controller owns by now is left
// to it, if the configuration says so.
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
	if err := noteGiven(ctx, s, in); err != nil {
		return rotation.UpdateOutput{}, err
	}
	if err := note(ctx, s); err != nil {
		return rotation.UpdateOutput{}, err
	}
	r := newRound(s, in, change)
	if in.Undo {
		if r.has, err = s.Given(ctx, in.From.VersionID, in.To.VersionID, in.Targets); err != nil {
			return rotation.UpdateOutput{}, err
		}
	}
	out, err := r.setAll(ctx)
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
		if stands, _, err = s.ResolveByText(ctx, in.From.VersionID, in.To.VersionID); err != nil {
			return c, err
		}
	}
	if stands != in.To.VersionID { // an empty version is refused by Value, which reads it
		if err := s.MustBeInHand(ctx, in.To.VersionID); err != nil {
			return c, err
		}
	}
	c.Undo = in.Undo
	s.Restores = in.Undo
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

// noteGiven notes, before the write, which targets may have the secret: a rollback leaves the others alone.
func noteGiven(ctx context.Context, s *invocation.Invocation, in rotation.UpdateInput) error {
	j, err := s.Own(ctx)
	if err != nil {
		return err
	}
	var keys []string
	for _, t := range in.Targets {
		keys = append(keys, t.Key())
	}
	if !j.Give(in.To.VersionID, keys...) {
		return nil
	}
	return s.Journal.Save(ctx, j)
}

// note notes the time of a write, before it, since it may outlast this call, and after it. A call that has lost the
// lock writes nothing.
func note(ctx context.Context, s *invocation.Invocation) error {
	return s.Journal.NoteWrite(ctx, s.Common.Client, s.Common.Execution, s.Now())
}
