package elbv2_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/elbv2"
	"alboidc.internal/shared/clock"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"
)

const region = "eu-central-1"

// bench is the control plane as an SDK client sees it, with a load balancer to work on.
type bench struct {
	*testing.T
	ctx      context.Context
	api      *elb.Client
	server   http.Handler
	clock    *clock.Virtual
	svc      *elbv2.Service
	balancer string
	group    string
}

func newBench(t *testing.T, o elbv2.Options) *bench {
	t.Helper()
	t.Parallel()
	b := &bench{T: t, ctx: context.Background(), clock: clock.NewVirtual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}
	b.svc = elbv2.New(b.clock, o)
	b.server = awsapi.NewServer(b.clock, nil, b.svc)
	b.api = b.inRegion(region)
	lb := must(b.api.CreateLoadBalancer(b.ctx, &elb.CreateLoadBalancerInput{Name: aws.String("front"),
		Subnets: []string{"subnet-1", "subnet-2"}}))
	b.balancer = *lb.LoadBalancers[0].LoadBalancerArn
	b.group = b.newGroup("app")
	return b
}

func (b *bench) inRegion(region string) *elb.Client {
	return elb.NewFromConfig(awsapi.Config(b.server, region))
}

// must ends the test's goroutine's work by a panic that names the error: set-up that fails is a defect of the test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (b *bench) newGroup(name string) string {
	return *must(b.api.CreateTargetGroup(b.ctx, &elb.CreateTargetGroupInput{Name: &name,
		Protocol: types.ProtocolEnumHttp,
		Port:     aws.Int32(80), TargetType: types.TargetTypeEnumIp})).TargetGroups[0].TargetGroupArn
}

func (b *bench) newListener(actions ...types.Action) string {
	return *must(b.createListener(types.ProtocolEnumHttps, 443, actions...)).Listeners[0].ListenerArn
}

func (b *bench) createListener(p types.ProtocolEnum, port int32, actions ...types.Action) (*elb.CreateListenerOutput,
	error) {
	in := &elb.CreateListenerInput{LoadBalancerArn: &b.balancer, Protocol: p, Port: &port, DefaultActions: actions}
	if p == types.ProtocolEnumHttps {
		in.Certificates = []types.Certificate{
			{CertificateArn: aws.String("arn:aws:acm:eu-central-1:111122223333:certificate/one")}}
	}
	return b.api.CreateListener(b.ctx, in)
}

func (b *bench) createRule(listener string, priority int32, actions ...types.Action) (*elb.CreateRuleOutput, error) {
	return b.api.CreateRule(b.ctx, &elb.CreateRuleInput{ListenerArn: &listener, Priority: &priority, Actions: actions,
		Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/app/*"}}}})
}

func (b *bench) newRule(listener string, priority int32, actions ...types.Action) string {
	return *must(b.createRule(listener, priority, actions...)).Rules[0].RuleArn
}

func (b *bench) rule(arn string) types.Rule {
	return must(b.api.DescribeRules(b.ctx, &elb.DescribeRulesInput{RuleArns: []string{arn}})).Rules[0]
}

func (b *bench) modifyRule(arn string, actions ...types.Action) error {
	_, err := b.api.ModifyRule(b.ctx, &elb.ModifyRuleInput{RuleArn: &arn, Actions: actions})
	return err
}

// forward is a routing action performed second.
func (b *bench) forward() types.Action {
	return types.Action{Type: types.ActionTypeEnumForward, Order: aws.Int32(2), TargetGroupArn: &b.group}
}

// login is an authenticate-oidc action performed first; secret "" sends none.
func login(secret string) types.Action {
	a := types.Action{Type: types.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1),
		AuthenticateOidcConfig: &types.AuthenticateOidcActionConfig{
			Issuer: aws.String("https://idp.example.test/"), AuthorizationEndpoint: aws.String(
				"https://idp.example.test/authorize"),
			TokenEndpoint:    aws.String("https://idp.example.test/token"),
			UserInfoEndpoint: aws.String("https://idp.example.test/userinfo"),
			ClientId:         aws.String("orders-web")}}
	if secret != "" {
		a.AuthenticateOidcConfig.ClientSecret = &secret
	}
	return a
}

func useExisting(a types.Action) types.Action {
	a.AuthenticateOidcConfig.UseExistingClientSecret = aws.Bool(true)
	return a
}

func fixed(order int32) types.Action {
	return types.Action{Type: types.ActionTypeEnumFixedResponse, Order: &order,
		FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("404")}}
}

// wantError checks the error's code and that its message has the text.
func (b *bench) wantError(err error, code, text string) {
	b.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		b.Errorf("got error %v, want %s with %q", err, code, text)
	}
}

// served is the secret of a rule at a node, now; "" if none.
func (b *bench) served(rule string, node int) string {
	for _, u := range b.svc.EffectiveSecrets(b.clock.Now()) {
		if u.RuleARN == rule && u.Node == node {
			return u.Secret
		}
	}
	return ""
}

func TestInstantsHaveMillisecondsAsInTheAPI(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	b.clock.Advance(1234567 * time.Microsecond)
	lb := must(b.api.CreateLoadBalancer(b.ctx, &elb.CreateLoadBalancerInput{Name: aws.String("late"),
		Subnets: []string{"subnet-1", "subnet-2"}}))
	if got, want := *lb.LoadBalancers[0].CreatedTime, time.Date(2026, 1, 1, 0, 0, 1, 234e6,
		time.UTC); !got.Equal(want) {
		t.Errorf("created at %s, want %s", got, want)
	}
}
