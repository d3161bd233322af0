package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
)

// summary prints the end and returns how it ended.
func (v *view) summary(ctx context.Context, f *failing, execution string, result *sfn.DescribeExecutionOutput,
	before picture) int {
	w := v.world
	after := w.takePicture()
	transitions, _ := w.Stack.StepFunctions.Transitions(execution)
	v.print("")
	c := &checks{view: v, status: Well}
	c.checkLogins()
	c.checkFollowed()
	c.checkRefreshes()
	if f == nil {
		c.checkRotated(ctx, result)
	} else {
		c.checkAsBefore(f.end(), result, before, after)
	}
	v.print("  labels: %s", after.labels)
	v.print("  identity provider: %s", after.secrets)
	v.print("  %d state transitions in %.0f s", transitions, time.Since(v.began).Seconds())
	v.print("  (AWS bills about $0.025 per 1,000 transitions)")
	v.print("  the functions' logs: %s", w.logs.Name())
	switch c.status {
	case Wrong:
		v.print("SOMETHING IS NOT AS IT SHOULD BE; see the lines marked NO, then the functions' logs. `make local`")
		v.print("keeps such a stack running, to look at it. A demo of a release that ends so is a bug: report it with")
		v.print("this output.")
	case TooSlow:
		v.print("THIS MACHINE WAS TOO SLOW to tell; see the lines marked ??. No secret was refused. End what else")
		v.print("runs, and try again.")
	default:
		v.print("Look next: `make local` keeps this stack running for the AWS CLI;")
		v.print("the state machine is statemachine/rotation.asl.json.")
	}
	return c.status
}

// interrupted says how far it came.
func (v *view) interrupted() {
	v.mu.Lock()
	defer v.mu.Unlock()
	state := v.state
	if state == "" {
		state = "the warm-up"
	}
	v.print("Ended after %.1f s, in %s, with nothing kept.", time.Since(v.began).Seconds(), state)
	v.print("%s", v.describePeople())
}

// checks prints one line for each thing that must be true.
type checks struct {
	view   *view
	status int
}

func (c *checks) check(ok bool, format string, args ...any) {
	mark := " ok "
	if !ok {
		mark, c.status = " NO ", Wrong
	}
	c.view.print("%s %s", mark, fmt.Sprintf(format, args...))
}

// printUnsure prints what a machine that is too slow leaves open.
func (c *checks) printUnsure(format string, args ...any) {
	if c.status == Well {
		c.status = TooSlow
	}
	c.view.print(" ??  %s", fmt.Sprintf(format, args...))
}

// checkReached checks what a rotation does not reach where answers come too late.
func (c *checks) checkReached(ok bool, format string, args ...any) {
	if !ok && c.view.isSlow() {
		c.printUnsure(format, args...)
		return
	}
	c.check(ok, format, args...)
}

// checkEnded says how the execution ended, and why if that is not as it should be. It returns ok.
func (c *checks) checkEnded(ok bool, result *sfn.DescribeExecutionOutput) bool {
	how := strings.ToLower(string(result.Status))
	if result.Error != nil {
		how += " with " + *result.Error
	}
	c.checkReached(ok, "the execution %s", how)
	if !ok && result.Cause != nil {
		c.view.print("     %s", wrap(*result.Cause, 5, c.view.width()))
	}
	return ok
}

func (c *checks) checkRotated(ctx context.Context, result *sfn.DescribeExecutionOutput) {
	if !c.checkEnded(result.Status == types.ExecutionStatusSucceeded, result) {
		return
	}
	var out struct {
		From, To rotation.Ref
		Targets  int
		Notice   string
	}
	if err := json.Unmarshal([]byte(aws.ToString(result.Output)), &out); err != nil {
		c.check(false, "the execution's output says what was rotated: %v", err)
		return
	}
	w := c.view.world
	targets := len(w.Site.Pages) - len(w.follows)
	c.check(c.view.targets == targets && out.Targets == targets, "%d of %d targets switched", c.view.targets, targets)
	if len(w.follows) > 0 {
		c.checkApplied(out.To.VersionID)
	}
	old, err := w.accepts(ctx, out.From.VersionID)
	if w.byHand() {
		c.check(err == nil && old == probe.Accepted, "the old secret %s is left for a person to remove",
			out.From.IdPSecretID)
	} else {
		c.check(err == nil && old == probe.Rejected, "the old secret %s is refused by the identity provider",
			out.From.IdPSecretID)
	}
	now, err := w.accepts(ctx, out.To.VersionID)
	c.check(err == nil && now == probe.Accepted, "the new secret %s is accepted", out.To.IdPSecretID)
	if !w.byHand() {
		c.checkHolds(out.To)
	}
	if out.Notice != "" {
		c.view.print("     people are told: %s", wrap(out.Notice, 22, c.view.width()))
	}
}

