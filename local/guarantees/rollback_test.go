package guarantees_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/idp"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/awstest/elbv2"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
)

// failing makes the function that a state calls fail for good.
func (w *world) failing(state string) {
	w.fault(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"` + state + `"`, Mode: fault.Refuse,
		Status: 403, Code: "AccessDeniedException"})
}

// deployRule adds a rule that logs in with the client, as a template does that reads AWSCURRENT. change may alter it.
func (w *world) deployRule(change ...func(*elbtypes.AuthenticateOidcActionConfig)) {
	ctx, api := context.Background(), elb.NewFromConfig(w.Stack.AWS(scenario.Home))
	labels, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		w.t.Error(err)
		return
	}
	listeners, err := api.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: &w.Site.LoadBalancers[0]})
	if err != nil {
		w.t.Error(err)
		return
	}
	actions := listeners.Listeners[0].DefaultActions
	actions[0].AuthenticateOidcConfig.ClientSecret = aws.String(values[labels["AWSCURRENT"]])
	for _, f := range change {
		f(actions[0].AuthenticateOidcConfig)
	}
	if _, err := api.CreateRule(ctx, &elb.CreateRuleInput{ListenerArn: listeners.Listeners[0].ListenerArn,
		Priority: aws.Int32(77), Actions: actions,
		Conditions: []elbtypes.RuleCondition{{Field: aws.String("path-pattern"),
			PathPatternConfig: &elbtypes.PathPatternConditionConfig{Values: []string{"/new/*"}}}}}); err != nil {
		w.t.Error(err)
	}
}

// mustRollBack runs an execution that has to end with everything as it was.
func (w *world) mustRollBack() {
	w.t.Helper()
	if r, execution := w.rotate(plain); r.Status != asl.Failed || text(r.Error) != "RolledBack" {
		w.t.Fatalf("ended as %s %s: %s\n%v", r.Status, text(r.Error), text(r.Cause), w.path(execution))
	}
}

func TestARollbackRestoresTargetsThatCameWithTheNewSecret(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ comes, fails string }{
		"in the grace period, and looking for it fails":  {"GracePeriod", "RediscoverTargets"},
		"during a test that fails":                       {"TestSecret", "TestSecret"},
		"while the known targets are restored":           {"RestoreTargets", "TestSecret"},
		"just before the labels go back":                 {"RestoreLabels", "TestSecret"},
		"before a step that fails after the rediscovery": {"TestBeforeFinish", "DisableOldSecret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.failing(c.fails)
			w.when(c.comes, func(string) { w.deployRule() })
			w.mustRollBack()
			w.atRest()
			w.Stack.Faults.Clear()
			w.converge()
		})
	}
}

func TestARollbackPassesOverWhatIsNotOursAnyMore(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world) error{
		"a load balancer that was deleted": func(w *world) error {
			_, err := elb.NewFromConfig(w.Stack.AWS(scenario.Home)).DeleteLoadBalancer(context.Background(),
				&elb.DeleteLoadBalancerInput{LoadBalancerArn: &w.Site.LoadBalancers[0]})
			return err
		},
		"a listener that another client got": func(w *world) error {
			return w.changeDefault(func(o *elbtypes.AuthenticateOidcActionConfig) {
				o.ClientId, o.ClientSecret = aws.String("another"), aws.String("another-secret")
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.when("GracePeriod", func(string) {
				if err := change(w); err != nil {
					w.t.Error(err)
				}
			})
			w.failing("RediscoverTargets")
			w.mustRollBack()
			if n := len(w.Stack.IdP.Store().Secrets(w.ClientID)); n != 1 {
				t.Errorf("the identity provider holds %d secrets", n)
			}
		})
	}
}

func TestARollbackRemovesNothingThatAnActionMayStillUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.failing("RediscoverTargets")
	w.when("GracePeriod", func(string) {
		w.deployRule(func(o *elbtypes.AuthenticateOidcActionConfig) { o.Issuer = aws.String(*o.Issuer + "/") })
	})
	r, execution := w.rotate(plain)
	path := w.path(execution)
	if text(r.Error) != "TargetDrift" || path[len(path)-1] != "RediscoverToRestore" {
		t.Errorf("ended at %s as %s: %s", path[len(path)-1], text(r.Error), text(r.Cause))
	}
	w.check("at the end")
	if len(w.violations) > 0 {
		t.Error(w.violations)
	}
}

// changeDefault changes the login of the first load balancer's default action.
func (w *world) changeDefault(change func(*elbtypes.AuthenticateOidcActionConfig)) error {
	ctx, api := context.Background(), elb.NewFromConfig(w.Stack.AWS(scenario.Home))
	listeners, err := api.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: &w.Site.LoadBalancers[0]})
	if err != nil {
		return err
	}
	actions := listeners.Listeners[0].DefaultActions
	change(actions[0].AuthenticateOidcConfig)
	_, err = api.ModifyListener(ctx, &elb.ModifyListenerInput{ListenerArn: listeners.Listeners[0].ListenerArn,
		DefaultActions: actions})
	return err
}

// backOn tells, at the end, how long after an execution entered a state every node served a secret again, by rule.
func (w *world) backOn(secret, state string) func() map[string]time.Duration {
	var mu sync.Mutex
	var began time.Time
	var at time.Duration // looked at up to here
	took := map[string]time.Duration{}
	w.when(state, func(string) { mu.Lock(); began = w.clock.Now(); mu.Unlock() })
	w.clock.OnMove(func(now time.Time) {
		mu.Lock()
		defer mu.Unlock()
		for ; !began.IsZero() && !began.Add(at).After(now); at += 5 * time.Second {
			other := map[string]bool{}
			for _, u := range w.Stack.ELB.EffectiveSecrets(began.Add(at)) {
				other[u.RuleARN] = other[u.RuleARN] || u.Secret != secret
			}
			for rule, is := range other {
				if _, known := took[rule]; is {
					delete(took, rule)
				} else if !known {
					took[rule] = at
				}
			}
		}
	})
	return func() map[string]time.Duration { mu.Lock(); defer mu.Unlock(); return took }
}

func TestATargetThatCannotBeRestoredHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	inUse := w.Stack.ELB.EffectiveSecrets(w.clock.Now())
	stuck := inUse[slices.IndexFunc(inUse, func(u elbv2.SecretInUse) bool { return !u.DefaultRule })]
	w.failing("TestSecret")
	w.when("Quiesce", func(string) { // every change of that rule is refused from here on
		w.fault(fault.Rule{Service: "elasticloadbalancing", Operation: "ModifyRule", Match: stuck.RuleARN,
			Mode: fault.Refuse, Status: 403, Code: "AccessDenied"})
	})
	back := w.backOn(stuck.Secret, "RestoreTargets")
	r, execution := w.rotate(plain)
	path := w.path(execution)
	if text(r.Error) != "AccessDenied" || path[len(path)-1] != "ReassertTargetOldSecret" {
		t.Fatalf("ended at %s as %s: %s", path[len(path)-1], text(r.Error), text(r.Cause))
	}
	if took := back(); len(took) != 4 || slices.Max(slices.Collect(maps.Values(took))) > 2*time.Minute {
		t.Errorf("the other targets were restored after %v", took)
	}
	if n := len(w.Stack.IdP.Store().Secrets(w.ClientID)); n != 2 {
		t.Errorf("the identity provider holds %d secrets; both have to stay", n)
	}
	w.Stack.Faults.Clear()
	if r := w.redrive(execution); text(r.Error) != "RolledBack" {
		t.Errorf("the redrive ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
}

func TestANewSecretThatBreaksInUseIsOffEveryTargetWithinMinutes(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"TestSecret", "TestBeforeFinish", "TestAfterDisable"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.tolerant = true // from the breakage until the rollback logins do fail
			old := w.Stack.ELB.EffectiveSecrets(w.clock.Now())[0].Secret
			w.when(state, func(string) {
				if err := w.Stack.IdP.Store().Update(w.ClientID, func(e *clients.Edit) error {
					i := slices.IndexFunc(e.All(), func(s clients.Secret) bool { return s.ID != w.FirstSecretID })
					return e.Remove(e.All()[i].ID)
				}); err != nil {
					t.Error(err)
				}
			})
			back := w.backOn(old, state)
			w.mustRollBack()
			took := back()
			if longest := slices.Max(slices.Collect(maps.Values(took))); len(took) != 5 || longest > 3*time.Minute {
				t.Errorf("%d of 5 targets were back on the old secret, the last after %s", len(took), longest)
			} else {
				t.Logf("every node was back on the old secret after %s", longest)
			}
		})
	}
}

// From the switch on, what users would see is looked at before each step that takes something away.
func TestWhatUsersWouldSeeRollsBack(t *testing.T) {
	t.Parallel()
	login := func(w *world, password string) {
		w.Stack.IdP.AddUser(idp.User{Name: w.Tester.Name, Password: password, Email: w.Tester.Email})
	}
	breaks := map[string]func(*world){
		"login test of ": func(w *world) { login(w, "another-password") },
		"still accepts":  func(w *world) { w.setStatus(w.FirstSecretID, clients.Active) },
	}
	for _, c := range []struct{ state, breaks string }{{"TestSecret", "login test of "},
		{"TestBeforeFinish", "login test of "}, {"TestAfterDisable", "login test of "},
		{"TestAfterDisable", "still accepts"}} {
		t.Run(c.state+" "+c.breaks, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.when(c.state, func(string) { breaks[c.breaks](w) })
			w.when("Quiesce", func(string) { login(w, w.Tester.Password) })
			r, execution := w.rotate(plain)
			if cause := text(r.Cause); text(r.Error) != "RolledBack" || !strings.Contains(cause, c.breaks) ||
				!strings.Contains(cause, c.state+" failed with ") {
				t.Errorf("users would have found out: ended as %s: %s\n%v", text(r.Error), cause, w.path(execution))
			}
			w.atRest()
		})
	}
}
