// Package clock provides the time the local stack runs on: real time for the demo and for people, virtual time
// for tests, where a grace period of seven days passes in milliseconds.
package clock

import (
	"context"
	"time"
)

// Clock tells the time and sleeps.
//
// A virtual clock can only move when nobody is busy. So code that may sleep runs in goroutines started with Go, and a
// goroutine that waits for other such goroutines (a Parallel state for its branches) does so inside Idle.
type Clock interface {
	// Now is the present instant, in UTC.
	Now() time.Time
	// Sleep returns nil once d has passed, or ctx.Err() as soon as ctx ends. d <= 0 returns at once.
	Sleep(ctx context.Context, d time.Duration) error
	// Go runs f in a new goroutine that counts as busy until f returns.
	Go(f func())
	// Idle runs f, which blocks until other goroutines of this clock have done something; meanwhile the calling
	// goroutine does not count as busy. Call it only from a goroutine started with Go.
	Idle(f func())
}

// Real is the clock of the machine.
type Real struct{}

var _ Clock = Real{}

// Now implements Clock.
func (Real) Now() time.Time { return time.Now().UTC() }

// Sleep implements Clock.
func (Real) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Go implements Clock.
func (Real) Go(f func()) { go f() }

// Idle implements Clock.
func (Real) Idle(f func()) { f() }
