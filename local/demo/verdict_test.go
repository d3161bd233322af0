package demo

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/dataplane"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/local/traffic"
)

// The demo claims that no login is refused. What a slow machine answers too late proves nothing for or against it.
func TestOnlyWhatWasRefusedIsHeldAgainstTheRotation(t *testing.T) {
	t.Parallel()
	refused := traffic.Failure{What: "login", Err: errors.New("HTTP 561")}
	late := traffic.Failure{What: "login", Late: true, Err: errors.New("no answer")}
	ended := traffic.Failure{What: "session", Err: errors.New("the session ended")}
	for name, c := range map[string]struct {
		failures  []traffic.Failure
		refreshes []dataplane.Reason // of refreshes that failed
		task      string             // error of a step of the rotation
		execution types.ExecutionStatus
		few       bool // of the logins that are waited for
		want      int
		says      string
	}{
		"nothing": {want: Well, says: " ok  1000 logins, 0 failed\n"},
		"a login that was refused": {failures: []traffic.Failure{refused}, want: Wrong,
			says: "A USER'S LOGIN FAILED"},
		"a login that got no answer": {failures: []traffic.Failure{late}, want: TooSlow,
			says: "too slow here: a user's login"},
		"both": {failures: []traffic.Failure{late, refused}, want: Wrong, says: " NO  1000 logins, 1 failed\n"},
		"a refresh that was refused": {refreshes: []dataplane.Reason{dataplane.TokenRequestFailed}, want: Wrong,
			says: " NO  1000 session refreshes, 1 failed\n"},
		"a refresh token that was refused": {refreshes: []dataplane.Reason{dataplane.InvalidGrant}, want: Wrong,
			says: " NO  1000 session refreshes, 1 failed\n"},
		"a refresh that got no answer": {refreshes: []dataplane.Reason{dataplane.TokenRequestTimeout}, want: TooSlow,
			says: " ??  1 more got no answer"},
		"a session that ended without one": {failures: []traffic.Failure{ended}, want: Wrong,
			says: "A USER'S SESSION FAILED"},
		"a session that ended after a late refresh": {failures: []traffic.Failure{ended},
			refreshes: []dataplane.Reason{dataplane.UserinfoRequestTimeout}, want: TooSlow,
			says: "too slow here: a user's session"},
		"a session that ended after a refusal, too": {failures: []traffic.Failure{ended},
			refreshes: []dataplane.Reason{dataplane.UserinfoRequestTimeout, dataplane.TokenRequestFailed},
			want:      Wrong, says: "A USER'S SESSION FAILED"},
		"a rotation that failed": {execution: types.ExecutionStatusFailed, want: Wrong,
			says: " NO  the execution failed\n"},
		"one whose step got no answer": {execution: types.ExecutionStatusFailed, task: "Sandbox.Timedout",
			want: TooSlow, says: " ??  the execution failed\n"},
		"one whose step was refused": {execution: types.ExecutionStatusFailed, task: "AccessDenied", want: Wrong,
			says: " NO "},
		"a step that got one in the end":  {task: "Unavailable", want: Well, says: " ok  the execution succeeded"},
		"too few logins to say something": {few: true, want: TooSlow, says: " ??  the demo waits for 1000 logins"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			w := &world{Deployment: &scenario.Deployment{}}
			v := &view{world: w, out: &out, traffic: &traffic.Traffic{}}
			for _, reason := range c.refreshes {
				w.count(dataplane.Event{Kind: dataplane.Refresh, Reason: string(reason)})
			}
			for _, f := range c.failures {
				v.noteFailure(f)
			}
			if c.task != "" {
				v.event(stepfunctions.Event{TaskFailed: &asl.TaskDetails{Error: &c.task}})
			}
			if !c.few {
				v.traffic.Logins.Store(wanted)
			}
			w.refreshes.Store(wanted)
			checks := &checks{view: v}
			checks.checkLogins()
			checks.checkRefreshes()
			status := c.execution
			if status == "" {
				status = types.ExecutionStatusSucceeded
			}
			checks.checkEnded(status == types.ExecutionStatusSucceeded, &sfn.DescribeExecutionOutput{Status: status,
				Cause: aws.String("why")})
			if checks.status != c.want || !strings.Contains(out.String(), c.says) {
				t.Errorf("ends with %d, want %d:\n%s", checks.status, c.want, out.String())
			}
		})
	}
}

// TestARefreshAfterAMoveIsNoFault: a pair's refresh token belongs to the registration that the session began with.
func TestARefreshAfterAMoveIsNoFault(t *testing.T) {
	t.Parallel()
	w := &world{Deployment: &scenario.Deployment{}}
	w.Config.IdentityProvider.ClientPair = "the-other"
	if !w.Config.IsPair() {
		t.Fatal("not a pair")
	}
	for _, reason := range []dataplane.Reason{dataplane.InvalidGrant, dataplane.TokenRequestFailed} {
		w.count(dataplane.Event{Kind: dataplane.Refresh, Reason: string(reason)})
	}
	if n := w.refusedRefreshes.Load(); n != 1 {
		t.Errorf("%d are refused, want the one whose secret was", n)
	}
}
