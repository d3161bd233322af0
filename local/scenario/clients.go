package scenario

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"alboidc.internal/local/idp"
	"alboidc.internal/shared/config"
)

// perBalancer is how many rules a load balancer has (Application Load Balancers user guide, "Quotas").
const perBalancer = 100

// AddClients makes clients like the deployed one, each with one rule, on load balancers that they share. They are in
// use after a spread.
func (d *Deployment) AddClients(ctx context.Context, n int) ([]string, error) {
	names := make([]string, 0, n)
	var listener, balancer string
	for i := range n {
		if i%perBalancer == 0 {
			var err error
			if balancer, listener, err = d.addBalancer(ctx, i/perBalancer); err != nil {
				return nil, err
			}
		}
		name := fmt.Sprintf("client-%d", i)
		if err := d.addClient(ctx, name, i, balancer, listener); err != nil {
			return nil, fmt.Errorf("adding %s: %w", name, err)
		}
		names = append(names, name)
	}
	return names, nil
}

var ok = elbtypes.Action{Type: elbtypes.ActionTypeEnumFixedResponse, Order: aws.Int32(2),
	FixedResponseConfig: &elbtypes.FixedResponseActionConfig{StatusCode: aws.String("200"),
		ContentType: aws.String("text/plain"), MessageBody: aws.String("hello")}}

func (d *Deployment) addBalancer(ctx context.Context, i int) (balancer, listener string, err error) {
	api := elb.NewFromConfig(d.Stack.AWS(Home))
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
func (d *Deployment) addClient(ctx context.Context, name string, i int, balancer, listener string) error {
	c := d.Config
	c.Name, c.ClientID = name, fmt.Sprintf("0oa%016d", i)
	app, value := fmt.Sprintf("0oaapp%013d", i), fmt.Sprintf("first-secret-of-%s-with-some-length", name)
	if _, _, err := d.Stack.IdP.RegisterClient(idp.Client{ID: c.ClientID, AppID: app, Name: name,
		RedirectURIs: []string{"https://*.localhost/oauth2/idpresponse"}}, value); err != nil {
		return err
	}
	here := d.Stack.AWS(Home)
	stored, err := secretsmanager.NewFromConfig(here).CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(name), SecretString: &value})
	if err != nil {
		return err
	}
	if err := d.addRule(ctx, c, value, i, listener); err != nil {
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
		ConnectTo: d.Stack.Plane.Addresses(balancer)}}
	c.CallbackURL = "https://shared.localhost/oauth2/idpresponse"
	document, err := c.Document()
	if err != nil {
		return err
	}
	_, err = ssm.NewFromConfig(here).PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(ParameterPrefix + name), Type: ssmtypes.ParameterTypeString,
		Tier: ssmtypes.ParameterTierAdvanced, Value: aws.String(string(document))})
	return err
}

func (d *Deployment) addRule(ctx context.Context, c config.Client, value string, i int, listener string) error {
	p := d.Stack.IdP.Endpoints()
	_, err := elb.NewFromConfig(d.Stack.AWS(Home)).CreateRule(ctx, &elb.CreateRuleInput{ListenerArn: &listener,
		Priority: aws.Int32(int32(i + 1)), Conditions: []elbtypes.RuleCondition{{Field: aws.String("path-pattern"),
			PathPatternConfig: &elbtypes.PathPatternConditionConfig{Values: []string{fmt.Sprintf("/%d/*", i)}}}},
		Actions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1),
			AuthenticateOidcConfig: &elbtypes.AuthenticateOidcActionConfig{Issuer: &c.Issuer,
				AuthorizationEndpoint: &p.Authorization, TokenEndpoint: &p.Token, UserInfoEndpoint: &p.UserInfo,
				ClientId: &c.ClientID, ClientSecret: &value, Scope: aws.String("openid email")}}, ok}})
	return err
}
