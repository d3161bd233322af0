package bench

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/idp"
	"alboidc.internal/local/stepfunctions"
)

// Clients rotates so many clients at once, each with one rule, within the limits of one AWS account, and of one
// organization at Okta. The process is measured, so it should do nothing else.
func Clients(ctx context.Context, n int, okta bool) ([]Row, error) {
	limits, group := awsLimits(), fmt.Sprintf("%d clients at once", n)
	if okta {
		limits, group = append(limits, oktaLimit), group+", Okta's 600 requests a minute"
	}
	w, err := newCrowd(ctx, n, limits, nil)
	if err != nil {
		return nil, err
	}
	defer w.close()
	executions, err := w.startAll(ctx, 0, "")
	if err != nil {
		return nil, err
	}
	ends, others, err := w.waitAll(ctx, executions)
	if err != nil {
		return nil, err
	}
	for _, other := range others {
		_, _ = fmt.Fprintln(os.Stderr, other)
	}
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	took := w.clock.Now().Sub(w.began) - grace
	return w.rows(group, n-ends[succeeded],
		Row{group, "throttled requests", float64(w.gate.throttled), "", nil, false},
		Row{group, "functions at once", float64(w.gate.most), "", nil, false},
		Row{group, "time until the last has ended, without its grace period", took.Minutes(), "min", nil, false}), nil
}

// crowd is a world with many clients, within limits.
type crowd struct {
	*world
	names   []string
	gate    *gate
	refused func() int
	began   time.Time // of the virtual clock
	real    time.Time
}

// newCrowd adds so many clients to a world, which prepare, if it is given, completes before the limits hold.
func newCrowd(ctx context.Context, n int, limits []limit, prepare func(*world, []string) error) (*crowd, error) {
	w, err := newWorld(ctx, "okta", quick)
	if err != nil {
		return nil, err
	}
	c := &crowd{world: w}
	if err := c.fill(ctx, n, limits, prepare); err != nil {
		w.close()
		return nil, err
	}
	return c, nil
}

func (c *crowd) fill(ctx context.Context, n int, limits []limit, prepare func(*world, []string) error) (err error) {
	if c.names, err = c.AddClients(ctx, n); err != nil {
		return err
	}
	if prepare != nil {
		if err := prepare(c.world, c.names); err != nil {
			return err
		}
	}
	// A context ends by the machine's clock, which must not come to the deadline of a call before the virtual one.
	c.clock.Advance(24 * time.Hour)
	c.gate = newGate(c.clock.Now, limits)
	c.mu.Lock()
	c.hooks = append(c.hooks, c.gate.hear)
	c.mu.Unlock()
	c.Stack.Faults.Limit(c.gate.judge)
	if err := c.slow(); err != nil {
		return err
	}
	c.refused, c.real, c.began = c.refusals(), time.Now(), c.clock.Now()
	return nil
}

// rows are what every crowd is measured by, and more.
func (c *crowd) rows(group string, failed int, more ...Row) []Row {
	return slices.Concat([]Row{{group, "not rotated", float64(failed), "", goal(0), false},
		{group, "logins with a refused secret", float64(c.refused()), "", goal(0), false}}, more,
		[]Row{{group, "time of this machine", time.Since(c.real).Seconds(), "s", nil, false},
			{group, "memory of this process, local stack included", peakMemory(), "MB", nil, false}})
}

// hear is for world.hooks: it hears of functions that have answered.
func (g *gate) hear(_ string, e stepfunctions.Event) {
	for _, d := range []*asl.TaskDetails{e.TaskSucceeded, e.TaskFailed, e.TaskTimedOut} {
		if d != nil && strings.HasSuffix(d.ResourceType, "lambda") &&
			!strings.Contains(aws.ToString(d.Error), "TooManyRequests") {
			g.returned()
		}
	}
}

// refusals counts, at each change at the identity provider, the nodes that use a refused secret for a rule: a login
// there would fail.
func (w *world) refusals() func() int {
	var mu sync.Mutex
	n := 0
	store := w.Stack.IdP.Store()
	count := func(clientID string) {
		mu.Lock()
		defer mu.Unlock()
		now := w.clock.Now()
		for _, u := range w.Stack.ELB.EffectiveSecrets(now) {
			if (clientID == "" || u.ClientID == clientID) && !store.Accepts(u.ClientID, u.Secret, now) {
				n++
			}
		}
	}
	store.OnChange(func(c idp.Change) { count(c.ClientID) })
	return func() int { count(""); mu.Lock(); defer mu.Unlock(); return n }
}

// startAll starts an execution for each client after a while, whose input has more (", FIELD: VALUE"). No time passes
// meanwhile, but where starts are throttled.
func (c *crowd) startAll(ctx context.Context, after time.Duration, more string) (executions []string, err error) {
	started := make(chan struct{})
	c.clock.Go(func() {
		defer close(started)
		_ = c.clock.Sleep(ctx, after)
		for len(executions) < len(c.names) {
			execution, failed := c.start(ctx, `{"client": "`+c.names[len(executions)]+`"`+more+`}`)
			switch {
			case failed == nil:
				executions = append(executions, execution)
			case strings.Contains(failed.Error(), "Throttling"):
				_ = c.clock.Sleep(ctx, time.Second)
			default:
				err = failed
				return
			}
		}
	})
	<-started
	return executions, err
}

// waitAll waits for executions and returns how many ended in which way: SUCCEEDED, or the error's name. others says why
// those that did not succeed ended so.
func (c *crowd) waitAll(ctx context.Context, executions []string) (ends map[string]int, others []string, err error) {
	ends = map[string]int{}
	for _, execution := range executions {
		r, err := c.Stack.StepFunctions.Wait(ctx, execution)
		if err != nil {
			return nil, nil, err
		}
		if r.Status == asl.Succeeded {
			ends[succeeded]++
			continue
		}
		ends[cmp.Or(aws.ToString(r.Error), string(r.Status))]++
		others = append(others, fmt.Sprintf("%s: %s: %.300s", execution, aws.ToString(r.Error), aws.ToString(r.Cause)))
	}
	return ends, others, nil
}

const succeeded = string(asl.Succeeded)
