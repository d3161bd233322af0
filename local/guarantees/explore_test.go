package guarantees_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/imitations"
	"alboidc.internal/shared/idp/lambda"
)

// changing are the calls that change something, by service and operation.
var changing = slices.Concat([]string{
	"dynamodb:UpdateItem", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
	"elasticloadbalancing:ModifyRule", "elasticloadbalancing:ModifyListener",
}, changingAtProviders())

// changingAtProviders are the calls that change something at an identity provider.
func changingAtProviders() (out []string) {
	for _, im := range imitations.All {
		out = append(out, im.Changes...)
	}
	return out
}

// call is the n-th call of an operation in a rotation, counted from 0.
type call struct {
	service, operation string
	n                  int
}

func (c call) String() string { return fmt.Sprintf("%s %d", c.operation, c.n+1) }

// rule makes a fault that hits this call, and times-1 after it.
func (c call) rule(times int, r fault.Rule) fault.Rule {
	r.Service, r.Operation, r.Skip, r.Times = c.service, c.operation, c.n, times
	return r
}

// way is one way to rotate a client at an identity provider.
type way struct {
	name, vendor string
	configure    func(*config.Client)
	// interrupts: logins may fail for a while.
	interrupts bool
	// input of the execution; "" is plain.
	input string
	// dead: AWSCURRENT is revoked before the execution, which is to repair that, as is the one that comes after it.
	dead bool
	// can is what a function says that its provider can do; zero is the imitation's default.
	can lambda.Capabilities
	// followed: a controller and an application follow AWSCURRENT. away: a load balancer is in another account.
	followed, away bool
	// canaried: a load balancer gets the new secret first, and a login tests it.
	canaried bool
}

// ways are all but Okta's, which has tests of its own, and those by hand, which have no calls.
func ways() []way {
	out := []way{{name: "auth0 in place", vendor: "auth0", configure: interruptible, interrupts: true},
		{name: "hydra as a pair", vendor: "hydra", configure: paired}}
	for kind, im := range imitations.All {
		if kind != okta.vendor && len(im.Changes) > 0 {
			out = append(out, way{name: kind, vendor: kind, configure: quick})
		}
	}
	return append(out, functionWays()...)
}

var okta = way{name: "okta", vendor: "okta", configure: quick}

// paired is a client of two registrations.
func paired(c *config.Client) {
	quick(c)
	c.IdentityProvider.ClientPair = "orders-web-second"
}

// world makes one for this way, in which prepare may make something fail.
func (y way) world(t *testing.T, prepare func(*world)) *world {
	t.Helper()
	w := newWorldOf(t, y.vendor, usual(), y.configure, functionSays(y.can))
	w.become(y.can)
	w.tolerant = y.interrupts
	prepare(w)
	if y.dead {
		w.revoke()
	}
	return w
}

// changesOf lists the changing calls of one rotation that prepare may make fail, in order, from the state on that is
// named.
func changesOf(t *testing.T, y way, from string, prepare func(*world)) []call {
	t.Helper()
	w := y.world(t, prepare)
	var mu sync.Mutex
	var out []call
	var entered bool
	count := map[string]int{}
	w.when(from, func(string) { mu.Lock(); entered = true; mu.Unlock() })
	w.Stack.Faults.Observe(func(service, operation, _ string) {
		mu.Lock()
		defer mu.Unlock()
		if key := service + ":" + operation; slices.Contains(changing, key) {
			if entered {
				out = append(out, call{service, operation, count[key]})
			}
			count[key]++
		}
	})
	w.rotate(cmp.Or(y.input, plain))
	w.atRest()
	mu.Lock()
	defer mu.Unlock()
	return out
}

// interesting leaves out the middle of a run of target changes: they are alike.
func interesting(calls []call) []call {
	return slices.DeleteFunc(slices.Clone(calls), func(c call) bool {
		return c.operation == "ModifyRule" && (c.n == 1 || c.n == 2 || c.n == 5 || c.n == 6)
	})
}

// lateBy is how long a late call takes: as long as it can, until right before the time to settle ends.
var lateBy = usual() - 100*time.Millisecond

// again is how many tries a step has: the first and its retries.
const again = 7

// disturbances are what can happen to one call.
func disturbances() map[string]func(w *world, c call) {
	faulty := func(times int, r fault.Rule) func(*world, call) {
		return func(w *world, c call) { w.fault(c.rule(times, r)) }
	}
	return map[string]func(w *world, c call){
		"an error before the effect": faulty(1, fault.Rule{Mode: fault.Refuse}),
		"a lost reply":               faulty(1, fault.Rule{Mode: fault.Lose}),
		"lost replies in a row":      faulty(3, fault.Rule{Mode: fault.Lose}),
		"a refusal for good": faulty(1, fault.Rule{Mode: fault.Refuse, Status: 403,
			Code: "AccessDeniedException"}),
		"an effect after the function was cut":    faulty(1, fault.Rule{Mode: fault.Delay, Latency: lateBy}),
		"late effects until the step is given up": faulty(again, fault.Rule{Mode: fault.Delay, Latency: lateBy}),
		"a stop of the execution":                 func(w *world, c call) { w.stopAt(c, fault.Rule{}) },
		"a stop while the call is under way": func(w *world, c call) {
			w.stopAt(c, c.rule(1, fault.Rule{Mode: fault.Delay, Latency: lateBy}))
		},
	}
}

func TestWhateverHappensToAnyCallTheRotationConverges(t *testing.T) {
	t.Parallel()
	explore(t, okta, changesOf(t, okta, "CheckInput", func(*world) {}), func(*world) {}, 20)
}

