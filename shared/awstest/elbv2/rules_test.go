package elbv2_test

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"alboidc.internal/shared/awstest/elbv2"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func TestARNsHaveTheirRealForm(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	listener := b.newListener(fixed(1))
	rule := b.newRule(listener, 1, fixed(1))
	prefix := `^arn:aws:elasticloadbalancing:eu-central-1:111122223333:`
	for pattern, arn := range map[string]string{
		`loadbalancer/app/front/[0-9a-f]{16}$`:                            b.balancer,
		`targetgroup/app/[0-9a-f]{16}$`:                                   b.group,
		`listener/app/front/[0-9a-f]{16}/[0-9a-f]{16}$`:                   listener,
		`listener-rule/app/front/[0-9a-f]{16}/[0-9a-f]{16}/[0-9a-f]{16}$`: rule,
	} {
		if !regexp.MustCompile(prefix + pattern).MatchString(arn) {
			t.Errorf("%s does not match %s", arn, pattern)
		}
	}
}

func TestModifyRuleReplacesTheListOfActionsAndKeepsConditions(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	arn := b.newRule(b.newListener(fixed(1)), 10, login("s1"), b.forward())
	before := b.rule(arn)
	if err := b.modifyRule(arn, fixed(1)); err != nil {
		t.Fatal(err)
	}
	after := b.rule(arn)
	if len(after.Actions) != 1 || after.Actions[0].Type != types.ActionTypeEnumFixedResponse {
		t.Errorf("the old actions are still there: %+v", after.Actions)
	}
	if len(before.Conditions) != 1 || !reflect.DeepEqual(before.Conditions, after.Conditions) {
		t.Errorf("conditions changed from %+v to %+v", before.Conditions, after.Conditions)
	}
	err := b.modifyRule(arn, useExisting(login("")), b.forward())
	b.wantError(err, "InvalidLoadBalancerAction", "no existing client secret") // it went with the replaced list
}

func TestModifyRuleOfConditionsKeepsTheActionsAndTheirSecret(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	arn := b.newRule(b.newListener(fixed(1)), 10, login("s1"), b.forward())
	must(b.api.ModifyRule(b.ctx, &elb.ModifyRuleInput{RuleArn: &arn, Conditions: []types.RuleCondition{
		{Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{
			Values: []string{"a.example.test", "b.example.test"}}}}}))
	got := b.rule(arn)
	if len(got.Actions) != 2 || !slices.Equal(got.Conditions[0].Values, []string{"a.example.test", "b.example.test"}) ||
		got.Conditions[0].HostHeaderConfig == nil {
		t.Errorf("got %+v", got)
	}
	b.clock.Advance(b.svc.Spread())
	if s := b.served(arn, 0); s != "s1" {
		t.Errorf("serves %q", s)
	}
}

func TestModifyNeedsAClientSecretOrUseExistingClientSecret(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	listener := b.newListener(login("d1"), b.forward())
	arn := b.newRule(listener, 10, login("s1"), b.forward())
	b.wantError(b.modifyRule(arn, login(""), b.forward()), "InvalidLoadBalancerAction",
		"a client secret must be specified")
	a := useExisting(login(""))
	a.AuthenticateOidcConfig.Scope = aws.String("openid email")
	if err := b.modifyRule(arn, a, b.forward()); err != nil {
		t.Fatal(err)
	}
	must(b.api.ModifyListener(b.ctx, &elb.ModifyListenerInput{ListenerArn: &listener,
		DefaultActions: []types.Action{useExisting(login("")), b.forward()}}))
	b.clock.Advance(b.svc.Spread())
	got := map[string]bool{}
	for _, u := range b.svc.EffectiveSecrets(b.clock.Now()) {
		got[u.Secret+strconv.FormatBool(u.DefaultRule)+strconv.Itoa(u.Node)] = true
	}
	if want := map[string]bool{"s1false0": true, "s1false1": true, "d1true0": true,
		"d1true1": true}; !reflect.DeepEqual(got, want) {
		t.Errorf("served %v", got)
	}
	if *b.rule(arn).Actions[0].AuthenticateOidcConfig.Scope != "openid email" {
		t.Error("the other settings were not changed")
	}
}

func TestDefaultRulesChangeOnlyByModifyListener(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	listener := b.newListener(fixed(1))
	rules := must(b.api.DescribeRules(b.ctx, &elb.DescribeRulesInput{ListenerArn: &listener})).Rules
	def := *rules[0].RuleArn
	if !*rules[0].IsDefault || *rules[0].Priority != "default" {
		t.Errorf("the default rule reads %+v", rules[0])
	}
	b.wantError(b.modifyRule(def, fixed(1)), "OperationNotPermitted", "Default rule '"+def+"' cannot be modified")
	_, err := b.api.DeleteRule(b.ctx, &elb.DeleteRuleInput{RuleArn: &def})
	b.wantError(err, "OperationNotPermitted", "Default rule '"+def+"' cannot be modified")
	must(b.api.ModifyListener(b.ctx, &elb.ModifyListenerInput{ListenerArn: &listener,
		DefaultActions: []types.Action{login("s1"), b.forward()}}))
	if got := b.rule(def).Actions; len(got) != 2 || got[0].AuthenticateOidcConfig == nil {
		t.Errorf("the default rule reads %+v", got)
	}
}

