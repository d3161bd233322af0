package words

import (
	"strings"
	"testing"
	"time"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/journal"
)

func TestCondition(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	good := config.Client{Issuer: "https://idp.example.com"}
	running := system.Execution{Status: "RUNNING", Started: now.Add(-3 * time.Hour)}
	for name, c := range map[string]struct {
		client config.Client
		record journal.Record
		owner  system.Execution
		is     string
		why    string
	}{
		"a client that was never rotated is ready": {client: good, is: Ready, why: "not rotated yet"},
		"one that was rotated says when": {client: good,
			record: journal.Record{LastOutcome: "rotated", LastRotated: now.Add(-50 * 24 * time.Hour)},
			is:     Ready, why: "rotated 50 days ago"},
		"a running execution": {client: good, record: owned("x", "rotation"), owner: running,
			is: Rotating, why: "a rotation runs, for 3 h"},
		"a running emergency": {client: good, record: owned("x", "emergency"), owner: running,
			is: Rotating, why: "an emergency runs, for 3 h"},
		"one that waits to be redriven": {client: good, record: owned("x", "rotation"),
			owner: system.Execution{Status: "PENDING_REDRIVE", Started: now.Add(-time.Minute)},
			is:    Rotating, why: "a rotation runs, for 60 s"},
		"a lock that a failed execution has left": {client: good, record: owned("x", "rotation"),
			owner: system.Execution{Status: "FAILED", Error: "StillAccepted"},
			is:    Degraded, why: "an execution ended as StillAccepted and has left the lock"},
		"a lock that a stopped execution has left": {client: good, record: owned("x", "rotation"),
			owner: system.Execution{Status: "ABORTED"},
			is:    Degraded, why: "an execution ended as ABORTED and has left the lock"},
		"a lock of an execution that is long gone": {client: good, record: owned("x", "rotation"),
			is: Degraded, why: "an execution that Step Functions does not know any more has left the lock"},
		"a lock of an execution that is not known yet": {client: good,
			record: journal.Record{Journal: &journal.Journal{Owner: "x"}, OwnerSince: now.Add(-time.Second)},
			is:     Rotating, why: "an execution has just begun"},
		"a configuration that is refused": {record: journal.Record{LastOutcome: "rotated"},
			is: Degraded, why: "this release refuses its configuration"},
		"a rollback": {client: good, record: journal.Record{LastOutcome: "rolledBack"},
			is: Degraded, why: "the last rotation was rolled back: the old secret is in use"},
		"a refusal": {client: good, record: journal.Record{LastOutcome: "refused"},
			is: Degraded, why: "the last rotation was refused: no new secret was made"},
		"somebody else's change": {client: good, record: journal.Record{LastOutcome: "superseded"},
			is: Degraded, why: "somebody else changed AWSCURRENT, and nothing was put right since"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.record.Journal == nil {
				c.record.Journal = &journal.Journal{}
			}
			if is, why := condition(c.client, c.record, c.owner, now); is != c.is || why != c.why {
				t.Errorf("got %s, %q, want %s, %q", is, why, c.is, c.why)
			}
		})
	}
}

// owned is a journal whose lock an execution has.
func owned(by, kind string) journal.Record {
	return journal.Record{Journal: &journal.Journal{Owner: by}, OwnerKind: kind}
}

// What was told when the rollback began is not how an execution ended that then failed at a task or was stopped.
func TestWhatIsToldLast(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status, err, subject, entry string
		final                       bool
	}{
		"rotated":                    {"SUCCEEDED", "", "rotated", "rotated", true},
		"rolled back":                {"FAILED", "RolledBack", "rolled back", "rolledback", true},
		"stopped in its rollback":    {"ABORTED", "Stopped", "rolling back", "rolledback", false},
		"failed in its rollback":     {"FAILED", "StillAccepted", "rolling back", "rolledback", false},
		"stopped before it told":     {"ABORTED", "", "", "", false},
		"timed out in its rollback":  {"TIMED_OUT", "", "rolling back", "rolledback", false},
		"a measurement with warning": {"SUCCEEDED", "", "would be refused", "wouldberefused", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := Told{Execution: system.Execution{Status: c.status, Error: c.err}, Subject: c.subject,
				Entry: c.entry}
			if told.isFinal() != c.final {
				t.Errorf("final is %v", !c.final)
			}
		})
	}
}

// Ends without a notification of their own are told in words that fit them.
func TestUntold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		execution system.Execution
		state     string
		entry     string
		what      string
	}{
		"failed at a task": {system.Execution{Status: "FAILED", Error: "StillAccepted",
			Cause: `{"errorMessage":"the old secret is accepted","errorType":"StillAccepted"}`}, "FinishSecret",
			"at-a-task", "FinishSecret failed with StillAccepted: the old secret is accepted"},
		"another one had the lock": {system.Execution{Status: "FAILED", Error: "LockHeld", Cause: "x has it"},
			"LockHeld",
			"lockheld", "x has it"},
		"an emergency took over": {system.Execution{Status: "ABORTED", Error: "TakenOver"}, "GracePeriod",
			"stopped", ""},
		"stopped by a person": {system.Execution{Status: "ABORTED"}, "GracePeriod", "stopped", ""},
		"stopped with an error that is another end's": {system.Execution{Status: "ABORTED", Error: "Stopped"},
			"SetSecret",
			"stopped", ""},
		"ran too long": {system.Execution{Status: "TIMED_OUT", Error: "States.Timeout"}, "GracePeriod", "stopped", ""},
		"a plan":       {system.Execution{Status: "SUCCEEDED"}, "Planned", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := Told{Execution: c.execution, State: c.state}
			told.fillIn()
			if told.Entry != c.entry || told.What != c.what || (told.Users == "") != (c.entry == "") {
				t.Errorf("got entry %q, what %q, users %q", told.Entry, told.What, told.Users)
			}
		})
	}
}

func TestANotificationsCommandIsToldAsOneOfRotator(t *testing.T) {
	t.Parallel()
	const start = "aws stepfunctions start-execution --region eu-central-1 --state-machine-arn arn:x:LIVE --input "
	for command, want := range map[string]string{
		start + `'{"client": "orders-web", "repair": true}'`:          "rotator repair orders-web --reason …",
		start + `'{"client": "orders-web", "emergency": true}'`:       "rotator leak orders-web --reason …",
		start + `'{"client": "orders-web", "dryRun": true}'`:          "rotator plan orders-web",
		start + `'{"client": "orders-web"}'`:                          "rotator start orders-web",
		start + `'{"client": "orders-web", "gracePeriodSeconds": 0}'`: "aws stepfunctions start-execution",
		"aws stepfunctions redrive-execution --execution-arn arn:e":   "rotator redrive arn:e",
		"aws ssm get-parameter-history":                               "aws ssm get-parameter-history",
		"":                                                            "",
	} {
		told := Told{Execution: system.Execution{ARN: "arn:e"}, Command: command}
		got := ""
		for _, p := range told.Parts() {
			if p.Name == "command" {
				got = p.Text
			}
		}
		if !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %s", command, got)
		}
	}
}
