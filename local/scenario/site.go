package scenario

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/local/app"
	"alboidc.internal/local/dataplane"
	"alboidc.internal/local/stack"
	"alboidc.internal/shared/awstest/awsapi"
)

// Site is the two load balancers and what they serve.
type Site struct {
	LoadBalancers []string // ARNs
	// Pages are one URL for each target, in the order in which they are found.
	Pages []Page
	// Resolve maps a page's host:port to the nodes of its load balancer.
	nodes map[string][]string
}

// Page is a URL behind a target.
type Page struct {
	URL string
	// Nodes are the addresses of the load balancer's nodes.
	Nodes []string
	// Greeting begins the text that a logged-in user sees; the user's e-mail address follows.
	Greeting string
}

// Nodes are the addresses behind a host:port of the site.
func (s *Site) Nodes(hostPort string) []string { return s.nodes[hostPort] }

// builder creates load balancers with one client's secret in their actions.
type builder struct {
	stack  *stack.Stack
	plane  *dataplane.Plane
	api    *elb.Client
	region string
	client *Provider
	logins int // how many authenticating actions were made
	err    error
}

// buildSite makes: shop-alb in the home Region (a default action; a rule with a path condition; a rule with a host
// condition and a weighted forward to two target groups), and partners-alb in the other (two rules; its default action
// asks nobody to log in), in a further account unless that is "".
func buildSite(ctx context.Context, s *stack.Stack, p *Provider, account string) (*Site, error) {
	site := &Site{nodes: map[string][]string{}}
	home := &builder{stack: s, plane: s.Plane, client: p, api: elb.NewFromConfig(s.AWS(Home)), region: Home}
	shop := home.loadBalancer(ctx, "shop-alb")
	listener := home.listener(ctx, shop, home.login(home.forward(home.group(ctx, "shop"))))
	home.rule(ctx, listener, 10, path("/admin/*"), home.login(home.forward(home.group(ctx, "admin"))))
	home.rule(ctx, listener, 20, host("reports.localhost"), home.login(home.forward(home.group(ctx,
		"reports-blue"), home.group(ctx, "reports-green"))))
	cfg, plane := s.AWS(Away), s.Plane
	if account != "" {
		cfg, plane = s.AWSOf(account, Away), s.Others[account].Plane
	}
	away := &builder{stack: s, plane: plane, client: p, api: elb.NewFromConfig(cfg), region: Away}
	partners := away.loadBalancer(ctx, "partners-alb")
	listener = away.listener(ctx, partners,
		[]types.Action{{Type: types.ActionTypeEnumFixedResponse, Order: aws.Int32(1),
			FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("404"),
				ContentType: aws.String("text/plain"), MessageBody: aws.String("nothing here")}}})
	away.rule(ctx, listener, 10, path("/orders/*"), away.login(away.forward(away.group(ctx, "partner-orders"))))
	away.rule(ctx, listener, 20, host("invoices.localhost"), away.login(away.forward(away.group(ctx, "invoices"))))
	if home.err != nil || away.err != nil {
		return nil, fmt.Errorf("%w", firstError(home.err, away.err))
	}
	site.LoadBalancers = []string{shop, partners}
	for _, p := range []struct {
		at                   *builder
		balancer, host, path string
	}{
		{home, shop, "shop.localhost", "/"}, {home, shop, "shop.localhost", "/admin/users"},
		{home, shop, "reports.localhost", "/"}, {away, partners, "partners.localhost", "/orders/today"},
		{away, partners, "invoices.localhost", "/"},
	} {
		nodes := p.at.plane.Addresses(p.balancer)
		site.nodes[p.host+":443"] = nodes
		site.Pages = append(site.Pages, Page{URL: "https://" + p.host + p.path, Nodes: nodes, Greeting: app.Greeting})
	}
	return site, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) loadBalancer(ctx context.Context, name string) string {
	if b.err != nil {
		return ""
	}
	out, err := b.api.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: &name,
		Type:    types.LoadBalancerTypeEnumApplication,
		Subnets: []string{"subnet-0a1b2c3d", "subnet-4e5f6a7b"}})
	if err != nil {
		b.err = err
		return ""
	}
	return *out.LoadBalancers[0].LoadBalancerArn
}