func TestRulesComeByPriorityInPagesWithTheDefaultRuleLast(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	listener := b.newListener(fixed(1))
	for _, p := range []int32{30, 10, 20} {
		b.newRule(listener, p, fixed(1))
	}
	_, err := b.createRule(listener, 20, fixed(1))
	b.wantError(err, "PriorityInUse", "'20'")
	var got []string
	pages := 0
	for marker := (*string)(nil); ; pages++ {
		out := must(b.api.DescribeRules(b.ctx, &elb.DescribeRulesInput{ListenerArn: &listener, PageSize: aws.Int32(3),
			Marker: marker}))
		for _, r := range out.Rules {
			got = append(got, *r.Priority)
		}
		if marker = out.NextMarker; marker == nil {
			break
		}
	}
	if !slices.Equal(got, []string{"10", "20", "30", "default"}) || pages != 1 {
		t.Errorf("got %v after %d further pages", got, pages)
	}
}

func TestListenersAreFoundByLoadBalancerInPagesAndByARN(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	first := b.newListener(fixed(1))
	second := *must(b.createListener(types.ProtocolEnumHttp, 80, fixed(1))).Listeners[0].ListenerArn
	page := must(b.api.DescribeListeners(b.ctx, &elb.DescribeListenersInput{LoadBalancerArn: &b.balancer,
		PageSize: aws.Int32(1)}))
	rest := must(b.api.DescribeListeners(b.ctx, &elb.DescribeListenersInput{LoadBalancerArn: &b.balancer,
		Marker: page.NextMarker}))
	if *page.Listeners[0].ListenerArn != first || *rest.Listeners[0].ListenerArn != second || rest.NextMarker != nil {
		t.Errorf("got %+v then %+v", page.Listeners, rest.Listeners)
	}
	byARN := must(b.api.DescribeListeners(b.ctx, &elb.DescribeListenersInput{ListenerArns: []string{second}})).Listeners
	if len(byARN) != 1 || *byARN[0].Port != 80 || *byARN[0].LoadBalancerArn != b.balancer {
		t.Errorf("got %+v", byARN)
	}
	_, err := b.createListener(types.ProtocolEnumHttp, 80, fixed(1))
	b.wantError(err, "DuplicateListener", "")
	_, err = b.api.DescribeListeners(b.ctx, &elb.DescribeListenersInput{})
	b.wantError(err, "ValidationError", "")
}

func TestLoadBalancersAreFoundByNameARNAndPageInTheirRegion(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	second := *must(b.api.CreateLoadBalancer(b.ctx, &elb.CreateLoadBalancerInput{Name: aws.String("back"),
		Subnets: []string{"s1", "s2"}})).LoadBalancers[0].LoadBalancerArn
	again := *must(b.api.CreateLoadBalancer(b.ctx, &elb.CreateLoadBalancerInput{Name: aws.String("back"),
		Subnets: []string{"s1", "s2"}})).LoadBalancers[0].LoadBalancerArn
	if again != second {
		t.Error("creating with the same settings is not idempotent")
	}
	byName := must(b.api.DescribeLoadBalancers(b.ctx,
		&elb.DescribeLoadBalancersInput{Names: []string{"back"}})).LoadBalancers
	byARN := must(b.api.DescribeLoadBalancers(b.ctx,
		&elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{b.balancer}})).LoadBalancers
	if len(byName) != 1 || *byName[0].LoadBalancerArn != second || len(byARN) != 1 ||
		*byARN[0].LoadBalancerName != "front" {
		t.Errorf("got %+v and %+v", byName, byARN)
	}
	page := must(b.api.DescribeLoadBalancers(b.ctx, &elb.DescribeLoadBalancersInput{PageSize: aws.Int32(1)}))
	if len(page.LoadBalancers) != 1 || page.NextMarker == nil {
		t.Errorf("got %+v", page)
	}
	elsewhere := b.inRegion("us-east-1")
	if out := must(elsewhere.DescribeLoadBalancers(b.ctx, &elb.DescribeLoadBalancersInput{})); len(
		out.LoadBalancers) != 0 {
		t.Error("another Region sees the load balancers")
	}
	_, err := elsewhere.DescribeLoadBalancers(b.ctx,
		&elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{second}})
	b.wantError(err, "ValidationError", "'"+second+"' is not a valid load balancer ARN")
}

