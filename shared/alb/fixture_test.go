package alb_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/elbv2"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
)

const (
	arns     = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:"
	issuer   = "https://idp.example"
	endpoint = "https://idp.example/token"
	ordersLB = arns + "loadbalancer/app/orders-alb/0123456789abcdef"
	listener = arns + "listener/app/orders-alb/0123456789abcdef/1"
	rule     = arns + "listener-rule/app/orders-alb/0123456789abcdef/1/10"
)

// fixture is the double of Elastic Load Balancing, two elements to a page, with what only these tests need: ARNs as
// they are written above, other hands at the worst moments, and answers that are behind or of the future.
type fixture struct {
	*elbv2.Service
	t      testing.TB
	server http.Handler // the double with faults
	plain  http.Handler // the double without
	faults fault.Injector
	id     string // ends the next ARN

	// afterRead and meanwhile are what somebody else does right after our next read of one listener or rule, and right
	// after each write of ours.
	afterRead, meanwhile func()
	// lag is how many reads of one listener or rule after a write show it as it was before.
	lag       int
	last, old string
	// ofRules is what answers hold of every rule beside what the double knows; rewrite changes an answer.
	ofRules string
	rewrite func(string) string
	// future is what the type forward is called in requests and answers.
	future string

	mu    sync.Mutex // load balancers are searched side by side
	calls []string
	sent  []url.Values // of ModifyRule and ModifyListener
	slept time.Duration
}

func newFixture(t testing.TB) *fixture {
	f := &fixture{t: t, future: "forward",
		ofRules: "<Transforms><member><Type>url-rewrite</Type></member></Transforms><Unknown><Rule>1</Rule></Unknown>"}
	now := clock.NewVirtual(time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC))
	f.Service = elbv2.New(now, elbv2.Options{ID: func() string { return f.id }})
	f.server, f.plain = awsapi.NewServer(now, &f.faults, f.Service), awsapi.NewServer(now, nil, f.Service)
	for _, name := range []string{"g", "h", "i"} {
		f.id = name
		_, err := f.other(ordersLB).CreateTargetGroup(t.Context(), &elb.CreateTargetGroupInput{Name: &name,
			Port: aws.Int32(80), Protocol: types.ProtocolEnumHttp, TargetType: types.TargetTypeEnumIp})
		f.check(err)
	}
	return f
}

func (f *fixture) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// balancersOf is what is tested, over the SDK's client.
func (f *fixture) balancersOf() *alb.Balancers { return f.balancersAt(time.Now) }

func (f *fixture) balancersAt(now func() time.Time) *alb.Balancers {
	return alb.New(func(region string) alb.API {
		if region != "eu-central-1" && region != "us-east-1" {
			f.t.Fatalf("a client for Region %q", region)
		}
		return elb.NewFromConfig(awsapi.Config(f, region))
	}, now, func(ctx context.Context, d time.Duration) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.slept += d
		return ctx.Err()
	})
}

// other is the client of somebody else, of the Region of an ARN.
func (f *fixture) other(arn string) *elb.Client {
	return elb.NewFromConfig(awsapi.Config(f.plain, strings.Split(arn, ":")[3]))
}

// fail makes the next call of an operation fail, before its effect.
func (f *fixture) fail(operation, code string) { f.failNext(operation, code, 1) }

func (f *fixture) failNext(operation, code string, times int) {
	_, err := f.faults.Add(fault.Rule{Service: "elasticloadbalancing", Operation: operation, Times: times,
		Mode: fault.Refuse, Status: 400, Code: code})
	f.check(err)
}

// allowed are the parameters of a change of nothing but the actions.
var allowed = regexp.MustCompile(`^(Action|Version|RuleArn|ListenerArn|(Default)?Actions\..*)$`)

