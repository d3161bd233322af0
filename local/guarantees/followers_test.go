package guarantees_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/follower"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/imitations"
	"alboidc.internal/shared/rotation"
)

const (
	followersEvery = 40 * time.Minute
	followersLag   = 20 * time.Minute
	followersDelay = followersEvery + followersLag // the worst: read right before AWSCURRENT moved
)

// following declares the followers.
func following(c *config.Client) {
	quick(c)
	c.Followers = &config.Followers{MaxDelaySeconds: int(followersDelay / time.Second), Controllers: true}
}

// newFollowedWorld deploys a client with followers at Okta, or at Auth0, where two registrations take turns and
// followers read id and secret.
func newFollowedWorld(t *testing.T, vendor string, configure ...func(*config.Client)) *world {
	t.Helper()
	if vendor == "okta" {
		return newWorld(t, append([]func(*config.Client){following}, configure...)...)
	}
	w := newWorldOf(t, vendor, usual(), quick)
	w.readByFollowers(append([]func(*config.Client){following}, configure...)...)
	return w
}

// readByFollowers stores id and secret of a pair, and declares its followers.
func (w *world) readByFollowers(configure ...func(*config.Client)) {
	w.store(w.object(w.current()))
	w.reconfigure(func(c *config.Client) {
		c.Secret.JSONKey, c.Secret.ClientIDKey = member, "clientId"
		for _, f := range configure {
			f(c)
		}
		c.SmokeTests.Redirect[0].Follower = true // the controller's, with the other client id for a while
		c.SmokeTests.Redirect = append(c.SmokeTests.Redirect,
			config.RedirectTest{URL: w.Site.Pages[4].URL, ConnectTo: w.Site.Pages[4].Nodes})
	})
}

// followers live while an execution runs, or the test lets time go by: otherwise a virtual clock would run away.
type followers struct {
	*world
	list []*follower.Follower
	// apart keeps what they do from the instants at which executions begin, so that it has an order.
	apart time.Duration
	mu    sync.Mutex
	live  int
	ctx   context.Context
	rest  context.CancelFunc
}

