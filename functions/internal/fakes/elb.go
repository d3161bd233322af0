package fakes

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/elbv2"
	"alboidc.internal/shared/clock"
)

// The load balancer and its listener.
const (
	LoadBalancer = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/orders-alb/0123456789abcdef"
	Listener     = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/orders-alb/0123456789abcdef/1"
)

// Login is how a listener or rule logs users in.
type Login = types.AuthenticateOidcActionConfig

// ELB is the double of Elastic Load Balancing with one load balancer. It has one listener, whose default action logs
// users in with the client.
type ELB struct {
	// Address is the one that the load balancer's DNS name leads to; "" is none.
	Address string

	t       testing.TB
	wire    *Wire
	service *elbv2.Service
	server  *awsapi.Server
	id      string // ends the next ARN
	rules   int
	seen    []string // every secret that a function has sent
}

func newELB(t testing.TB, wire *Wire, tokenEndpoint, current string) *ELB {
	e := &ELB{Address: "127.0.0.1", t: t, wire: wire, id: "0123456789abcdef"}
	e.service = elbv2.New(clock.Real{}, elbv2.Options{ID: func() string { return e.id }})
	e.server = awsapi.NewServer(clock.Real{}, nil, e.service)
	_, err := e.api().CreateLoadBalancer(t.Context(), &elb.CreateLoadBalancerInput{
		Name: aws.String("orders-alb"), Subnets: []string{"subnet-1", "subnet-2"}})
	e.check(err)
	e.id = "1"
	login := types.Action{Type: types.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1),
		AuthenticateOidcConfig: &Login{Issuer: aws.String(Issuer), TokenEndpoint: &tokenEndpoint,
			ClientId: aws.String(ClientID), ClientSecret: &current,
			AuthorizationEndpoint: aws.String(Issuer + "/authorize"), UserInfoEndpoint: aws.String(Issuer +
				"/userinfo")}}
	_, err = e.api().CreateListener(t.Context(), &elb.CreateListenerInput{
		LoadBalancerArn: aws.String(LoadBalancer), Port: aws.Int32(443), Protocol: types.ProtocolEnumHttps,
		Certificates:   []types.Certificate{{CertificateArn: aws.String("certificate")}},
		DefaultActions: []types.Action{login, page}})
	e.check(err)
	return e
}

// page is what users get who are logged in.
var page = types.Action{Type: types.ActionTypeEnumFixedResponse, Order: aws.Int32(2),
	FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("200")}}

// region is the API as the functions reach it.
func (e *ELB) region(name string) alb.API {
	if name != "eu-central-1" {
		e.t.Errorf("load balancers of Region %q are asked for", name)
	}
	return elb.NewFromConfig(e.wire.config(e.server, name, func(_ *http.Request, body string) (string, bool) {
		form, err := url.ParseQuery(body)
		e.check(err)
		for name := range form {
			if strings.HasSuffix(name, ".ClientSecret") {
				e.seen = append(e.seen, form.Get(name))
			}
		}
		return form.Get("Action"), strings.HasPrefix(form.Get("Action"), "Modify")
	}))
}

// api is the API as other programs reach it.
func (e *ELB) api() *elb.Client {
	return elb.NewFromConfig(awsapi.Config(e.server, "eu-central-1"))
}

func (e *ELB) check(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// Secret is the client secret that the listener logs in with, "" for none; no answer holds it.
func (e *ELB) Secret() string {
	if o := e.service.Login(Listener); o != nil {
		return o.ClientSecret
	}
	return ""
}

// actions are the listener's, as another program can send them that does not know the secret.
func (e *ELB) actions() []types.Action {
	out, err := e.api().DescribeListeners(e.t.Context(), &elb.DescribeListenersInput{ListenerArns: []string{Listener}})
	e.check(err)
	actions := out.Listeners[0].DefaultActions
	actions[0].AuthenticateOidcConfig.UseExistingClientSecret = aws.Bool(true)
	return actions
}

func (e *ELB) replace(actions ...types.Action) {
	_, err := e.api().ModifyListener(e.t.Context(), &elb.ModifyListenerInput{
		ListenerArn: aws.String(Listener), DefaultActions: actions})
	e.check(err)
}

// Change changes how the listener logs users in, except for the secret.
func (e *ELB) Change(f func(*Login)) {
	actions := e.actions()
	f(actions[0].AuthenticateOidcConfig)
	e.replace(actions...)
}

// LetIn makes the listener ask nobody to log in.
func (e *ELB) LetIn() { e.replace(page) }

// AddElement gives the listener's login an element that this release does not know.
func (e *ELB) AddElement(name string) {
	e.check(e.service.AddElement("eu-central-1", Listener, name, "x"))
}

// AddRules adds rules that log users in like the default action.
func (e *ELB) AddRules(n int) {
	actions := e.actions()
	o := actions[0].AuthenticateOidcConfig
	o.ClientSecret, o.UseExistingClientSecret = aws.String(e.Secret()), nil
	for range n {
		e.rules++
		e.id = strconv.Itoa(1 + e.rules)
		_, err := e.api().CreateRule(e.t.Context(), &elb.CreateRuleInput{ListenerArn: aws.String(Listener),
			Priority: aws.Int32(int32(e.rules)), Actions: actions,
			Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/*"}}}})
		e.check(err)
	}
}

// Tag gives the load balancer a tag.
func (e *ELB) Tag(key, value string) { e.TagOn(LoadBalancer, key, value) }

// TagOn gives the load balancer, or the listener, a tag.
func (e *ELB) TagOn(arn, key, value string) {
	_, err := e.api().AddTags(e.t.Context(), &elb.AddTagsInput{ResourceArns: []string{arn},
		Tags: []types.Tag{{Key: &key, Value: &value}}})
	e.check(err)
}

// Remove deletes the listener.
func (e *ELB) Remove() {
	_, err := e.api().DeleteListener(e.t.Context(), &elb.DeleteListenerInput{ListenerArn: aws.String(Listener)})
	e.check(err)
}

// LookupNetIP implements probe.Resolver. A load balancer that does not exist has no name to look up.
func (e *ELB) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if e.Address == "" || host == "" {
		return nil, nil
	}
	return []netip.Addr{netip.MustParseAddr(e.Address)}, nil
}
