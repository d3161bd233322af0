package guarantees_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/shared/idp/idptest/clients"
)

// byHandValue is the secret that a person makes who rotates by hand.
const byHandValue = "made-and-stored-by-a-person-0123456789abcdef"

// before runs f as soon as an execution enters a state, and before the state does anything.
func (w *world) before(state string, f func()) {
	var once sync.Once
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks = append(w.hooks, func(_ string, e stepfunctions.Event) {
		if e.StateEntered != nil && e.StateEntered.Name == state {
			once.Do(f)
		}
	})
}

// rotateByHand makes a secret at the identity provider and stores it as AWSCURRENT, as a person does.
func (w *world) rotateByHand() {
	add(w.t, w, byHandValue)
	if _, err := secretsmanager.NewFromConfig(w.Stack.AWS(scenario.Home)).PutSecretValue(context.Background(),
		&secretsmanager.PutSecretValueInput{
			SecretId: &w.SecretARN, SecretString: aws.String(byHandValue)}); err != nil {
		w.t.Error(err)
	}
}

// changes counts the calls that change a load balancer from the moment on that start is called.
func (w *world) changes() (start func(), count func() int) {
	var mu sync.Mutex
	var on bool
	n := 0
	w.Stack.Faults.Observe(func(service, operation, _ string) {
		mu.Lock()
		defer mu.Unlock()
		if on && service == "elasticloadbalancing" && strings.HasPrefix(operation, "Modify") {
			n++
		}
	})
	return func() { mu.Lock(); on = true; mu.Unlock() }, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// The states from the promotion on, and those of a rollback.
var (
	sincePromotion = []string{"PromoteSecret", "TestSecret", "GracePeriod", "RediscoverTargets", "VerifyBeforeReassert",
		"ReassertSecret",
		"ReassertTargetSecret", "AwaitReassertSpread", "TestBeforeFinish", "DisableOldSecret", "TestAfterDisable",
		"FinishSecret"}
	ofARollback = []string{"Quiesce", "EnableOldSecret", "RestoreTargets", "RestoreTargetSecret", "RestoreLabels",
		"RediscoverToRestore", "ReassertOldSecret",
		"ReassertTargetOldSecret", "AwaitRestoreSpread", "RemoveNewSecret", "VerifyOldSecret"}
)

func TestAThirdVersionAsCurrentStopsAnyState(t *testing.T) {
	t.Parallel()
	for _, state := range slices.Concat([]string{"SetSecret", "SetTargetSecret"}, sincePromotion, ofARollback) {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			if slices.Contains(ofARollback, state) {
				w.failing("TestSecret")
			}
			start, count := w.changes()
			w.before(state, func() { w.rotateByHand(); start() })
			r, execution := w.rotate(plain)
			if r.Status != asl.Failed || text(r.Error) != "Superseded" {
				t.Fatalf("ended as %s %s: %s\n%v", r.Status, text(r.Error), text(r.Cause), w.path(execution))
			}
			if n := count(); n > 0 {
				t.Errorf("%d changes of targets after AWSCURRENT was changed: %v", n, w.path(execution))
			}
			if w.journal()["owner"] != nil {
				t.Error("the lock is still held")
			}
			if m := w.Stack.SNS.Messages(w.TopicARN); len(m) == 0 || !strings.Contains(m[len(m)-1].Subject,
				"superseded") {
				t.Errorf("people are told %+v", m)
			}
			w.Stack.Faults.Clear()
			w.converge() // proves the third version, puts it on every target, retires ours, and rotates
		})
	}
}

// Both secrets leak in the grace period. People make a third, put it on every target, and remove both.
func TestSecretsRotatedByHandInAGracePeriodStayInUse(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string]bool{"stored as AWSCURRENT": true, "not stored": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.when("GracePeriod", func(string) {
				if stored {
					w.rotateByHand()
				} else {
					add(t, w, byHandValue)
				}
				w.setEveryTarget(byHandValue)
				w.clock.Go(func() {
					_ = w.clock.Sleep(context.Background(), 2*time.Minute)
					w.tolerant = !stored // AWSCURRENT is dead from here on, by that person
					w.removeAllBut(byHandValue)
				})
			})
			start, count := w.changes()
			w.when("RediscoverTargets", func(string) { start() })
			r, execution := w.rotate(plain)
			if stored && text(r.Error) != "Superseded" || count() > 0 {
				t.Errorf("ended as %s: %s, with %d changes of targets\n%v", text(r.Error), text(r.Cause), count(),
					w.path(execution))
			}
			for _, u := range w.Stack.ELB.EffectiveSecrets(w.clock.Now()) {
				if u.Secret != byHandValue {
					t.Errorf("node %d of %s does not use the secret that works", u.Node, u.RuleARN)
				}
			}
			if stored {
				w.converge()
			}
		})
	}
}

