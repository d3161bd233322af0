package elbv2_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"alboidc.internal/shared/awstest/elbv2"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func TestActionsThatAWSRefusesAreRefused(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	listener := b.newListener(fixed(1))
	both := useExisting(login("s1"))
	insecure := login("s1")
	insecure.AuthenticateOidcConfig.TokenEndpoint = aws.String("http://idp.example.test/token")
	first, missing := b.forward(), b.forward()
	first.Order = aws.Int32(1)
	missing.TargetGroupArn = aws.String(b.group + "0")
	unordered := b.forward()
	unordered.Order = nil
	late := login("s1")
	late.Order = aws.Int32(3)
	for name, c := range map[string]struct {
		actions    []types.Action
		code, text string
	}{
		"both ClientSecret and UseExistingClientSecret": {[]types.Action{both, b.forward()},
			"InvalidLoadBalancerAction",
			"You cannot both specify a client secret and set UseExistingClientSecret to true"},
		"a new action without ClientSecret": {[]types.Action{login(""), b.forward()},
			"InvalidLoadBalancerAction", "a client secret must be specified"},
		"UseExistingClientSecret where there is no secret": {[]types.Action{useExisting(login("")), b.forward()},
			"InvalidLoadBalancerAction", "no existing client secret"},
		"an endpoint without https": {[]types.Action{insecure, b.forward()},
			"InvalidLoadBalancerAction", "TokenEndpoint"},
		"no routing action":   {[]types.Action{login("s1")}, "InvalidLoadBalancerAction", "exactly one"},
		"two routing actions": {[]types.Action{first, fixed(2)}, "InvalidLoadBalancerAction", "exactly one"},
		"the routing action not last by Order": {[]types.Action{late, b.forward()},
			"InvalidLoadBalancerAction", "last"},
		"several actions without Order": {[]types.Action{login("s1"), unordered}, "InvalidLoadBalancerAction",
			"order"},
		"two actions of the same Order": {[]types.Action{login("s1"), first}, "InvalidLoadBalancerAction",
			"order"},
		"a target group that does not exist": {[]types.Action{login("s1"), missing}, "TargetGroupNotFound", ""},
	} {
		_, err := b.createRule(listener, 10, c.actions...)
		t.Run(name, func(t *testing.T) { (&bench{T: t}).wantError(err, c.code, c.text) })
	}
}

func TestAuthenticateOIDCIsRefusedOnHTTPListeners(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	_, err := b.createListener(types.ProtocolEnumHttp, 80, login("s1"), b.forward())
	b.wantError(err, "InvalidLoadBalancerAction",
		"Actions of type 'authenticate-oidc' are supported only on HTTPS listeners")
	plain := *must(b.createListener(types.ProtocolEnumHttp, 80, fixed(1))).Listeners[0].ListenerArn
	_, err = b.createRule(plain, 1, login("s1"), b.forward())
	b.wantError(err, "InvalidLoadBalancerAction", "HTTPS")
}

func TestDefaultsAreResolvedOnRead(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	arn := b.newRule(b.newListener(fixed(1)), 10, login("s1"), b.forward())
	got := b.rule(arn).Actions[0].AuthenticateOidcConfig
	want := login("").AuthenticateOidcConfig
	want.SessionCookieName, want.Scope = aws.String("AWSELBAuthSessionCookie"), aws.String("openid")
	want.SessionTimeout, want.OnUnauthenticatedRequest = aws.Int64(604800), "authenticate"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestEverySettingOfALoginReadsBack(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	a := login("s1")
	c := a.AuthenticateOidcConfig
	c.SessionCookieName, c.Scope, c.SessionTimeout, c.OnUnauthenticatedRequest = aws.String("Orders"),
		aws.String("openid email"), aws.Int64(60), "deny"
	c.AuthenticationRequestExtraParams = map[string]string{"prompt": "login", "display": "page"}
	arn := b.newRule(b.newListener(fixed(1)), 10, a, b.forward())
	got := b.rule(arn).Actions[0].AuthenticateOidcConfig
	c.ClientSecret = nil
	if !reflect.DeepEqual(got, c) {
		t.Errorf("got %+v", got)
	}
}

func TestNoAnswerHoldsAClientSecret(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	const mark = "MARKED-SECRET"
	listener := b.newListener(login(mark), b.forward())
	rule := b.newRule(listener, 10, login(mark), b.forward())
	form := func(action string, more map[string]string) url.Values {
		v := url.Values{"Action": {action}}
		for k, x := range more {
			v.Set(k, x)
		}
		return v
	}
	for _, f := range []url.Values{
		form("DescribeRules", map[string]string{"ListenerArn": listener}),
		form("DescribeListeners", map[string]string{"LoadBalancerArn": b.balancer}),
		form("ModifyRule", map[string]string{"RuleArn": rule, "Conditions.member.1.Field": "path-pattern",
			"Conditions.member.1.Values.member.1": "/x"}),
		form("ModifyListener", map[string]string{"ListenerArn": listener}),
	} {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(f.Encode()))
		req.Header.Set("Authorization",
			"AWS4-HMAC-SHA256 Credential=a/20260101/"+region+"/elasticloadbalancing/aws4_request")
		res := httptest.NewRecorder()
		b.server.ServeHTTP(res, req)
		body := res.Body.String()
		if res.Code != http.StatusOK || !strings.Contains(body, "orders-web") || strings.Contains(body, mark) ||
			strings.Contains(body, "ClientSecret") {
			t.Errorf("%s answered %d %s", f.Get("Action"), res.Code, body)
		}
	}
}