func TestWhateverHappensToAnyCallOfAnEmergencyItConverges(t *testing.T) {
	t.Parallel()
	y := okta
	y.input = emergency
	explore(t, y, changesOf(t, y, "CheckInput", func(*world) {}), func(*world) {}, 20)
}

func TestWhateverHappensToAnyCallOfARollbackItConverges(t *testing.T) {
	t.Parallel()
	explore(t, okta, changesOf(t, okta, "Quiesce", untestable), untestable, 10)
}

func TestWhateverHappensToACallElsewhereTheRotationConverges(t *testing.T) {
	t.Parallel()
	for _, y := range ways() {
		calls := providerCalls(changesOf(t, y, "CheckInput", func(*world) {}))
		t.Run(y.name, func(t *testing.T) { explore(t, y, calls, func(*world) {}, 1) })
	}
}

func TestWhateverHappensToACallOfARollbackElsewhereItConverges(t *testing.T) {
	t.Parallel()
	for _, y := range ways() {
		calls := providerCalls(changesOf(t, y, "Quiesce", untestable))
		t.Run(y.name, func(t *testing.T) { explore(t, y, calls, untestable, 1) })
	}
}

// providerCalls are those to the identity provider.
func providerCalls(calls []call) []call {
	return slices.DeleteFunc(calls, func(c call) bool { return c.service != "idp" && c.service != "cognito-idp" })
}

// The tests above must be able to fail: without the waits, the same disturbances break G1.

func TestTheWatchSeesALateCallThatNoRollbackWaitedFor(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 3} {
		w := newWorldOf(t, "okta", time.Second, quick)
		w.fault(call{"elasticloadbalancing",
			"ModifyRule", n}.rule(again, fault.Rule{Mode: fault.Delay, Latency: 10 * lateBy}))
		w.rotate(plain)
		w.pass(2 * time.Hour)
		if len(w.violations) > 0 {
			return
		}
	}
	t.Error("nothing was seen although the state machine did not wait")
}

func TestTheWatchSeesANodeThatNobodyWaitedFor(t *testing.T) {
	t.Parallel()
	// the nodes take 55 s
	w := newWorldOf(t, "okta", time.Second, quick, func(c *config.Client) { c.SpreadSeconds = aws.Int(1) })
	w.rotate(`{"client": "orders-web", "gracePeriodSeconds": 0}`)
	w.pass(2 * time.Hour)
	if len(w.violations) == 0 {
		t.Error("nothing was seen although the state machine did not wait")
	}
}

// inShort is which part of the disturbances go test -short tries: each call and each disturbance, but not each of both.
const inShort = 5

// survived are the disturbances that must not change how the same execution ends.
var survived = []string{"an error before the effect", "a lost reply", "lost replies in a row",
	"an effect after the function was cut"}

// explore disturbs each call in turn in a rotation that prepare may make fail, and then lets things take their course.
func explore(t *testing.T, y way, calls []call, prepare func(*world), least int) {
	t.Helper()
	r, _ := y.world(t, prepare).rotate(cmp.Or(y.input, plain))
	ends := text(r.Error)
	if len(calls) < least {
		t.Fatalf("only %d changing calls: %v", len(calls), calls)
	}
	kinds := disturbances()
	for i, name := range slices.Sorted(maps.Keys(kinds)) {
		disturb := kinds[name]
		for j, c := range interesting(calls) {
			if testing.Short() && (i+j)%inShort != 0 {
				continue
			}
			t.Run(name+"/"+c.String(), func(t *testing.T) {
				t.Parallel()
				w := y.world(t, prepare)
				disturb(w, c)
				r, execution := w.rotate(cmp.Or(y.input, plain))
				if slices.Contains(survived, name) && text(r.Error) != ends {
					t.Errorf("one disturbance ended the execution as %s: %s\n%v", text(r.Error), text(r.Cause),
						w.path(execution))
				}
				w.Stack.Faults.Clear()
				if y.dead {
					w.repairIfNeeded()
				}
				w.converge()
				w.pass(2 * time.Hour) // what is still late arrives
				w.atRest()
			})
		}
	}
}

// stopAt stops the execution when it makes the call; the function that makes it goes on, as on AWS.
func (w *world) stopAt(c call, late fault.Rule) {
	if late.Service != "" {
		w.fault(late)
	}
	seen := 0
	var mu sync.Mutex
	w.Stack.Faults.Observe(func(service, operation, _ string) {
		if service != c.service || operation != c.operation {
			return
		}
		mu.Lock()
		seen++
		now := seen == c.n+1
		mu.Unlock()
		if now {
			// before the call goes on: after the last one the next execution may follow at once
			for _, execution := range w.running() {
				w.clock.Go(func() { w.stop(execution) })
			}
		}
	})
}

// running are the ARNs of the executions that run.
func (w *world) running() []string {
	out, err := w.sfn().ListExecutions(context.Background(), &sfn.ListExecutionsInput{StateMachineArn: &w.MachineARN,
		StatusFilter: "RUNNING"})
	if err != nil {
		w.t.Error(err)
		return nil
	}
	var arns []string
	for _, e := range out.Executions {
		arns = append(arns, *e.ExecutionArn)
	}
	return arns
}

// converge runs new executions, as the next schedule would, until one succeeds; the first has to, because nothing is
// wrong any more.
func (w *world) converge() {
	w.t.Helper()
	r, execution := w.rotate(plain)
	if r.Status != asl.Succeeded {
		w.t.Fatalf("the next execution ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
	}
	w.atRest()
}
