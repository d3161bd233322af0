package guarantees_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/stack"
	"alboidc.internal/shared/config"
)

// together is a client with canaries and more.
type together struct {
	vendor            string
	followed, account bool
}

func (k together) name() string {
	return k.vendor + map[bool]string{true: ", followers"}[k.followed] +
		map[bool]string{true: ", two accounts"}[k.account]
}

// togethers are what a client may have beside canaries; at Auth0 it is a pair.
var togethers = []together{{"okta", true, false}, {"okta", false, true}, {"auth0", true, false}, {"auth0", true, true}}

// world deploys the client. The second load balancer is the canary, and in the other account. A controller has the
// first one's default action, and an application reads AWSCURRENT.
func (k together) world(t *testing.T) (*world, *followers) {
	t.Helper()
	o := stack.Options{Vendor: k.vendor}
	if k.account {
		o.Accounts = []string{workload}
	}
	w := newWorldOn(t, o, usual(), canaried)
	if !k.followed {
		return w, &followers{world: w, rest: func() {}}
	}
	if k.vendor == "auth0" {
		w.store(w.object(w.current()))
	}
	w.reconfigure(func(c *config.Client) {
		if k.vendor == "auth0" {
			c.Secret.JSONKey, c.Secret.ClientIDKey = member, "clientId"
		}
		tests := c.SmokeTests
		following(c)
		c.SmokeTests = tests
	})
	return w, w.follow(w.Stack.ELB.Current(w.Site.LoadBalancers[0]).Listeners[0].ARN)
}

// settle lets followers get what is AWSCURRENT now.
func (fs *followers) settle() {
	if fs.list != nil {
		fs.pass(followersDelay)
	}
}

func TestCanariesTogetherWithFollowersAndAccounts(t *testing.T) {
	t.Parallel()
	const short = `{"client": "orders-web", "gracePeriodSeconds": 60}`
	third := func(w *world) { // a write of the others fails when one of them has the new secret
		w.when("TestCanaries", func(string) { w.keepsItsSecret(w.weighted().ARN) })
	}
	for name, c := range map[string]struct {
		input   string
		prepare func(*world, *followers)
		ends    string
		// canaries: the rotation has some. others: how often at least, and at most, targets that are none are written.
		canaries           bool
		others, mostOthers int
	}{
		"a rotation": {short, func(*world, *followers) {}, "", true, 4, 6},
		"no grace": {`{"client": "orders-web", "gracePeriodSeconds": 0}`, func(*world, *followers) {},
			"", true, 4, 6},
		"a login through the canaries fails": {short,
			func(w *world, _ *followers) { w.when("AwaitCanarySpread", w.loginsBreak) }, "RolledBack", true, 0, 0},
		"the others cannot be written": {short, func(w *world, _ *followers) {
			w.when("TestCanaries", func(string) { w.failing("SetTargetSecret") })
		}, "RolledBack", true, 0, 0},
		"one of the others cannot be written": {short, func(w *world, _ *followers) { third(w) },
			"RolledBack", true, 2, 9},
		"a login through all fails": {short,
			func(w *world, _ *followers) { w.when("AwaitSpread", w.loginsBreak) }, "RolledBack", true, 4, 9},
		"the promotion fails": {short, func(w *world, _ *followers) { w.failing("PromoteSecret") },
			"RolledBack", true, 4, 9},
		"a canary goes": {short, func(w *world, _ *followers) {
			w.when("AwaitCanarySpread", func(string) { w.deleteRule(w.canaryRule()) })
			w.failing("TestCanaries")
		}, "RolledBack", true, 0, 0},
		"a canary becomes a controller's": {short, func(w *world, fs *followers) {
			if fs.list != nil {
				w.when("AwaitCanarySpread", func(string) { fs.adds(w.canaryRule()) })
			}
			w.failing("TestCanaries")
		}, "RolledBack", true, 0, 0},
		"a canary becomes a controller's, and another execution rolls back": {short, func(w *world, fs *followers) {
			w.when("AwaitCanarySpread", func(execution string) {
				if fs.list != nil {
					fs.adds(w.canaryRule())
				}
				w.stop(execution)
			})
			w.rotate(plain)
		}, "", true, 4, 6},
		"an emergency": {emergency, func(*world, *followers) {}, "", false, 2, 9},
		"an emergency takes over from the canaries": {emergency, func(w *world, _ *followers) {
			w.when("TestCanaries", w.stop)
			w.rotate(plain)
		}, "", false, 2, 9},
		"a repair": {repair, func(w *world, _ *followers) { w.mustRotate(); w.revoke() }, "", false, 2, 99},
		"a repair takes the canaries' secret": {repair, func(w *world, _ *followers) {
			w.when("TestCanaries", w.stop)
			w.rotate(plain)
			w.revoke()
		}, "", false, 2, 9},
	} {
		for _, k := range togethers {
			t.Run(k.name()+": "+name, func(t *testing.T) {
				t.Parallel()
				w, fs := k.world(t)
				c.prepare(w, fs)
				others := w.changesOn("shop-alb")
				r, execution := w.rotate(c.input)
				if text(r.Error) != c.ends || slices.Contains(w.path(execution), "TestCanaries") != c.canaries &&
					!strings.HasPrefix(name, "the others") {
					t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
				}
				if n := others(); fs.list == nil && (n < c.others || n > c.mostOthers) {
					t.Errorf("the others were written %d times, want %d to %d", n, c.others, c.mostOthers)
				}
				w.Stack.Faults.Clear()
				w.mustLogin()
				fs.settle()
				if strings.HasPrefix(name, "a repair") {
					if fs.list != nil && !w.people("repaired: ",
						"What follows AWSCURRENT, rules of controllers among it, has") {
						t.Errorf("people read %q", w.mails())
					}
					w.tidy()
				}
				w.atRest()
				if r, execution = w.rotate(emergency); r.Status != asl.Succeeded {
					t.Fatalf("the next one ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
				}
				fs.settle()
				w.atRest()
			})
		}
	}
}

// canaryRule is a rule of the second load balancer that no test goes through.
func (w *world) canaryRule() string {
	w.t.Helper()
	account := strings.Split(w.Site.LoadBalancers[1], ":")[4]
	plane := w.Stack.ELB
	if account == workload {
		plane = w.Stack.Others[workload].ELB
	}
	for _, r := range plane.Current(w.Site.LoadBalancers[1]).Listeners[0].Rules {
		if r.Priority == 20 {
			return r.ARN
		}
	}
	w.t.Fatal("there is no rule with priority 20")
	return ""
}

func (w *world) deleteRule(arn string) {
	at := strings.Split(arn, ":")
	if _, err := elb.NewFromConfig(w.Stack.AWSOf(at[4], at[3])).DeleteRule(context.Background(),
		&elb.DeleteRuleInput{RuleArn: aws.String(arn)}); err != nil {
		w.t.Error(err)
	}
}
