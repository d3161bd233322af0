package invocation

import (
	"context"
	"time"

	"alboidc.internal/shared/failure"
)

// longestWait is how long one call waits for a time to pass, betweenLooks how long it pauses between two looks. The
// state machine's retries wait for the rest.
const (
	longestWait  = 40 * time.Second
	betweenLooks = 5 * time.Second
)

// WaitUntilSettled waits until no earlier call's write of a target can take effect any more, and then for extra. The
// state machine has already waited as long, but a Wait that a redrive left early must break nothing.
func (s *Invocation) WaitUntilSettled(ctx context.Context, extra time.Duration) error {
	return s.waitSinceLastWrite(ctx, s.journal.Settle+extra)
}

// WaitForSpread waits until every load balancer node serves what was written last.
func (s *Invocation) WaitForSpread(ctx context.Context) error {
	return s.waitSinceLastWrite(ctx, s.SpreadTime())
}

// SpreadTime is the configured time until every load balancer node serves a change.
func (s *Invocation) SpreadTime() time.Duration {
	return time.Duration(s.Config.Spread()) * time.Second
}

// FollowersDelay returns how long followers need after AWSCURRENT has moved, by the configuration of this call or the
// newest, whichever is longer: the newest says what followers do by now. It is 0 for a client that has none. declared:
// the newest may be the first that declares any, as in a rollback, which works by the one that it began with, or where
// a secret is about to go.
func (s *Invocation) FollowersDelay(ctx context.Context, declared bool) (time.Duration, error) {
	delay := s.Config.FollowersDelay()
	if delay == 0 && s.journal.Current == nil && !declared {
		return 0, nil
	}
	newest, err := s.Clients.Newest(ctx, s.Common.Client)
	switch kind := failure.KindOf(err); {
	case err != nil && kind != failure.InvalidInput && kind != failure.Precondition: // else it is gone, or not valid
		return 0, err
	case err == nil && len(newest.Identity().Differences(s.Config.Identity())) == 0:
		delay = max(delay, newest.FollowersDelay())
	}
	return delay, nil
}

// FollowedAt returns when the last follower uses AWSCURRENT, by the delay that they need; zero if there is none, or if
// nothing is noted about AWSCURRENT yet.
func (s *Invocation) FollowedAt(ctx context.Context, delay time.Duration) (time.Time, error) {
	if delay == 0 && s.journal.Current == nil {
		return time.Time{}, nil
	}
	labels, err := s.Labels(ctx)
	return s.journal.FollowedAt(labels.Current, delay), err
}

// Within is a context that ends after d. Its deadline is by the function's clock, as that of a call is.
func (s *Invocation) Within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	deadline := s.Now().Add(d)
	if of, ok := ctx.Deadline(); ok && of.Before(deadline) {
		deadline = of
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	return within{ctx, deadline}, cancel
}

// within is a context with its deadline by another clock than the machine's.
type within struct {
	context.Context
	deadline time.Time
}

// Deadline implements context.Context.
func (w within) Deadline() (time.Time, bool) { return w.deadline, true }

func (s *Invocation) waitSinceLastWrite(ctx context.Context, wait time.Duration) error {
	for began := s.Now(); s.journal.Left(s.Now(), wait) > 0; {
		if s.Now().Sub(began) >= longestWait || s.Sleep(ctx, betweenLooks) != nil {
			return failure.New(failure.Unavailable,
				"a target was written at %s; nothing that cannot be undone is done before %s are over, try again then",
				s.journal.LastWrite.Format(time.RFC3339), wait)
		}
		s.labels = nil // they are from before the wait
	}
	return nil
}
