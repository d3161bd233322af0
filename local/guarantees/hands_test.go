package guarantees_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/awstest/elbv2"
	"alboidc.internal/shared/config"
)

// weighted is the rule of the first load balancer that forwards by weight, as it is now.
func (w *world) weighted() elbv2.Rule {
	r, is := w.ruleWithWeights()
	if !is {
		w.t.Fatal("there is no rule with priority 20")
	}
	return r
}

// ruleWithWeights is that rule, if it is still there.
func (w *world) ruleWithWeights() (r elbv2.Rule, is bool) {
	for _, l := range w.Stack.ELB.Current(w.Site.LoadBalancers[0]).Listeners {
		for _, r := range l.Rules {
			if r.Priority == 20 {
				return r, true
			}
		}
	}
	return r, false
}

// moveWeights does what a blue/green deployment does.
func (w *world) moveWeights(green int32) {
	api, ctx := elb.NewFromConfig(w.Stack.AWS(scenario.Home)), context.Background()
	rules, err := api.DescribeRules(ctx, &elb.DescribeRulesInput{RuleArns: []string{w.weighted().ARN}})
	if err != nil {
		w.t.Error(err)
		return
	}
	actions := rules.Rules[0].Actions
	actions[0].AuthenticateOidcConfig.UseExistingClientSecret = aws.Bool(true)
	actions[1].ForwardConfig.TargetGroups[0].Weight, actions[1].ForwardConfig.TargetGroups[1].Weight = aws.Int32(
		100-green), &green
	if _, err := api.ModifyRule(ctx, &elb.ModifyRuleInput{RuleArn: rules.Rules[0].RuleArn,
		Actions: actions}); err != nil {
		w.t.Error(err)
	}
}

// A deployment moves the weights right after our first read of the rule, and right after our write, the third call.
// After the second read nothing can be done: Elastic Load Balancing has no compare-and-swap (docs/guarantees.md).
func TestABlueGreenDeploymentMeanwhileLosesNothing(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]int32{"between the reads": 1, "between write and check": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			arn := w.weighted().ARN
			var seen atomic.Int32
			var own atomic.Bool
			w.Stack.Faults.Observe(func(service, operation, text string) {
				ours := service == "elasticloadbalancing" && strings.HasSuffix(operation, "Rule") ||
					strings.HasSuffix(operation, "Rules")
				// before the next call is carried out
				if !ours || own.Load() || !strings.Contains(text, arn) || seen.Add(1) != call+1 {
					return
				}
				own.Store(true)
				w.moveWeights(70)
				own.Store(false)
			})
			r, execution := w.rotate(plain)
			if r.Status != asl.Succeeded {
				t.Fatalf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), strings.Join(w.path(execution), " "))
			}
			if got := w.weighted().Actions[1].Forward.TargetGroups[1].Weight; seen.Load() <= call || got != 70 {
				t.Errorf("after %d calls the weight is %d", seen.Load(), got)
			}
			if told := strings.Join(w.notices(), " "); strings.Contains(told,
				"was changed by another hand") != (call == 3) {
				t.Errorf("told %q", told)
			}
			w.atRest()
		})
	}
}

// addElement gives the weighted rule an element that this release does not know.
func (w *world) addElement() {
	if err := w.Stack.ELB.AddElement(scenario.Home, w.weighted().ARN, "ShinyConfig", "on"); err != nil {
		w.t.Error(err)
	}
}

func TestAnElementOfTheFutureIsRefusedAcceptedAndRestored(t *testing.T) {
	t.Parallel()
	add := (*world).addElement
	t.Run("refused before anything is made", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, quick)
		add(w)
		before := w.Stack.IdP.Store().Secrets(w.ClientID)
		r, _ := w.rotate(plain)
		if text(r.Error) != "Refused" || !strings.Contains(text(r.Cause), "acceptElements: [ShinyConfig]") {
			t.Fatalf("ended as %s: %s", text(r.Error), text(r.Cause))
		}
		if m := w.measured(w.start(measure)); !strings.Contains(m.RotationRefused, "ShinyConfig") {
			t.Errorf("measured %+v", m)
		}
		if after := w.Stack.IdP.Store().Secrets(w.ClientID); len(after) != len(before) ||
			len(w.weighted().Actions[0].New) != 1 {
			t.Errorf("the identity provider holds %+v, the actions %+v", after, w.weighted().Actions)
		}
		w.atRest()
	})
	t.Run("accepted", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, quick, func(c *config.Client) { c.AcceptElements = []string{"ShinyConfig"} })
		add(w)
		w.mustRotate()
		if told := strings.Join(w.notices(), " "); !strings.Contains(told, "ShinyConfig was dropped from") {
			t.Errorf("told %q", told)
		}
		w.atRest()
	})
	t.Run("restored and told in a rollback", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, quick)
		w.when("TestSecret", func(string) { add(w) })
		r, execution := w.rotate(plain)
		if text(r.Error) != "RolledBack" {
			t.Fatalf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), strings.Join(w.path(execution), " "))
		}
		if told := strings.Join(w.notices(), " "); !strings.Contains(told,
			"got the old secret back, though it has in its actions") {
			t.Errorf("told %q", told)
		}
		w.atRest()
	})
}
