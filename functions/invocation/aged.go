package invocation

import (
	"context"
	"time"

	"alboidc.internal/shared/journal"
)

const (
	// proofLasts is how long a proof that a secret is accepted counts for writing it. A rotation takes minutes from the
	// proof to the last write; a redrive days later, hours of retries, hundreds of targets or a long spread take more.
	proofLasts = 15 * time.Minute
	// clocksDiffer is how far in the future a proof may be: Step Functions tells its time, and the function's clock is
	// another.
	clocksDiffer = time.Minute
)

// MustBeProven fails unless the identity provider accepts the secret of a version that is about to be written, as
// MustAccept does. proven is when it was last seen to. While that is not long ago nothing is asked. Who does not say
// when has proven nothing. After a proof AWSCURRENT must be where Standing has found it.
func (s *Invocation) MustBeProven(ctx context.Context, version, proven, what string) error {
	now := s.Now()
	if at, err := time.Parse(time.RFC3339, proven); err == nil && fresh(at, now) ||
		s.journal.Proven.Version == version && fresh(s.journal.Proven.At, now) {
		return nil
	}
	if err := s.MustAccept(ctx, version, what); err != nil {
		return err
	}
	proof := journal.Proof{Version: version, At: now.UTC()}
	if err := s.Journal.NoteProof(ctx, s.Common.Client, s.Common.Execution, proof); err != nil {
		return err
	}
	return s.LookAgain(ctx) // that took its time, and the next is to write
}

// fresh tells whether a proof still counts. One of the future never happened.
func fresh(proven, now time.Time) bool {
	age := now.Sub(proven)
	return age >= -clocksDiffer && age < proofLasts
}
