// Package updatealb puts a client secret on one target.
package updatealb

import (
	"context"

	"alboidc.internal/functions/session"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/rotation"
)

// Handler is the function.
type Handler struct{ Deps session.Deps }

// Handle sets the secret of version in.To on in.Target and changes nothing else there. A repeat sets the same value. A
// target that is gone is an answer, not an error. While AWSCURRENT is a third version no target is touched.
func (h Handler) Handle(ctx context.Context, in rotation.UpdateInput) (rotation.UpdateOutput, error) {
	s, err := h.Deps.Open(ctx, in.Common)
	if err != nil {
		return rotation.UpdateOutput{}, err
	}
	if _, err := s.Own(ctx); err != nil {
		return rotation.UpdateOutput{}, err
	}
	if in.From.VersionID != "" { // a call of an earlier definition does not tell
		if _, _, err := s.Standing(ctx, in.From.VersionID, in.To.VersionID); err != nil {
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
	done, err := s.Balancers.SetSecret(ctx, in.Target, alb.Change{Registration: alb.Of(s.Config, false), ClientID: clientID, Secret: value, Undo: in.Undo})
	if err != nil {
		return rotation.UpdateOutput{}, err
	}
	if done.Notice != "" {
		s.Log.WarnContext(ctx, "other hands on a target", "target", in.Target.Name, "notice", done.Notice)
	}
	return rotation.UpdateOutput{Target: in.Target.Name, Result: string(done.Result), Notice: done.Notice}, nil
}
