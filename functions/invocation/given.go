package invocation

import (
	"context"

	"alboidc.internal/shared/rotation"
)

// Given returns a function that says, by its key, whether a target may have the secret that a rollback takes back; nil
// if any may, or has to be set because AWSCURRENT is another than the one that stays. targets are those of the
// rollback: if there are canaries among them, no target has a secret that was never stored. That the journal does not
// know it is no proof: its item may have been lost. What a person has stored is in no journal until CreateSecret.
func (s *Invocation) Given(ctx context.Context, goes, stays string, targets []rotation.Target) (func(string) bool,
	error) {
	j, err := s.Own(ctx)
	if err != nil {
		return nil, err
	}
	labels, err := s.Labels(ctx)
	if err != nil {
		return nil, err
	}
	goes, stays = s.Successor(goes), s.Successor(stays)
	if labels.Current != stays {
		return nil, nil
	}
	if _, known := j.Secrets[goes]; !known && rotation.CountCanaries(targets) > 0 {
		stored, err := s.Exists(ctx, goes)
		if err != nil || stored {
			return nil, err
		}
		return func(string) bool { return false }, nil
	}
	return j.Has(goes, stays), nil
}
