package alb_test

import (
	"context"
	"fmt"
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
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
)

// registered is a registration with these client ids, under one name.
func registered(clientIDs ...string) alb.Registration {
	return alb.Registration{ClientIDs: clientIDs, Names: []config.Alias{{Issuer: issuer, TokenEndpoint: endpoint}}}
}

var orders = registered("orders")

func search(t *testing.T, b *alb.Balancers, balancers ...string) alb.Found {
	t.Helper()
	found, err := b.Targets(context.Background(), alb.Where{LoadBalancers: balancers}, orders)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func wantKind(t *testing.T, err error, kind failure.Kind) {
	t.Helper()
	if !failure.Is(err, kind) {
		t.Fatalf("error %v, want one of kind %s", err, kind)
	}
}

func names(targets []rotation.Target) []string {
	var out []string
	for _, t := range targets {
		out = append(out, t.Name)
	}
	return out
}

func TestTargetsAreFoundOnAllPagesInOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.listen(ordersLB, listener+"9443", 9443, login("orders"), forward("g"))
	f.listen(ordersLB, listener+"80", 80, fixed())
	f.listen(ordersLB, listener, 443, login("orders"), forward("g"))
	for _, p := range []int32{100, 9, 30, 10, 20} {
		f.add(listener, fmt.Sprintf("%s-%d", rule, p), p, login("orders"), forward("g"))
	}
	got := names(search(t, f.balancersOf(), ordersLB).Targets)
	want := []string{"orders-alb :443 rule 9", "orders-alb :443 rule 10", "orders-alb :443 rule 20",
		"orders-alb :443 rule 30",
		"orders-alb :443 rule 100", "orders-alb :443 default", "orders-alb :9443 default"}
	if !slices.Equal(got, want) {
		t.Fatalf("targets %q, want %q", got, want)
	}
}

func TestATargetNamesWhereItIs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.listen(ordersLB, listener, 443, login("orders"), forward("g"))
	f.add(listener, rule, 10, login("orders"), forward("g"))
	want := []rotation.Target{
		{Region: "eu-central-1", LoadBalancerARN: ordersLB, ListenerARN: listener, RuleARN: rule,
			Name: "orders-alb :443 rule 10"},
		{Region: "eu-central-1", LoadBalancerARN: ordersLB, ListenerARN: listener, Name: "orders-alb :443 default"},
	}
	if got := search(t, f.balancersOf(), ordersLB).Targets; !slices.Equal(got, want) {
		t.Fatalf("targets %+v, want %+v", got, want)
	}
}

func TestEachLoadBalancerIsSearchedInItsRegion(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.listen(ordersLB, listener, 443, login("orders"))
	shop := "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/shop/0123456789abcdef"
	f.listen(shop, "shop-listener", 443, login("orders"))
	got := search(t, f.balancersOf(), shop, ordersLB).Targets
	if want := []string{"shop :443 default", "orders-alb :443 default"}; !slices.Equal(names(got), want) ||
		got[0].Region != "us-east-1" {
		t.Fatalf("targets %+v, want %q", got, want)
	}
}

func TestEveryClientIDOfTheClientCounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.listen(ordersLB, listener, 443, login("orders-b"), forward("g"))
	f.add(listener, rule, 10, login("orders-a"), forward("g"))
	pair := registered("orders-a", "orders-b")
	found, err := f.balancersOf().Targets(context.Background(), alb.Where{LoadBalancers: []string{ordersLB}}, pair)
	if err != nil || len(found.Targets) != 2 {
		t.Fatalf("targets %q (%v)", names(found.Targets), err)
	}
}

