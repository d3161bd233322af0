package demo

import (
	"encoding/json"
	"io"
	"strings"
	"sync"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/local/traffic"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/statemachine"
)

// view prints what happens: a line for each state, with the facts that changed below it or, on a terminal, with a
// status at the end that is redrawn.
type view struct {
	world   *world
	traffic *traffic.Traffic
	out     io.Writer
	live    bool

	mu      sync.Mutex
	began   time.Time
	state   string
	drawn   int // lines of the status on the screen
	targets int // targets that have the new secret
	said    int // troubles printed
	// What was printed last.
	last       picture
	lastPeople string
}

func newView(w *world, o Options) *view {
	return &view{world: w, out: o.Out, live: o.Live, began: time.Now()}
}

func (v *view) introduce(fail string) {
	w := v.world
	v.print("The local stack runs in this process, on loopback:")
	v.print("  AWS endpoint        %s", w.Stack.URL)
	v.print("  identity provider   %s", w.Stack.IdP.Issuer())
	v.print("                      (OpenID, and the management API of %s)", v.world.Stack.Vendor)
	v.print("  pages, at the nodes of their load balancers:")
	for _, p := range w.Site.Pages {
		v.print("  %-40s at %s", p.URL, strings.Join(p.Nodes, ", "))
	}
	v.print("Waits are shortened by configuration:")
	v.print("  grace period %s, spread %s, settling time %s", grace, spread, settle)
	if fail != "" {
		f, _ := findFault(fail)
		v.print("State %s will fail for good:", f.state)
		v.print("  %s", f.says)
	}
	if w.byHand() {
		v.print("A person has made a second secret at the identity provider, and stored it:")
		v.print("  aws secretsmanager put-secret-value --version-stages AWSPENDING …")
	}
	v.print("People log in and keep their sessions from now until the end.")
	v.print("")
}

// event prints a line for a state that is entered, and for each target that is switched.
func (v *view) event(e stepfunctions.Event) {
	if e.StateEntered != nil && statemachine.Sentence(e.StateEntered.Name) != "" {
		v.mu.Lock()
		v.state = e.StateEntered.Name
		v.mu.Unlock()
		v.step(e.StateEntered.Name, "%s", statemachine.Sentence(e.StateEntered.Name))
	}
	for _, d := range []*asl.TaskDetails{e.TaskFailed, e.TaskTimedOut} {
		if d != nil && d.Error != nil {
			v.step("", "FAILED: %s: %s", *d.Error, causeOf(d.Cause))
		}
	}
	if e.TaskSucceeded == nil {
		return
	}
	var result struct{ Payload rotation.UpdateOutput }
	if json.Unmarshal([]byte(e.TaskSucceeded.Output), &result) == nil && result.Payload.Target != "" {
		v.mu.Lock()
		if v.state == "SetSecret" {
			v.targets++
		}
		v.mu.Unlock()
		v.step("", "%s %s", result.Payload.Target, result.Payload.Result)
	}
}

// causeOf is the text inside a function's error, or the cause as it is.
func causeOf(cause *string) string {
	if cause == nil {
		return ""
	}
	var payload struct{ ErrorMessage string }
	if json.Unmarshal([]byte(*cause), &payload) == nil && payload.ErrorMessage != "" {
		return payload.ErrorMessage
	}
	return *cause
}

// failedLogins counts what users noticed: logins that failed, and sessions that ended.
func (v *view) failedLogins() int64 {
	open, _ := v.traffic.FailedOpen()
	return v.traffic.FailedLogins.Load() + v.traffic.FailedVisits.Load() + int64(open)
}

// trouble prints the first few failures of people's logins.
func (v *view) trouble(what string, err error) {
	v.mu.Lock()
	v.said++
	n := v.said
	v.mu.Unlock()
	if n <= 5 {
		v.step("", "A USER'S %s FAILED: %v", strings.ToUpper(what), err)
	}
}
