package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/idp"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/shared/config"
)

// perBalancer is how many rules a load balancer has (Application Load Balancers user guide, "Quotas").
const perBalancer = 100

// Clients rotates so many clients at once, each with one rule, within the limits of one AWS account, and of one
// organization at Okta. The process is measured, so it should do nothing else.
func Clients(ctx context.Context, n int, okta bool) ([]Row, error) {
	limits, group := awsLimits(), fmt.Sprintf("%d clients at once", n)
	if okta {
		limits, group = append(limits, oktaLimit), group+", Okta's 600 requests a minute"
	}
	w, err := newWorld(ctx, "okta", quick)
	if err != nil {
		return nil, err
	}
	defer w.close()
	names, err := w.addClients(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("adding clients: %w", err)
	}
	gate := newGate(w.clock.Now, limits)
	w.mu.Lock()
	w.hooks = append(w.hooks, gate.hear)
	w.mu.Unlock()
	w.Stack.Faults.Limit(gate.judge)
	if err := w.slow(); err != nil {
		return nil, err
	}
	refused := w.refusals()
	began, cpu := time.Now(), w.clock.Now()
	ends, err := w.rotateAll(ctx, names)
	if err != nil {
		return nil, err
	}
	gate.mu.Lock()
	defer gate.mu.Unlock()
	took := w.clock.Now().Sub(cpu) - grace
	return []Row{{group, "not rotated", float64(n - ends[asl.Succeeded]), "", goal(0), false},
		{group, "logins with a refused secret", float64(refused()), "", goal(0), false},
		{group, "throttled requests", float64(gate.throttled), "", nil, false},
		{group, "time until the last has ended, without its grace period", took.Minutes(), "min", nil, false},
		{group, "time of this machine", time.Since(began).Seconds(), "s", nil, false},
		{group, "memory of this process, local stack included", peakMemory(), "MB", nil, false}}, nil
}

// hear is for world.hooks: it hears of functions that have answered.
func (g *gate) hear(_ string, e stepfunctions.Event) {
	for _, d := range []*asl.TaskDetails{e.TaskSucceeded, e.TaskFailed, e.TaskTimedOut} {
		if d != nil && strings.HasSuffix(d.ResourceType, "lambda") &&
			!strings.Contains(aws.ToString(d.Error), "TooManyRequests") {
			g.returned()
		}
	}
}

// refusals counts, at each change at the identity provider, the nodes that use a refused secret for a rule: a login
// there would fail.
func (w *world) refusals() func() int {
	var mu sync.Mutex
	n := 0
	store := w.Stack.IdP.Store()
	count := func(clientID string) {
		mu.Lock()
		defer mu.Unlock()
		now := w.clock.Now()
		for _, u := range w.Stack.ELB.EffectiveSecrets(now) {
			if (clientID == "" || u.ClientID == clientID) && !store.Accepts(u.ClientID, u.Secret, now) {
				n++
			}
		}
	}
	store.OnChange(func(c idp.Change) { count(c.ClientID) })
	return func() int { count(""); mu.Lock(); defer mu.Unlock(); return n }
}

// rotateAll starts an execution for each client and waits for all. It returns how many ended in which way.
func (w *world) rotateAll(ctx context.Context, names []string) (map[asl.Status]int, error) {
	var executions []string
	for _, name := range names {
		for {
			execution, err := w.start(ctx, `{"client": "`+name+`"}`)
			if err == nil {
				executions = append(executions, execution)
				break
			}
			if !strings.Contains(err.Error(), "Throttling") {
				return nil, err
			}
			w.clock.Pass(time.Second)
		}
	}
	ends := map[asl.Status]int{}
	for _, execution := range executions {
		r, err := w.Stack.StepFunctions.Wait(ctx, execution)
		if err != nil {
			return nil, err
		}
		if ends[r.Status]++; r.Status != asl.Succeeded {
			_, _ = fmt.Fprintf(os.Stderr, "%s: %s: %.200s\n", execution, aws.ToString(r.Error), aws.ToString(r.Cause))
		}
	}
	return ends, nil
}

// addClients makes clients like the deployed one, on load balancers that they share.
func (w *world) addClients(ctx context.Context, n int) ([]string, error) {
	names := make([]string, 0, n)
	var listener, balancer string
	for i := range n {
		if i%perBalancer == 0 {
			var err error
			if balancer, listener, err = w.addBalancer(ctx, i/perBalancer); err != nil {
				return nil, err
			}
		}
		name := fmt.Sprintf("client-%d", i)
		if err := w.addClient(ctx, name, i, balancer, listener); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		names = append(names, name)
	}
	w.clock.Advance(w.Stack.ELB.Spread())
	return names, nil
}

