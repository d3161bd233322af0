package alb_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/alb"
)

const (
	issuer   = "https://idp.example"
	endpoint = "https://idp.example/token"
	ordersLB = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/orders-alb/0123456789abcdef"
	listener = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/orders-alb/0123456789abcdef/1"
	rule     = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener-rule/app/orders-alb/0123456789abcdef/1/10"
)

// fake is Elastic Load Balancing of one Region: listeners and rules in the order they were added, two to a page. It
// replaces action lists whole, keeps client secrets to itself, and refuses what the API refuses.
type fake struct {
	t         *testing.T
	balancers []string
	listeners []types.Listener
	rules     map[string][]types.Rule // listener → rules
	tags      map[string][]types.Tag
	secrets   map[string]string // listener or rule → client secret it logs in with

	// reads of one listener or rule: the next lag of them show it as it was before the last write, the next hidden of
	// them do not find it.
	lag, hidden int
	oldRule     map[string]types.Rule
	oldListener map[string]types.Listener
	// before and after make the next call of an operation fail, before or after its effect; meanwhile is somebody else's
	// change right after our write.
	before, after map[string]error
	meanwhile     func()
	// afterRead is somebody else's change right after our next read of one listener or rule.
	afterRead func()

	calls []string
	slept time.Duration
}

func newFake(t *testing.T) *fake {
	return &fake{t: t, rules: map[string][]types.Rule{}, tags: map[string][]types.Tag{}, secrets: map[string]string{},
		oldRule: map[string]types.Rule{}, oldListener: map[string]types.Listener{},
		before: map[string]error{}, after: map[string]error{}}
}

func (f *fake) balancersOf(other ...*fake) *alb.Balancers {
	regions := map[string]*fake{"eu-central-1": f}
	for _, o := range other {
		regions["us-east-1"] = o
	}
	return alb.New(func(region string) alb.API {
		if regions[region] == nil {
			f.t.Fatalf("a client for Region %q", region)
		}
		return regions[region]
	}, func(ctx context.Context, d time.Duration) error {
		f.slept += d
		return ctx.Err()
	})
}

// listen adds a listener with its default actions.
func (f *fake) listen(lb, arn string, port int32, actions ...types.Action) {
	if !slices.Contains(f.balancers, lb) {
		f.balancers = append(f.balancers, lb)
	}
	f.listeners = append(f.listeners, types.Listener{ListenerArn: &arn, LoadBalancerArn: &lb, Port: &port, Protocol: types.ProtocolEnumHttps,
		SslPolicy: aws.String("ELBSecurityPolicy-TLS13-1-2-2021-06"), Certificates: []types.Certificate{{CertificateArn: aws.String("cert")}}, DefaultActions: clone(f.t, actions)})
	f.rules[arn] = append(f.rules[arn], types.Rule{RuleArn: aws.String(arn + "/default"), IsDefault: aws.Bool(true), Priority: aws.String("default"), Actions: clone(f.t, actions)})
}

// add adds a rule.
func (f *fake) add(listener, arn string, priority int, actions ...types.Action) {
	f.rules[listener] = append(f.rules[listener], types.Rule{RuleArn: &arn, IsDefault: aws.Bool(false), Priority: aws.String(strconv.Itoa(priority)), Actions: clone(f.t, actions),
		Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/a", "/b"},
			PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{"/a", "/b"}}}},
		Transforms: []types.RuleTransform{{Type: types.TransformTypeEnumUrlRewrite}}})
}

func (f *fake) tag(arn, key, value string) {
	f.tags[arn] = append(f.tags[arn], types.Tag{Key: &key, Value: &value})
}

// call runs an operation with its faults.
func (f *fake) call(op string, effect func() error) error {
	f.calls = append(f.calls, op)
	if err := f.before[op]; err != nil {
		delete(f.before, op)
		return err
	}
	if err := effect(); err != nil {
		return err
	}
	err := f.after[op]
	delete(f.after, op)
	return err
}