// checkRefreshes judges the refreshes. With a pair of registrations, a session's refresh token belongs to the one that
// it began with.
func (c *checks) checkRefreshes() {
	w, t := c.view.world, c.view.traffic
	done := w.refreshes.Load()
	c.check(w.refusedRefreshes.Load() == 0, "%d session refreshes, %d failed", done, w.refusedRefreshes.Load())
	if n := w.lateRefreshes.Load(); n > 0 {
		c.printUnsure("%d more got no answer in time", n)
	}
	if w.Config.IsPair() {
		c.view.print("     the targets moved to the other registration, so %d sessions logged in anew",
			t.LoggedInAnew.Load())
	}
}

// checkLogins judges the logins. With a pair, those that were open at the switch fail, which is said, and is no fault.
func (c *checks) checkLogins() {
	v := c.view
	open, window := v.traffic.FailedOpen()
	failed, late := v.failures()
	done := v.traffic.Logins.Load()
	c.check(failed == open, "%d logins, %d failed", done, failed)
	if late > 0 {
		c.printUnsure("%d more logins or pages got no answer in time", late)
	}
	if done < wanted || v.world.refreshes.Load() < wanted {
		c.printUnsure("the demo waits for %d logins and %d session refreshes, but not for ever", wanted, wanted)
	}
	if open > 0 {
		v.print("     %d of them were open while their load balancer moved to the other", open)
		v.print("     registration: HTTP 401 at the callback, within %.1f s; opened again, each worked",
			window.Seconds())
	}
}

// checkHolds checks that the identity provider accepts no stored secret but the new one.
func (c *checks) checkHolds(to rotation.Ref) {
	w := c.view.world
	_, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		c.check(false, "the secret can be read: %v", err)
		return
	}
	accepted, held := map[string]bool{}, 0
	for _, clientID := range w.Config.ClientIDs() {
		held += len(w.Stack.IdP.Store().Secrets(clientID))
		for version, value := range values {
			if w.Stack.IdP.Store().Accepts(clientID, value, w.Stack.Clock.Now()) {
				accepted[version] = true
			}
		}
	}
	ok := len(accepted) == 1 && accepted[to.VersionID] && held == len(w.Config.ClientIDs())
	if w.Config.IsPair() {
		c.check(ok, "beside it the identity provider holds one that nobody knows, for the idle registration")
		return
	}
	c.check(ok, "the identity provider holds exactly that one")
}

// checkAsBefore checks that the rotation failed as it should, and nothing of it is left.
func (c *checks) checkAsBefore(end string, result *sfn.DescribeExecutionOutput, before, after picture) {
	if !c.checkEnded(aws.ToString(result.Error) == end, result) {
		return
	}
	if c.view.world.byHand() { // the version that the person stored is there for the record, without a label
		before.labels, _, _ = strings.Cut(before.labels, ", AWSPENDING")
	}
	c.check(after.labels == before.labels, "the labels are as before")
	c.check(after.secrets == before.secrets, "the identity provider's secrets are as before")
	c.check(after.inUse == before.inUse, "every load balancer node uses the secret it used before")
	v := c.view
	for _, m := range v.world.Stack.SNS.Messages(v.world.TopicARN) {
		users, _, _ := strings.Cut(m.Message, "\n\n")
		v.print("     people are told: %s", wrap(m.Subject, 22, v.width()))
		v.print("                      %s", wrap(users, 22, v.width()))
	}
}
