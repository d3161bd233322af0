package scenario_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"alboidc.internal/local/browser"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stack"
	"alboidc.internal/shared/config"
	"alboidc.internal/statemachine"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the OpenID library tells of every refused request
	os.Exit(m.Run())
}

// deploy sets everything up on real time, with functions that nobody calls.
func deploy(t *testing.T, configure func(*config.Client)) *scenario.Deployment {
	t.Helper()
	s, err := stack.Start(t.Context(), stack.Options{Spread: []time.Duration{0, 0}, AccessTokenLifetime: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	functions := map[string]string{}
	for _, f := range statemachine.Functions() {
		functions[f.Name] = "arn:aws:lambda:eu-central-1:111122223333:function:" + f.Name
	}
	d, err := scenario.Deploy(t.Context(), s, scenario.Options{Functions: functions, Settle: time.Minute,
		Spread: time.Minute, Grace: time.Hour, Configure: configure})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDeploymentIsWhatARotationNeeds(t *testing.T) {
	t.Parallel()
	d := deploy(t, func(c *config.Client) { c.SpreadSeconds = aws.Int(90) })
	home := d.Stack.AWS(scenario.Home)
	p, err := ssm.NewFromConfig(home).GetParameter(t.Context(),
		&ssm.GetParameterInput{Name: aws.String(scenario.ParameterPrefix + scenario.Client)})
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse([]byte(*p.Parameter.Value))
	if err != nil {
		t.Fatalf("the stored configuration is not valid: %v", err)
	}
	if c.Name != scenario.Client || c.GracePeriod() != 3600 || c.Spread() != 90 || len(c.LoadBalancers) != 2 {
		t.Errorf("configured %+v", c)
	}
	if _, err := sfn.NewFromConfig(home).DescribeStateMachine(t.Context(),
		&sfn.DescribeStateMachineInput{StateMachineArn: &d.MachineARN}); err != nil {
		t.Error(err)
	}
	if _, err := dynamodb.NewFromConfig(home).GetItem(t.Context(),
		&dynamodb.GetItemInput{TableName: aws.String(scenario.JournalTable),
			Key: map[string]types.AttributeValue{"client": &types.AttributeValueMemberS{
				Value: scenario.Client}}}); err != nil {
		t.Error(err)
	}
	secret, err := secretsmanager.NewFromConfig(home).GetSecretValue(t.Context(),
		&secretsmanager.GetSecretValueInput{SecretId: &d.SecretARN})
	if err != nil {
		t.Fatal(err)
	}
	store := d.Stack.IdP.Store()
	if live := store.Secrets(d.ClientID); len(live) != 1 || live[0].ID != d.FirstSecretID ||
		!store.Accepts(d.ClientID, *secret.SecretString, d.Stack.Clock.Now()) {
		t.Errorf("the identity provider has %v", live)
	}
}

func TestSiteHasFiveTargetsOfEachKindInTwoRegions(t *testing.T) {
	t.Parallel()
	d := deploy(t, nil)
	rules := map[string]int{}
	for i, region := range []string{scenario.Home, scenario.Away} {
		api := elasticloadbalancingv2.NewFromConfig(d.Stack.AWS(region))
		l, err := api.DescribeListeners(t.Context(),
			&elasticloadbalancingv2.DescribeListenersInput{LoadBalancerArn: &d.Site.LoadBalancers[i]})
		if err != nil {
			t.Fatal(err)
		}
		r, err := api.DescribeRules(t.Context(),
			&elasticloadbalancingv2.DescribeRulesInput{ListenerArn: l.Listeners[0].ListenerArn})
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range r.Rules {
			if c := rule.Actions[0].AuthenticateOidcConfig; c != nil && *c.ClientId == d.ClientID {
				rules[region+" "+*rule.Priority]++
			}
		}
	}
	got, err := json.Marshal(rules)
	if want := `{"eu-central-1 10":1,"eu-central-1 20":1,"eu-central-1 default":1,"eu-west-1 10":1,"eu-west-1 20":1}`; err != nil || string(got) != want {
		t.Errorf("the client's targets are %s, want %s", got, want)
	}
}

func TestEveryUserCanLogInAtEveryNodeOfEveryPage(t *testing.T) {
	t.Parallel()
	d := deploy(t, nil)
	for i, page := range d.Site.Pages {
		for n, node := range page.Nodes {
			b := browser.New(browser.Options{Roots: d.Stack.Authority.Pool(), Resolve: func(hostPort string) string {
				if strings.HasSuffix(hostPort, ":443") {
					return node
				}
				return ""
			}})
			u := append(d.Users, d.Tester)[(2*i+n)%5]
			got, err := b.Login(t.Context(), page.URL, u.Name, u.Password)
			b.Close()
			if err != nil || !strings.Contains(string(got.Body), page.Greeting+u.Email) {
				t.Errorf("%s of %s does not greet %s: %v %s", node, page.URL, u.Name, err, got.Body)
			}
		}
	}
}

func TestPageIsReachedOnlyAtTheNodesOfItsLoadBalancer(t *testing.T) {
	t.Parallel()
	site := deploy(t, nil).Site
	if got := site.Nodes("shop.localhost:443"); len(got) != 2 ||
		!slices.Equal(got, site.Nodes("reports.localhost:443")) {
		t.Errorf("shop and reports are at %v and %v", got, site.Nodes("reports.localhost:443"))
	}
	if slices.Equal(site.Nodes("shop.localhost:443"), site.Nodes("invoices.localhost:443")) ||
		site.Nodes("elsewhere.localhost:443") != nil {
		t.Error("a page is at the nodes of another load balancer")
	}
}