// clone copies deeply: what the fake holds is never shared with what it was sent or has answered.
func clone[T any](t *testing.T, v T) T {
	var out T
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// page cuts two elements out of a list.
func page[T any](all []T, marker *string) ([]T, *string) {
	start, _ := strconv.Atoi(aws.ToString(marker))
	end := min(start+2, len(all))
	if end == len(all) {
		return all[start:end], nil
	}
	return all[start:end], aws.String(strconv.Itoa(end))
}

func (f *fake) DescribeListeners(_ context.Context, in *elasticloadbalancingv2.DescribeListenersInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeListenersOutput, error) {
	out := &elasticloadbalancingv2.DescribeListenersOutput{}
	err := f.call("DescribeListeners", func() error {
		if in.LoadBalancerArn != nil {
			if !slices.Contains(f.balancers, *in.LoadBalancerArn) {
				return &types.LoadBalancerNotFoundException{}
			}
			var of []types.Listener
			for _, l := range f.listeners {
				if *l.LoadBalancerArn == *in.LoadBalancerArn {
					of = append(of, l)
				}
			}
			out.Listeners, out.NextMarker = page(clone(f.t, of), in.Marker)
			return nil
		}
		l := f.listener(in.ListenerArns[0])
		if l == nil || f.hide() {
			return &types.ListenerNotFoundException{}
		}
		if old, ok := f.oldListener[*l.ListenerArn]; ok && f.stale() {
			l = &old
		}
		out.Listeners = []types.Listener{clone(f.t, *l)}
		f.change()
		return nil
	})
	return out, err
}

func (f *fake) DescribeRules(_ context.Context, in *elasticloadbalancingv2.DescribeRulesInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeRulesOutput, error) {
	out := &elasticloadbalancingv2.DescribeRulesOutput{}
	err := f.call("DescribeRules", func() error {
		if in.ListenerArn != nil {
			if f.listener(*in.ListenerArn) == nil {
				return &types.ListenerNotFoundException{}
			}
			out.Rules, out.NextMarker = page(clone(f.t, f.rules[*in.ListenerArn]), in.Marker)
			return nil
		}
		r := f.rule(in.RuleArns[0])
		if r == nil || f.hide() {
			return &types.RuleNotFoundException{}
		}
		if old, ok := f.oldRule[*r.RuleArn]; ok && f.stale() {
			r = &old
		}
		out.Rules = []types.Rule{clone(f.t, *r)}
		f.change()
		return nil
	})
	return out, err
}

func (f *fake) change() {
	if do := f.afterRead; do != nil {
		f.afterRead = nil
		do()
	}
}

func (f *fake) hide() bool {
	f.hidden--
	return f.hidden >= 0
}

func (f *fake) stale() bool {
	f.lag--
	return f.lag >= 0
}

func (f *fake) listener(arn string) *types.Listener {
	for i := range f.listeners {
		if *f.listeners[i].ListenerArn == arn {
			return &f.listeners[i]
		}
	}
	return nil
}

func (f *fake) rule(arn string) *types.Rule {
	for _, rules := range f.rules {
		for i := range rules {
			if *rules[i].RuleArn == arn {
				return &rules[i]
			}
		}
	}
	return nil
}

func (f *fake) DescribeLoadBalancers(_ context.Context, in *elasticloadbalancingv2.DescribeLoadBalancersInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeLoadBalancersOutput, error) {
	out := &elasticloadbalancingv2.DescribeLoadBalancersOutput{}
	err := f.call("DescribeLoadBalancers", func() error {
		var all []types.LoadBalancer
		for _, arn := range f.balancers {
			kind := types.LoadBalancerTypeEnumApplication
			if strings.Contains(arn, "/net/") {
				kind = types.LoadBalancerTypeEnumNetwork
			}
			all = append(all, types.LoadBalancer{LoadBalancerArn: &arn, Type: kind})
		}
		out.LoadBalancers, out.NextMarker = page(all, in.Marker)
		return nil
	})
	return out, err
}

func (f *fake) DescribeTags(_ context.Context, in *elasticloadbalancingv2.DescribeTagsInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.DescribeTagsOutput, error) {
	out := &elasticloadbalancingv2.DescribeTagsOutput{}
	err := f.call("DescribeTags", func() error {
		if len(in.ResourceArns) > 20 {
			f.t.Errorf("tags of %d resources asked for at once", len(in.ResourceArns))
		}
		for _, arn := range in.ResourceArns {
			out.TagDescriptions = append(out.TagDescriptions, types.TagDescription{ResourceArn: &arn, Tags: f.tags[arn]})
		}
		return nil
	})
	return out, err
}

func (f *fake) ModifyRule(_ context.Context, in *elasticloadbalancingv2.ModifyRuleInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.ModifyRuleOutput, error) {
	return &elasticloadbalancingv2.ModifyRuleOutput{}, f.call("ModifyRule", func() error {
		if in.Conditions != nil || in.Transforms != nil || in.ResetTransforms != nil {
			f.t.Error("more than the actions was sent")
		}
		r := f.rule(*in.RuleArn)
		if r == nil {
			return &types.RuleNotFoundException{}
		}
		if aws.ToBool(r.IsDefault) {
			return &types.OperationNotPermittedException{}
		}
		f.oldRule[*r.RuleArn] = clone(f.t, *r)
		return f.replace(*in.RuleArn, &r.Actions, in.Actions)
	})
}

func (f *fake) ModifyListener(_ context.Context, in *elasticloadbalancingv2.ModifyListenerInput, _ ...func(*elasticloadbalancingv2.Options)) (*elasticloadbalancingv2.ModifyListenerOutput, error) {
	return &elasticloadbalancingv2.ModifyListenerOutput{}, f.call("ModifyListener", func() error {
		if in.Port != nil || in.Protocol != "" || in.SslPolicy != nil || in.Certificates != nil || in.AlpnPolicy != nil || in.MutualAuthentication != nil {
			f.t.Error("more than the default actions was sent")
		}
		l := f.listener(*in.ListenerArn)
		if l == nil {
			return &types.ListenerNotFoundException{}
		}
		f.oldListener[*l.ListenerArn] = clone(f.t, *l)
		return f.replace(*in.ListenerArn, &l.DefaultActions, in.DefaultActions)
	})
}

// replace stores an action list as the API does: it checks it, keeps the secret apart and resolves the forward.
func (f *fake) replace(arn string, stored *[]types.Action, sent []types.Action) error {
	sent = clone(f.t, sent)
	for i := range sent {
		a := &sent[i]
		if c := a.ForwardConfig; c != nil && a.TargetGroupArn != nil && len(c.TargetGroups) != 1 {
			return fmt.Errorf("a single target group beside %d of them", len(c.TargetGroups))
		}
		if c := a.ForwardConfig; c != nil && len(c.TargetGroups) == 1 {
			a.TargetGroupArn = c.TargetGroups[0].TargetGroupArn
		}
		o := a.AuthenticateOidcConfig
		if o == nil {
			continue
		}
		if (o.ClientSecret == nil) != aws.ToBool(o.UseExistingClientSecret) {
			return &types.InvalidLoadBalancerActionException{}
		}
		if o.ClientSecret != nil {
			f.secrets[arn] = *o.ClientSecret
		}
		o.ClientSecret, o.UseExistingClientSecret = nil, nil
	}
	*stored = sent
	if f.meanwhile != nil {
		f.meanwhile()
	}
	return nil
}

// login is an authenticate-oidc action as it reads back, with every field set.
func login(clientID string) types.Action {
	return types.Action{Type: types.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1), AuthenticateOidcConfig: &types.AuthenticateOidcActionConfig{
		Issuer: aws.String(issuer), AuthorizationEndpoint: aws.String("https://idp.example/authorize"), TokenEndpoint: aws.String(endpoint),
		UserInfoEndpoint: aws.String("https://idp.example/userinfo"), ClientId: &clientID, SessionCookieName: aws.String("AWSELBAuthSessionCookie"),
		Scope: aws.String("openid"), SessionTimeout: aws.Int64(604800), OnUnauthenticatedRequest: types.AuthenticateOidcActionConditionalBehaviorEnumAuthenticate,
		AuthenticationRequestExtraParams: map[string]string{"prompt": "login", "display": "page"}}}
}

// forward is a forward action as it reads back: with TargetGroupArn only for a single target group.
func forward(groups ...string) types.Action {
	a := types.Action{Type: types.ActionTypeEnumForward, Order: aws.Int32(2), ForwardConfig: &types.ForwardActionConfig{
		TargetGroupStickinessConfig: &types.TargetGroupStickinessConfig{Enabled: aws.Bool(false)}}}
	for i, g := range groups {
		a.ForwardConfig.TargetGroups = append(a.ForwardConfig.TargetGroups, types.TargetGroupTuple{TargetGroupArn: aws.String(g), Weight: aws.Int32(int32(i + 1))})
	}
	if len(groups) == 1 {
		a.TargetGroupArn = &groups[0]
	}
	return a
}
