package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
)

// latencies are what each request takes; AWS names no numbers.
var latencies = map[string]time.Duration{
	"secretsmanager": 40 * time.Millisecond, "elasticloadbalancing": 120 * time.Millisecond,
	"dynamodb": 10 * time.Millisecond, "ssm": 30 * time.Millisecond, "monitoring": 60 * time.Millisecond,
	"sns": 30 * time.Millisecond, "events": 30 * time.Millisecond, "idp": 200 * time.Millisecond}

// slow makes every request take its time.
func (w *world) slow() error {
	for service, d := range latencies {
		if _, err := w.Stack.Faults.Add(fault.Rule{Service: service, Operation: "*", Mode: fault.Delay,
			Latency: d}); err != nil {
			return err
		}
	}
	return nil
}

// underWay returns how long, from now on, at least one request was under way.
func (w *world) underWay() func() time.Duration {
	type span struct{ from, to time.Time }
	var mu sync.Mutex
	var spans []span
	w.Stack.Faults.Observe(func(service, _, _ string) {
		now := w.clock.Now()
		mu.Lock()
		defer mu.Unlock()
		spans = append(spans, span{now, now.Add(latencies[service])})
	})
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
		var all time.Duration
		var until time.Time
		for _, s := range spans {
			if s.from.Before(until) {
				s.from = until
			}
			if s.to.After(s.from) {
				all, until = all+s.to.Sub(s.from), s.to
			}
		}
		return all
	}
}

// latency compares how long a rotation takes, waits apart, with how long requests were under way: the rest is the
// system's own pauses.
func latency(ctx context.Context) ([]Row, error) {
	var rows []Row
	for _, kind := range []string{"okta", "entra", "keycloak", "auth0"} {
		w, err := newWorld(ctx, kind, func(c *config.Client) {
			quick(c)
			c.SmokeTests.Credential = config.CredentialTest{SuccessesInARow: aws.Int(3), IntervalSeconds: aws.Int(0)}
		})
		if err != nil {
			return nil, err
		}
		defer w.close()
		if err := w.slow(); err != nil {
			return nil, err
		}
		underWay := w.underWay()
		events, err := w.rotate(ctx, plain)
		if err != nil {
			return nil, fmt.Errorf("a slow rotation at %s: %w", kind, err)
		}
		t := scenario.TimesOf(events, w.clock.Now())
		rows = append(rows,
			Row{"rotation without waits ÷ requests under way", kind, float64(t.WithoutWaits()) / float64(underWay()),
				"",
				goal(1.2), true},
			Row{"rotation without waits", kind, t.WithoutWaits().Seconds(), "s", nil, true})
	}
	return rows, nil
}

// The limits of an execution (Step Functions developer guide, "Service quotas").
const (
	maxEvents  = 25_000
	maxPayload = 256 << 10
)

// ofTargets measures rotations of so many targets each, and such as are rolled back at their last test.
func ofTargets(ctx context.Context, numbers []int) ([]Row, error) {
	var rows []Row
	for _, n := range numbers {
		for _, rolledBack := range []bool{false, true} {
			events, took, err := rotateTargets(ctx, n, rolledBack)
			if err != nil {
				return nil, fmt.Errorf("%d targets, rolled back: %t: %w", n, rolledBack, err)
			}
			group := fmt.Sprintf("%d targets", n)
			if n == 1 {
				group = "1 target"
			}
			if rolledBack {
				group += ", rolled back"
			}
			if !rolledBack { // there, the retries of the failing test are most of it
				rows = append(rows,
					Row{group, "time without waits", took.WithoutWaits().Seconds(), "s", nil, true})
			}
			rows = append(rows, Row{group, "state transitions", float64(transitions(events)), "", nil, true},
				Row{group, "history events", float64(len(events)), "", goal(maxEvents), true},
				Row{group, "largest payload", float64(largest(events)), "bytes", goal(maxPayload), true})
		}
	}
	return rows, nil
}

func rotateTargets(ctx context.Context, n int, rolledBack bool) ([]asl.Event, scenario.Times, error) {
	w, err := newWorld(ctx, "okta", func(c *config.Client) {
		c.SmokeTests.Login = nil
		c.SmokeTests.Redirect = c.SmokeTests.Redirect[3:4]
		if n == 1 {
			c.LoadBalancers = c.LoadBalancers[1:]
		}
	})
	if err != nil {
		return nil, scenario.Times{}, err
	}
	defer w.close()
	if err := w.setTargets(ctx, n); err != nil {
		return nil, scenario.Times{}, err
	}
	if err := w.slow(); err != nil {
		return nil, scenario.Times{}, err
	}
	if !rolledBack {
		events, err := w.rotate(ctx, plain)
		return events, scenario.TimesOf(events, w.clock.Now()), err
	}
	if _, err := w.Stack.Faults.Add(fault.Rule{Service: "lambda", Operation: "Invoke",
		Match: `"state":"TestAfterDisable"`, Mode: fault.Refuse, Status: 403,
		Code: "AccessDeniedException"}); err != nil {
		return nil, scenario.Times{}, err
	}
	execution, err := w.start(ctx, plain)
	if err != nil {
		return nil, scenario.Times{}, err
	}
	r, err := w.Stack.StepFunctions.Wait(ctx, execution)
	if err == nil && aws.ToString(r.Error) != "RolledBack" {
		err = fmt.Errorf("it ended as %s %s: %s", r.Status, aws.ToString(r.Error), aws.ToString(r.Cause))
	}
	if err != nil {
		return nil, scenario.Times{}, err
	}
	events, err := w.Stack.StepFunctions.History(execution)
	return events, scenario.TimesOf(events, w.clock.Now()), err
}