// follow gives the world followers: a controller that owns two of its rules, one of them a default action, and an
// application.
func (w *world) follow(rules ...string) *followers {
	w.t.Helper()
	fs := &followers{world: w}
	controller, err := w.newFollower(followersEvery, followersLag, rules...)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := controller.Own(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	app, err := w.newFollower(followersDelay, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	fs.list = []*follower.Follower{controller, app}
	for _, r := range w.Stack.ELB.Current(w.Site.LoadBalancers[0]).Listeners[0].Rules {
		if r.Default && slices.Contains(rules, w.Stack.ELB.Current(w.Site.LoadBalancers[0]).Listeners[0].ARN) {
			rules = append(slices.Clip(rules), r.ARN)
		}
	}
	w.mu.Lock()
	w.apps, w.followed = append(w.apps, app), append(w.followed, rules...)
	w.hooks = append(w.hooks, fs.hear)
	w.mu.Unlock()
	return fs
}

func (w *world) newFollower(every, lag time.Duration, rules ...string) (*follower.Follower, error) {
	at := func(region string) aws.Config { // the second load balancer may be in another account
		if len(w.Stack.Others) > 0 && region == scenario.Away {
			return w.Stack.AWSOf(workload, region)
		}
		return w.Stack.AWS(region)
	}
	return follower.New(context.Background(), follower.Options{Clock: w.clock, AWS: at, Region: scenario.Home,
		SecretARN: w.SecretARN, JSONKey: w.Config.Secret.JSONKey, ClientIDKey: w.Config.Secret.ClientIDKey,
		Every: every, Lag: lag, Rules: rules})
}

func (fs *followers) hear(_ string, e stepfunctions.Event) {
	switch {
	case e.ExecutionStarted != nil || e.ExecutionRedriven != nil:
		fs.add(1)
	case e.ExecutionSucceeded != nil || e.ExecutionFailed != nil || e.ExecutionAborted != nil ||
		e.ExecutionTimedOut != nil:
		fs.add(-1)
	}
}

// add counts for how many they live.
func (fs *followers) add(n int) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	before := fs.live
	switch fs.live += n; {
	case fs.live == 0:
		fs.rest()
	case before == 0:
		fs.ctx, fs.rest = context.WithCancel(context.Background())
		for i := range fs.list {
			fs.run(i)
		}
	}
}

// run lets a follower live. fs.mu is held.
func (fs *followers) run(i int) {
	f, ctx, apart := fs.list[i], fs.ctx, fs.apart*time.Duration(1+i)
	fs.clock.Go(func() {
		if fs.clock.Sleep(ctx, apart) == nil {
			f.Run(ctx)
		}
	})
}

// pass lets time go by with the followers.
func (fs *followers) pass(d time.Duration) {
	fs.add(1)
	fs.world.pass(d)
	fs.add(-1)
}

// tag gives a rule or a load balancer a tag, in its account.
func (w *world) tag(arn, key, value string) {
	at := strings.Split(arn, ":")
	if _, err := elb.NewFromConfig(w.Stack.AWSOf(at[4], at[3])).AddTags(context.Background(),
		&elb.AddTagsInput{ResourceArns: []string{arn}, Tags: []elbtypes.Tag{{Key: &key, Value: &value}}}); err != nil {
		w.t.Error(err)
	}
}

// adds gives the rules to a further controller; loses takes all controllers away from theirs, and their tags.
func (fs *followers) adds(arn string) {
	fs.tag(arn, follower.Tag, "")
	f, err := fs.newFollower(followersEvery, followersLag, arn)
	if err != nil {
		fs.t.Error(err)
		return
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = append(fs.list, f)
	if fs.live > 0 {
		fs.run(len(fs.list) - 1)
	}
}

func (fs *followers) loses() {
	if err := fs.list[0].Leave(context.Background()); err != nil {
		fs.t.Error(err)
	}
}

// owned are what the controller has: the default action of the first load balancer and a rule of the other.
func (w *world) owned() []string {
	w.t.Helper()
	for _, r := range w.Stack.ELB.Current(w.Site.LoadBalancers[1]).Listeners[0].Rules {
		if r.Priority == 10 {
			return []string{w.Stack.ELB.Current(w.Site.LoadBalancers[0]).Listeners[0].ARN, r.ARN}
		}
	}
	w.t.Fatal("there is no rule with priority 10")
	return nil
}

// mustNotWrite fails the test if a function writes a rule that the controller owns, but for AWSCURRENT's secret in
// states of these names.
func (fs *followers) mustNotWrite(rules []string, but ...string) {
	fs.Stack.Faults.Observe(func(service, operation, text string) {
		if service != "lambda" || operation != "Invoke" || !strings.Contains(text, `TargetSecret"`) &&
			!strings.Contains(text, `TargetOldSecret"`) || slices.ContainsFunc(but, func(state string) bool {
			return strings.Contains(text, `"state":"`+state+`"`)
		}) {
			return
		}
		for _, arn := range rules {
			for _, end := range []string{`"ruleArn":"` + arn + `"`, `"listenerArn":"` + arn + `","name"`} {
				if strings.Contains(text, end) {
					fs.t.Errorf("a function was told to write %s", arn)
				}
			}
		}
	})
}

func TestFollowersAreLeftAloneAndWaitedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		input, fails string
		took         time.Duration // at least
		ends         string        // how the execution ends, if it does not succeed
	}{
		"a rotation": {input: plain, took: grace},
		"a shortened grace period": {input: `{"client": "orders-web", "gracePeriodSeconds": 60}`,
			took: followersDelay},
		"no grace period": {input: `{"client": "orders-web", "gracePeriodSeconds": 0}`,
			took: followersDelay},
		"an emergency":                   {input: emergency, took: followersDelay},
		"a failure before the promotion": {input: plain, fails: "SetTargetSecret", ends: "RolledBack"},
		"a failure after the promotion":  {input: plain, fails: "TestSecret", ends: "RolledBack", took: followersDelay},
		"a failure after the grace period": {input: emergency, fails: "TestBeforeFinish", ends: "RolledBack",
			took: 2 * followersDelay},
		"a failure after the old one was disabled": {input: emergency, fails: "TestAfterDisable", ends: "RolledBack",
			took: 2 * followersDelay},
	} {
		for _, vendor := range []string{"okta", "auth0"} {
			if vendor == "auth0" && c.fails == "TestAfterDisable" {
				continue // nothing can be disabled there
			}
			t.Run(vendor+": "+name, func(t *testing.T) {
				t.Parallel()
				w := newFollowedWorld(t, vendor)
				rules := w.owned()
				fs := w.follow(rules...)
				fs.mustNotWrite(rules)
				if c.fails != "" {
					w.failing(c.fails)
				}
				began := w.clock.Now()
				r, execution := w.rotate(c.input)
				if text(r.Error) != c.ends {
					t.Fatalf("ended as %s %s: %s\n%s", r.Status, text(r.Error), text(r.Cause),
						strings.Join(w.path(execution), " "))
				}
				took := w.clock.Now().Sub(began)
				if took < c.took || c.took == 0 && took > followersDelay || c.took > 0 && took > c.took+time.Hour {
					t.Errorf("it took %s, want %s", took, c.took)
				}
				fs.pass(followersDelay)
				w.atRest()
				w.Stack.Faults.Clear()
				if r, _ := w.rotate(emergency); r.Status != asl.Succeeded {
					t.Fatalf("the next one: %s", text(r.Cause))
				}
				fs.pass(followersDelay)
				w.atRest()
			})
		}
	}
}

