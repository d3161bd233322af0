package elbv2_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"alboidc.internal/shared/awstest/elbv2"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// secretsOf lists the distinct secrets of a rule at a node from one instant to another.
func (b *bench) secretsOf(rule string, node int, from, to time.Time) []string {
	var out []string
	for _, u := range b.svc.SecretsInUse(from, to) {
		if u.RuleARN == rule && u.Node == node {
			out = append(out, u.Secret)
		}
	}
	return out
}

func TestAChangeReachesOneNodeLaterThanTheOther(t *testing.T) {
	b := newBench(t, elbv2.Options{Spread: []time.Duration{time.Second, 3 * time.Second}})
	arn := b.newRule(b.newListener(fixed(1)), 10, login("s1"), b.forward())
	b.clock.Advance(time.Minute)
	if err := b.modifyRule(arn, login("s2"), b.forward()); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		wait time.Duration
		want [2]string
	}{{0, [2]string{"s1", "s1"}}, {time.Second - 1, [2]string{"s1", "s1"}}, {1, [2]string{"s2", "s1"}},
		{2*time.Second - 1, [2]string{"s2", "s1"}}, {1, [2]string{"s2", "s2"}}} {
		b.clock.Advance(step.wait)
		if got := [2]string{b.served(arn, 0), b.served(arn, 1)}; got != step.want {
			t.Errorf("at %s the nodes serve %v, want %v", b.clock.Now(), got, step.want)
		}
	}
}

func TestSecretsInUseListsEveryValueANodeServedInTheInterval(t *testing.T) {
	b := newBench(t, elbv2.Options{Spread: []time.Duration{time.Second, 3 * time.Second}})
	arn := b.newRule(b.newListener(fixed(1)), 10, login("s1"), b.forward())
	b.clock.Advance(time.Minute)
	change := b.clock.Now()
	for _, s := range []string{"s2", "s3"} {
		if err := b.modifyRule(arn, login(s), b.forward()); err != nil {
			t.Fatal(err)
		}
		b.clock.Advance(2 * time.Second)
	}
	at := func(d time.Duration) time.Time { return change.Add(d) }
	for name, c := range map[string]struct {
		node     int
		from, to time.Duration
		want     []string
	}{
		"before the change arrives":       {0, -time.Second, time.Second - 1, []string{"s1"}},
		"up to the instant it arrives":    {0, 0, time.Second, []string{"s1", "s2"}},
		"from the instant it arrives":     {0, time.Second, 2 * time.Second, []string{"s2"}},
		"the whole interval":              {0, 0, time.Minute, []string{"s1", "s2", "s3"}},
		"the later node, its first value": {1, 0, 3*time.Second - 1, []string{"s1"}},
		"the later node, in between":      {1, 3 * time.Second, 5*time.Second - 1, []string{"s2"}},
	} {
		if got := b.secretsOf(arn, c.node, at(c.from), at(c.to)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestNodesServeADeletedRuleUntilTheDeletionReachesThem(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	arn := b.newRule(b.newListener(fixed(1)), 10, login("s1"), b.forward())
	b.clock.Advance(time.Minute)
	must(b.api.DeleteLoadBalancer(b.ctx, &elb.DeleteLoadBalancerInput{LoadBalancerArn: &b.balancer}))
	b.clock.Advance(time.Second)
	if got := [2]string{b.served(arn, 0), b.served(arn, 1)}; got != [2]string{"", "s1"} {
		t.Errorf("the nodes serve %v", got)
	}
}

func TestASecretReplacedInTheSameInstantIsNeverServed(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	arn := b.newRule(b.newListener(fixed(1)), 10, login("s1"), b.forward())
	if err := b.modifyRule(arn, login("s2"), b.forward()); err != nil {
		t.Fatal(err)
	}
	now := b.clock.Now()
	if got := b.secretsOf(arn, 0, now, now.Add(time.Hour)); !slices.Equal(got, []string{"s2"}) {
		t.Errorf("served %v", got)
	}
}

func TestSnapshotsDoNotChangeWhenTheRuleDoes(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	listener := b.newListener(fixed(1))
	arn := b.newRule(listener, 10, login("s1"), b.forward())
	snapshot := b.svc.Current(b.balancer)
	b.clock.Advance(time.Second)
	if err := b.modifyRule(arn, login("s2"), b.forward()); err != nil {
		t.Fatal(err)
	}
	b.newRule(listener, 5, fixed(1))
	if rules := snapshot.Listeners[0].Rules; len(rules) != 2 || rules[0].OIDC().ClientSecret != "s1" {
		t.Error("the snapshot has changed")
	}
}

func TestAHookThatFailsFailsTheCall(t *testing.T) {
	b := newBench(t, elbv2.Options{})
	var told []string
	b.svc.OnChange(func(arn string) error { told = append(told, arn); return errors.New("no port left") })
	_, err := b.createListener("HTTP", 80, fixed(1))
	b.wantError(err, "InternalFailure", "no port left")
	if !slices.Equal(told, []string{b.balancer}) {
		t.Errorf("the hook was told %v", told)
	}
}
