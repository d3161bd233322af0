package alb

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/failure"
)

// patience is how a piece of work waits where the API throttles. Work that has read nothing yet ends: the state machine
// waits without a function, of which an account has only so many at once, and longer than any call may. Work that has
// read something goes on: a call that failed would ask again for what it knows already, and hundreds of clients at once
// would use up the account's requests without one that ends.
type patience struct {
	*Balancers
	// reserve is the time that the call needs for what comes after this work.
	reserve time.Duration
	// begun: something has been read, or nobody else tries again.
	begun atomic.Bool
}

// waits returns the patience of work that waits from its first request on, and after which nothing comes.
func (b *Balancers) waits() *patience {
	p := &patience{Balancers: b, reserve: spare}
	p.begun.Store(true)
	return p
}

const (
	// spare is the time that is left after a wait for the request itself.
	spare = 3 * time.Second
	// longestPause is the longest wait between two requests, and half of it the shortest: they are short, so that work
	// that has begun ends soon, before what begins; and random, so that requests that were throttled together are not
	// sent together again.
	longestPause = 2 * time.Second
)

// pause waits before the next try of a throttled request; again is false if the work ends instead. A call without a
// deadline tries three times more.
func (p *patience) pause(ctx context.Context, try int) (again bool) {
	if !p.begun.Load() {
		return false
	}
	wait := longestPause - rand.N(longestPause/2)
	end, limited := ctx.Deadline()
	if limited && p.now().Add(wait+p.reserve).After(end) || !limited && try >= len(pauses) {
		return false
	}
	return p.sleep(ctx, wait) == nil
}

// reader reads the load balancers of an account and Region.
func (p *patience) reader(account, region string) API { return patient{p.in(account, region), p} }

// patient repeats a read, after pauses, where the API throttles. It repeats no write: who writes a target reads it
// again right before (functions/updatealb).
type patient struct {
	API
	patience *patience
}

func (p patient) DescribeLoadBalancers(ctx context.Context, in *elasticloadbalancingv2.DescribeLoadBalancersInput,
	o ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeLoadBalancersOutput, error) {
	return repeat(ctx, p, p.API.DescribeLoadBalancers, in, o)
}

func (p patient) DescribeTags(ctx context.Context, in *elasticloadbalancingv2.DescribeTagsInput,
	o ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeTagsOutput, error) {
	return repeat(ctx, p, p.API.DescribeTags, in, o)
}

func (p patient) DescribeListeners(ctx context.Context, in *elasticloadbalancingv2.DescribeListenersInput,
	o ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeListenersOutput, error) {
	return repeat(ctx, p, p.API.DescribeListeners, in, o)
}

func (p patient) DescribeRules(ctx context.Context, in *elasticloadbalancingv2.DescribeRulesInput,
	o ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeRulesOutput, error) {
	return repeat(ctx, p, p.API.DescribeRules, in, o)
}

func repeat[In, Out any](ctx context.Context, p patient,
	read func(context.Context, In, ...func(*elasticloadbalancingv2.Options)) (Out, error), in In,
	o []func(*elasticloadbalancingv2.Options)) (Out, error) {
	for try := 0; ; try++ {
		out, err := read(ctx, in, o...)
		if err == nil {
			p.patience.begun.Store(true)
		}
		if err == nil || awserr.KindOf(err) != failure.Throttled || !p.patience.pause(ctx, try) {
			return out, err
		}
	}
}
