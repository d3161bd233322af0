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

// sentences say what a state does. A state without one is plumbing and is not shown.
var sentences = map[string]string{
	"LoadClient":           "reads the client's configuration",
	"ReloadClient":         "reads the newest configuration",
	"Measure":              "measures how the client is; changes nothing",
	"AcquireLock":          "takes the client's lock: one rotation at a time",
	"Plan":                 "looks at everything and decides what to do; changes nothing",
	"TestBeforeChange":     "runs the smoke tests with the secret in use, while nothing has changed",
	"CreateSecret":         "makes a second secret at the identity provider, kept as AWSPENDING",
	"VerifyNewSecret":      "asks the identity provider whether it accepts the new secret",
	"SetSecret":            "puts the new secret on every target",
	"AwaitSpread":          "waits until every load balancer node serves it",
	"PromoteSecret":        "makes the new version AWSCURRENT",
	"TestSecret":           "logs a synthetic user in at every load balancer node",
	"GracePeriod":          "keeps both secrets valid",
	"RediscoverTargets":    "looks for targets that came or went meanwhile",
	"VerifyBeforeReassert": "asks whether the new secret is AWSCURRENT still, and accepted",
	"ReassertSecret":       "puts the new secret on every target again, if it was replaced",
	"AwaitReassertSpread":  "waits until every load balancer node serves it",
	"TestBeforeFinish":     "tests again, and looks at the load balancers' error metric",
	"DisableOldSecret":     "disables the old secret, which can still be undone",
	"TestAfterDisable":     "tests that logins work and that the old secret is refused",
	"FinishSecret":         "deletes the old secret: the point of no return",
	"ReleaseLock":          "gives the lock back",
	"Notify":               "tells people",
	"TellRollback":         "tells people that it rolls back",
	"Quiesce":              "ROLLING BACK: waits until no earlier call can take effect any more",
	"EnableOldSecret":      "makes sure that the old secret is enabled",
	"RestoreTargets":       "puts the old secret back on every target",
	"RestoreLabels":        "puts the labels back",
	"RediscoverToRestore":  "looks for targets that came with the new secret",
	"ReassertOldSecret":    "puts the old secret on every target that there is now",
	"AwaitRestoreSpread":   "waits until every load balancer node serves it",
	"RemoveNewSecret":      "removes the new secret from the identity provider",
	"VerifyOldSecret":      "asks the identity provider whether it accepts the old secret",
	"TestAfterRollback":    "logs the synthetic user in again, to tell people",
	"Rotated":              "done",
	"RolledBack":           "done: everything is as it was before",
	"Refused":              "refused: no new secret was made",
	"Superseded":           "ended: somebody else changed AWSCURRENT",
	"NotStarted":           "could not begin",
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

// tooLate are the errors of a step that got no answer in time. None of the demo's own faults causes one.
var tooLate = []string{"Unavailable", "Sandbox.Timedout", "States.Timeout"}

// event prints a line for a state that is entered, and for each target that is switched.
func (v *view) event(e stepfunctions.Event) {
	if e.StateEntered != nil && sentences[e.StateEntered.Name] != "" {
		v.mu.Lock()
		v.state = e.StateEntered.Name
		v.mu.Unlock()
		v.step(e.StateEntered.Name, "%s", sentences[e.StateEntered.Name])
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

// slow reports whether the machine showed that it is slow: then what the rotation did not reach proves nothing.
func (v *view) slow() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.late > 0 || v.tooLate > 0 || v.world.lateRefreshes.Load() > 0
}

// trouble counts a failure of people's logins, and prints the first few.
func (v *view) trouble(f traffic.Failure) {
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
