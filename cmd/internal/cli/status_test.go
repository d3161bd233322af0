package cli

import (
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
		"a client that was never rotated is ready": {client: good, is: ready, why: "not rotated yet"},
		"one that was rotated says when": {client: good,
			record: journal.Record{LastOutcome: "rotated", LastRotated: now.Add(-50 * 24 * time.Hour)},
			is:     ready, why: "rotated 50 days ago"},
		"a running execution": {client: good, record: owned("x", "rotation"), owner: running,
			is: rotating, why: "a rotation runs, for 3 h"},
		"a running emergency": {client: good, record: owned("x", "emergency"), owner: running,
			is: rotating, why: "an emergency runs, for 3 h"},
		"one that waits to be redriven": {client: good, record: owned("x", "rotation"),
			owner: system.Execution{Status: "PENDING_REDRIVE", Started: now.Add(-time.Minute)},
			is:    rotating, why: "a rotation runs, for 60 s"},
		"a lock that a failed execution has left": {client: good, record: owned("x", "rotation"),
			owner: system.Execution{Status: "FAILED", Error: "StillAccepted"},
			is:    degraded, why: "an execution ended as StillAccepted and has left the lock"},
		"a lock that a stopped execution has left": {client: good, record: owned("x", "rotation"),
			owner: system.Execution{Status: "ABORTED"},
			is:    degraded, why: "an execution ended as ABORTED and has left the lock"},
		"a configuration that is refused": {record: journal.Record{LastOutcome: "rotated"},
			is: degraded, why: "this release refuses its configuration"},
		"a rollback": {client: good, record: journal.Record{LastOutcome: "rolledBack"},
			is: degraded, why: "the last rotation was rolled back: the old secret is in use"},
		"a refusal": {client: good, record: journal.Record{LastOutcome: "refused"},
			is: degraded, why: "the last rotation was refused: no new secret was made"},
		"somebody else's change": {client: good, record: journal.Record{LastOutcome: "superseded"},
			is: degraded, why: "somebody else changed AWSCURRENT, and nothing was put right since"},
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
			told.untold()
			if told.Entry != c.entry || told.What != c.what || (told.Users == "") != (c.entry == "") {
				t.Errorf("got entry %q, what %q, users %q", told.Entry, told.What, told.Users)
			}
		})
	}
}
