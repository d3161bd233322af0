package guarantees_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
)

// second is the second name of the identity provider. It listens on the loopback address only, so this is one of its
// names.
const second = "127.0.0.1"

// underSecond is a URL of the provider under its second name.
func underSecond(url string) string {
	return strings.Replace(url, "https://localhost:", "https://"+second+":", 1)
}

// aliased gives the client the second name as an alias.
func aliased(c *config.Client) {
	c.Aliases = []config.Alias{{Issuer: underSecond(c.Issuer),
		AuthorizationEndpoint: underSecond(c.IdentityProvider.AuthorizationEndpoint),
		TokenEndpoint:         underSecond(c.IdentityProvider.TokenEndpoint)}}
}

// loginEverywhere logs in at every page instead of at one for each load balancer.
func loginEverywhere(c *config.Client) {
	example := c.SmokeTests.Login[0]
	c.SmokeTests.Login = nil
	for _, r := range c.SmokeTests.Redirect {
		c.SmokeTests.Login = append(c.SmokeTests.Login, config.LoginTest{URL: r.URL, ConnectTo: r.ConnectTo,
			UserSecretARN: example.UserSecretARN, ExpectText: example.ExpectText})
	}
}

// moveRulesNow lets every rule with priority 20, one on each load balancer, log in as change says.
func (w *world) moveRulesNow(change func(*elbtypes.AuthenticateOidcActionConfig)) {
	w.t.Helper()
	ctx := context.Background()
	for i, region := range []string{scenario.Home, scenario.Away} {
		api := elb.NewFromConfig(w.Stack.AWS(region))
		listeners, err := api.DescribeListeners(ctx,
			&elb.DescribeListenersInput{LoadBalancerArn: &w.Site.LoadBalancers[i]})
		if err != nil {
			w.t.Fatal(err)
		}
		rules, err := api.DescribeRules(ctx, &elb.DescribeRulesInput{ListenerArn: listeners.Listeners[0].ListenerArn})
		if err != nil {
			w.t.Fatal(err)
		}
		at := slices.IndexFunc(rules.Rules, func(r elbtypes.Rule) bool { return aws.ToString(r.Priority) == "20" })
		actions := rules.Rules[at].Actions
		change(actions[0].AuthenticateOidcConfig)
		actions[0].AuthenticateOidcConfig.UseExistingClientSecret = aws.Bool(true)
		if len(actions[1].ForwardConfig.TargetGroups) > 1 {
			actions[1].TargetGroupArn = nil
		}
		if _, err := api.ModifyRule(ctx, &elb.ModifyRuleInput{RuleArn: rules.Rules[at].RuleArn,
			Actions: actions}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// moveRules is moveRulesNow, and waits until every node follows.
func (w *world) moveRules(change func(*elbtypes.AuthenticateOidcActionConfig)) {
	w.t.Helper()
	w.moveRulesNow(change)
	w.pass(spread)
}

func toSecondName(o *elbtypes.AuthenticateOidcActionConfig) {
	for _, url := range []**string{&o.Issuer, &o.AuthorizationEndpoint, &o.TokenEndpoint, &o.UserInfoEndpoint} {
		*url = aws.String(underSecond(**url))
	}
}

func TestEveryLoginUnderEveryNameSurvives(t *testing.T) {
	t.Parallel()
	t.Run("a rotation", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, loginEverywhere, aliased)
		w.moveRules(toSecondName)
		w.mustRotate()
		w.atRest()
		w.mustRotate()
		w.atRest()
	})
	t.Run("a rollback from the last moment", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, loginEverywhere, aliased)
		w.moveRules(toSecondName)
		w.fault(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"TestAfterDisable"`,
			Mode: fault.Refuse, Status: 403, Code: "AccessDeniedException"})
		if r, execution := w.rotate(plain); text(r.Error) != "RolledBack" {
			t.Fatalf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), strings.Join(w.path(execution), " "))
		}
		w.atRest()
		w.Stack.Faults.Clear()
		w.mustRotate()
		w.atRest()
	})
	t.Run("hosts in capitals and a default port", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, quick)
		w.moveRules(func(o *elbtypes.AuthenticateOidcActionConfig) {
			o.AuthorizationEndpoint = aws.String(strings.Replace(*o.AuthorizationEndpoint, "localhost", "LocalHost", 1))
			o.TokenEndpoint = aws.String(strings.Replace(*o.TokenEndpoint, "https://localhost", "HTTPS://LOCALHOST", 1))
		})
		w.mustRotate()
		w.atRest()
	})
}

// refuse lets the provider refuse the secret with a label under its second name.
func (w *world) refuse(label string) {
	labels, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		w.t.Error(err)
	}
	w.Stack.IdP.RefuseUnder(second, values[labels[label]])
}

func TestASecretIsProvenUnderEveryName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state, label, end, never string
	}{
		"the one in use, before anything is made": {"Plan", "AWSCURRENT", "Refused", "CreateSecret"},
		"the new one, before a target gets it":    {"VerifyNewSecret", "AWSPENDING", "RolledBack", "SetSecret"},
		"the new one, before the old one goes":    {"TestBeforeFinish", "AWSCURRENT", "RolledBack", "DisableOldSecret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// half an hour is waited for a new one
			slow := func(c *config.Client) { c.SmokeTests.Credential.IntervalSeconds = aws.Int(60) }
			w := newWorld(t, quick, aliased, slow)
			w.when(c.state, func(string) { w.refuse(c.label) })
			w.when("Quiesce", func(string) { w.Stack.IdP.RefuseUnder(second, "") })
			r, execution := w.rotate(plain)
			if text(r.Error) != c.end || slices.Contains(w.path(execution), c.never) {
				t.Errorf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), strings.Join(w.path(execution), " "))
			}
			w.atRest()
		})
	}
}

func TestANameThatNobodyKnowsIsRefusedBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"okta", "keycloak"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, vendor, usual(), quick)
			w.moveRules(toSecondName)
			before := len(w.Stack.IdP.Store().Secrets(w.ClientID))
			for _, input := range []string{plain, `{"client": "orders-web", "dryRun": true}`} {
				r, _ := w.rotate(input)
				if r.Status != asl.Failed || text(r.Error) != "Refused" || !strings.Contains(text(r.Cause),
					"add them to aliases") {
					t.Fatalf("ended as %s: %s", text(r.Error), text(r.Cause))
				}
				if strings.Contains(text(r.Cause), "otherRegistrations") != (vendor == "keycloak") {
					t.Errorf("the remedies are those of another provider: %s", text(r.Cause))
				}
			}
			if after := len(w.Stack.IdP.Store().Secrets(w.ClientID)); after != before {
				t.Errorf("%d secrets, before there were %d", after, before)
			}
			w.atRest()
		})
	}
}

func TestAnUnknownNameThatComesInAGracePeriodStopsTheRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.when("GracePeriod", func(string) { w.moveRulesNow(toSecondName) })
	r, execution := w.rotate(plain)
	if r.Status == asl.Succeeded {
		t.Fatalf("it removed the old secret: %s", strings.Join(w.path(execution), " "))
	}
	w.check("at the end")
	for _, v := range w.violations {
		t.Error(v)
	}
}

func TestAnotherRegistrationWithTheSameIDIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "keycloak", usual(), quick, func(c *config.Client) {
		c.OtherRegistrations = []config.OtherRegistration{{Issuer: underSecond(c.Issuer),
			TokenEndpoint: underSecond(c.IdentityProvider.TokenEndpoint)}}
	})
	w.moveRules(toSecondName)
	// the old secret is the other registration's own, and goes on being used there: the double has only one provider
	w.mu.Lock()
	w.tolerant = true
	w.mu.Unlock()
	used := func() (others []string) {
		for _, u := range w.Stack.ELB.EffectiveSecrets(w.clock.Now()) {
			if !slices.Contains(others, u.Secret) {
				others = append(others, u.Secret)
			}
		}
		return others
	}
	old := used()
	w.mustRotate()
	if now := used(); len(now) != 2 || !slices.Contains(now, old[0]) {
		t.Errorf("the load balancers use %d secrets, want the new one and, at the other registration, the old one",
			len(now))
	}
}
