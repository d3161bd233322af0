package guarantees_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
)

// canaried makes the second load balancer the canary: two targets of five.
func canaried(c *config.Client) {
	c.Canaries = c.LoadBalancers[1:]
	c.SmokeTests.Redirect, c.SmokeTests.Login = c.SmokeTests.Redirect[3:4], c.SmokeTests.Login[1:]
	c.SmokeTests.Redirect[0].Canary, c.SmokeTests.Login[0].Canary = true, true
}

// tagged leaves the first load balancer, of whose three targets one is a canary by a tag.
func (w *world) tagged() {
	w.tag(w.weighted().ARN, "alb-oidc-rotator:canary", "true")
}

// changesOn counts the changes of targets on a load balancer, by its name, since the last call.
func (w *world) changesOn(balancer string) (count func() int) {
	var mu sync.Mutex
	n := 0
	w.Stack.Faults.Observe(func(service, operation, text string) {
		if service == "elasticloadbalancing" && strings.HasPrefix(operation, "Modify") &&
			strings.Contains(text, "/"+balancer+"/") {
			mu.Lock()
			n++
			mu.Unlock()
		}
	})
	return func() int { mu.Lock(); defer mu.Unlock(); m := n; n = 0; return m }
}

// rolledBack fails unless that is how an execution ended.
func (w *world) rolledBack(t *testing.T, r asl.Result, execution string) {
	t.Helper()
	if r.Status != asl.Failed || text(r.Error) != "RolledBack" {
		t.Fatalf("ended as %s %s: %s\n%v", r.Status, text(r.Error), text(r.Cause), w.path(execution))
	}
}

func TestCanariesGetTheNewSecretFirst(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		vendor, input string
		prepare       func(*world)
	}{
		"with a grace period":    {"okta", plain, func(*world) {}},
		"without a grace period": {"okta", `{"client": "orders-web", "gracePeriodSeconds": 0}`, func(*world) {}},
		"a pair":                 {"auth0", plain, func(*world) {}},
		"without ids":            {"keycloak", plain, func(*world) {}},
		"throttled": {"okta", plain, func(w *world) {
			w.when("TestCanaries", func(string) {
				w.fault(fault.Rule{Service: "idp", Operation: "token", Mode: fault.Refuse, Status: 429, Times: 40})
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, c.vendor, usual(), canaried)
			c.prepare(w)
			canaries, others := w.changesOn("partners-alb"), w.changesOn("shop-alb")
			var before, first, rest, again [2]int
			count := func(into *[2]int) func() { return func() { *into = [2]int{canaries(), others()} } }
			w.before("SetSecret", count(&before))
			w.before("AwaitCanarySpread", count(&first))
			w.before("PromoteSecret", count(&rest))
			w.before("ReassertSecret", count(&again))
			began := w.clock.Now()
			set := w.entered("AwaitCanarySpread", "TestCanaries")
			r, execution := w.rotate(c.input)
			if r.Status != asl.Succeeded {
				t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			if before != [2]int{} || first != [2]int{2, 0} || rest != [2]int{0, 3} || again != [2]int{} {
				t.Errorf("canaries and others were set %v, %v, %v, %v times", before, first, rest, again)
			}
			if waited := set("TestCanaries").Sub(set("AwaitCanarySpread")); waited < spread {
				t.Errorf("the canaries were tested after %s", waited)
			}
			if name == "with a grace period" {
				golden(t, "rotated-with-canaries", w.path(execution))
			}
			t.Logf("took %s", w.clock.Now().Sub(began))
			w.atRest()
			w.mustRotate()
			w.atRest()
		})
	}
}

// A failure while only canaries have the new secret touches no other target, whatever it is, and whoever rolls back.
func TestAFailureOnCanariesTouchesNothingElse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		vendor  string
		prepare func(*world)
		// written: how often canaries are at least.
		written int
	}{
		"a login fails":              {"okta", func(w *world) { w.when("AwaitCanarySpread", w.loginsBreak) }, 4},
		"a login fails, of a pair":   {"auth0", func(w *world) { w.when("AwaitCanarySpread", w.loginsBreak) }, 4},
		"a login fails, without ids": {"keycloak", func(w *world) { w.when("AwaitCanarySpread", w.loginsBreak) }, 4},
		"the test cannot be made":    {"okta", func(w *world) { w.failing("TestCanaries") }, 4},
		"a canary cannot be written": {"okta", func(w *world) {
			w.fault(fault.Rule{Service: "elasticloadbalancing", Operation: "ModifyRule", Match: "/partners-alb/",
				Mode: fault.Refuse, Status: 403, Code: "AccessDenied", Times: 1})
		}, 2},
		"the answer of a write is lost for good": {"okta", func(w *world) {
			w.fault(fault.Rule{Service: "elasticloadbalancing", Operation: "ModifyRule", Match: "/partners-alb/",
				Mode: fault.Lose, Times: again})
		}, 4},
		"nothing is written yet": {"okta", func(w *world) { w.failing("SetTargetSecret") }, 0},
		"nothing is made yet":    {"okta", func(w *world) { w.failing("CreateSecret") }, 0},
		"the others cannot be written yet": {"okta", func(w *world) {
			w.when("TestCanaries", func(string) { w.failing("SetTargetSecret") })
		}, 4},
		"the new secret is refused": {"okta", func(w *world) { w.failing("VerifyNewSecret") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, c.vendor, usual(), canaried)
			canaries, others := w.changesOn("partners-alb"), w.changesOn("shop-alb")
			c.prepare(w)
			r, execution := w.rotate(plain)
			w.rolledBack(t, r, execution)
			if n, m := canaries(), others(); m > 0 || n < c.written || c.written == 0 && n > 0 {
				t.Errorf("canaries were written %d times, others %d times\n%v", n, m, w.path(execution))
			}
			told := map[bool]string{true: "5 targets", false: "3 targets"}[c.written == 0]
			if mails := w.mails(); !strings.Contains(mails[len(mails)-1], told+" were never given the new secret") {
				t.Errorf("people are told %s", mails)
			}
			w.atRest()
			w.Stack.Faults.Clear()
			w.mustLogin()
			if c.vendor == "manual" {
				w.storeByHand()
			}
			w.mustRotate()
			w.atRest()
		})
	}
}

