package fakes

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/alb"
)

// The load balancer and its listener.
const (
	LoadBalancer = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/orders-alb/0123456789abcdef"
	Listener     = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/orders-alb/0123456789abcdef/1"
)

// ELB is one load balancer with one listener, whose default action logs users in with the client.
type ELB struct {
	t    testing.TB
	wire *Wire
	// Login is the listener's authenticate-oidc action as it reads back; nil if the listener has none.
	Login *types.AuthenticateOidcActionConfig
	// Secret is the client secret that it logs in with; no answer holds it.
	Secret string
	// Tags of the load balancer.
	Tags []types.Tag
	// DNSName of the load balancer.
	DNSName string
	// Rules is how many rules log users in like the default action; they can only be found.
	Rules int
	// Gone: the listener does not exist any more.
	Gone bool

	seen []string
}

var _ alb.API = (*ELB)(nil)

func newELB(t testing.TB, wire *Wire, tokenEndpoint, current string) *ELB {
	return &ELB{t: t, wire: wire, DNSName: "127.0.0.1", Secret: current, seen: []string{current}, Login: &types.AuthenticateOidcActionConfig{
		Issuer: aws.String(Issuer), ClientId: aws.String(ClientID), TokenEndpoint: &tokenEndpoint,
		AuthorizationEndpoint: aws.String(Issuer + "/authorize"), UserInfoEndpoint: aws.String(Issuer + "/userinfo")}}
}

func (e *ELB) region(name string) alb.API {
	if name != "eu-central-1" {
		e.t.Errorf("load balancers of Region %q are asked for", name)
	}
	return e
}

func (e *ELB) listener() types.Listener {
	l := types.Listener{ListenerArn: aws.String(Listener), LoadBalancerArn: aws.String(LoadBalancer), Port: aws.Int32(443)}
	if e.Login != nil {
		login := *e.Login
		l.DefaultActions = append(l.DefaultActions, types.Action{Type: types.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1), AuthenticateOidcConfig: &login})
	}
	l.DefaultActions = append(l.DefaultActions, types.Action{Type: types.ActionTypeEnumForward, Order: aws.Int32(2), TargetGroupArn: aws.String("orders-group")})
	return l
}

// DescribeListeners implements alb.API.
func (e *ELB) DescribeListeners(_ context.Context, in *elasticloadbalancingv2.DescribeListenersInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeListenersOutput, error) {
	out := &elasticloadbalancingv2.DescribeListenersOutput{}
	return out, e.wire.read("DescribeListeners", func() error {
		switch {
		case in.LoadBalancerArn != nil && *in.LoadBalancerArn != LoadBalancer:
			return &types.LoadBalancerNotFoundException{}
		case in.LoadBalancerArn == nil && (e.Gone || in.ListenerArns[0] != Listener):
			return &types.ListenerNotFoundException{}
		case !e.Gone:
			out.Listeners = []types.Listener{e.listener()}
		}
		return nil
	})
}

// DescribeRules implements alb.API: the default rule, after Rules others.
func (e *ELB) DescribeRules(context.Context, *elasticloadbalancingv2.DescribeRulesInput, ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeRulesOutput, error) {
	out := &elasticloadbalancingv2.DescribeRulesOutput{}
	return out, e.wire.read("DescribeRules", func() error {
		for i := range e.Rules {
			out.Rules = append(out.Rules, types.Rule{RuleArn: aws.String(fmt.Sprintf("%s/%d", Listener, i)), Priority: aws.String(strconv.Itoa(i + 1)), Actions: e.listener().DefaultActions})
		}
		out.Rules = append(out.Rules, types.Rule{RuleArn: aws.String(Listener + "/default"), IsDefault: aws.Bool(true), Priority: aws.String("default")})
		return nil
	})
}

// DescribeLoadBalancers implements alb.API.
func (e *ELB) DescribeLoadBalancers(context.Context, *elasticloadbalancingv2.DescribeLoadBalancersInput, ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeLoadBalancersOutput, error) {
	out := &elasticloadbalancingv2.DescribeLoadBalancersOutput{}
	return out, e.wire.read("DescribeLoadBalancers", func() error {
		out.LoadBalancers = []types.LoadBalancer{{LoadBalancerArn: aws.String(LoadBalancer), DNSName: &e.DNSName, Type: types.LoadBalancerTypeEnumApplication}}
		return nil
	})
}

// DescribeTags implements alb.API.
func (e *ELB) DescribeTags(context.Context, *elasticloadbalancingv2.DescribeTagsInput, ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeTagsOutput, error) {
	out := &elasticloadbalancingv2.DescribeTagsOutput{}
	return out, e.wire.read("DescribeTags", func() error {
		out.TagDescriptions = []types.TagDescription{{ResourceArn: aws.String(LoadBalancer), Tags: e.Tags}}
		return nil
	})
}

// ModifyRule implements alb.API: the default rule cannot be changed this way, and there is no other.
func (e *ELB) ModifyRule(context.Context, *elasticloadbalancingv2.ModifyRuleInput, ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.ModifyRuleOutput, error) {
	return nil, e.wire.write("ModifyRule", func() error { return &types.OperationNotPermittedException{} })
}

// ModifyListener implements alb.API.
func (e *ELB) ModifyListener(_ context.Context, in *elasticloadbalancingv2.ModifyListenerInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.ModifyListenerOutput, error) {
	return &elasticloadbalancingv2.ModifyListenerOutput{}, e.wire.write("ModifyListener", func() error {
		if e.Gone || aws.ToString(in.ListenerArn) != Listener {
			return &types.ListenerNotFoundException{}
		}
		login := *in.DefaultActions[0].AuthenticateOidcConfig
		e.Secret = aws.ToString(login.ClientSecret)
		e.seen = append(e.seen, e.Secret)
		login.ClientSecret, login.UseExistingClientSecret = nil, nil
		e.Login = &login
		return nil
	})
}
