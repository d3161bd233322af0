package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"alboidc.internal/local/orders"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/local/traffic"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
)

// view prints what happens: a line for each step, and, on a terminal, a status below that is redrawn.
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
	last    picture
}

func newView(w *world, o Options) *view {
	return &view{world: w, out: o.Out, live: o.Live, began: time.Now()}
}

// sentences say what a state does. A state without one is plumbing and is not shown.
var sentences = map[string]string{
	"LoadClient":          "reads the client's configuration",
	"AcquireLock":         "takes the client's lock: one rotation at a time",
	"Plan":                "looks at labels, journal, identity provider and load balancers, changes nothing",
	"CreateSecret":        "makes a second secret at the identity provider and stores it as AWSPENDING",
	"VerifyNewSecret":     "asks the identity provider three times whether it accepts the new secret",
	"SetSecret":           "puts the new secret on every target",
	"AwaitSpread":         "waits until every load balancer node serves it",
	"PromoteSecret":       "makes the new version AWSCURRENT",
	"TestSecret":          "logs a synthetic user in at every load balancer node",
	"GracePeriod":         "keeps both secrets valid",
	"RediscoverTargets":   "looks for targets that came or went meanwhile",
	"ReassertSecret":      "puts the new secret on every target again, in case anything put the old one back",
	"AwaitReassertSpread": "waits until every load balancer node serves it",
	"TestBeforeFinish":    "tests again, and looks at the load balancers' error metric",
	"DisableOldSecret":    "disables the old secret, which can still be undone",
	"TestAfterDisable":    "tests that logins work and that the old secret is refused",
	"FinishSecret":        "deletes the old secret: the point of no return",
	"ReleaseLock":         "gives the lock back",
	"Notify":              "tells people",
	"Quiesce":             "ROLLING BACK: waits until no earlier call can take effect any more",
	"EnableOldSecret":     "makes sure that the old secret is enabled",
	"RestoreTargets":      "puts the old secret back on every target",
	"AwaitRestoreSpread":  "waits until every load balancer node serves it",
	"RestoreLabels":       "puts the labels back",
	"RemoveNewSecret":     "removes the new secret from the identity provider",
	"VerifyOldSecret":     "asks the identity provider whether it accepts the old secret",
	"Rotated":             "done",
	"RolledBack":          "done: everything is as it was before",
	"Refused":             "the plan refused",
	"NotStarted":          "could not begin",
}

func (v *view) introduce(fail string) {
	w := v.world
	v.print("The local stack runs in this process, on loopback:")
	v.print("  AWS endpoint        %s", w.Stack.URL)
	v.print("  identity provider   %s (an OpenID provider with Okta's management API)", w.Stack.IdP.Issuer())
	for _, p := range w.Site.Pages {
		v.print("  %-40s at load balancer nodes %s", p.URL, strings.Join(p.Nodes, ", "))
	}
	v.print("Waits are shortened by configuration: grace period %s, spread %s, settling time %s.", grace, spread, settle)
	if fail != "" {
		f, _ := findFault(fail)
		v.print("State %s will fail for good: %s.", f.state, f.says)
	}
	v.print("People log in and keep their sessions from now until the end.")
	v.print("")
}

