package scheduler

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Retries of a delivery (API reference, RetryPolicy: 185 attempts over a day unless the target says otherwise).
const (
	defaultAttempts = 185
	defaultAge      = 24 * time.Hour
	firstPause      = time.Second
	longestPause    = 5 * time.Minute
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

// poke has the loop look at the schedules again, and returns when it is awake: from then on it counts as busy, so that
// a virtual clock cannot pass a due time that has just been set.
func (s *Service) poke(ctx context.Context) {
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
	region, arn string
	target      target
	due         time.Time
	delay       time.Duration // within a flexible time window
}

// takeDue returns what is due, plans those schedules anew, and says when the next one is due.
func (s *Service) takeDue() (due []firing, next time.Time) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, sc := range s.schedules {
		if !sc.due.IsZero() && !sc.due.After(now) {
			due = append(due, firing{region: k.region, arn: sc.arn, target: *sc.Target, due: sc.due, delay: sc.delay()})
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
	return time.Duration(sc.FlexibleTimeWindow.MaximumWindowInMinutes) * time.Minute / 2
}

// deliver starts the state machine for one due time: it tries until it works, is refused for good, or the retry policy
// is used up.
func (s *Service) deliver(ctx context.Context, f firing) {
	if s.clock.Sleep(ctx, f.delay) != nil {
		return
	}
	attempts, age := f.target.RetryPolicy.limits()
	began, pause := s.clock.Now(), firstPause
	d := Delivery{Schedule: f.arn, Due: f.due}
	for {
		d.Attempts++
		d.ExecutionARN, d.Err = s.start(ctx, f)
		d.At = s.clock.Now()
		if d.Err == nil || !transient(d.Err) || d.Attempts > attempts || d.At.Add(pause).Sub(began) > age {
			break
		}
		if s.clock.Sleep(ctx, pause) != nil {
			return
		}
		pause = min(2*pause, longestPause)
	}
	s.mu.Lock()
	s.deliveries = append(s.deliveries, d)
	s.mu.Unlock()
}

// limits are how many times a delivery is tried again, and for how long.
func (p *retryPolicy) limits() (attempts int, age time.Duration) {
	attempts, age = defaultAttempts, defaultAge
	if p != nil && p.MaximumRetryAttempts != nil {
		attempts = *p.MaximumRetryAttempts
	}
	if p != nil && p.MaximumEventAgeInSeconds != nil {
		age = time.Duration(*p.MaximumEventAgeInSeconds) * time.Second
	}
	return attempts, age
}

func (s *Service) start(ctx context.Context, f firing) (string, error) {
	client := sfn.New(sfn.Options{Region: f.region, BaseEndpoint: &s.endpoint, HTTPClient: http.DefaultClient, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCALSCHEDULER", "local", "")})
	out, err := client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &f.target.ARN, Input: &f.target.Input})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ExecutionArn), nil
}

// transient reports whether a delivery is worth another attempt: the endpoint was not reached, was throttling or
// failed. What the target refused once it will refuse again.
func transient(err error) bool {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.HTTPStatusCode() == 0 { // no answer came
		return true
	}
	var api smithy.APIError
	throttled := errors.As(err, &api) && strings.Contains(api.ErrorCode(), "Throttl")
	status := response.HTTPStatusCode()
	return throttled || status == http.StatusTooManyRequests || (status >= 500 && status != http.StatusNotImplemented)
}