// The texts are answers of the service; an ARN of another Region or account is none of its own.
func TestAnARNIsCheckedBeforeAnythingIsLookedUp(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	listener := b.newListener(fixed(1))
	rule := b.newRule(listener, 1, fixed(1))
	for _, wrong := range []string{"x", listener + "x", strings.Replace(listener, "111122223333", "999922223333", 1),
		strings.Replace(listener, "eu-central-1", "eu-west-1", 1), rule, b.balancer} {
		_, err := b.api.DescribeListeners(b.ctx, &elb.DescribeListenersInput{ListenerArns: []string{wrong}})
		if wrong == listener+"x" {
			b.wantError(err, "ListenerNotFound", wrong)
			continue
		}
		b.wantError(err, "ValidationError", "'"+wrong+"' is not a valid listener ARN")
	}
	_, err := b.api.DescribeRules(b.ctx, &elb.DescribeRulesInput{RuleArns: []string{listener}})
	b.wantError(err, "ValidationError", "'"+listener+"' is not a valid listener rule ARN")
	b.wantError(b.modifyRule("x", fixed(1)), "ValidationError", "'x' is not a valid listener rule ARN")
	_, err = b.api.DescribeListeners(b.ctx, &elb.DescribeListenersInput{LoadBalancerArn: &listener})
	b.wantError(err, "ValidationError", "is not a valid load balancer ARN")
	_, err = b.api.DeleteLoadBalancer(b.ctx, &elb.DeleteLoadBalancerInput{LoadBalancerArn: &listener})
	b.wantError(err, "ValidationError", "is not a valid load balancer ARN")
	_, err = b.api.RegisterTargets(b.ctx, &elb.RegisterTargetsInput{TargetGroupArn: &listener,
		Targets: []types.TargetDescription{{Id: aws.String("127.0.0.1")}}})
	b.wantError(err, "ValidationError", "is not a valid target group ARN")
}

func TestWhatIsDeletedIsNotFound(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	listener := b.newListener(fixed(1))
	rule := b.newRule(listener, 1, fixed(1))
	must(b.api.DeleteRule(b.ctx, &elb.DeleteRuleInput{RuleArn: &rule}))
	b.wantError(b.modifyRule(rule, fixed(1)), "RuleNotFound", rule)
	must(b.api.DeleteListener(b.ctx, &elb.DeleteListenerInput{ListenerArn: &listener}))
	_, err := b.api.DescribeRules(b.ctx, &elb.DescribeRulesInput{ListenerArn: &listener})
	b.wantError(err, "ListenerNotFound", listener)
	for range 2 {
		must(b.api.DeleteLoadBalancer(b.ctx, &elb.DeleteLoadBalancerInput{LoadBalancerArn: &b.balancer}))
	}
	_, err = b.api.DescribeListeners(b.ctx, &elb.DescribeListenersInput{LoadBalancerArn: &b.balancer})
	b.wantError(err, "LoadBalancerNotFound", b.balancer)
}

func TestTagsAreAddedReplacedRemovedAndReadForUpTo20Resources(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	listener := b.newListener(fixed(1))
	rule := b.newRule(listener, 1, fixed(1))
	arns := []string{b.balancer, listener, rule}
	tag := func(k, v string) types.Tag { return types.Tag{Key: &k, Value: &v} }
	must(b.api.AddTags(b.ctx, &elb.AddTagsInput{ResourceArns: arns, Tags: []types.Tag{tag("a", "1"), tag("b", "1")}}))
	must(b.api.AddTags(b.ctx, &elb.AddTagsInput{ResourceArns: arns, Tags: []types.Tag{tag("b", "2")}}))
	must(b.api.RemoveTags(b.ctx, &elb.RemoveTagsInput{ResourceArns: arns, TagKeys: []string{"a"}}))
	out := must(b.api.DescribeTags(b.ctx, &elb.DescribeTagsInput{ResourceArns: arns})).TagDescriptions
	for i, d := range out {
		if *d.ResourceArn != arns[i] || !reflect.DeepEqual(d.Tags, []types.Tag{tag("b", "2")}) {
			t.Errorf("got %+v", d)
		}
	}
	if len(out) != len(arns) {
		t.Errorf("got %d descriptions", len(out))
	}
	_, err := b.api.DescribeTags(b.ctx, &elb.DescribeTagsInput{ResourceArns: slices.Repeat(arns, 7)})
	b.wantError(err, "ValidationError", "20")
}

func TestOperationsAndParametersThatAreNotThereAreRefusedByName(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	_, err := b.api.DescribeTrustStores(b.ctx, &elb.DescribeTrustStoresInput{})
	b.wantError(err, "NotImplemented", "DescribeTrustStores")
	_, err = b.api.ModifyListener(b.ctx, &elb.ModifyListenerInput{ListenerArn: aws.String(b.newListener(fixed(1))),
		Port: aws.Int32(444)})
	b.wantError(err, "NotImplemented", "Port")
}