// setTargets makes the five targets as many as are wanted: one, or five and more.
func (w *world) setTargets(ctx context.Context, n int) error {
	home, away := elb.NewFromConfig(w.Stack.AWS(scenario.Home)), elb.NewFromConfig(w.Stack.AWS(scenario.Away))
	if n == 1 {
		return w.keepOne(ctx, home, away)
	}
	value, err := w.current()
	if err != nil {
		return err
	}
	listeners, err := home.DescribeListeners(ctx,
		&elb.DescribeListenersInput{LoadBalancerArn: &w.Site.LoadBalancers[0]})
	if err != nil {
		return err
	}
	actions := listeners.Listeners[0].DefaultActions
	actions[0].AuthenticateOidcConfig.ClientSecret = &value
	for i := range n - 5 {
		if _, err := home.CreateRule(ctx, &elb.CreateRuleInput{ListenerArn: listeners.Listeners[0].ListenerArn,
			Priority: aws.Int32(int32(1000 + i)), Actions: actions,
			Conditions: []elbtypes.RuleCondition{{Field: aws.String("path-pattern"),
				PathPatternConfig: &elbtypes.PathPatternConditionConfig{
					Values: []string{fmt.Sprintf("/%d/*", i)}}}}}); err != nil {
			return err
		}
	}
	w.clock.Advance(w.Stack.ELB.Spread())
	return nil
}

// keepOne leaves the first rule of the second load balancer.
func (w *world) keepOne(ctx context.Context, home, away *elb.Client) error {
	listeners, err := home.DescribeListeners(ctx,
		&elb.DescribeListenersInput{LoadBalancerArn: &w.Site.LoadBalancers[0]})
	if err != nil {
		return err
	}
	if _, err := home.DeleteListener(ctx, &elb.DeleteListenerInput{
		ListenerArn: listeners.Listeners[0].ListenerArn}); err != nil {
		return err
	}
	listeners, err = away.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: &w.Site.LoadBalancers[1]})
	if err != nil {
		return err
	}
	rules, err := away.DescribeRules(ctx, &elb.DescribeRulesInput{ListenerArn: listeners.Listeners[0].ListenerArn})
	if err != nil {
		return err
	}
	for _, r := range rules.Rules {
		if aws.ToString(r.Priority) == "20" {
			if _, err := away.DeleteRule(ctx, &elb.DeleteRuleInput{RuleArn: r.RuleArn}); err != nil {
				return err
			}
		}
	}
	return nil
}

// current is the client secret in use.
func (w *world) current() (string, error) {
	labels, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	return values[labels["AWSCURRENT"]], err
}

func (w *world) stop(ctx context.Context, execution string) error {
	_, err := w.sfn().StopExecution(ctx, &sfn.StopExecutionInput{ExecutionArn: &execution})
	return err
}

// prices are list prices of US East (N. Virginia), in US dollars, of November 2026 (docs/cost.md).
var prices = struct{ transition, request, gbSecond float64 }{0.025 / 1000, 0.20 / 1_000_000, 0.0000133334}

// memory is what each function is deployed with, in MB, where that is not 256 (docs/deploying.md).
var memory = map[string]float64{"smoketest": 512}

// bill is what a rotation with five targets and all smoke tests costs where requests take latencies.
func bill(ctx context.Context) ([]Row, error) {
	w, err := newWorld(ctx, "okta", nil)
	if err != nil {
		return nil, err
	}
	defer w.close()
	if err := w.slow(); err != nil {
		return nil, err
	}
	events, err := w.rotate(ctx, plain)
	if err != nil {
		return nil, err
	}
	calls, gbSeconds := 0, 0.0
	for i, e := range events {
		if e.TaskScheduled == nil || !strings.Contains(e.TaskScheduled.Resource, "invoke") {
			continue
		}
		var in struct{ FunctionName string }
		if err := json.Unmarshal([]byte(e.TaskScheduled.Parameters), &in); err != nil {
			return nil, err
		}
		name := in.FunctionName[strings.LastIndexAny(in.FunctionName, ":-")+1:]
		for _, next := range events[i+1:] {
			if next.TaskSucceeded != nil && next.PreviousEventID > e.ID && next.PreviousEventID <= e.ID+1 {
				calls++
				gbSeconds += next.Timestamp.Sub(e.Timestamp.Time).Seconds() * cmp.Or(memory[name], 256) / 1024
				break
			}
		}
	}
	n := float64(transitions(events))
	const group = "a rotation of five targets"
	return []Row{{group, "state transitions", n, "", nil, true},
		{group, "function calls", float64(calls), "", nil, true},
		{group, "GB-seconds", gbSeconds, "", nil, true},
		{group,
			"state transitions and functions, in cents", 100 * (n*prices.transition + float64(calls)*prices.request +
				gbSeconds*prices.gbSecond), "", nil, true}}, nil
}
