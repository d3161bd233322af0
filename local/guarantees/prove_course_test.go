package guarantees_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"alboidc.internal/statemachine"
)

// typesOfStates are the types of the definition's states, those inside a Map as well.
var typesOfStates = sync.OnceValue(func() map[string]string {
	type state struct {
		Type          string
		ItemProcessor struct {
			States map[string]struct{ Type string }
		}
	}
	var machine struct{ States map[string]state }
	if err := json.Unmarshal([]byte(statemachine.Definition), &machine); err != nil {
		panic(err)
	}
	out := map[string]string{}
	for name, s := range machine.States {
		out[name] = s.Type
		for inner, i := range s.ItemProcessor.States {
			out[inner] = i.Type
		}
	}
	return out
})

func waits(state string) bool { return typesOfStates()[state] == "Wait" }

// goldenPath is the part of a golden path of what calls something, loops over what does, or waits.
func goldenPath(name string) (out []string) {
	b, err := os.ReadFile(filepath.Join("testdata", "paths", name))
	if err != nil {
		panic(err)
	}
	for _, state := range strings.Fields(string(b)) {
		if slices.Contains([]string{"Task", "Wait", "Map"}, typesOfStates()[state]) {
			out = append(out, state)
		}
	}
	return out
}

// wayBack are the states of a rollback.
func wayBack(y way) []string {
	path := goldenPath("rolled-back-from-TestBeforeFinish")
	path = path[slices.Index(path, "TellRollback"):]
	if y.followed {
		path = append(path, "AwaitFollowersBack")
	}
	return path
}

// course is what an execution is started with, what is so before it, and the states that it then enters.
type course struct {
	input string
	given []event
	path  []string
}

// beforeEnd is no input of ours: a daily measurement starts that execution, because the provider is about to end the
// secret.
const beforeEnd = "a measurement right before the secret ends"

const (
	noGrace    = `{"client": "orders-web", "gracePeriodSeconds": 0}`
	shortGrace = `{"client": "orders-web", "gracePeriodSeconds": 7200}`
	dryRun     = `{"client": "orders-web", "dryRun": true}`
)

// newCourse chooses how an execution begins at rest.
func newCourse(r *rand.Rand, y way) course {
	atOnce := goldenPath("emergency")
	atOnce = append(goldenPath("dry-run")[:2], atOnce[lastIndex(atOnce, "Plan"):]...)
	onTime := goldenPath("rotated")
	switch {
	case y.canaried:
		onTime = goldenPath("rotated-with-canaries")
	case y.followed:
		atOnce = append(atOnce, "AwaitFollowers")
	}
	switch x := r.IntN(20); {
	case x < 4 && mortal(y):
		return course{repair, []event{{kind: dies, at: moment{before: true}, given: true}}, goldenPath("repaired")}
	case x < 8 && slices.Contains([]string{"entra", "keycloak"}, y.name):
		return course{beforeEnd, nil, onTime}
	case x == 8:
		return course{dryRun, nil, goldenPath("dry-run")}
	case x > 8 && x < 12:
		return course{emergency, nil, atOnce}
	case x > 11 && x < 14:
		return course{noGrace, nil, atOnce}
	case x == 14:
		return course{shortGrace, nil, onTime}
	default:
		return course{plain, nil, onTime}
	}
}

// after is the same course of an execution that first has to put right what one left that was stopped in a state.
func (c course) after(y way, stopped string) course {
	path := []string{"ReadLockOwner", "InspectLockOwner", "TakeOverLock", "AwaitFormerOwner", "Plan"}
	on := goldenPath("rotated")
	if i := slices.Index(on, stopped); i >= 0 && i < slices.Index(on, "PromoteSecret") {
		path = append(path, wayBack(y)...)
	} else if i >= 0 {
		path = append(path, on[slices.Index(on, "GracePeriod"):]...)
	}
	c.path = append(path, c.path...)
	return c
}