// Where the provider ends the old secret by itself, Plan says when, and refuses followers that may need it longer: an
// emergency, too, which has no grace period of its own.
func TestFollowersMayNeedNoSecretThatTheProviderEnds(t *testing.T) {
	t.Parallel()
	for vendor := range imitations.All {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, vendor, usual(), quick, func(c *config.Client) { c.GracePeriodSeconds = aws.Int(60) })
			if w.Config.IsPair() || w.Config.IdentityProvider.AllowInterruption || vendor == "manual" {
				return // the old secret ends when it is overwritten, or by a person
			}
			dry := `{"client": "orders-web", "dryRun": true}`
			r, _ := w.rotate(dry)
			var planned rotation.Plan
			if err := json.Unmarshal(r.Output, &planned); err != nil || r.Status != asl.Succeeded {
				t.Fatalf("ended as %s %s: %s %v", text(r.Error), text(r.Cause), r.Output, err)
			}
			keeps := planned.Provider.MaxGraceSeconds
			if ends := vendor == "keycloak" || vendor == "pingone"; ends != (keeps > 0) {
				t.Fatalf("it keeps the old secret for %d s", keeps)
			}
			for delay, refused := range map[int]bool{3600: false, keeps: false, keeps + 1: keeps > 0} {
				w.reconfigure(func(c *config.Client) {
					c.Followers = &config.Followers{
						MaxDelaySeconds: max(delay, 1)}
				})
				inputs := []string{dry, `{"client": "orders-web", "dryRun": true, "gracePeriodSeconds": 0}`}
				if refused {
					inputs = append(inputs, emergency)
				}
				for _, input := range inputs {
					r, _ := w.rotate(input)
					if (text(r.Error) == "Refused") != refused || refused && !strings.Contains(text(r.Cause),
						"followers.maxDelaySeconds: the identity provider keeps the old secret for ") {
						t.Errorf("a delay of %d s, kept for %d s: ended as %s: %s", delay, keeps, text(r.Error),
							text(r.Cause))
					}
				}
			}
		})
	}
}

// Of a pair, what does not belong together is not rotated, and a test knows whose client id it sees.
func TestFollowersOfAPairGetNoOthersClientID(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare    func(w *world)
		ends, says string
	}{
		"the id of the other one is stored": {func(w *world) {
			w.store(strings.ReplaceAll(w.object(w.current()), w.ClientID, w.Config.IdentityProvider.ClientPair))
		}, "Refused", "is the pair's other one"},
		"a test of a follower that does not say so": {func(w *world) {
			w.reconfigure(func(c *config.Client) { c.SmokeTests.Redirect[0].Follower = false })
		}, "RolledBack", "if a follower answers there, set follower: true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFollowedWorld(t, "auth0")
			fs := w.follow(w.owned()...)
			c.prepare(w)
			if r, execution := w.rotate(emergency); text(r.Error) != c.ends ||
				!strings.Contains(text(r.Cause), c.says) {
				t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			if c.ends == "Refused" { // the watch has seen what was stored; whoever stored it mends it
				w.store(w.object(w.current()))
				w.mu.Lock()
				defer w.mu.Unlock()
				if len(w.violations) == 0 {
					t.Error("the watch saw nothing")
				}
				return
			}
			fs.pass(followersDelay)
			w.atRest()
		})
	}
}