// removeAllBut removes every secret at the identity provider but one.
func (w *world) removeAllBut(value string) {
	store := w.Stack.IdP.Store()
	stays, _ := store.Match(w.ClientID, value, w.clock.Now())
	for _, s := range store.Secrets(w.ClientID) {
		if s.ID == stays {
			continue
		}
		if err := store.Update(w.ClientID, func(e *clients.Edit) error { return e.Remove(s.ID) }); err != nil {
			w.t.Error(err)
		}
	}
}

// setEveryTarget puts a secret on every action that logs in with the client.
func (w *world) setEveryTarget(value string) {
	ctx := context.Background()
	set := func(actions []elbtypes.Action) bool {
		i := slices.IndexFunc(actions, func(a elbtypes.Action) bool {
			return a.AuthenticateOidcConfig != nil && *a.AuthenticateOidcConfig.ClientId == w.ClientID
		})
		if i >= 0 {
			actions[i].AuthenticateOidcConfig.ClientSecret = &value
		}
		return i >= 0
	}
	for _, balancer := range w.Site.LoadBalancers {
		api := elb.NewFromConfig(w.Stack.AWS(strings.Split(balancer, ":")[3]))
		listeners, err := api.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: &balancer})
		if err != nil {
			w.t.Error(err)
			return
		}
		for _, l := range listeners.Listeners {
			if set(l.DefaultActions) {
				_, err = api.ModifyListener(ctx, &elb.ModifyListenerInput{ListenerArn: l.ListenerArn,
					DefaultActions: l.DefaultActions})
			}
			rules, failed := api.DescribeRules(ctx, &elb.DescribeRulesInput{ListenerArn: l.ListenerArn})
			if err != nil || failed != nil {
				w.t.Error(err, failed)
				return
			}
			for _, rule := range rules.Rules {
				if aws.ToBool(rule.IsDefault) || !set(rule.Actions) {
					continue
				}
				if _, err := api.ModifyRule(ctx, &elb.ModifyRuleInput{RuleArn: rule.RuleArn,
					Actions: rule.Actions}); err != nil {
					w.t.Error(err)
				}
			}
		}
	}
}

// Some requests make AWSCURRENT the only secret. It must be the one that the call has looked at, not one that somebody
// stores in the middle of it: every target still uses the other.
func TestAThirdVersionInTheMiddleOfACallEndsNothing(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"CreateSecret", "FinishSecret", "RemoveNewSecret"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, "hydra", usual(), quick)
			if state == "RemoveNewSecret" {
				w.failing("TestSecret")
			}
			w.looks(state, 1, func() { w.addSecret(byHandValue); w.store(byHandValue) })
			if r, execution := w.rotate(plain); text(r.Error) != "Superseded" {
				t.Errorf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			w.Stack.Faults.Clear()
			w.converge()
		})
	}
}

// looks runs f, in the background, when a function has looked at the labels so often since a state was entered.
func (w *world) looks(state string, n int, f func()) {
	var mu sync.Mutex
	entered, seen := false, 0
	w.when(state, func(string) { mu.Lock(); entered = true; mu.Unlock() })
	w.Stack.Faults.Observe(func(service, operation, _ string) {
		mu.Lock()
		defer mu.Unlock()
		if !entered || service != "secretsmanager" || operation != "DescribeSecret" {
			return
		}
		if seen++; seen == n {
			w.clock.Go(f)
		}
	})
}

// Whoever redrives an execution that was stopped while it waited for its own calls still reads that it was superseded,
// and the notifier still has it healed.
func TestARedriveOfASupersededExecutionEndsSuperseded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.before("TestSecret", func() { w.rotateByHand() })
	w.stopAtEntry("AwaitOwnCalls", 1)
	_, execution := w.rotate(plain)
	w.Stack.Faults.Clear()
	if r := w.redrive(execution); text(r.Error) != "Superseded" {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
}
