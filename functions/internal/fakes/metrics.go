package fakes

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"alboidc.internal/shared/rotation"
)

// AuthErrors stands for the smoke test of the load balancer's metrics.
type AuthErrors struct {
	t    testing.TB
	wire *Wire
	// Count is how many authentication errors there were.
	Count int
	// Since is the beginning of the time that was last asked for.
	Since time.Time
	// Stopped are the load balancers on which logins have stopped; Asked those that were asked about, Made and Switched
	// the times.
	Stopped, Asked []string
	Made, Switched time.Time
	// LastLogin is when a login last succeeded.
	LastLogin time.Time
}

// stopped stands for the question whether logins go on.
func (a *AuthErrors) stopped(_ context.Context, loadBalancers []string, made, switched time.Time) ([]string, error) {
	var out []string
	err := a.wire.read("LoginsStopped", func() error {
		a.Asked, a.Made, a.Switched = loadBalancers, made, switched
		for _, arn := range loadBalancers {
			if slices.Contains(a.Stopped, arn) {
				out = append(out, arn)
			}
		}
		return nil
	})
	return out, err
}

func (a *AuthErrors) test(_ context.Context, loadBalancers []string, since time.Time, allowed int) (rotation.Evidence,
	error) {
	var e rotation.Evidence
	err := a.wire.read("AuthErrors", func() error {
		if !slices.Equal(loadBalancers, []string{LoadBalancer}) {
			a.t.Errorf("errors of %v are asked for", loadBalancers)
		}
		a.Since = since
		e = rotation.Evidence{Check: rotation.CheckMetrics, Subject: "ELBAuthError", OK: a.Count <= allowed,
			Detail: fmt.Sprintf("%d errors", a.Count)}
		return nil
	})
	return e, err
}

// last stands for the question when a login last succeeded.
func (a *AuthErrors) last(context.Context, []string) (at time.Time, err error) {
	return a.LastLogin, a.wire.read("LastLogin", func() error { return nil })
}
