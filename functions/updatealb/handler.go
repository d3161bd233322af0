// Package updatealb puts a client secret on one target.
package updatealb

import (
	"context"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
)

// left is the answer for a target that has had the secret and may not be changed any more.
const left = "left"

// Handler is the function.
type Handler struct{ Deps invocation.Deps }

// Handle sets the secret of version in.To on in.Target and changes nothing else there; a repeat sets the same value,
// and a target that is gone is an answer, not an error. It touches no target while AWSCURRENT is a third version, and
// puts only a secret on it that is in use or in a rotation's hand, and that the identity provider accepted not long
// ago.
func (h Handler) Handle(ctx context.Context, in rotation.UpdateInput) (rotation.UpdateOutput, error) {
	s, err := h.Deps.Open(ctx, in.Common)
	if err != nil {
		return rotation.UpdateOutput{}, err
	}
	if _, err := s.Own(ctx); err != nil {
		return rotation.UpdateOutput{}, err
	}
	stands := ""
	if in.From.VersionID != "" { // a call of an earlier definition does not tell
		if stands, _, err = s.ResolveCurrent(ctx, in.From.VersionID, in.To.VersionID); err != nil {
			return rotation.UpdateOutput{}, err
		}
	}
	if stands != in.To.VersionID { // an empty version is refused by Value, which reads it
		if err := s.MustBeInHand(ctx, in.To.VersionID); err != nil {
			return rotation.UpdateOutput{}, err
		}
	}
	value, err := s.Value(ctx, in.To.VersionID)
	if err != nil {
		return rotation.UpdateOutput{}, err
	}
	clientID, err := s.ClientID(ctx, in.To)
	if err != nil {
		return rotation.UpdateOutput{}, err
	}
	registration, err := s.Registration(ctx)
	if err != nil {
		return rotation.UpdateOutput{}, err
	}
	if err := s.MustBeProven(ctx, in.To.VersionID, in.Proven, "the secret that is to be put on targets"); err != nil {
		return rotation.UpdateOutput{}, err
	}
	if err := note(ctx, s); err != nil {
		return rotation.UpdateOutput{}, err
	}
	done, err := s.Balancers.SetSecret(ctx, in.Target, alb.Change{Registration: registration, ClientID: clientID,
		Secret: value, Undo: in.Undo})
	if in.Target.Left && failure.Is(err, failure.AccessDenied) {
		return rotation.UpdateOutput{Target: in.Target.Name, Result: left}, nil
	}
	if err != nil {
		return rotation.UpdateOutput{}, err
	}
	if err := note(ctx, s); err != nil {
		return rotation.UpdateOutput{}, err
	}
	if done.Notice != "" {
		s.Log.WarnContext(ctx, "other hands on a target", "target", in.Target.Name, "notice", done.Notice)
	}
	return rotation.UpdateOutput{Target: in.Target.Name, Result: string(done.Result), Notice: done.Notice}, nil
}

// note notes the time of a write, before it, since it may outlast this call, and after it. A call that has lost the
// lock writes nothing.
func note(ctx context.Context, s *invocation.Invocation) error {
	return s.Journal.NoteWrite(ctx, s.Common.Client, s.Common.Execution, s.Now())
}
