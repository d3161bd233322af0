package guarantees_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/fault"
)

// Step Functions takes 256 KiB for the result of a state and for what it assigns, and the local one does not take more.
func TestTheResultsOfHundredsOfTargetsFitIntoAnExecution(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.addRules(235)
	w.failing("TestSecret") // after which the targets have been set three times
	r, execution := w.rotate(plain)
	if text(r.Error) != "RolledBack" {
		t.Fatalf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
	if events, err := w.Stack.StepFunctions.History(execution); err != nil || len(events) > 800 {
		t.Errorf("the history has %d events (%v), of which there are 25,000", len(events), err)
	}
}

// A call sets ten targets, and all ten again if it is tried again: it must come to its end where some are throttled.
func TestThrottlingNowAndThenEndsNoRound(t *testing.T) {
	t.Parallel()
	for ends, prepare := range map[string]func(*world){"": func(*world) {},
		"RolledBack": func(w *world) { w.failing("TestSecret") }} {
		t.Run("ends as "+ends, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.addRules(15)
			prepare(w)
			n := 0
			w.Stack.Faults.Limit(func(service, operation string) fault.Outcome {
				if service != "elasticloadbalancing" {
					return fault.Outcome{}
				}
				if n++; n%9 != 0 { // a call that sets ten targets makes some forty
					return fault.Outcome{}
				}
				return fault.Outcome{Refuse: true, Status: 400, Code: "Throttling"}
			})
			if r, _ := w.rotate(plain); text(r.Error) != ends {
				t.Fatalf("ended as %s: %s", text(r.Error), text(r.Cause))
			}
			w.Stack.Faults.Limit(nil)
			w.atRest()
		})
	}
}

// addRules adds rules that log in like the first load balancer's default action.
func (w *world) addRules(n int) {
	w.t.Helper()
	ctx, api := context.Background(), elb.NewFromConfig(w.Stack.AWS(scenario.Home))
	_, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		w.t.Fatal(err)
	}
	listeners, err := api.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: &w.Site.LoadBalancers[0]})
	if err != nil {
		w.t.Fatal(err)
	}
	actions := listeners.Listeners[0].DefaultActions
	for _, v := range values {
		actions[0].AuthenticateOidcConfig.ClientSecret = aws.String(v)
	}
	for i := range n {
		if _, err := api.CreateRule(ctx, &elb.CreateRuleInput{ListenerArn: listeners.Listeners[0].ListenerArn,
			Priority: aws.Int32(int32(1000 + i)), Actions: actions,
			Conditions: []elbtypes.RuleCondition{{Field: aws.String("path-pattern"),
				PathPatternConfig: &elbtypes.PathPatternConditionConfig{Values: []string{fmt.Sprintf("/%d/*",
					i)}}}}}); err != nil {
			w.t.Fatal(err)
		}
	}
}
