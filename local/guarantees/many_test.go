package guarantees_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

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

// A call sets ten targets: it must come to its end where some are throttled.
func TestThrottlingNowAndThenEndsNoRound(t *testing.T) {
	t.Parallel()
	for ends, prepare := range map[string]func(*world){"": func(*world) {},
		"RolledBack": func(w *world) { w.failing("TestSecret") }} {
		t.Run("ends as "+ends, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.addRules(15)
			prepare(w)
			w.throttleOneIn(9) // a call that sets ten targets makes some forty
			if r, _ := w.rotate(plain); text(r.Error) != ends {
				t.Fatalf("ended as %s: %s", text(r.Error), text(r.Cause))
			}
			w.Stack.Faults.Limit(nil)
			w.atRest()
		})
	}
}

// AWS names no time in which Elastic Load Balancing answers. Where it takes seconds, a call does not come to all of its
// ten targets; its retries go on where it stopped.
func TestSlowLoadBalancersEndNoRotation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		each        time.Duration
		targets     int
		input, ends string
		throttled   bool
	}{
		{each: 1500 * time.Millisecond, targets: 10, input: plain},
		{each: 2 * time.Second, targets: 10, input: plain, ends: "RolledBack"},
		{each: 3 * time.Second, targets: 10, input: emergency, throttled: true},
		{each: 5 * time.Second, targets: 40, input: plain},
		{each: 5 * time.Second, targets: 40, input: plain, ends: "RolledBack", throttled: true},
		{each: 2 * time.Second, targets: 40, input: emergency, throttled: true},
		{each: 12 * time.Second, targets: 10, input: plain},
		{each: 12 * time.Second, targets: 10, input: emergency, ends: "RolledBack"},
	} {
		t.Run(fmt.Sprintf("%s a request, %d targets, %s, ends as %q", c.each, c.targets, c.input, c.ends),
			func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, quick)
				w.addRules(c.targets - 5)
				if c.ends != "" {
					w.failing("TestBeforeFinish")
				}
				w.fault(fault.Rule{Service: "elasticloadbalancing", Operation: "*", Mode: fault.Delay, Latency: c.each})
				if c.throttled {
					w.throttleOneIn(9)
				}
				began := w.clock.Now()
				r, execution := w.rotate(c.input)
				if text(r.Error) != c.ends {
					t.Fatalf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), strings.Join(w.path(execution), " "))
				}
				events, err := w.Stack.StepFunctions.History(execution)
				t.Logf("%s, %d events (%v)", w.clock.Now().Sub(began), len(events), err)
				w.Stack.Faults.Clear()
				w.Stack.Faults.Limit(nil)
				w.pass(w.Stack.ELB.Spread())
				w.atRest()
			})
	}
}

// throttleOneIn refuses one request in so many to Elastic Load Balancing.
func (w *world) throttleOneIn(many int) {
	n := 0
	w.Stack.Faults.Limit(func(service, operation string) fault.Outcome {
		if service != "elasticloadbalancing" {
			return fault.Outcome{}
		}
		if n++; n%many != 0 {
			return fault.Outcome{}
		}
		return fault.Outcome{Refuse: true, Status: 400, Code: "Throttling"}
	})
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