// event prints a line for a state that is entered, and for each target that is switched.
func (v *view) event(e stepfunctions.Event) {
	if e.StateEntered != nil && sentences[e.StateEntered.Name] != "" {
		v.mu.Lock()
		v.state = e.StateEntered.Name
		v.mu.Unlock()
		v.step("%-20s %s", e.StateEntered.Name, sentences[e.StateEntered.Name])
	}
	if e.TaskFailed != nil && e.TaskFailed.Error != nil {
		v.step("%-20s %s: %s", "  failed", *e.TaskFailed.Error, causeOf(e.TaskFailed.Cause))
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
		v.step("%-20s %s %s", "", result.Payload.Target, result.Payload.Result)
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

// step prints a line with the time, and, where lines stay, with what people would notice.
func (v *view) step(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	elapsed := time.Since(v.began).Seconds()
	if v.live {
		v.erase()
		_, _ = fmt.Fprintf(v.out, "%6.1fs  %s\n", elapsed, text)
		v.status()
		return
	}
	_, _ = fmt.Fprintf(v.out, "%6.1fs  logins %d/%d failed  refreshes %d/%d failed  %s\n", elapsed, v.traffic.Logins.Load(), v.failedLogins(),
		v.world.refreshes.Load(), v.world.failedRefreshes.Load(), text)
	if p := v.world.picture(); v.changed(p) {
		_, _ = fmt.Fprintf(v.out, "         labels: %s | identity provider: %s | nodes use: %s\n", p.labels, p.secrets, p.inUse)
	}
}

// changed reports whether a picture differs from the last one that was printed.
func (v *view) changed(p picture) bool {
	if p == v.last {
		return false
	}
	v.last = p
	return true
}

// failedLogins counts what users noticed: logins that failed, and sessions that ended.
func (v *view) failedLogins() int64 {
	return v.traffic.FailedLogins.Load() + v.traffic.FailedVisits.Load()
}

// trouble prints the first few failures of people's logins.
func (v *view) trouble(what string, err error) {
	v.mu.Lock()
	v.said++
	n := v.said
	v.mu.Unlock()
	if n <= 5 {
		v.step("%-20s a user's %s failed: %v", "!", what, err)
	}
}

// draw keeps the status on a terminal up to date until the function it returns is called.
func (v *view) draw() (stop func()) {
	if !v.live {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				v.mu.Lock()
				v.erase()
				v.status()
				v.mu.Unlock()
			case <-done:
				v.mu.Lock()
				v.erase()
				v.mu.Unlock()
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// erase removes the status from the terminal. v.mu is held.
func (v *view) erase() {
	if v.drawn > 0 {
		_, _ = fmt.Fprintf(v.out, "\x1b[%dA\x1b[J", v.drawn)
		v.drawn = 0
	}
}

// status draws what is true now. v.mu is held.
func (v *view) status() {
	p := v.world.picture()
	lines := []string{"",
		fmt.Sprintf("  %5.1fs   %s", time.Since(v.began).Seconds(), v.state),
		fmt.Sprintf("  logins            %5d ok  %d failed", v.traffic.Logins.Load(), v.failedLogins()),
		fmt.Sprintf("  session refreshes %5d ok  %d failed", v.world.refreshes.Load(), v.world.failedRefreshes.Load()),
		"  labels            " + p.labels, "  identity provider " + p.secrets, "  nodes use version " + p.inUse}
	for _, l := range lines {
		_, _ = fmt.Fprintln(v.out, l)
	}
	v.drawn = len(lines)
}

func (v *view) print(format string, args ...any) { _, _ = fmt.Fprintf(v.out, format+"\n", args...) }

// summary prints the end and reports whether all is as it should be.
func (v *view) summary(ctx context.Context, f *failing, execution string, result *sfn.DescribeExecutionOutput, before picture) bool {
	w := v.world
	after := w.picture()
	transitions, _ := w.Stack.StepFunctions.Transitions(execution)
	v.print("")
	c := &checks{view: v}
	c.check(v.failedLogins() == 0, "%d logins, %d failed", v.traffic.Logins.Load(), v.failedLogins())
	c.check(w.failedRefreshes.Load() == 0, "%d session refreshes, %d failed", w.refreshes.Load(), w.failedRefreshes.Load())
	if f == nil {
		c.rotated(ctx, result)
	} else {
		c.rolledBack(result, before, after)
	}
	v.print("  labels: %s", after.labels)
	v.print("  identity provider: %s", after.secrets)
	v.print("  %d state transitions (AWS bills 4,000 a month free, then $0.025 per 1,000), %.0f s", transitions, time.Since(v.began).Seconds())
	v.print("Look next: `make local` keeps this stack running for the AWS CLI; the state machine is statemachine/rotation.asl.json;")
	v.print("the functions' logs are in %s.", w.logs.Name())
	if c.failed {
		v.print("SOMETHING IS NOT AS IT SHOULD BE; see the lines marked NO.")
	}
	return !c.failed
}

// checks prints one line for each thing that must be true.
type checks struct {
	view   *view
	failed bool
}

func (c *checks) check(ok bool, format string, args ...any) {
	mark := " ok "
	if !ok {
		mark, c.failed = " NO ", true
	}
	c.view.print("%s %s", mark, fmt.Sprintf(format, args...))
}

func (c *checks) rotated(ctx context.Context, result *sfn.DescribeExecutionOutput) {
	c.check(result.Status == types.ExecutionStatusSucceeded, "the execution %s", strings.ToLower(string(result.Status)))
	var out struct {
		From, To rotation.Ref
		Targets  int
	}
	if result.Output == nil || json.Unmarshal([]byte(*result.Output), &out) != nil {
		return
	}
	w := c.view.world
	c.check(c.view.targets == len(w.Site.Pages) && out.Targets == len(w.Site.Pages), "%d of %d targets switched", c.view.targets, len(w.Site.Pages))
	old, err := w.accepts(ctx, out.From.VersionID)
	c.check(err == nil && old == probe.Rejected, "the old secret %s is refused by the identity provider", out.From.IdPSecretID)
	now, err := w.accepts(ctx, out.To.VersionID)
	c.check(err == nil && now == probe.Accepted, "the new secret %s is accepted", out.To.IdPSecretID)
	live := w.Stack.IdP.Store().Secrets(orders.ClientID)
	c.check(len(live) == 1 && live[0].ID == out.To.IdPSecretID, "the identity provider holds exactly that one")
}

func (c *checks) rolledBack(result *sfn.DescribeExecutionOutput, before, after picture) {
	name := ""
	if result.Error != nil {
		name = *result.Error
	}
	c.check(name == "RolledBack", "the execution ended as %s", name)
	c.check(after.labels == before.labels, "the labels are as before")
	c.check(after.secrets == before.secrets, "the identity provider's secrets are as before")
	c.check(after.inUse == before.inUse, "every load balancer node uses the secret it used before")
}