// group makes a target group with an application of its own behind it.
func (b *builder) group(ctx context.Context, name string) string {
	if b.err != nil {
		return ""
	}
	a, err := app.Start(b.stack.Context(), name)
	if err != nil {
		b.err = err
		return ""
	}
	port := aws.Int32(int32(a.Port))
	out, err := b.api.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{Name: &name, Protocol: types.ProtocolEnumHttp,
		Port: port, TargetType: types.TargetTypeEnumIp})
	if err != nil {
		b.err = err
		return ""
	}
	arn := *out.TargetGroups[0].TargetGroupArn
	_, b.err = b.api.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: &arn,
		Targets: []types.TargetDescription{{Id: aws.String("127.0.0.1"), Port: port}}})
	return arn
}

func (b *builder) listener(ctx context.Context, balancer string, actions []types.Action) string {
	if b.err != nil {
		return ""
	}
	out, err := b.api.CreateListener(ctx, &elb.CreateListenerInput{LoadBalancerArn: &balancer, Port: aws.Int32(443),
		Protocol: types.ProtocolEnumHttps,
		Certificates: []types.Certificate{{CertificateArn: aws.String("arn:aws:acm:" + b.region + ":" +
			awsapi.AccountID + ":certificate/local")}},
		DefaultActions: actions})
	if err != nil {
		b.err = err
		return ""
	}
	return *out.Listeners[0].ListenerArn
}

func (b *builder) rule(ctx context.Context, listener string, priority int32, c types.RuleCondition,
	actions []types.Action) {
	if b.err == nil {
		_, b.err = b.api.CreateRule(ctx, &elb.CreateRuleInput{ListenerArn: &listener, Priority: &priority,
			Conditions: []types.RuleCondition{c}, Actions: actions})
	}
}

func path(p string) types.RuleCondition {
	return types.RuleCondition{Field: aws.String("path-pattern"),
		PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{p}}}
}

func host(h string) types.RuleCondition {
	return types.RuleCondition{Field: aws.String("host-header"),
		HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{h}}}
}

// login puts the authentication of the client before a forward. Every target has a session cookie of its own.
func (b *builder) login(forward types.Action) []types.Action {
	p, e := b.client, b.client.Endpoints
	b.logins++
	return []types.Action{{Type: types.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1),
		AuthenticateOidcConfig: &types.AuthenticateOidcActionConfig{
			Issuer: aws.String(p.Issuer), AuthorizationEndpoint: &e.Authorization, TokenEndpoint: &e.Token,
			UserInfoEndpoint: &e.UserInfo,
			ClientId:         aws.String(p.ClientID), ClientSecret: aws.String(p.Secret.Reveal()),
			Scope:             aws.String("openid email offline_access"),
			SessionCookieName: aws.String(fmt.Sprintf("Session%d", b.logins)), SessionTimeout: aws.Int64(3600)}},
		forward}
}

func (b *builder) forward(groups ...string) types.Action {
	f := types.Action{Type: types.ActionTypeEnumForward, Order: aws.Int32(2)}
	if len(groups) == 1 {
		f.TargetGroupArn = &groups[0]
		return f
	}
	f.ForwardConfig = &types.ForwardActionConfig{TargetGroupStickinessConfig: &types.TargetGroupStickinessConfig{
		Enabled: aws.Bool(true), DurationSeconds: aws.Int32(600)}}
	for i := range groups {
		f.ForwardConfig.TargetGroups = append(f.ForwardConfig.TargetGroups,
			types.TargetGroupTuple{TargetGroupArn: &groups[i], Weight: aws.Int32(int32(90 - 80*i))})
	}
	return f
}