// A follower that is served an old copy (a cache, a queue) puts it on a rule that the rotation sets, too.
func TestAStaleFollowerOnOurRuleIsHealed(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]string{"a rotation": "", "a rollback": "TestSecret"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, following)
			fs := w.follow()
			stale, err := w.newFollower(time.Minute, followersDelay-time.Minute, w.weighted().ARN)
			if err != nil {
				t.Fatal(err)
			}
			fs.list = append(fs.list, stale)
			if fails != "" {
				w.failing(fails)
			}
			if r, _ := w.rotate(emergency); (r.Status == asl.Succeeded) != (fails == "") {
				t.Fatalf("ended as %s: %s", text(r.Error), text(r.Cause))
			}
			fs.pass(time.Minute)
			w.atRest()
		})
	}
}

// Each stop is followed by a redrive, by a scheduled execution, which finishes or rolls back, and by an emergency.
func TestAStopInAnyWaitForFollowersConverges(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"AwaitSpread", "PromoteSecret", "GracePeriod", "AwaitReassertSpread",
		"DisableOldSecret",
		"FinishSecret", "Quiesce", "RestoreLabels", "AwaitFollowersBack", "AwaitRestoreSpread",
		"RemoveNewSecret"} {
		for _, next := range []string{"redrive", plain, emergency, "redrive of a pair", plain + " of a pair",
			emergency + " of a pair"} {
			next, pair := strings.CutSuffix(next, " of a pair")
			if pair && !slices.Contains([]string{"GracePeriod", "FinishSecret", "RestoreLabels",
				"RemoveNewSecret"}, state) {
				continue // as with one registration
			}
			vendor := map[bool]string{false: "okta", true: "auth0"}[pair]
			t.Run(vendor+": "+state+" then "+next, func(t *testing.T) {
				t.Parallel()
				w := newFollowedWorld(t, vendor)
				rules := w.owned()
				fs := w.follow(rules...)
				var but []string
				if state == "AwaitSpread" && next != "redrive" { // any of them may have come to its controller since
					but = []string{"RestoreTargetSecret", "ReassertTargetOldSecret"}
				}
				fs.mustNotWrite(rules, but...)
				if strings.Contains(state, "Restore") || state == "AwaitFollowersBack" || state == "Quiesce" ||
					state == "RemoveNewSecret" {
					w.failing("TestSecret")
				}
				w.stopAtEntry(state, 1)
				r, execution := w.rotate(emergency)
				if r.Status != asl.Aborted {
					t.Fatalf("ended as %s: %s", r.Status, text(r.Cause))
				}
				w.Stack.Faults.Clear()
				if next == "redrive" {
					r = w.redrive(execution)
				} else {
					r, execution = w.rotate(next)
				}
				if r.Status != asl.Succeeded && text(r.Error) != "RolledBack" {
					t.Fatalf("then it ended as %s %s: %s\n%s", r.Status, text(r.Error), text(r.Cause),
						strings.Join(w.path(execution), " "))
				}
				fs.pass(followersDelay)
				w.atRest()
			})
		}
	}
}

// keepsItsSecret refuses the next change of a rule.
func (w *world) keepsItsSecret(arn string) {
	w.fault(fault.Rule{Service: "elasticloadbalancing", Operation: "ModifyRule", Match: arn, Mode: fault.Refuse,
		Status: 403, Code: "AccessDenied", Times: 1})
}

