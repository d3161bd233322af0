package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/secret"
)

const (
	// quiet is how long no node may have served the former secret before a change counts as followed by all: behind
	// one address there may be more than one node.
	quiet = 45 * time.Second
	// patience is how long a change is followed.
	patience = 15 * time.Minute
	// pathOfRule is where the rule's action is, everywhere else the listener's.
	pathOfRule = "/rule"
)

// logins logs in through each node once, and finds how a node authenticates at the token endpoint.
func (m *Run) logins(ctx context.Context) error {
	nodes, err := m.Nodes(ctx, &m.r)
	if err != nil {
		return fmt.Errorf("resolving %s: %w", m.r.Host, err)
	}
	ways := map[string]bool{}
	_, ok, err := m.until(ctx, 5*time.Second, 3*time.Minute, func() (bool, error) {
		for _, node := range nodes {
			l, err := LogIn(ctx, m.Transport, node, m.r.Host, "/")
			if err != nil || l.Status != 200 {
				m.say("  node %s: %d %v", node, l.Status, err)
				return false, nil
			}
			ways[l.How] = true
		}
		return true, nil
	})
	if err == nil && !ok {
		err = errors.New("no login succeeds through every node (see above), so nothing that takes logins can " +
			"be measured")
	}
	if err != nil {
		return err
	}
	m.find(Finding{Question: "how a load balancer authenticates at the token endpoint",
		Assumed: "any way; tokenAuthMethod of the probe should be the same",
		Found:   list(slices.Sorted(maps.Keys(ways))), Verdict: Measured})
	return nil
}

// spread changes the secret of the listener and of the rule by turns, and follows each change through the nodes.
func (m *Run) spread(ctx context.Context) error {
	var all []time.Duration
	for i := range m.Runs {
		path := []string{"/", pathOfRule}[i%2]
		label := fmt.Sprintf("s%d", i+1)
		if err := m.set(ctx, path, label); err != nil {
			return err
		}
		took, err := m.follow(ctx, path, label)
		if err != nil {
			return fmt.Errorf("change %d of %d: %w", i+1, m.Runs, err)
		}
		all = append(all, took)
	}
	numbers, most := seconds(all)
	assumed := time.Duration(config.Client{}.Spread()) * time.Second
	m.find(Finding{Question: "time until every node serves a changed action",
		Assumed: fmt.Sprintf("at most %s, the default of spreadSeconds, half of it to be safe", assumed),
		Found: fmt.Sprintf("at most %.1f s in %d changes; spreadSeconds should be at least %.0f", most.Seconds(),
			len(all), max(1, 2*most.Seconds())),
		Verdict: decide(2*most <= assumed), Numbers: numbers})
	return nil
}

// follow tells when, after a change, a node served another secret for the last time.
func (m *Run) follow(ctx context.Context, path, label string) (time.Duration, error) {
	began := m.Clock.Now()
	nodes, err := m.Nodes(ctx, &m.r)
	if err != nil {
		return 0, fmt.Errorf("resolving %s: %w", m.r.Host, err)
	}
	last, failures := began, 0
	_, ok, err := m.until(ctx, time.Second, patience, func() (bool, error) {
		for _, node := range nodes {
			l, err := LogIn(ctx, m.Transport, node, m.r.Host, path)
			if now := m.Clock.Now(); err != nil || l.Status != 200 || l.Presented != label {
				last = now
			}
			if err != nil || l.Status != 200 {
				if failures++; failures > 30 {
					return false, fmt.Errorf("logins fail: status %d, %w", l.Status, err)
				}
			}
		}
		return m.Clock.Now().Sub(last) >= quiet, nil
	})
	if err == nil && !ok {
		err = fmt.Errorf("a node still serves the former secret after %s", patience)
	}
	return last.Sub(began), err
}

// set writes a new secret that begins with a label to the listener's or the rule's action.
func (m *Run) set(ctx context.Context, path, label string) error {
	v, err := m.newSecret(label)
	if err != nil {
		return err
	}
	if path == pathOfRule {
		actions, err := m.ofRule(ctx)
		if err != nil {
			return err
		}
		_, err = m.ELB.ModifyRule(ctx, &elb.ModifyRuleInput{RuleArn: &m.r.Rule, Actions: with(actions, v)})
		return err
	}
	out, err := m.ELB.DescribeListeners(ctx, &elb.DescribeListenersInput{ListenerArns: []string{m.r.Listener}})
	if err != nil || len(out.Listeners) != 1 {
		return errors.Join(errors.New("the listener cannot be read"), err)
	}
	_, err = m.ELB.ModifyListener(ctx, &elb.ModifyListenerInput{ListenerArn: &m.r.Listener,
		DefaultActions: with(out.Listeners[0].DefaultActions, v)})
	return err
}

func (m *Run) ofRule(ctx context.Context) ([]types.Action, error) {
	out, err := m.ELB.DescribeRules(ctx, &elb.DescribeRulesInput{RuleArns: []string{m.r.Rule}})
	if err != nil || len(out.Rules) != 1 {
		return nil, errors.Join(errors.New("the rule cannot be read"), err)
	}
	return out.Rules[0].Actions, nil
}

// with is actions as they are written back with another secret.
func with(actions []types.Action, v secret.Value) []types.Action {
	out := slices.Clone(actions)
	for i, a := range out {
		if a.AuthenticateOidcConfig != nil {
			c := *a.AuthenticateOidcConfig
			c.ClientSecret, c.UseExistingClientSecret = aws.String(v.Reveal()), nil
			out[i].AuthenticateOidcConfig = &c
		}
		if a.ForwardConfig != nil {
			out[i].TargetGroupArn = nil // it is said twice on a read
		}
	}
	return out
}
