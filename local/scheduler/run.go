package scheduler

import (
	"context"
	"slices"
	"strings"
	"time"

	"alboidc.internal/local/delivery"
)

// Delivery is one attempt to start a schedule's state machine that was the last for its due time: it worked, or was
// given up.
type Delivery struct {
	Schedule     string // ARN
	Due          time.Time
	At           time.Time
	Attempts     int
	ExecutionARN string // empty if it was given up
	Err          error
}

// Deliveries returns what was delivered or given up, oldest first.
func (s *Service) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deliveries)
}

// Start runs the schedules until ctx ends; call it once. On a virtual clock the time jumps from one due time to the
// next whenever nobody is busy, so whoever wants to see the time in between is to run in a goroutine of the clock.
func (s *Service) Start(ctx context.Context) {
	done := make(chan struct{})
	s.mu.Lock()
	s.running = done
	s.mu.Unlock()
	s.clock.Go(func() {
		defer close(done)
		for ctx.Err() == nil {
			due, next := s.takeDue()
			for _, d := range due {
				s.clock.Go(func() { s.deliver(ctx, d) })
			}
			s.await(ctx, next)
		}
	})
}

// await waits until next (zero is for ever) or until schedules have changed.
func (s *Service) await(ctx context.Context, next time.Time) {
	var changed chan struct{}
	if next.IsZero() {
		s.clock.Idle(func() {
			select {
			case changed = <-s.wake:
			case <-ctx.Done():
			}
		})
	} else {
		sleep, wake := context.WithCancel(ctx)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			select {
			case changed = <-s.wake:
				wake()
			case <-sleep.Done():
			}
		}()
		_ = s.clock.Sleep(sleep, next.Sub(s.clock.Now())) // woken early or not, the caller looks again
		wake()
		<-watched
	}
	if changed != nil {
		close(changed)
	}
}

// wakeUp has the loop look at the schedules again, and returns when it is awake: from then on it counts as busy, so
// that a virtual clock cannot pass a due time that has just been set.
func (s *Service) wakeUp(ctx context.Context) {
	s.mu.Lock()
	running := s.running
	s.mu.Unlock()
	if running == nil {
		return
	}
	awake := make(chan struct{})
	select {
	case s.wake <- awake:
		<-awake
	case <-running:
	case <-ctx.Done():
	}
}

// firing is a due time of a schedule.
type firing struct {
	arn    string
	target delivery.Target
	due    time.Time
	delay  time.Duration // within a flexible time window
}

// takeDue returns what is due, plans those schedules anew, and says when the next one is due.
func (s *Service) takeDue() (due []firing, next time.Time) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, sc := range s.schedules {
		if !sc.due.IsZero() && !sc.due.After(now) {
			target := delivery.Target{Endpoint: s.endpoint, Region: k.region, MachineARN: sc.Target.ARN,
				Input:       sc.Target.Input,
				RetryPolicy: sc.Target.RetryPolicy}
			due = append(due, firing{arn: sc.arn, due: sc.due, delay: sc.delay(), target: target})
			sc.plan(now)
		}
		if !sc.due.IsZero() && (next.IsZero() || sc.due.Before(next)) {
			next = sc.due
		}
	}
	slices.SortFunc(due, func(a, b firing) int { return strings.Compare(a.arn, b.arn) })
	return due, next
}

// delay is when within its flexible time window the schedule invokes its target. Any instant would do; this takes the
// middle.
func (sc *schedule) delay() time.Duration {
	if sc.FlexibleTimeWindow.MaximumWindowInMinutes == nil {
		return 0
	}
	return time.Duration(*sc.FlexibleTimeWindow.MaximumWindowInMinutes) * time.Minute / 2
}

// deliver starts the state machine for one due time.
func (s *Service) deliver(ctx context.Context, f firing) {
	if s.clock.Sleep(ctx, f.delay) != nil {
		return
	}
	d := Delivery{Schedule: f.arn, Due: f.due}
	d.ExecutionARN, d.Attempts, d.Err = f.target.Start(ctx, s.clock)
	if ctx.Err() != nil {
		return
	}
	d.At = s.clock.Now()
	s.mu.Lock()
	s.deliveries = append(s.deliveries, d)
	s.mu.Unlock()
}