// goesBack lets the function of a state fail for good, a test's more often than others, so that the execution rolls
// back from there.
func (c course) goesBack(r *rand.Rand, y way) course {
	failed := slices.DeleteFunc(slices.Clone(ofSteps), func(s string) bool { return !slices.Contains(c.path, s) })
	if len(failed) == 0 {
		return c
	}
	tests := slices.DeleteFunc(slices.Clone(failed), func(s string) bool { return !strings.HasPrefix(s, "Test") })
	if len(tests) > 0 && r.IntN(2) == 0 {
		failed = tests
	}
	state := failed[r.IntN(len(failed))]
	c.given = append(slices.Clone(c.given), event{kind: aStepFails, at: moment{state: state}, given: true})
	c.path = slices.Concat(c.path[:lastIndex(c.path, state)+1], wayBack(y))
	if r.IntN(2) == 0 {
		c.given = append(c.given, newEvent(r, y, c.path, of(arrivals)))
	}
	return c
}

func of(names []string) func(*kind) bool {
	return func(k *kind) bool { return slices.Contains(names, k.name) }
}

// grave are kinds against which a rotation has a guard of its own, and which would come rarely.
var grave = []string{"rotated by hand", "rotated by hand at Keycloak", "a pair rotated by hand",
	"a secret of somebody else", "a configuration that is gone", removedAndRedriven, "AWSCURRENT dies meanwhile",
	lateUntilGivenUp}

// arrivals are kinds that bring a target which the search before did not find.
var arrivals = []string{"a rule comes", "a load balancer comes"}

func lastIndex(list []string, s string) int {
	for i, x := range slices.Backward(list) {
		if x == s {
			return i
		}
	}
	return -1
}

// newLife makes the life of a seed. Every fourth has one disturbance only, which the same execution must survive, every
// fourth some that it must survive together.
func newLife(seed uint64) life {
	r := rand.New(rand.NewPCG(seed, 14)) //nolint:gosec // it must be the same every time
	l := life{seed: seed, way: newWay(r), heals: r.IntN(2) == 0}
	c := newCourse(r, l.way)
	switch seed % 4 {
	case 0:
		l.chapters = []chapter{newChapter(r, l.way, c, 1, (*kind).isFirst)}
		return l
	case 1:
		l.together = true
		l.chapters = []chapter{newChapter(r, l.way, c, 3+r.IntN(3), (*kind).isPassing)}
		return l
	}
	if r.IntN(2) == 0 {
		c = c.goesBack(r, l.way)
	}
	first := newChapter(r, l.way, c, r.IntN(2), (*kind).isFirst)
	if r.IntN(4) > 0 {
		first.add(r, l.way, c, 1, of(grave))
	}
	first.add(r, l.way, c, 1+r.IntN(3), (*kind).isPassing)
	l.chapters = []chapter{first}
	switch r.IntN(4) {
	case 0:
	case 1:
		next := newCourse(r, l.way)
		l.chapters = append(l.chapters, newChapter(r, l.way, next, 1+r.IntN(2), nil))
		l.chapters[1].add(r, l.way, next, 1+r.IntN(3), (*kind).isPassing)
	default:
		stop := newEvent(r, l.way, c.path, of(interruptions))
		l.chapters[0].events, l.chapters[0].goesOn = append(l.chapters[0].events, stop), true
		next := newCourse(r, l.way).after(l.way, stop.at.state)
		if r.IntN(4) == 0 {
			next = next.goesBack(r, l.way)
		}
		l.chapters = append(l.chapters, newChapter(r, l.way, next, 1+r.IntN(3), nil))
	}
	// with the notifier, what is redriven after days has been healed long before
	l.heals = l.heals && !slices.ContainsFunc(l.chapters[0].events, func(e event) bool {
		return e.kind.name == removedAndRedriven
	})
	return l
}

// interruptions are kinds that leave the next execution something to put right.
var interruptions = []string{"a stop", "a stop and a redrive", "a stop while a change is under way",
	"a stop while a secret is made", removedAndRedriven, "an emergency meanwhile"}

// newWay chooses a client: more often one of those of which more can be told.
func newWay(r *rand.Rand) way {
	all := everyWay()
	like := func(of func(way) bool) []way {
		return slices.DeleteFunc(slices.Clone(all), func(y way) bool { return !of(y) })
	}
	switch x := r.IntN(10); {
	case x < 4:
		all = like(func(y way) bool { return slices.Contains([]string{"okta", "entra", "keycloak"}, y.name) })
	case x < 6:
		all = like(func(y way) bool { return y.followed })
	case x < 7:
		all = like(func(y way) bool { return y.canaried })
	}
	return all[r.IntN(len(all))]
}

