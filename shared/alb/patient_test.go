package alb_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/failure"
)

// lasting is the context of a call that ends at a time of its clock.
type lasting struct {
	context.Context
	end time.Time
}

func (l lasting) Deadline() (time.Time, bool) { return l.end, true }

// call runs f in a call that may last so long; 0 is without end. It returns how long requests were waited for.
func (f *fixture) call(lasts time.Duration, do func(context.Context, *alb.Balancers) error) (time.Duration, error) {
	began := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	ctx := f.t.Context()
	if lasts > 0 {
		ctx = lasting{ctx, began.Add(lasts)}
	}
	err := do(ctx, f.balancersAt(func() time.Time {
		f.mu.Lock()
		defer f.mu.Unlock()
		return began.Add(f.slept)
	}))
	return f.slept, err
}

// The state machine waits without a function, of which there are only so many at once, and its waits part the clients.
func TestASearchThatHasReadSomethingWaits(t *testing.T) {
	t.Parallel()
	const call = 150 * time.Second
	for name, c := range map[string]struct {
		op          string
		times       int
		lasts       time.Duration
		once        bool
		want        failure.Kind
		least, most time.Duration
	}{
		"nothing read yet":             {op: "DescribeListeners", times: 1, want: failure.Throttled},
		"nothing read yet, in time":    {op: "DescribeListeners", times: 1, lasts: call, want: failure.Throttled},
		"nothing read, nobody repeats": {op: "DescribeListeners", times: 3, once: true, least: 3000, most: 6000},
		"for a while":                  {op: "DescribeRules", times: 3, least: 3000, most: 6000},
		"for a while, the tags":        {op: "DescribeTags", times: 3, least: 3000, most: 6000},
		"for long, without end":        {op: "DescribeRules", times: 4, want: failure.Throttled, least: 3000, most: 6000},
		"for long": {op: "DescribeRules", times: 12, lasts: call,
			least: 12_000, most: 24_000},
		"longer than the call may last": {op: "DescribeRules", times: 99, lasts: call,
			want: failure.Throttled, least: 117_000, most: 120_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.listen(ordersLB, listener, 443, login("orders"), forward("g"))
			f.failNext(c.op, "Throttling", c.times)
			waited, err := f.call(c.lasts, func(ctx context.Context, b *alb.Balancers) error {
				_, err := b.Targets(ctx, alb.Where{LoadBalancers: []string{ordersLB}, Once: c.once}, orders)
				return err
			})
			if (err != nil) != (c.want != "") || err != nil && failure.KindOf(err) != c.want {
				t.Errorf("it ends with %v, must with %q", err, c.want)
			}
			if waited < c.least*time.Millisecond || waited > c.most*time.Millisecond {
				t.Errorf("it waits %s, must %d to %d ms", waited, c.least, c.most)
			}
			asked := slices.DeleteFunc(f.calls, func(op string) bool { return op != "DescribeListeners" })
			if len(asked) > 1 && !c.once {
				t.Errorf("it asks %d times for what it knows", len(asked))
			}
		})
	}
}

func TestATargetWhoseReadsAreThrottledIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lasts       time.Duration
		times       int
		want        failure.Kind
		least, most time.Duration
	}{
		"for a while": {lasts: time.Minute, times: 6, least: 6000, most: 12_000},
		"longer than the call may last": {lasts: time.Minute, times: 99, want: failure.Throttled,
			least: 54_000, most: 57_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := withTargets(t, login("orders"))
			f.failNext("DescribeRules", "Throttling", c.times)
			waited, err := f.call(c.lasts, func(ctx context.Context, b *alb.Balancers) error {
				_, err := b.SetSecret(ctx, ruleTarget, change())
				return err
			})
			if (err != nil) != (c.want != "") || err != nil && failure.KindOf(err) != c.want {
				t.Errorf("it ends with %v, must with %q", err, c.want)
			}
			if waited < c.least*time.Millisecond || waited > c.most*time.Millisecond {
				t.Errorf("it waits %s, must %d to %d ms", waited, c.least, c.most)
			}
		})
	}
}

func TestATargetIsLookedAtBetweenTheReadAndTheWrite(t *testing.T) {
	t.Parallel()
	f, c := withTargets(t, login("orders")), change()
	var seen []string
	c.Look = func(context.Context) error {
		seen = slices.Clone(f.calls)
		return failure.New(failure.Unavailable, "AWSCURRENT has moved")
	}
	_, err := set(f, ruleTarget, c)
	if len(seen) != 2 || len(f.sent) != 0 {
		t.Errorf("it looks after %q, and writes %d times", seen, len(f.sent))
	}
	wantKind(t, err, failure.Unavailable)
}

func TestWhoOwnsATargetIsAskedPatiently(t *testing.T) {
	t.Parallel()
	f := withTargets(t, login("orders"))
	f.failNext("DescribeTags", "Throttling", 3)
	if waited, err := f.call(time.Minute, func(ctx context.Context, b *alb.Balancers) error {
		_, err := b.Owner(ctx, ruleTarget)
		return err
	}); err != nil || waited == 0 {
		t.Errorf("after %s it ends with %v", waited, err)
	}
}
