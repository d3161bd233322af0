package alb

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/failure"
)

// patient repeats a read, after pauses, where the API throttles: a call that failed would ask again for what it knows
// already, and hundreds of clients at once would use up the account's requests without one that ends. It repeats no
// write: who writes a target reads it again right before (functions/updatealb).
type patient struct {
	API
	pause func(ctx context.Context, try int) (again bool, err error)
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
		if err == nil || awserr.KindOf(err) != failure.Throttled {
			return out, err
		}
		if again, stopped := p.pause(ctx, try); !again || stopped != nil {
			return out, err
		}
	}
}
