package guarantees_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/shared/config"
)

// life is a random history of one client: executions, and what happens while they run. Everything in it follows from
// the seed.
type life struct {
	seed     uint64
	way      way
	chapters []chapter
	// heals: the notifier is deployed, which starts an execution where one was stopped or superseded.
	heals bool
	// together: everything that happens must be survived by the same execution.
	together bool
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
	// given: the execution is for this, or to go back after it.
	given bool
}

// moment is when something happens: before the execution; while it is stopped; so long after it begins to wait in a
// state; right before the n-th call since it entered a state that calls something, the first if call is 0; or so long
// after its start. changing is the first call since then that changes something, asking the first that changes
// something at the identity provider. reading is the n-th read of the rule with weights since it entered the state.
type moment struct {
	before, stopped  bool
	state            string
	call             int
	changing, asking bool
	reading          int
	after            time.Duration
}

// kind is a kind of event.
type kind struct {
	name   string
	weight int
	// before: it belongs before an execution. atCall: it happens to a call.
	before, atCall bool
	// later: an earlier execution must have been left unfinished.
	later bool
	// states are where it may happen; nil is everywhere. most are those in which it can do harm, and mostly comes.
	states, most []string
	// asking: it happens to the request for a new secret. reading: it mostly comes when the rule with weights is read.
	asking, reading bool
	fits            func(way) bool
	// harmless: it is no disturbance.
	harmless bool
	// ends is how the execution may end, besides with success, if nothing else happens to it; any is in whatever way.
	ends []string
	any  bool
	// do lets it happen and says so; "" if it cannot happen at this moment.
	do func(r *telling, n int, c seen) string
}

// isPassing: what an execution survives that nothing else happens to.
func (k *kind) isPassing() bool { return !k.any && k.ends == nil && !k.later }

// isFirst: what may happen where nothing is left over.
func (k *kind) isFirst() bool { return !k.later }

// seen is a call that is about to be carried out. reading is which read of the rule with weights it is; 0 is none.
type seen struct {
	service, operation string
	reading            int
}

// asks reports whether it is about to change something at the identity provider.
func (c seen) asks() bool {
	return slices.Contains([]string{"idp", "cognito-idp"}, c.service) &&
		slices.Contains(changing, c.service+":"+c.operation)
}

// everyWay is each identity provider in each of its models, and clients of every kind.
func everyWay() []way {
	all := append(slices.SortedFunc(slices.Values(ways()), func(a, b way) int {
		return slices.Compare([]byte(a.name), []byte(b.name))
	}), okta, way{name: "keycloak as a pair", vendor: "keycloak", configure: paired},
		way{name: "by hand", vendor: "manual", configure: quick},
		way{name: "two accounts", vendor: "okta", configure: quick, away: true},
		way{name: "with a login test", vendor: "okta", configure: loggingIn})
	for _, vendor := range []string{"okta", "auth0", "keycloak"} {
		all = append(all, way{name: vendor + " with canaries", vendor: vendor, configure: canaried, canaried: true})
	}
	for _, vendor := range []string{"okta", "entra", "keycloak", "hydra"} {
		all = append(all, way{name: vendor + " with followers", vendor: vendor, configure: followed, followed: true})
	}
	return append(all, way{name: "auth0 with followers of the pair", vendor: "auth0", configure: quick, followed: true})
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
	case m.stopped:
		return "while it is stopped"
	case m.state != "" && m.after > 0:
		return fmt.Sprintf("in %s, after %s", m.state, m.after)
	case m.asking:
		return fmt.Sprintf("in %s, when the provider is asked", m.state)
	case m.reading > 0:
		return fmt.Sprintf("in %s, at read %d of the rule", m.state, m.reading)
	case m.state != "" && m.call > 1 || m.changing:
		return fmt.Sprintf("in %s, at call %d (the next change: %t)", m.state, m.call, m.changing)
	case m.state != "":
		return "in " + m.state
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
