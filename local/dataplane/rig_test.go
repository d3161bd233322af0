package dataplane_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/local/dataplane"
	"alboidc.internal/local/localca"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/elbv2"
	"alboidc.internal/shared/clock"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// rig is a load balancer of two nodes (delays 1 s and 2 s) with a login rule on /app/*, an application and an IdP.
type rig struct {
	*testing.T
	ctx      context.Context
	ca       *localca.Authority
	clock    *clock.Virtual
	svc      *elbv2.Service
	api      *elb.Client
	plane    *dataplane.Plane
	idp      *fakeIdP
	app      *application
	balancer string
	listener string
	group    string
	rule     string

	mu      sync.Mutex
	later   time.Duration // how far real time has been moved on
	metrics map[string]float64
	events  []dataplane.Event
}

// application answers with what it was sent.
type application struct {
	mu   sync.Mutex
	last *http.Request
	hits int
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = r
	a.hits++
	_, _ = io.WriteString(w, "hello "+r.Header.Get("x-amzn-oidc-identity"))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	r := &rig{T: t, ctx: ctx, ca: must(localca.New()), clock: clock.NewVirtual(time.Date(2026, 1, 1, 0, 0, 0, 0,
		time.UTC)), app: &application{}, metrics: map[string]float64{}}
	r.idp = newFakeIdP(t, r.ca, r.now)
	r.svc = elbv2.New(r.clock, elbv2.Options{Spread: []time.Duration{time.Second, 2 * time.Second}})
	r.api = elb.NewFromConfig(awsapi.Config(awsapi.NewServer(r.clock, nil, r.svc), "eu-central-1"))
	o := dataplane.Options{Clock: r.clock, Authority: r.ca, Metrics: r, Now: r.now, OnAuth: func(e dataplane.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	}}
	r.plane = must(dataplane.Start(ctx, r.svc, o))
	t.Cleanup(r.plane.Close)
	r.build()
	return r
}

func (r *rig) build() {
	r.balancer = *must(r.api.CreateLoadBalancer(r.ctx, &elb.CreateLoadBalancerInput{Name: aws.String("front"),
		Subnets: []string{"a", "b"}})).LoadBalancers[0].LoadBalancerArn
	r.group = r.newGroup("app", r.app)
	r.listener = *must(r.api.CreateListener(r.ctx, &elb.CreateListenerInput{LoadBalancerArn: &r.balancer,
		Protocol: types.ProtocolEnumHttps, Port: aws.Int32(443),
		Certificates:   []types.Certificate{{CertificateArn: aws.String("arn:one")}},
		DefaultActions: []types.Action{fixed("404", "no such page")}})).Listeners[0].ListenerArn
	r.rule = r.newRule(10, "path-pattern", "/app/*", r.login("s1", nil), r.forward())
	r.clock.Advance(r.svc.Spread())
}

func (r *rig) newGroup(name string, targets ...http.Handler) string {
	arn := *must(r.api.CreateTargetGroup(r.ctx, &elb.CreateTargetGroupInput{Name: &name,
		Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80),
		TargetType: types.TargetTypeEnumIp})).TargetGroups[0].TargetGroupArn
	for _, h := range targets {
		srv := httptest.NewServer(h)
		r.Cleanup(srv.Close)
		_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
		n := int32(must(strconv.Atoi(port)))
		must(r.api.RegisterTargets(r.ctx, &elb.RegisterTargetsInput{TargetGroupArn: &arn,
			Targets: []types.TargetDescription{{Id: aws.String("127.0.0.1"), Port: &n}}}))
	}
	return arn
}

func (r *rig) newRule(priority int32, field, value string, actions ...types.Action) string {
	return *must(r.api.CreateRule(r.ctx, &elb.CreateRuleInput{ListenerArn: &r.listener, Priority: &priority,
		Actions:    actions,
		Conditions: []types.RuleCondition{{Field: &field, Values: []string{value}}}})).Rules[0].RuleArn
}

