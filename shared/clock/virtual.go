package clock

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Virtual is a clock that jumps: as soon as no goroutine started with Go is busy, it moves to the earliest instant
// that a sleeper waits for. The time does not depend on how fast the machine is.
type Virtual struct {
	mu       sync.Mutex
	now      time.Time
	busy     int
	moving   bool
	sleepers []*sleeper
	onMove   []func(time.Time)
}

type sleeper struct {
	ctx   context.Context
	until time.Time
	wake  chan struct{}
	done  bool // woken by the clock or by the end of its context; guarded by Virtual.mu
}

var _ Clock = (*Virtual)(nil)

// NewVirtual returns a virtual clock that stands at start.
func NewVirtual(start time.Time) *Virtual { return &Virtual{now: start.UTC()} }

// Now implements Clock.
func (v *Virtual) Now() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

// OnMove registers f to be called with the new time after each jump, before any sleeper wakes. A test checks its
// invariants there. f may read the clock but must not sleep on it.
func (v *Virtual) OnMove(f func(time.Time)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.onMove = append(v.onMove, f)
}

// Advance moves the time by d without waking sleepers that are not due; due ones wake. It is for tests that drive
// the time themselves.
func (v *Virtual) Advance(d time.Duration) {
	v.mu.Lock()
	v.now = v.now.Add(d)
	v.wakeDue()
	v.mu.Unlock()
}

// Pass lets d go by, and with it whatever is under way.
func (v *Virtual) Pass(d time.Duration) {
	done := make(chan struct{})
	v.Go(func() {
		defer close(done)
		_ = v.Sleep(context.Background(), d)
	})
	<-done
}

// Go implements Clock.
func (v *Virtual) Go(f func()) {
	v.mu.Lock()
	v.busy++
	v.mu.Unlock()
	go func() {
		defer v.leave()
		f()
	}()
}

// Idle implements Clock.
func (v *Virtual) Idle(f func()) {
	v.leave()
	defer v.enter()
	f()
}

// Sleep implements Clock. A caller that was not started with Go is taken to work for one that was: a server's
// goroutine that sleeps (a latency fault) lets the clock move although the client that waits for it is busy.
func (v *Virtual) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	v.mu.Lock()
	s := &sleeper{ctx: ctx, until: v.now.Add(d), wake: make(chan struct{})}
	v.sleepers = append(v.sleepers, s)
	v.busy--
	v.move()
	v.mu.Unlock()
	select {
	case <-s.wake:
	case <-ctx.Done():
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if !s.done {
		v.wake(s)
	}
	if s.until.After(v.now) {
		return ctx.Err()
	}
	return nil
}

func (v *Virtual) leave() {
	v.mu.Lock()
	v.busy--
	v.move()
	v.mu.Unlock()
}

func (v *Virtual) enter() {
	v.mu.Lock()
	v.busy++
	v.mu.Unlock()
}

// move jumps to the earliest sleeper if nobody is busy. v.mu is held on entry and on return, but not while hooks run:
// who falls asleep meanwhile is seen afterwards, since nobody else moves the clock.
func (v *Virtual) move() {
	if v.moving {
		return
	}
	v.moving = true
	defer func() { v.moving = false }()
	for v.busy <= 0 && len(v.sleepers) > 0 {
		if v.wakeEnded() {
			continue
		}
		next := v.sleepers[0].until
		for _, s := range v.sleepers[1:] {
			if s.until.Before(next) {
				next = s.until
			}
		}
		if next.After(v.now) {
			v.now = next
		}
		now, hooks := v.now, v.onMove
		v.mu.Unlock()
		for _, f := range hooks {
			f(now)
		}
		v.mu.Lock()
		v.wakeDue()
	}
}

// wakeDue wakes every sleeper whose time has come. v.mu is held.
func (v *Virtual) wakeDue() { v.wakeIf(func(s *sleeper) bool { return !s.until.After(v.now) }) }

// wakeEnded wakes every sleeper whose context has ended, and reports whether there was one: until it has seen that, the
// clock must not move to what it waited for. v.mu is held.
func (v *Virtual) wakeEnded() bool {
	return v.wakeIf(func(s *sleeper) bool { return s.ctx.Err() != nil })
}

// wakeIf wakes the sleepers of which is tells so, and reports whether there was one. v.mu is held.
func (v *Virtual) wakeIf(is func(*sleeper) bool) (woken bool) {
	for _, s := range slices.Clone(v.sleepers) {
		if is(s) {
			v.wake(s)
			woken = true
		}
	}
	return woken
}

// wake wakes a sleeper; it counts as busy from this moment. v.mu is held.
func (v *Virtual) wake(s *sleeper) {
	s.done = true
	v.sleepers = slices.DeleteFunc(v.sleepers, func(x *sleeper) bool { return x == s })
	v.busy++
	close(s.wake)
}
