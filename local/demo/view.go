package demo

import (
	"encoding/json"
	"io"
	"slices"
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
	web     string // URL of the console; "" for none

	mu      sync.Mutex
	began   time.Time
	state   string
	drawn   int // lines of the status on the screen
	targets int // targets that have the new secret
	said    int // troubles printed
	failed  int // what users noticed and the machine's speed does not explain
	late    int // answers that came too late for users, since the warm-up
	tooLate int // steps of the rotation for which an answer came too late
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
	if v.web != "" {
		v.print("  rotator's console   %s", v.web)
	}
	v.print("  pages, at the nodes of their load balancers:")
	for _, p := range w.Site.Pages {
		v.print("  %-40s at %s", p.URL, strings.Join(p.Nodes, ", "))
	}
	v.print("Waits are shortened by configuration:")
	v.print("  grace period %s, spread %s, settling time %s", grace, spread, settle)
	if n := len(w.follows); n > 0 {
		v.print("A controller owns %d of these rules: it reads AWSCURRENT every %s, and writes it %s later", n,
			followsEvery, followsLag)
		v.print("  (followers: maxDelaySeconds %d)", w.Config.Followers.MaxDelaySeconds)
	}
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

// tooLate are the errors of a step that got no answer in time. None of the demo's own faults causes one.
var tooLate = []string{"Unavailable", "Sandbox.Timedout", "States.Timeout"}

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
			if slices.Contains(tooLate, *d.Error) {
				v.mu.Lock()
				v.tooLate++
				v.mu.Unlock()
			}
			v.step("", "FAILED: %s: %s", *d.Error, causeOf(d.Cause))
		}
	}
	if e.TaskSucceeded == nil {
		return
	}
	var result struct{ Payload rotation.UpdateOutput }
	if json.Unmarshal([]byte(e.TaskSucceeded.Output), &result) != nil {
		return // other functions' targets are objects of another kind
	}
	for _, u := range result.Payload.Targets {
		if u.Result == "" {
			continue // a plan's
		}
		v.mu.Lock()
		if v.state == "SetSecret" {
			v.targets++
		}
		v.mu.Unlock()
		v.step("", "%s %s", u.Target, u.Result)
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

// failures counts what users noticed: logins that failed and sessions that ended, and apart from them what came too
// late, which says nothing of a secret.
func (v *view) failures() (failed, late int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.countFailures()
}

// countFailures is failures with v.mu held.
func (v *view) countFailures() (failed, late int) {
	open, _ := v.traffic.FailedOpen()
	return v.failed + open, v.late
}

// isSlow reports whether the machine showed that it is slow: then what the rotation did not reach proves nothing.
func (v *view) isSlow() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.late > 0 || v.tooLate > 0 || v.world.lateRefreshes.Load() > 0
}

// noteFailure counts a failure of people's logins, and prints the first few.
func (v *view) noteFailure(f traffic.Failure) {
	// the load balancers have told of the refresh before
	late := f.Late || f.What == "session" && v.world.refusedRefreshes.Load() == 0 && v.world.lateRefreshes.Load() > 0
	v.mu.Lock()
	says := "A USER'S " + strings.ToUpper(f.What) + " FAILED"
	if late {
		v.late++
		says = "too slow here: a user's " + f.What
	} else {
		v.failed++
	}
	v.said++
	n := v.said
	v.mu.Unlock()
	if n <= 5 {
		v.step("", "%s: %v", says, f.Err)
	}
}