// ServeHTTP implements http.Handler.
func (f *fixture) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	f.check(err)
	form, err := url.ParseQuery(strings.ReplaceAll(string(body), "="+f.future, "=forward"))
	f.check(err)
	operation := form.Get("Action")
	f.calls = append(f.calls, operation)
	reads := form.Has("RuleArns.member.1") || form.Has("ListenerArns.member.1")
	if reads && f.lag > 0 && f.old != "" {
		f.lag--
		_, _ = io.WriteString(w, f.old)
		return
	}
	writes := strings.HasPrefix(operation, "Modify")
	for name := range form {
		if writes && !allowed.MatchString(name) {
			f.t.Errorf("%s was sent to %s", name, operation)
		}
	}
	if !writes && operation != "DescribeTags" {
		form.Set("PageSize", "2")
	}
	r.Body = io.NopCloser(bytes.NewBufferString(form.Encode()))
	answer := httptest.NewRecorder()
	f.server.ServeHTTP(answer, r)
	text := f.answer(answer.Body.String())
	w.WriteHeader(answer.Code)
	_, _ = io.WriteString(w, text)
	switch do := f.afterRead; {
	case reads:
		f.last = text
		if f.afterRead = nil; do != nil {
			do()
		}
	case writes:
		f.old, f.sent = f.last, append(f.sent, form)
		if f.meanwhile != nil {
			f.meanwhile()
		}
	}
}

func (f *fixture) answer(text string) string {
	text = strings.NewReplacer("</Conditions>", "</Conditions>"+f.ofRules, ">forward<", ">"+f.future+"<").Replace(text)
	if f.rewrite != nil {
		text = f.rewrite(text)
	}
	return text
}

// balance makes a load balancer, unless there is one of that ARN.
func (f *fixture) balance(arn string) {
	if slices.Contains(f.LoadBalancers(), arn) {
		return
	}
	f.id = "0123456789abcdef"
	out, err := f.other(arn).CreateLoadBalancer(f.t.Context(), &elb.CreateLoadBalancerInput{
		Name: aws.String(strings.Split(arn, "/")[2]), Subnets: []string{"subnet-1", "subnet-2"}})
	f.check(err)
	if got := *out.LoadBalancers[0].LoadBalancerArn; got != arn {
		f.t.Fatalf("the load balancer is %s, not %s", got, arn)
	}
}

// listen adds a listener with its default actions.
func (f *fixture) listen(lb, arn string, port int32, actions ...types.Action) {
	f.balance(lb)
	f.id = arn[strings.LastIndex(arn, "/")+1:]
	_, err := f.other(lb).CreateListener(f.t.Context(), &elb.CreateListenerInput{LoadBalancerArn: &lb,
		Port: &port, Protocol: types.ProtocolEnumHttps, SslPolicy: aws.String("ELBSecurityPolicy-TLS13-1-2-2021-06"),
		Certificates: []types.Certificate{{CertificateArn: aws.String("cert")}}, DefaultActions: whole(actions)})
	f.check(err)
}

// add adds a rule.
func (f *fixture) add(listener, arn string, priority int32, actions ...types.Action) {
	f.id = arn[strings.LastIndex(arn, "/")+1:]
	_, err := f.other(listener).CreateRule(f.t.Context(), &elb.CreateRuleInput{ListenerArn: &listener,
		Priority:   &priority,
		Conditions: paths("/a", "/b"), Actions: whole(actions)})
	f.check(err)
}

func paths(values ...string) []types.RuleCondition {
	return []types.RuleCondition{{Field: aws.String("path-pattern"), Values: values}}
}

// whole is a list as it is sent: logins have the secret "old", and the last action answers.
func whole(actions []types.Action) []types.Action {
	out := slices.Clone(actions)
	for i, a := range out {
		if a.AuthenticateOidcConfig != nil {
			o := *a.AuthenticateOidcConfig
			o.ClientSecret = aws.String("old")
			out[i].AuthenticateOidcConfig = &o
		}
	}
	if n := len(out); n == 0 || strings.HasPrefix(string(out[n-1].Type), "authenticate") {
		return append(out, fixed())
	}
	return out
}

func (f *fixture) tag(arn, key, value string) {
	_, err := f.other(arn).AddTags(f.t.Context(), &elb.AddTagsInput{ResourceArns: []string{arn},
		Tags: []types.Tag{{Key: &key, Value: &value}}})
	f.check(err)
}