// mustLogin puts the synthetic user's password right again.
func (w *world) mustLogin() { w.Stack.IdP.AddUser(w.Tester) }

func TestAFailureOnCanariesIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, canaried)
	w.when("AwaitCanarySpread", w.loginsBreak)
	w.rotate(plain)
	goldenFile(t, filepath.Join("testdata", "messages", "rolled-back-from-canaries"),
		strings.Join(w.mails(), strings.Repeat("-", 80)+"\n"))
}

// A journal that has lost what it knew of a secret does not show that no target was given it: its item was edited, or
// deleted. What is left at the provider is a stranger's from then on.
func TestAJournalThatHasLostASecretSparesNoTarget(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(w *world) asl.Result{
		"the entry, and a redrive": func(w *world) asl.Result {
			w.when("AwaitSpread", w.stop)
			_, execution := w.rotate(plain)
			w.journalText(func(string) string { return "{}" })
			w.failing("PromoteSecret")
			r := w.redrive(execution)
			w.Stack.Faults.Clear()
			return r
		},
		"the item, and another execution": func(w *world) asl.Result {
			w.when("AwaitSpread", w.stop)
			w.rotate(plain)
			w.deleteItem()
			r, _ := w.rotate(plain)
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, canaried)
			r := lose(w)
			w.pass(w.Stack.ELB.Spread())
			for _, u := range w.Stack.EffectiveSecrets(w.clock.Now()) {
				if u.Secret != w.current() {
					t.Fatalf("ended as %s: %s, and node %d of %s does not use AWSCURRENT", text(r.Error),
						text(r.Cause), u.Node, u.RuleARN)
				}
			}
			w.removeAllBut(w.current())
			w.mustRotate()
			w.atRest()
		})
	}
}

