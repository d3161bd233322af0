// Package alb finds the listeners and rules of Application Load Balancers that log users in with a client, and puts a
// client secret on them without changing anything else.
//
// Elastic Load Balancing (API reference, ModifyRule and ModifyListener) replaces an action list whole, leaves what is
// not sent as it is, has no version to compare with, and never returns a client secret. So a change that somebody else
// makes between our read and our write is lost: the read comes right before the write, and what differs afterwards is
// reported.
package alb

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
)

// API is the part of Elastic Load Balancing v2 that is used.
type API interface {
	DescribeLoadBalancers(context.Context, *elasticloadbalancingv2.DescribeLoadBalancersInput,
		...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeLoadBalancersOutput, error)
	DescribeTags(context.Context, *elasticloadbalancingv2.DescribeTagsInput,
		...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeTagsOutput, error)
	DescribeListeners(context.Context, *elasticloadbalancingv2.DescribeListenersInput,
		...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeListenersOutput, error)
	DescribeRules(context.Context, *elasticloadbalancingv2.DescribeRulesInput,
		...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeRulesOutput, error)
	ModifyRule(context.Context, *elasticloadbalancingv2.ModifyRuleInput,
		...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.ModifyRuleOutput, error)
	ModifyListener(context.Context, *elasticloadbalancingv2.ModifyListenerInput,
		...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.ModifyListenerOutput, error)
}

var _ API = (*elasticloadbalancingv2.Client)(nil)

// pauses between repeated reads: they may be a few seconds behind a write.
var pauses = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

// Balancers are the load balancers of all Regions.
type Balancers struct {
	client func(region string) API
	now    func() time.Time
	sleep  func(context.Context, time.Duration) error
	// others reach the load balancers of other accounts.
	others map[string]func(region string) API
}

// New returns the load balancers that client reaches. sleep must return early, with the context's error, if the context
// ends.
func New(client func(region string) API, now func() time.Time,
	sleep func(context.Context, time.Duration) error) *Balancers {
	return &Balancers{client: client, now: now, sleep: sleep}
}

// By returns the load balancers with those of some accounts reached by others.
func (b *Balancers) By(others map[string]func(region string) API) *Balancers {
	c := *b
	c.others = others
	return &c
}

// in reaches the load balancers of an account and Region; "" is the account that everything else is in.
func (b *Balancers) in(account, region string) API {
	if other := b.others[account]; other != nil {
		return other(region)
	}
	return b.client(region)
}

// balancer is what the ARN of a load balancer says:
// arn:PARTITION:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/NAME/ID.
type balancer struct{ arn, region, account, name string }

func parseBalancer(arn string) (balancer, error) {
	parts := strings.Split(arn, ":")
	if len(parts) == 6 && parts[2] == "elasticloadbalancing" && regionPattern.MatchString(parts[3]) {
		if path := strings.Split(parts[5], "/"); len(path) == 4 && path[0] == "loadbalancer" && path[1] == "app" {
			return balancer{arn: arn, region: parts[3], account: parts[4], name: path[2]}, nil
		}
	}
	return balancer{}, failure.New(failure.InvalidInput, "%q is not the ARN of an Application Load Balancer", arn)
}

// regionPattern keeps anything but a Region out of host names.
var regionPattern = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// mustBelongTogether refuses a target whose listener, rule or Region are not those of its load balancer: the target
// comes from the function's caller, and its Region says where the secret is sent.
func mustBelongTogether(t rotation.Target) error {
	lb, err := parseBalancer(t.LoadBalancerARN)
	if err != nil {
		return err
	}
	listener, isListener := strings.CutPrefix(t.ListenerARN, strings.Replace(lb.arn, ":loadbalancer/",
		":listener/", 1)+"/")
	rules := strings.Replace(t.ListenerARN, ":listener/", ":listener-rule/", 1) + "/"
	if lb.region != t.Region || !isListener || listener == "" || t.RuleARN != "" &&
		!strings.HasPrefix(t.RuleARN, rules) {
		return failure.New(failure.InvalidInput,
			"target: Region, load balancer, listener and rule do not belong together; nothing was changed")
	}
	return nil
}

// missing reports whether what was asked for does not exist.
func missing(err error) bool {
	var rule *types.RuleNotFoundException
	var listener *types.ListenerNotFoundException
	var balancer *types.LoadBalancerNotFoundException
	return errors.As(err, &rule) || errors.As(err, &listener) || errors.As(err, &balancer)
}

// pause waits before the next try; again is false if there is none.
func (b *Balancers) pause(ctx context.Context, try int) (again bool, err error) {
	if try >= len(pauses) {
		return false, nil
	}
	if err := b.sleep(ctx, pauses[try]); err != nil {
		return false, fmt.Errorf("waiting to read the load balancer again: %w", err)
	}
	return true, nil
}
