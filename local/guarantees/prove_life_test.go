package guarantees_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/shared/config"
	"alboidc.internal/statemachine"
)

// life is a random history of one client: executions, and what happens while they run. Everything in it follows from
// the seed.
type life struct {
	seed     uint64
	way      way
	chapters []chapter
	// heals: the notifier is deployed, which starts an execution where one was stopped or superseded.
	heals bool
	// broken changes the definition of the state machine, for the test that a life can fail.
	broken func(definition string) string
}

// chapter is one execution with what happens before and while it runs.
type chapter struct {
	input  string
	events []event
	// goesOn: the next chapter begins with what this one leaves; otherwise an undisturbed execution comes in between.
	goesOn bool
}

// event is one thing that happens. n is what the kind makes its own choices by.
type event struct {
	kind *kind
	at   moment
	n    int
	// given: the execution is for this, so that it is no disturbance of it.
	given bool
}

// moment is when something happens: before the execution, at the first call after it enters a state, right before its
// n-th call, or so long after its start. changing is the first call since then that changes something.
type moment struct {
	before   bool
	state    string
	call     int
	changing bool
	after    time.Duration
}

// kind is a kind of event.
type kind struct {
	name   string
	weight int
	// before: it belongs before an execution. atCall: it happens to a call.
	before, atCall bool
	// states are where it may happen; nil is everywhere.
	states []string
	fits   func(way) bool
	// harmless: it is no disturbance.
	harmless bool
	// ends is how the execution may end, besides with success, if nothing else happens to it; any is in whatever way.
	ends []string
	any  bool
	// do lets it happen and says so; "" if it cannot happen at this moment.
	do func(r *telling, n int, c seen) string
}

// seen is a call that is about to be carried out.
type seen struct{ service, operation string }

// inputs are those of executions, by how often they are started.
var inputs = []string{plain, plain, plain, plain, `{"client": "orders-web", "gracePeriodSeconds": 0}`,
	`{"client": "orders-web", "gracePeriodSeconds": 7200}`, emergency, emergency,
	`{"client": "orders-web", "dryRun": true}`}

// beforeEnd is no input of ours: a daily measurement starts that execution, because the provider is about to end the
// secret.
const beforeEnd = "a measurement right before the secret ends"

// newInput chooses what an execution is started with, and what is so before.
func newInput(r *rand.Rand, y way) (input string, given []event) {
	switch x := r.IntN(12); {
	case x == 0 && mortal(y):
		return repair, []event{{kind: dies, at: moment{before: true}, given: true}}
	case x == 1 && slices.Contains([]string{"entra", "keycloak"}, y.name):
		return beforeEnd, nil
	default:
		return inputs[r.IntN(len(inputs))], nil
	}
}

// mostCalls is about how many calls a rotation makes: later ones are hit less often.
const mostCalls = 170

// newLife makes the life of a seed. Every third has one disturbance only, which the same execution must survive.
func newLife(seed uint64) life {
	r := rand.New(rand.NewPCG(seed, 14)) //nolint:gosec // it must be the same every time
	all := everyWay()
	l := life{seed: seed, way: all[r.IntN(len(all))], heals: r.IntN(2) == 0}
	if seed%3 == 0 {
		c := chapter{}
		c.input, c.events = newInput(r, l.way)
		c.events = append(c.events, newEvent(r, l.way))
		l.chapters = []chapter{c}
		return l
	}
	for range 1 + r.IntN(2) {
		c := chapter{goesOn: r.IntN(3) > 0}
		c.input, c.events = newInput(r, l.way)
		for range 2 + r.IntN(4) {
			c.events = append(c.events, newEvent(r, l.way))
		}
		l.chapters = append(l.chapters, c)
	}
	return l
}

func newEvent(r *rand.Rand, y way) event {
	fitting := slices.DeleteFunc(everyKind(), func(k *kind) bool { return k.fits != nil && !k.fits(y) })
	sum := 0
	for _, k := range fitting {
		sum += k.weight
	}
	at := r.IntN(sum)
	i := 0
	for ; at >= fitting[i].weight; i++ {
		at -= fitting[i].weight
	}
	return event{kind: fitting[i], at: newMoment(r, fitting[i]), n: r.IntN(1 << 20)}
}