// What a person has stored is not known to be on no target before CreateSecret has noted it: all are set to AWSCURRENT.
func TestARollbackBeforeAStoredSecretIsNotedSetsAll(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "manual", usual(), canaried)
	w.storeByHand()
	w.failing("CreateSecret")
	canaries, others := w.changesOn("partners-alb"), w.changesOn("shop-alb")
	r, execution := w.rotate(plain)
	w.rolledBack(t, r, execution)
	if n, m := canaries(), others(); n == 0 || m == 0 {
		t.Errorf("canaries were written %d times, others %d times", n, m)
	}
	w.atRest()
}

// A stop while only canaries have the new secret: the next execution leaves the others alone, an emergency sets them
// only for its own secret, and a redrive goes on.
func TestAStopInTheCanariesPhaseConverges(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"SetSecret", "SetTargetSecret", "AwaitCanarySpread", "TestCanaries"} {
		t.Run("at "+state, func(t *testing.T) {
			t.Parallel()
			stopped := func(t *testing.T, configure ...func(*config.Client)) (*world, string) {
				t.Helper()
				w := newWorld(t, append([]func(*config.Client){canaried}, configure...)...)
				w.stopAtEntry(state, 1)
				_, execution := w.rotate(plain)
				return w, execution
			}
			t.Run("another execution", func(t *testing.T) {
				t.Parallel()
				w, _ := stopped(t)
				others := w.changesOn("shop-alb")
				until := 0
				w.before("CreateSecret", func() { until = others() })
				w.converge()
				if until > 0 {
					t.Errorf("the rollback wrote %d targets that never had the secret", until)
				}
			})
			t.Run("an emergency", func(t *testing.T) {
				t.Parallel()
				w, _ := stopped(t)
				others := w.changesOn("shop-alb")
				until := 0
				w.before("CreateSecret", func() { until = others() })
				r, execution := w.rotate(emergency)
				if r.Status != asl.Succeeded || until > 0 || slices.Contains(w.path(execution), "TestCanaries") {
					t.Errorf("ended as %s: %s, and %d others written\n%v", text(r.Error), text(r.Cause), until,
						w.path(execution))
				}
				w.atRest()
			})
			t.Run("a redrive after days", func(t *testing.T) {
				t.Parallel()
				w, execution := stopped(t)
				w.pass(72 * time.Hour)
				if r := w.redrive(execution); r.Status != asl.Succeeded {
					t.Errorf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
				}
				w.atRest()
			})
			t.Run("the canaries are others meanwhile", func(t *testing.T) {
				t.Parallel()
				w, _ := stopped(t)
				w.configure(func(c *config.Client) { c.Canaries = c.LoadBalancers[:1] })
				w.tagged()
				w.converge()
			})
			t.Run("the journal's note is lost", func(t *testing.T) {
				t.Parallel()
				w, _ := stopped(t)
				w.journalText(func(s string) string { return strings.ReplaceAll(s, `"canaries"`, `"gone"`) })
				w.converge()
			})
			t.Run("somebody stores a third secret", func(t *testing.T) {
				t.Parallel()
				w, _ := stopped(t)
				w.rotateByHand()
				w.converge()
			})
		})
	}
}

// With another AWSCURRENT than the rotation began with, every target has to be set, not the canaries alone.
func TestCanariesDoNotLimitWhatAThirdVersionNeeds(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"SetTargetSecret", "AwaitCanarySpread", "TestCanaries", "RestoreTargets"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, canaried)
			if state == "RestoreTargets" {
				w.failing("TestCanaries")
			}
			w.before(state, w.rotateByHand)
			r, execution := w.rotate(plain)
			if text(r.Error) != "Superseded" {
				t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			w.Stack.Faults.Clear()
			others := w.changesOn("shop-alb")
			until := 0
			w.before("CreateSecret", func() { until = others() })
			w.converge()
			if until < 3 {
				t.Errorf("%d other targets got the third secret before the next rotation", until)
			}
		})
	}
}

// A person makes the canaries' secret AWSCURRENT before it is tested, and perhaps takes that back: whoever has read it
// meanwhile may have put it anywhere.
func TestCanariesDoNotLimitWhatAPromotionByHandNeeds(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]func(*world){
		"it stays": func(*world) {}, "it is taken back": func(w *world) { w.moveByHand("AWSPREVIOUS") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, canaried)
			w.failing("TestCanaries")
			w.before("TestCanaries", func() { w.moveByHand("AWSPENDING"); w.deployRule(); after(w) })
			r, execution := w.rotate(plain)
			w.rolledBack(t, r, execution)
			w.pass(2 * time.Hour)
			w.atRest()
		})
	}
}

