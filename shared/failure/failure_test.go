package failure_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"alboidc.internal/shared/failure"
)

func TestKindOfTakesTheOutermostFailure(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	tests := []struct {
		name string
		err  error
		want failure.Kind
	}{
		{"a failure", failure.New(failure.Throttled, "slow down"), failure.Throttled},
		{"a wrapped failure", fmt.Errorf("listing: %w", failure.New(failure.IdPRejected, "no")), failure.IdPRejected},
		{"a failure around a failure", failure.Wrap(failure.Precondition, failure.New(failure.Throttled, "x"),
			"y"), failure.Precondition},
		{"a failure around an ended context", failure.Wrap(failure.Internal, context.Canceled, "y"), failure.Internal},
		{"joined errors", errors.Join(cause, failure.New(failure.LockLost, "x")), failure.LockLost},
		{"a deadline", fmt.Errorf("waiting: %w", context.DeadlineExceeded), failure.Unavailable},
		{"a cancellation", context.Canceled, failure.Unavailable},
		{"a network error", fmt.Errorf("calling: %w", &net.OpError{Op: "dial", Err: cause}), failure.Unavailable},
		{"a name that is not found", &net.DNSError{Err: "no such host"}, failure.Unavailable},
		{"any other error", cause, failure.Internal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := failure.KindOf(tt.err); got != tt.want {
				t.Errorf("KindOf is %s, want %s", got, tt.want)
			}
			for _, k := range failure.Kinds() {
				if got := failure.Is(tt.err, k); got != (k == tt.want) {
					t.Errorf("Is %s is %t", k, got)
				}
			}
		})
	}
}

func TestNoErrorIsOfNoKind(t *testing.T) {
	t.Parallel()
	for _, k := range failure.Kinds() {
		if failure.Is(nil, k) {
			t.Errorf("nil is %s", k)
		}
	}
}

func TestTextNamesTheCauseAndKeepsItReachable(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	err := failure.Wrap(failure.Unavailable, cause, "no answer from %s", "Okta")
	if err.Error() != "no answer from Okta: cause" || !errors.Is(err, cause) {
		t.Errorf("got %q, cause reachable: %t", err, errors.Is(err, cause))
	}
	if got := failure.New(failure.Internal, "100%%").Error(); got != "100%" {
		t.Errorf("got %q", got)
	}
}

func TestKindsAreDistinctAndTransientOnesComeFirst(t *testing.T) {
	t.Parallel()
	seen := map[failure.Kind]bool{}
	transient := true
	for _, k := range failure.Kinds() {
		if seen[k] || k == "" {
			t.Errorf("kind %q is empty or listed twice", k)
		}
		seen[k] = true
		if k.Transient() && !transient {
			t.Errorf("%s is transient but listed after one that is not", k)
		}
		transient = k.Transient()
	}
	for _, k := range []failure.Kind{failure.Throttled, failure.Unavailable, failure.NotYetActive,
		failure.StillAccepted} {
		if !k.Transient() || !seen[k] {
			t.Errorf("%s must be listed, and transient", k)
		}
	}
	for _, k := range []failure.Kind{failure.LockLost, failure.Superseded, failure.Outdated, failure.InvalidInput,
		failure.Precondition, failure.TargetDrift,
		failure.SmokeTestFailed, failure.IdPRejected, failure.AccessDenied, failure.Internal, "Invented"} {
		if k.Transient() {
			t.Errorf("%s must not be transient: trying again does not help", k)
		}
	}
}