func newMoment(r *rand.Rand, k *kind) moment {
	forward, back, _ := states()
	switch x := r.IntN(20); {
	case k.before:
		return moment{before: true}
	case k.states != nil:
		return moment{state: k.states[r.IntN(len(k.states))]}
	case x < 7:
		return moment{state: forward[r.IntN(len(forward))]}
	case x < 9:
		return moment{state: back[r.IntN(len(back))]}
	case x < 11 && !k.atCall:
		return moment{after: time.Duration(r.Int64N(int64(5 * time.Minute)))}
	case x < 13 && !k.atCall:
		return moment{after: time.Duration(r.Int64N(int64(8 * 24 * time.Hour)))}
	default:
		return moment{call: 1 + r.IntN(mostCalls), changing: r.IntN(2) == 0}
	}
}

// comes tells whether it is now, at a call after the execution has entered a state; "" if this is not the first call.
func (m moment) comes(calls int, entered string, c seen) bool {
	switch {
	case m.state != "":
		return m.state == entered
	case m.changing:
		return calls >= m.call && slices.Contains(changing, c.service+":"+c.operation)
	default:
		return m.call > 0 && calls == m.call
	}
}

// stateNames finds the states in the order of the definition, which JSON does not keep.
var stateNames = regexp.MustCompile(`(?m)^    "(\w+)": \{`)

// states are those that call something or wait, on the way forward and from the rollback on, and which of them wait.
func states() (forward, back []string, waits map[string]bool) {
	type state struct {
		Type          string
		ItemProcessor struct{ States map[string]struct{} }
	}
	var machine struct{ States map[string]state }
	if err := json.Unmarshal([]byte(statemachine.Definition), &machine); err != nil {
		panic(err)
	}
	waits = map[string]bool{}
	for _, m := range stateNames.FindAllStringSubmatch(statemachine.Definition, -1) {
		name := m[1]
		s := machine.States[name]
		waits[name] = s.Type == "Wait"
		if s.Type != "Task" && s.Type != "Wait" && s.Type != "Map" {
			continue
		}
		if len(back) > 0 || name == "TellRollback" {
			back = append(back, name)
		} else {
			forward = append(forward, name)
		}
	}
	return forward, back, waits
}

// everyWay is each identity provider in each of its models, and clients of every kind.
func everyWay() []way {
	all := append(slices.SortedFunc(slices.Values(ways()), func(a, b way) int {
		return slices.Compare([]byte(a.name), []byte(b.name))
	}), okta, way{name: "keycloak as a pair", vendor: "keycloak", configure: paired},
		way{name: "by hand", vendor: "manual", configure: quick},
		way{name: "two accounts", vendor: "okta", configure: quick, away: true},
		way{name: "with a login test", vendor: "okta", configure: loggingIn})
	for _, vendor := range []string{"okta", "entra", "keycloak", "hydra"} {
		all = append(all, way{name: vendor + " with followers", vendor: vendor, configure: followed, followed: true})
	}
	return all
}

// loggingIn leaves one redirect test and one login test.
func loggingIn(c *config.Client) {
	c.SmokeTests.Redirect, c.SmokeTests.Login = c.SmokeTests.Redirect[:1], c.SmokeTests.Login[:1]
}

// followed declares followers with some minutes more than they take where nothing is wrong: calls of theirs fail, too.
// The grace period is short, because they read all the time.
func followed(c *config.Client) {
	following(c)
	c.Followers.MaxDelaySeconds += 600
	c.GracePeriodSeconds = aws.Int(6 * 3600)
}

func (m moment) String() string {
	switch {
	case m.before:
		return "before it"
	case m.state != "":
		return "in " + m.state
	case m.changing:
		return fmt.Sprintf("at the first change since call %d", m.call)
	case m.call > 0:
		return fmt.Sprintf("at call %d", m.call)
	default:
		return fmt.Sprintf("after %s", m.after.Round(time.Second))
	}
}

func (l life) String() string {
	out := fmt.Sprintf("seed %d, %s:", l.seed, l.way.name)
	if l.heals {
		out = fmt.Sprintf("seed %d, %s, with the notifier:", l.seed, l.way.name)
	}
	for _, c := range l.chapters {
		out += fmt.Sprintf("\n  %s", c.input)
		for _, e := range c.events {
			out += fmt.Sprintf("\n    %s: %s (%d)", e.at, e.kind.name, e.n)
		}
		if c.goesOn {
			out += "\n    and no undisturbed execution after it"
		}
	}
	return out
}