// What else happens while followers may have two secrets.
func TestFollowersAreWaitedForWhateverHappens(t *testing.T) {
	t.Parallel()
	hours := func(n int) func(*config.Client) {
		return func(c *config.Client) { following(c); c.Followers.MaxDelaySeconds = n * 3600 }
	}
	none := func(c *config.Client) { c.Followers = nil }
	for name, c := range map[string]struct {
		begins  func(*config.Client) // what is configured, if not following
		input   string
		prepare func(w *world, fs *followers)
		took    time.Duration
	}{
		"an emergency takes over in the grace period": {input: plain, took: 2 * followersDelay,
			prepare: func(w *world, _ *followers) { w.interrupt("GracePeriod") }},
		"a longer delay is deployed": {begins: hours(1), input: emergency, took: 3 * time.Hour,
			prepare: func(w *world, _ *followers) {
				w.when("GracePeriod", func(string) { w.reconfigure(hours(3)) })
			}},
		"a longer delay is deployed, and the rotation rolled back": {begins: hours(1), input: emergency,
			took: 3 * time.Hour,
			prepare: func(w *world, _ *followers) {
				w.failing("TestSecret")
				w.when("TestSecret", func(string) { w.reconfigure(hours(3)) })
			}},
		"a shorter delay is deployed": {begins: hours(3), input: emergency, took: 3 * time.Hour,
			prepare: func(w *world, _ *followers) {
				w.when("GracePeriod", func(string) { w.reconfigure(hours(1)) })
			}},
		"the followers leave the configuration": {input: emergency, took: followersDelay,
			prepare: func(w *world, _ *followers) {
				w.when("GracePeriod", func(string) { w.reconfigure(none) })
			}},
		"followers come into it": {begins: quick, input: emergency, took: followersDelay,
			prepare: func(w *world, _ *followers) {
				w.when("TestBeforeFinish", func(string) { w.reconfigure(following) })
			}},
		"followers come into it, and the rotation is rolled back": {begins: quick, input: plain, took: followersDelay,
			prepare: func(w *world, _ *followers) {
				w.failing("TestSecret")
				w.when("TestSecret", func(string) { w.reconfigure(following) })
			}},
		"followers come into it late in a rollback": {begins: quick, input: plain, took: grace + followersDelay,
			prepare: func(w *world, _ *followers) {
				w.failing("TestBeforeFinish")
				w.when("ReassertOldSecret", func(string) { w.reconfigure(following) })
			}},
		"a rule becomes a controller's, and the rotation is rolled back": {input: plain,
			prepare: func(w *world, fs *followers) {
				w.failing("PromoteSecret")
				w.when("AwaitSpread", func(string) { fs.adds(w.weighted().ARN) })
			}},
		"a rule becomes a controller's, and another execution rolls back": {input: plain,
			prepare: func(w *world, fs *followers) {
				w.when("AwaitSpread", func(execution string) {
					fs.adds(w.weighted().ARN)
					w.stop(execution)
				})
			}},
		"a rule becomes a controller's, and a promotion that was refused is rolled back by another execution": {
			input: plain, prepare: func(w *world, fs *followers) {
				w.fault(fault.Rule{Service: "secretsmanager", Operation: "UpdateSecretVersionStage",
					Mode: fault.Refuse, Status: 400, Code: "AccessDeniedException"})
				w.when("AwaitSpread", func(string) { fs.adds(w.weighted().ARN) })
				w.when("RollBack", w.stop)
			}},
		"a rule becomes a controller's, and cannot be restored at once": {input: plain,
			prepare: func(w *world, fs *followers) {
				w.failing("PromoteSecret")
				w.when("AwaitSpread", func(string) { fs.adds(w.weighted().ARN) })
				w.before("RestoreTargets", func() { w.keepsItsSecret(w.weighted().ARN) })
			}},
		"a rule becomes a controller's, and another execution cannot restore it at once": {input: plain,
			prepare: func(w *world, fs *followers) {
				w.when("AwaitSpread", func(execution string) {
					fs.adds(w.weighted().ARN)
					w.stop(execution)
				})
				w.before("RestoreTargets", func() { w.keepsItsSecret(w.weighted().ARN) })
			}},
		"followers come into it right before the end": {begins: quick, input: emergency, took: followersDelay,
			prepare: func(w *world, _ *followers) {
				w.before("DisableOldSecret", func() { w.reconfigure(following) })
			}},
		"every wait is left early": {input: emergency, took: followersDelay,
			prepare: func(w *world, _ *followers) { w.leaveWaitsEarly("$graceUntil", "$followedAt") }},
		"every wait of a rollback is left early": {input: emergency, took: followersDelay,
			prepare: func(w *world, _ *followers) {
				w.leaveWaitsEarly("$graceUntil", "$followedAt")
				w.failing("TestSecret")
			}},
		"a rule becomes a controller's": {input: emergency, took: followersDelay,
			prepare: func(w *world, fs *followers) {
				w.when("GracePeriod", func(string) { fs.adds(w.weighted().ARN) })
			}},
		"a rule becomes a controller's while targets are set": {input: emergency, took: followersDelay,
			prepare: func(w *world, fs *followers) {
				w.when("VerifyNewSecret", func(string) { fs.adds(w.weighted().ARN) })
			}},
		"a rule ceases to be a controller's": {input: emergency, took: followersDelay,
			prepare: func(w *world, fs *followers) {
				w.when("GracePeriod", func(string) { fs.loses() })
			}},
		"a third secret is stored as AWSCURRENT": {input: plain, prepare: func(w *world, _ *followers) {
			w.when("GracePeriod", func(execution string) {
				value := "a-secret-of-a-person-00000000000000000000000000"
				w.addSecret(value)
				w.store(value)
				w.stop(execution)
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.begins == nil {
				c.begins = following
			}
			w := newWorld(t, c.begins)
			fs := w.follow(w.owned()...)
			// an application only: rules of a controller would be refused
			if strings.HasPrefix(name, "followers come") {
				fs.loses()
			}
			c.prepare(w, fs)
			began := w.clock.Now()
			w.rotate(c.input)
			for len(w.running()) > 0 { // another one took over
				w.wait(w.running()[0])
			}
			if took := w.clock.Now().Sub(began); took < c.took || c.took > 0 && took > c.took+2*time.Hour {
				t.Errorf("it took %s, want %s", took, c.took)
			}
			w.Stack.Faults.Clear()
			w.reconfigure(func(c *config.Client) {
				if c.Followers == nil {
					following(c)
				}
			})
			for range 2 {
				if r, execution := w.rotate(plain); r.Status != asl.Succeeded {
					t.Fatalf("the next one ended as %s: %s\n%s", text(r.Error), text(r.Cause),
						strings.Join(w.path(execution), " "))
				}
			}
			fs.pass(3 * time.Hour)
			w.check("at the end")
			for _, v := range w.violations {
				t.Error(v)
			}
		})
	}
}

// The watch must see a follower that is later than it was declared.
func TestTheWatchSeesALateFollower(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *config.Client) { following(c); c.Followers.MaxDelaySeconds /= 4 })
	fs := w.follow(w.owned()...)
	w.rotate(emergency)
	fs.pass(followersDelay)
	if len(w.violations) == 0 {
		t.Error("nothing was seen")
	}
}

func TestAClientWithFollowersOnlyIsRotated(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]string{"a rotation": "", "a rollback": "TestBeforeFinish"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, following, func(c *config.Client) { c.LoadBalancers = nil })
			controller := w.owned()
			for _, b := range w.Site.LoadBalancers {
				for _, r := range w.Stack.ELB.Current(b).Listeners[0].Rules {
					if r.OIDC() != nil && !r.Default {
						controller = append(controller, r.ARN)
					}
				}
			}
			fs := w.follow(controller...)
			w.Stack.Faults.Observe(func(service, operation, text string) {
				if service == "lambda" && strings.Contains(text, "TargetSecret") {
					t.Errorf("%s: a function was told to write a rule", operation)
				}
			})
			if fails != "" {
				w.failing(fails)
			}
			if r, execution := w.rotate(emergency); (r.Status == asl.Succeeded) != (fails == "") {
				t.Fatalf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), strings.Join(w.path(execution), " "))
			}
			fs.pass(time.Minute)
			w.atRest()
			if m := w.measured(w.start(measure)); m.RotationRefused != "" || !m.SecretAccepted {
				t.Errorf("measured %+v", m)
			}
		})
	}
}