func (f *fixture) listener(arn string) types.Listener {
	out, err := f.other(arn).DescribeListeners(f.t.Context(), &elb.DescribeListenersInput{ListenerArns: []string{arn}})
	f.check(err)
	return out.Listeners[0]
}

func (f *fixture) rule(arn string) types.Rule {
	out, err := f.other(arn).DescribeRules(f.t.Context(), &elb.DescribeRulesInput{RuleArns: []string{arn}})
	f.check(err)
	return out.Rules[0]
}

// actions are those of a rule, or a listener's default actions.
func (f *fixture) actions(arn string) []types.Action {
	if strings.Contains(arn, ":listener/") {
		return f.listener(arn).DefaultActions
	}
	return f.rule(arn).Actions
}

// secret is the client secret that a rule, or a listener's default action, logs users in with.
func (f *fixture) secret(arn string) string {
	if o := f.Login(arn); o != nil {
		return o.ClientSecret
	}
	return ""
}

// hand changes the actions of a rule or listener as another program does that does not know the secret.
func (f *fixture) hand(arn string, change func([]types.Action) []types.Action) {
	actions := f.actions(arn)
	for _, a := range actions {
		if a.AuthenticateOidcConfig != nil {
			a.AuthenticateOidcConfig.UseExistingClientSecret = aws.Bool(true)
		}
	}
	actions = change(actions)
	var err error
	if strings.Contains(arn, ":listener/") {
		in := &elb.ModifyListenerInput{ListenerArn: &arn, DefaultActions: actions}
		_, err = f.other(arn).ModifyListener(f.t.Context(), in)
	} else {
		_, err = f.other(arn).ModifyRule(f.t.Context(), &elb.ModifyRuleInput{RuleArn: &arn, Actions: actions})
	}
	f.check(err)
}

// weigh moves the weight of the rule's second target group.
func (f *fixture) weigh(n int32) {
	f.hand(rule, func(a []types.Action) []types.Action {
		a[1].ForwardConfig.TargetGroups[1].Weight = &n
		return a
	})
}

// remove deletes a rule or listener.
func (f *fixture) remove(arn string) {
	var err error
	if strings.Contains(arn, ":listener/") {
		_, err = f.other(arn).DeleteListener(f.t.Context(), &elb.DeleteListenerInput{ListenerArn: &arn})
	} else {
		_, err = f.other(arn).DeleteRule(f.t.Context(), &elb.DeleteRuleInput{RuleArn: &arn})
	}
	f.check(err)
}

// login is an authenticate-oidc action as it reads back, with every field set.
func login(clientID string) types.Action {
	return types.Action{Type: types.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1),
		AuthenticateOidcConfig: &types.AuthenticateOidcActionConfig{
			Issuer: aws.String(issuer), TokenEndpoint: aws.String(endpoint), ClientId: &clientID,
			AuthorizationEndpoint: aws.String(issuer + "/authorize"), UserInfoEndpoint: aws.String(issuer +
				"/userinfo"),
			SessionCookieName: aws.String("AWSELBAuthSessionCookie"), SessionTimeout: aws.Int64(604800),
			Scope: aws.String("openid"), OnUnauthenticatedRequest: "authenticate",
			AuthenticationRequestExtraParams: map[string]string{"prompt": "login", "display": "page"}}}
}

// forward is a forward action to target groups of the first Region.
func forward(groups ...string) types.Action {
	a := types.Action{Type: types.ActionTypeEnumForward, Order: aws.Int32(2),
		ForwardConfig: &types.ForwardActionConfig{}}
	for i, g := range groups {
		a.ForwardConfig.TargetGroups = append(a.ForwardConfig.TargetGroups, types.TargetGroupTuple{
			TargetGroupArn: aws.String(arns + "targetgroup/" + g + "/" + g), Weight: aws.Int32(int32(i + 1))})
	}
	return a
}

func fixed() types.Action {
	return types.Action{Type: types.ActionTypeEnumFixedResponse, Order: aws.Int32(2),
		FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("200"),
			MessageBody: aws.String("hi")}}
}