// newChapter chooses as many disturbances of an execution, of kinds that are allowed; all are if that is nil.
func newChapter(r *rand.Rand, y way, c course, n int, allowed func(*kind) bool) chapter {
	out := chapter{input: c.input, events: slices.Clone(c.given)}
	out.add(r, y, c, n, allowed)
	return out
}

// add chooses further disturbances, in states in which nothing else happens yet.
func (x *chapter) add(r *rand.Rand, y way, c course, n int, allowed func(*kind) bool) {
	for range n {
		path := slices.DeleteFunc(slices.Clone(c.path), func(s string) bool {
			return slices.ContainsFunc(x.events, func(e event) bool { return !e.given && e.at.state == s })
		})
		x.events = append(x.events, newEvent(r, y, path, allowed))
	}
}

// groups are all that may happen, and how often.
var groups = []struct {
	weight int
	kinds  *[]*kind
}{{5, &faults}, {4, &executions}, {7, &hands}, {3, &deployments}, {2, &ofClients}}

// newEvent chooses what happens to an execution that enters the states of a path.
func newEvent(r *rand.Rand, y way, path []string, allowed func(*kind) bool) event {
	var of [][]*kind
	for _, g := range groups {
		fitting := slices.DeleteFunc(slices.Clone(*g.kinds), func(k *kind) bool {
			return k.fits != nil && !k.fits(y) || allowed != nil && !allowed(k) || len(k.on(path)) == 0
		})
		for range g.weight {
			if len(fitting) > 0 {
				of = append(of, fitting)
			}
		}
	}
	fitting := of[r.IntN(len(of))]
	sum := 0
	for _, k := range fitting {
		sum += k.weight
	}
	at := r.IntN(sum)
	i := 0
	for ; at >= fitting[i].weight; i++ {
		at -= fitting[i].weight
	}
	return event{kind: fitting[i], at: newMoment(r, fitting[i], path), n: r.IntN(1 << 20)}
}

// on are the states of a path in which it may happen: waits and what changes something more often than others, and most
// often those in which it can do harm.
func (k *kind) on(path []string) (out []string) {
	for _, s := range path {
		times := 1
		switch {
		case k.states != nil && !slices.Contains(k.states, s), k.atCall && waits(s):
			continue
		case slices.Contains(k.most, s):
			times = 20
		case slices.Contains(changes, s), waits(s):
			times = 3
		}
		for range times {
			out = append(out, s)
		}
	}
	return out
}

// changes are the states that change something of the protocol besides the lock.
var changes = []string{"CreateSecret", "SetTargetSecret", "PromoteSecret", "ReassertTargetSecret", "DisableOldSecret",
	"FinishSecret", "EnableOldSecret", "RestoreTargetSecret", "RestoreLabels", "ReassertTargetOldSecret",
	"RemoveNewSecret", "CreateReplacement", "PromoteReplacement"}

func newMoment(r *rand.Rand, k *kind, path []string) moment {
	if k.before {
		return moment{before: true}
	}
	if slices.Contains(hands, k) && k.states == nil && r.IntN(6) == 0 {
		return moment{stopped: true}
	}
	list := k.on(path)
	m := moment{state: list[r.IntN(len(list))]}
	switch x := r.IntN(4); {
	case m.state == "GracePeriod" && x > 0, strings.HasPrefix(m.state, "AwaitFollowers") && x > 0:
		m.after = time.Duration(r.Int64N(int64(time.Duration(x*x*x) * 20 * time.Minute)))
	case waits(m.state) && x > 0:
		m.after = time.Duration(r.Int64N(int64(spread)))
	case k.asking:
		m.asking = true
	case k.reading && slices.Contains(k.most, m.state) && x > 0:
		m.reading = x
	case waits(m.state), k.states != nil:
	case x == 1:
		m.changing = true
	case x > 1 && slices.Contains(changes, m.state):
		m.call = 1 + r.IntN(6*x)
	case x > 1:
		m.call = x
	}
	return m
}

// comes tells whether it is now, at a call.
func (m moment) comes(calls int, c seen) bool {
	changes := slices.Contains(changing, c.service+":"+c.operation)
	switch {
	case m.state != "" || m.call == 0 || calls < m.call:
		return false
	case m.asking:
		return c.asks()
	case m.reading > 0:
		return c.reading == m.reading
	default:
		return changes || !m.changing
	}
}