var ok = elbtypes.Action{Type: elbtypes.ActionTypeEnumFixedResponse, Order: aws.Int32(2),
	FixedResponseConfig: &elbtypes.FixedResponseActionConfig{StatusCode: aws.String("200"),
		ContentType: aws.String("text/plain"), MessageBody: aws.String("hello")}}

func (w *world) addBalancer(ctx context.Context, i int) (balancer, listener string, err error) {
	api := elb.NewFromConfig(w.Stack.AWS(scenario.Home))
	made, err := api.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: aws.String(fmt.Sprintf("shared-%d", i)),
		Type: elbtypes.LoadBalancerTypeEnumApplication, Subnets: []string{"subnet-0a1b2c3d", "subnet-4e5f6a7b"}})
	if err != nil {
		return "", "", err
	}
	balancer = *made.LoadBalancers[0].LoadBalancerArn
	first := ok
	first.Order = aws.Int32(1)
	opened, err := api.CreateListener(ctx, &elb.CreateListenerInput{LoadBalancerArn: &balancer, Port: aws.Int32(443),
		Protocol: elbtypes.ProtocolEnumHttps, DefaultActions: []elbtypes.Action{first},
		Certificates: []elbtypes.Certificate{{CertificateArn: aws.String(
			"arn:aws:acm:eu-central-1:000000000000:certificate/local")}}})
	if err != nil {
		return "", "", err
	}
	return balancer, *opened.Listeners[0].ListenerArn, nil
}

// addClient makes one client: at the identity provider, its secret, its rule and its configuration.
func (w *world) addClient(ctx context.Context, name string, i int, balancer, listener string) error {
	c := w.Config
	c.Name, c.ClientID = name, fmt.Sprintf("0oa%016d", i)
	app, value := fmt.Sprintf("0oaapp%013d", i), fmt.Sprintf("first-secret-of-%s-with-some-length", name)
	if _, _, err := w.Stack.IdP.RegisterClient(idp.Client{ID: c.ClientID, AppID: app, Name: name,
		RedirectURIs: []string{"https://*.localhost/oauth2/idpresponse"}}, value); err != nil {
		return err
	}
	aws4 := w.Stack.AWS(scenario.Home)
	stored, err := secretsmanager.NewFromConfig(aws4).CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(name), SecretString: &value})
	if err != nil {
		return err
	}
	if err := w.addRule(ctx, c, value, i, listener); err != nil {
		return err
	}
	var settings map[string]any
	if err := json.Unmarshal(c.IdentityProvider.Settings, &settings); err != nil {
		return err
	}
	settings["appId"] = app
	if c.IdentityProvider.Settings, err = json.Marshal(settings); err != nil {
		return err
	}
	c.Secret.ARN, c.LoadBalancers = *stored.ARN, []string{balancer}
	c.SmokeTests.Redirect = []config.RedirectTest{{URL: fmt.Sprintf("https://shared.localhost/%d/", i),
		ConnectTo: w.Stack.Plane.Addresses(balancer)}}
	c.CallbackURL = "https://shared.localhost/oauth2/idpresponse"
	document, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = ssm.NewFromConfig(aws4).PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(scenario.ParameterPrefix + name), Type: ssmtypes.ParameterTypeString,
		Tier: ssmtypes.ParameterTierAdvanced, Value: aws.String(string(document))})
	return err
}

func (w *world) addRule(ctx context.Context, c config.Client, value string, i int, listener string) error {
	p := w.Stack.IdP.Endpoints()
	_, err := elb.NewFromConfig(w.Stack.AWS(scenario.Home)).CreateRule(ctx, &elb.CreateRuleInput{ListenerArn: &listener,
		Priority: aws.Int32(int32(i + 1)), Conditions: []elbtypes.RuleCondition{{Field: aws.String("path-pattern"),
			PathPatternConfig: &elbtypes.PathPatternConditionConfig{Values: []string{fmt.Sprintf("/%d/*", i)}}}},
		Actions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1),
			AuthenticateOidcConfig: &elbtypes.AuthenticateOidcActionConfig{Issuer: &c.Issuer,
				AuthorizationEndpoint: &p.Authorization, TokenEndpoint: &p.Token, UserInfoEndpoint: &p.UserInfo,
				ClientId: &c.ClientID, ClientSecret: &value, Scope: aws.String("openid email")}}, ok}})
	return err
}