func TestWhatIsNotTheClientIsNoTarget(t *testing.T) {
	t.Parallel()
	change := func(f func(*types.AuthenticateOidcActionConfig)) types.Action {
		a := login("orders")
		f(a.AuthenticateOidcConfig)
		return a
	}
	cases := map[string]struct {
		action  types.Action
		refusal string
	}{
		"another client":                    {login("shop"), ""},
		"no login":                          {forward("g"), ""},
		"a Cognito login of another client": {cognitoLogin("shop"), ""},
		"the same client id elsewhere": {change(func(o *types.AuthenticateOidcActionConfig) {
			o.Issuer, o.TokenEndpoint = aws.String("https://x"), aws.String("https://x/t")
		}), "add them to aliases; if that is another provider, whose registration has the same client id by chance, " +
			"add them to otherRegistrations"},
		"the client with another endpoint": {change(func(o *types.AuthenticateOidcActionConfig) {
			o.TokenEndpoint = aws.String("https://evil")
		}), "https://evil"},
		"the client, issuer spelt otherwise": {
			change(func(o *types.AuthenticateOidcActionConfig) { o.Issuer = aws.String(issuer + "/") }), issuer + `/"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.listen(ordersLB, listener, 443, c.action)
			found := search(t, f.balancersOf(), ordersLB)
			if len(found.Targets) != 0 || len(found.Warnings) != 0 {
				t.Fatalf("found %+v", found)
			}
			if c.refusal == "" && len(found.Refusals) != 0 {
				t.Fatalf("refusals %q", found.Refusals)
			}
			if c.refusal != "" && (len(found.Refusals) != 1 || !strings.Contains(found.Refusals[0], c.refusal)) {
				t.Fatalf("refusals %q, want %q", found.Refusals, c.refusal)
			}
			if !slices.Equal(found.Drifted, found.Refusals) {
				t.Fatalf("drifted %q, refusals %q", found.Drifted, found.Refusals)
			}
		})
	}
}

func cognitoLogin(appClient string) types.Action {
	return types.Action{Type: types.ActionTypeEnumAuthenticateCognito, Order: aws.Int32(1),
		AuthenticateCognitoConfig: &types.AuthenticateCognitoActionConfig{
			UserPoolArn: aws.String(
				"arn:aws:cognito-idp:eu-central-1:111122223333:userpool/eu-central-1_AbCdEf123"),
			UserPoolClientId: &appClient, UserPoolDomain: aws.String("orders")}}
}

func TestACognitoLoginWithTheClientIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.listen(ordersLB, listener, 443, cognitoLogin("orders"), forward("g"))
	f.add(listener, rule, 10, login("orders"), forward("g"))
	f.add(listener, rule+"-other", 20, cognitoLogin("shop"), forward("g"))
	found := search(t, f.balancersOf(), ordersLB)
	if got := names(found.Targets); !slices.Equal(got, []string{"orders-alb :443 rule 10"}) ||
		len(found.Warnings) != 0 {
		t.Fatalf("targets %q, warnings %q", got, found.Warnings)
	}
	if w := found.Refusals; len(w) != 1 || !strings.HasPrefix(w[0],
		"orders-alb :443 default logs in with app client orders by authenticate-cognito") ||
		!strings.Contains(w[0], "carries no client secret and is not rotated") {
		t.Fatalf("refusals %q", w)
	}
	if len(found.Drifted) != 0 {
		t.Fatalf("drifted %q: no secret of ours is there", found.Drifted)
	}
}

func TestTagsAreReadInBatches(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.listen(ordersLB, listener, 443, forward("g"))
	for p := int32(1); p <= 45; p++ {
		f.add(listener, fmt.Sprintf("%s-%d", rule, p), p, login("orders"), forward("g"))
	}
	f.tag(rule+"-45", "aws:cloudformation:stack-name", "web")
	found := search(t, f.balancersOf(), ordersLB)
	if len(found.Targets) != 45 || len(found.Warnings) != 1 {
		t.Fatalf("%d targets, warnings %q", len(found.Targets), found.Warnings)
	}
	calls := 0
	for _, c := range f.calls {
		if c == "DescribeTags" {
			calls++
		}
	}
	if calls != 3 { // load balancer, listener, 45 rules
		t.Fatalf("%d calls of DescribeTags", calls)
	}
}

func TestALoadBalancerThatDoesNotExistIsARefusal(t *testing.T) {
	t.Parallel()
	found := search(t, newFixture(t).balancersOf(), ordersLB)
	if len(found.Refusals) != 1 || !strings.Contains(found.Refusals[0], ordersLB) {
		t.Fatalf("refusals %q", found.Refusals)
	}
}

func TestErrorsOfTheSearchGetTheirKind(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		op, code string
		times    int
		want     failure.Kind
	}{
		"throttled":                {"DescribeListeners", "Throttling", 1, failure.Throttled},
		"access denied":            {"DescribeRules", "AccessDenied", 1, failure.AccessDenied},
		"a listener that vanishes": {"DescribeRules", "ListenerNotFound", 1, failure.Unavailable},
		"a rule that vanishes":     {"DescribeTags", "RuleNotFound", 1, failure.Unavailable},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.listen(ordersLB, listener, 443, login("orders"), forward("g"))
			f.failNext(c.op, c.code, c.times)
			_, err := f.balancersOf().Targets(context.Background(), alb.Where{LoadBalancers: []string{ordersLB}},
				orders)
			wantKind(t, err, c.want)
		})
	}
}

// slowAPI answers no DescribeListeners before so many are under way, and takes its time by a clock of its own.
type slowAPI struct {
	alb.API
	mu        sync.Mutex
	now, most int
	wait      int
	waited    chan struct{}
	each      time.Duration
	clock     time.Time
	hangs     string // a load balancer, until all but it are searched and the time is over
	left      int
	over      func()
}

func (s *slowAPI) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

func (s *slowAPI) DescribeListeners(ctx context.Context, in *elb.DescribeListenersInput,
	o ...func(*elb.Options)) (*elb.DescribeListenersOutput, error) {
	s.mu.Lock()
	s.now++
	s.clock = s.clock.Add(s.each)
	if s.most = max(s.most, s.now); s.now == s.wait {
		s.wait = 0
		close(s.waited)
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}()
	if strings.Contains(*in.LoadBalancerArn, s.hangs) && s.hangs != "" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	select {
	case <-s.waited:
	case <-ctx.Done():
	}
	return s.API.DescribeListeners(ctx, in, o...)
}

func (s *slowAPI) DescribeTags(ctx context.Context, in *elb.DescribeTagsInput,
	o ...func(*elb.Options)) (*elb.DescribeTagsOutput, error) {
	out, err := s.API.DescribeTags(ctx, in, o...) // the last request of a search
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left--; s.left == 0 {
		s.over()
	}
	return out, err
}

func TestFiveLoadBalancersAreSearchedAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // for a search of one at a time
	defer cancel()
	f, want := fleet(t, 60)
	for name, c := range map[string]struct {
		wait, atMost int
		each         time.Duration
	}{
		"in milliseconds": {5, 5, time.Millisecond},
		"in seconds: more, or a hundred would never be searched in a minute": {5, 40, 5 * time.Second},
	} {
		slow := &slowAPI{API: elb.NewFromConfig(awsapi.Config(f, "eu-central-1")), waited: make(chan struct{}),
			wait: c.wait, each: c.each}
		found, err := alb.New(func(string) alb.API { return slow }, slow.Now, nil).Targets(ctx,
			alb.Where{LoadBalancers: want}, orders)
		if err != nil || slow.most > c.atMost || c.atMost > 5 && slow.most <= 5 {
			t.Fatalf("%s: %d at once: %v", name, slow.most, err)
		}
		for i, x := range found.Targets {
			if x.LoadBalancerARN != want[i] {
				t.Errorf("target %d is on %s, not in the order given", i, x.LoadBalancerARN)
			}
		}
	}
}

// fleet has so many load balancers with nothing on them.
func fleet(t *testing.T, n int) (f *fixture, arns []string) {
	t.Helper()
	f = newFixture(t)
	for n := range n {
		f.put(numbered(n), nil)
		arns = append(arns, numbered(n))
	}
	return f, arns
}

func TestTheLoadBalancerThatHangsIsNamed(t *testing.T) {
	t.Parallel()
	f, want := fleet(t, 9)
	ctx, cancel := context.WithCancel(t.Context())
	slow := &slowAPI{API: elb.NewFromConfig(awsapi.Config(f, "eu-central-1")), waited: make(chan struct{}),
		hangs: want[7], left: 8, over: cancel}
	close(slow.waited)
	_, err := alb.New(func(string) alb.API { return slow }, slow.Now, nil).Targets(ctx, alb.Where{LoadBalancers: want},
		orders)
	if wantKind(t, err, failure.Unavailable); !strings.Contains(fmt.Sprint(err), alb.Name(want[7])) {
		t.Errorf("nobody learns which load balancer hangs: %v", err)
	}
}

func TestOnlyARNsOfApplicationLoadBalancersAreSearched(t *testing.T) {
	t.Parallel()
	for _, arn := range []string{"", "orders-alb", listener, strings.Replace(ordersLB, "/app/",
		"/net/", 1), strings.Replace(ordersLB, "eu-central-1", "", 1)} {
		_, err := newFixture(t).balancersOf().Targets(context.Background(), alb.Where{LoadBalancers: []string{arn}},
			orders)
		wantKind(t, err, failure.InvalidInput)
	}
}