func TestForwardByTargetGroupArnReadsBackWithForwardConfigToo(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	arn := b.newRule(b.newListener(fixed(1)), 10, b.forward())
	got := b.rule(arn).Actions[0]
	want := []types.TargetGroupTuple{{TargetGroupArn: &b.group, Weight: aws.Int32(1)}}
	if *got.TargetGroupArn != b.group || !reflect.DeepEqual(got.ForwardConfig.TargetGroups, want) ||
		*got.ForwardConfig.TargetGroupStickinessConfig.Enabled {
		t.Errorf("got %+v", got.ForwardConfig)
	}
}

func TestWeightedForwardKeepsWeightsAndStickiness(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	other := b.newGroup("canary")
	f := &types.ForwardActionConfig{
		TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: &b.group, Weight: aws.Int32(9)},
			{TargetGroupArn: &other, Weight: aws.Int32(1)}},
		TargetGroupStickinessConfig: &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true),
			DurationSeconds: aws.Int32(300)}}
	arn := b.newRule(b.newListener(fixed(1)), 10, types.Action{Type: types.ActionTypeEnumForward, ForwardConfig: f})
	got := b.rule(arn).Actions[0]
	if got.TargetGroupArn != nil || !reflect.DeepEqual(got.ForwardConfig, f) {
		t.Errorf("got %v %+v", got.TargetGroupArn, got.ForwardConfig)
	}
}

func TestRedirectDefaultsAreResolvedOnRead(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	arn := b.newRule(b.newListener(fixed(1)), 10, types.Action{Type: types.ActionTypeEnumRedirect,
		RedirectConfig: &types.RedirectActionConfig{StatusCode: types.RedirectActionStatusCodeEnumHttp302,
			Host: aws.String("new.example.test")}})
	got := b.rule(arn).Actions[0].RedirectConfig
	if s := fmt.Sprint(*got.Protocol, *got.Host, *got.Port, *got.Path,
		*got.Query); s != "#{protocol}new.example.test#{port}/#{path}#{query}" {
		t.Errorf("got %s", s)
	}
}

func TestAuthenticateCognitoIsStoredAndJWTValidationRefused(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	listener := b.newListener(fixed(1))
	arn := b.newRule(listener, 10, b.forward(), types.Action{Type: types.ActionTypeEnumAuthenticateCognito,
		Order: aws.Int32(1),
		AuthenticateCognitoConfig: &types.AuthenticateCognitoActionConfig{UserPoolArn: aws.String("arn:p"),
			UserPoolClientId: aws.String("c"), UserPoolDomain: aws.String("d")}})
	if got := b.rule(arn).Actions[0]; got.Type != types.ActionTypeEnumAuthenticateCognito ||
		*got.AuthenticateCognitoConfig.UserPoolClientId != "c" {
		t.Errorf("got %+v", got)
	}
	_, err := b.createRule(listener, 11, b.forward(), types.Action{Type: types.ActionTypeEnumJwtValidation,
		Order: aws.Int32(1)})
	b.wantError(err, "NotImplemented", "jwt-validation")
}

func TestConditionsOtherThanHostAndPathAreRefusedByName(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	_, err := b.api.CreateRule(b.ctx, &elb.CreateRuleInput{ListenerArn: aws.String(b.newListener(fixed(1))),
		Priority: aws.Int32(1), Actions: []types.Action{fixed(1)},
		Conditions: []types.RuleCondition{{Field: aws.String("source-ip"),
			SourceIpConfig: &types.SourceIpConditionConfig{Values: []string{"10.0.0.0/8"}}}}})
	b.wantError(err, "NotImplemented", "source-ip")
}
