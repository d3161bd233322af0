package guarantees_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stack"
	"alboidc.internal/shared/awstest/sts"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
)

// workload is the account of the second load balancer.
const workload = "222233334444"

const workloadRole = "arn:aws:iam::" + workload + ":role/" + scenario.MachineName + "-workload"

// newWorldOfAccounts has the second load balancer in another account.
func newWorldOfAccounts(t *testing.T, configure ...func(*config.Client)) *world {
	t.Helper()
	return newWorldOn(t, stack.Options{Accounts: []string{workload}}, usual(), configure...)
}

// trusting changes the role in the other account.
func (w *world) trusting(change func(*sts.Trust)) {
	t := sts.Trust{ExternalID: "orders-web-" + workload, Callers: []string{sts.Role}}
	change(&t)
	w.Stack.STS.SetRole(workloadRole, t)
}

// writes counts the changes of targets in the accounts.
func (w *world) writes() func() (home, away int) {
	var mu sync.Mutex
	home, away := 0, 0
	w.Stack.Faults.Observe(func(service, operation, text string) {
		if service != "elasticloadbalancing" || !strings.HasPrefix(operation, "Modify") {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(text, ":"+workload+":") {
			away++
		} else {
			home++
		}
	})
	return func() (int, int) { mu.Lock(); defer mu.Unlock(); return home, away }
}

func TestTargetsInAnotherAccountAreRotated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ends      string
		configure func(*config.Client)
		prepare   func(*world)
	}{
		"a rotation":           {"", quick, func(*world) {}},
		"a rollback":           {"RolledBack", quick, func(w *world) { w.failing("TestSecret") }},
		"throttled by AWS STS": {"", quick, func(w *world) { w.throttleSTS(6) }},
		"found by its tags": {"", func(c *config.Client) {
			quick(c)
			c.LoadBalancers = c.LoadBalancers[:1]
			c.LoadBalancerSearch = &config.LoadBalancerSearch{Tags: map[string]string{"login": "orders-web"},
				Regions: []string{scenario.Away}, Role: "workload"}
		}, func(w *world) { w.tag(w.Site.LoadBalancers[1], "login", "orders-web") }},
		"by metrics, without a login test": {"", func(c *config.Client) { c.SmokeTests.Login = nil }, func(*world) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOfAccounts(t, c.configure)
			writes := w.writes()
			c.prepare(w)
			if r, execution := w.rotate(plain); text(r.Error) != c.ends {
				t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			if home, away := writes(); home < 3 || away < 2 {
				t.Errorf("%d targets were changed here, %d there", home, away)
			}
			w.atRest()
		})
	}
}

func (w *world) throttleSTS(times int) {
	w.fault(fault.Rule{Service: "sts", Operation: "AssumeRole", Mode: fault.Refuse, Status: 400, Code: "Throttling",
		Times: times})
}

// What the role does not let a rotation do is found before anything is made, and told with the role and the remedy.
func TestARoleThatDoesNotReachTheAccountIsFoundByThePlan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*world)
		says   string
	}{
		"another external id": {func(w *world) {
			w.trusting(func(t *sts.Trust) { t.ExternalID = "another" })
		}, "does not trust the function's role with the externalId"},
		"another caller": {func(w *world) {
			w.trusting(func(t *sts.Trust) { t.Callers = []string{"arn:aws:iam::111122223333:role/other"} })
		}, "AccessDenied"},
		"no such role": {func(w *world) { w.Stack.STS.DeleteRole(workloadRole) }, workloadRole},
		"a role of a third account": {func(w *world) { w.trusting(func(t *sts.Trust) { t.Account = "333344445555" }) },
			"is of account 333344445555, not of " + workload},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOfAccounts(t, quick)
			c.change(w)
			r, execution := w.rotate(plain)
			if r.Status != asl.Failed || !strings.Contains(text(r.Cause), c.says) {
				t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			if live := w.Stack.IdP.Store().Secrets(w.ClientID); len(live) != 1 {
				t.Errorf("the identity provider holds %+v", live)
			}
			w.atRest()
		})
	}
}

// A role that vanishes in the middle: forward, what can be is rolled back; what cannot be restored keeps both secrets
// valid, people are told the role and what to do, and a redrive ends it.
func TestARoleThatVanishesInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"SetSecret", "TestSecret", "GracePeriod"} {
		t.Run("before "+state, func(t *testing.T) {
			t.Parallel()
			w := newWorldOfAccounts(t, quick)
			w.when(state, func(string) { w.Stack.STS.DeleteRole(workloadRole) })
			if state == "TestSecret" {
				w.failing(state)
			}
			r, execution := w.rotate(plain)
			path := w.path(execution)
			if r.Status != asl.Failed || text(r.Error) != "AccessDenied" ||
				!strings.Contains(text(r.Cause), workloadRole) {
				t.Fatalf("ended at %s as %s: %s", path[len(path)-1], text(r.Error), text(r.Cause))
			}
			if live := w.Stack.IdP.Store().Secrets(w.ClientID); len(live) != 2 {
				t.Errorf("the identity provider holds %+v", live)
			}
			// of what fails in a rollback the notifier tells, which is not deployed here, by the cause
			if state != "TestSecret" && !w.people(workloadRole) {
				t.Errorf("told was %s", w.mails())
			}
			w.trusting(func(*sts.Trust) {})
			w.pass(time.Hour)
			if r := w.redrive(execution); text(r.Error) != "RolledBack" {
				t.Errorf("the redrive ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			w.atRest()
		})
	}
}
