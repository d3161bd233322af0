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
	// clocksDiffer is how far in the future a proof may lie: Step Functions' clock dates it, and the function's clock
	// may differ.
	clocksDiffer = time.Minute
)

// MustBeProven fails, as MustAccept does, unless the identity provider accepts the secret of a version that is about to
// be written. proven is when it last did; nothing is asked while that is recent, and an empty proven proves nothing.
// After a new proof, AWSCURRENT must still be where ResolveCurrent found it.
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
	return s.LookAgain(ctx) // the proof took time, and the next step writes
}

// fresh reports whether a proof still counts. A proof from the future does not.
func fresh(proven, now time.Time) bool {
	age := now.Sub(proven)
	return age >= -clocksDiffer && age < proofLasts
}