// moveByHand makes the version with that label AWSCURRENT.
func (w *world) moveByHand(label string) {
	labels := w.labels()
	from, to := labels["AWSCURRENT"], labels[label]
	if _, err := secretsmanager.NewFromConfig(w.Stack.AWS(scenario.Home)).UpdateSecretVersionStage(context.Background(),
		&secretsmanager.UpdateSecretVersionStageInput{SecretId: &w.SecretARN, VersionStage: aws.String("AWSCURRENT"),
			MoveToVersionId: &to, RemoveFromVersionId: &from}); err != nil {
		w.t.Error(err)
	}
}

func TestWhereThereAreNoCanariesAllAreSetInOneRound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		input     string
		configure func(*config.Client)
		prepare   func(*world)
	}{
		"an emergency":             {emergency, canaried, func(*world) {}},
		"a tag, and no login test": {plain, quick, (*world).tagged},
		"every target has a tag": {plain, func(*config.Client) {}, func(w *world) {
			for _, lb := range w.Site.LoadBalancers {
				w.tag(lb, "alb-oidc-rotator:canary", "true")
			}
		}},
		"a tag with another value": {plain, func(*config.Client) {}, func(w *world) {
			w.tag(w.weighted().ARN, "alb-oidc-rotator:canary", "false")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.configure)
			c.prepare(w)
			r, execution := w.rotate(c.input)
			if r.Status != asl.Succeeded || slices.Contains(w.path(execution), "TestCanaries") {
				t.Errorf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			w.atRest()
		})
	}
}

// A rule with the tag, the only target of its load balancer that is a canary; and one that comes in between.
func TestARuleIsACanaryByItsTag(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		world     func(*testing.T, ...func(*config.Client)) *world
		tag       func(*world)
		of, other string
	}{
		"a rule": {newWorld, (*world).tagged, "shop-alb", "partners-alb"},
		"a rule in another account": {newWorldOfAccounts, func(w *world) {
			w.tag(w.canaryRule(), "alb-oidc-rotator:canary", "true")
		}, "partners-alb", "shop-alb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := c.world(t)
			c.tag(w)
			w.when("AwaitCanarySpread", func(string) { w.deployRule() })
			canaries, others := w.changesOn(c.of), w.changesOn(c.other)
			var first [2]int
			w.before("AwaitCanarySpread", func() { first = [2]int{canaries(), others()} })
			w.mustRotate()
			if first != [2]int{1, 0} {
				t.Errorf("the canary's load balancer was written %d times, the other %d times", first[0], first[1])
			}
			if mails := w.mails(); strings.Contains(mails[0], "do not count as tested") {
				t.Errorf("people are told %s", mails[0])
			}
			w.atRest()
		})
	}
}

// Login tests that resolve to other addresses than the canaries' say nothing of them.
func TestCanariesThatNoLoginReachesDoNotCountAsTested(t *testing.T) {
	t.Parallel()
	w := newWorld(t, canaried, func(c *config.Client) {
		c.SmokeTests.Login[0].ConnectTo = c.SmokeTests.Login[0].ConnectTo[:1] // the other node has another address
	})
	w.mustRotate()
	if mails := w.mails(); !strings.Contains(mails[0], "do not count as tested") {
		t.Errorf("people are told %s", mails[0])
	}
	w.atRest()
}

// Every call that changes something, from the first that is made because there are canaries.
func TestWhateverHappensToAnyCallWithCanariesItConverges(t *testing.T) {
	t.Parallel()
	y := way{name: "okta with canaries", vendor: "okta", configure: canaried}
	untested := func(w *world) { w.failing("TestCanaries") }
	t.Run("forward", func(t *testing.T) {
		explore(t, y, changesOf(t, y, "CreateSecret", func(*world) {}), func(*world) {}, 20)
	})
	t.Run("back", func(t *testing.T) { explore(t, y, changesOf(t, y, "Quiesce", untested), untested, 8) })
}