// setActions changes the login rule's actions and does not wait for the nodes.
func (r *rig) setActions(actions ...types.Action) {
	r.Helper()
	must(r.api.ModifyRule(r.ctx, &elb.ModifyRuleInput{RuleArn: &r.rule, Actions: actions}))
}

// setLogin changes the login action of the rule at every node.
func (r *rig) setLogin(secret string, change func(*types.AuthenticateOidcActionConfig)) {
	r.Helper()
	r.setActions(r.login(secret, change), r.forward())
	r.clock.Advance(r.svc.Spread())
}

func (r *rig) login(secret string, change func(*types.AuthenticateOidcActionConfig)) types.Action {
	c := &types.AuthenticateOidcActionConfig{Issuer: &r.idp.url, AuthorizationEndpoint: aws.String(r.idp.url +
		"/authorize"), TokenEndpoint: aws.String(r.idp.url + "/token"),
		UserInfoEndpoint: aws.String(r.idp.url + "/userinfo"), ClientId: aws.String("orders-web"),
		ClientSecret: &secret}
	if change != nil {
		change(c)
	}
	return types.Action{Type: types.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1), AuthenticateOidcConfig: c}
}

func (r *rig) forward() types.Action {
	return types.Action{Type: types.ActionTypeEnumForward, Order: aws.Int32(2), TargetGroupArn: &r.group}
}

func fixed(status, body string) types.Action {
	return types.Action{Type: types.ActionTypeEnumFixedResponse, Order: aws.Int32(2),
		FixedResponseConfig: &types.FixedResponseActionConfig{
			StatusCode: &status, ContentType: aws.String("text/plain"), MessageBody: &body}}
}

// Add implements dataplane.Metrics.
func (r *rig) Add(region, namespace, metric string, dims map[string]string, value float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if region != "eu-central-1" || namespace != "AWS/ApplicationELB" || len(dims) != 1 ||
		!strings.HasPrefix(dims["LoadBalancer"], "app/front/") || value == 0 {
		r.Errorf("metric %s in %s/%s with %v: %v", metric, region, namespace, dims, value)
	}
	r.metrics[metric] += value
}

func (r *rig) metric(name string) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.metrics[name]
}

// lastEvent is the last thing OnAuth told.
func (r *rig) lastEvent() dataplane.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 {
		return dataplane.Event{}
	}
	return r.events[len(r.events)-1]
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.later)
}

// pass moves the time of tokens and sessions on.
func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.later += d
}

// address is host:port of a node under the application's name.
func (r *rig) address(node int) string {
	_, port, _ := net.SplitHostPort(r.plane.Addresses(r.balancer)[node])
	return "orders.example.test:" + port
}

// browser is a client with cookies of its own, for which every name is this machine.
type browser struct {
	*rig
	http *http.Client
}

func (r *rig) browser() *browser {
	client := r.ca.Client(10 * time.Second)
	tr := client.Transport.(*http.Transport)
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(addr)
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
	r.Cleanup(tr.CloseIdleConnections)
	client.Jar = must(cookiejar.New(nil))
	return &browser{rig: r, http: client}
}

// get follows redirects and returns the last status and body.
func (b *browser) get(url string) (int, string) {
	b.Helper()
	res, err := b.http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode, string(must(io.ReadAll(res.Body)))
}

// open asks a node for a page of the application.
func (b *browser) open(node int) (int, string) {
	b.Helper()
	return b.get("https://" + b.address(node) + "/app/page?x=1")
}

// step asks without following redirects.
func (b *browser) step(url string, header ...string) *http.Response {
	b.Helper()
	once := *b.http
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req := must(http.NewRequest(http.MethodGet, url, nil))
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := once.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

// mustOpen expects the application's answer for the logged-in user.
func (b *browser) mustOpen(node int) {
	b.Helper()
	if status, body := b.open(node); status != http.StatusOK || body != "hello user-1" {
		b.Fatalf("node %d answered %d %s", node, status, body)
	}
}
