package console

import (
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/evidence"
	"alboidc.internal/statemachine"
)

// The graph follows from the definition: a state that is added there is drawn.
func TestTheGraphIsTheDefinition(t *testing.T) {
	t.Parallel()
	m, err := rotationMachine()
	if err != nil {
		t.Fatal(err)
	}
	lanes := m.lanes()
	for i, want := range []string{"LoadClient … Rotated", "TellRollback … TestAfterRollback"} {
		lane := lanes[i]
		if got := lane[0] + " … " + lane[len(lane)-1]; got != want {
			t.Errorf("lane %d is %s, want %s", i, got, want)
		}
	}
	drawn := map[string]int{}
	d := m.draw(walk{})
	for i, a := range d.Nodes {
		drawn[a.Name]++
		for _, b := range d.Nodes[:i] {
			if a.X == b.X && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s and %s are drawn on each other", a.Name, b.Name)
			}
		}
	}
	for _, name := range m.order {
		if want := map[bool]int{true: 1}[statemachine.Sentence(name) != ""]; drawn[name] != want {
			t.Errorf("%s is drawn %d times, want %d", name, drawn[name], want)
		}
	}
	failures := 0
	for _, e := range d.Edges {
		if strings.Contains(e.Class, "failure") {
			failures++
		}
	}
	if failures < 10 {
		t.Errorf("%d states lead into the rollback", failures)
	}
}

func TestWhatHasBecomeOfAState(t *testing.T) {
	t.Parallel()
	m, err := rotationMachine()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	at := func(second int) time.Time { return began.Add(time.Duration(second) * time.Second) }
	walked := func(states ...string) (out []evidence.Step) {
		for i, s := range states {
			out = append(out, evidence.Step{At: at(10 * i), State: s})
		}
		return out
	}
	fails := func(second int, state string) evidence.Failure {
		return evidence.Failure{Step: evidence.Step{At: at(second), State: state}, Error: "Unavailable"}
	}
	for name, c := range map[string]struct {
		record evidence.Record
		state  string
		says   string
		class  string
	}{
		"not reached": {evidence.Record{Steps: walked("LoadClient")}, "Plan", "not reached", "todo"},
		"running": {evidence.Record{Steps: walked("LoadClient")}, "LoadClient",
			"running, at 06:00:00 UTC, for 100 s", "running"},
		"running after a failure": {evidence.Record{Steps: walked("Plan"), Failures: []evidence.Failure{fails(3,
			"Plan")}},
			"Plan", "running, at 06:00:00 UTC, for 100 s, tried again once", "running retried"},
		"done": {evidence.Record{Steps: walked("CreateSecret", "VerifyNewSecret")}, "CreateSecret",
			"done, at 06:00:00 UTC, for 10 s", "done"},
		"done at the third try": {evidence.Record{Steps: walked("CreateSecret", "VerifyNewSecret"),
			Failures: []evidence.Failure{fails(1, "CreateSecret"), fails(2, "CreateSecret"), fails(15,
				"VerifyNewSecret")}},
			"CreateSecret", "done, at 06:00:00 UTC, for 10 s, tried again 2 times", "done retried"},
		"failed, and rolled back": {evidence.Record{Steps: walked("CreateSecret", "RollBack", "BeginRollback",
			"Quiesce"),
			Failures: []evidence.Failure{fails(1, "CreateSecret"), fails(2, "CreateSecret")}}, "CreateSecret",
			"failed with Unavailable, at 06:00:00 UTC, for 10 s, tried again once", "failed"},
		"failed at its end": {evidence.Record{Steps: walked("FinishSecret"), Ended: at(20), Status: "FAILED",
			Failures: []evidence.Failure{fails(1, "FinishSecret")}}, "FinishSecret",
			"failed with Unavailable, at 06:00:00 UTC, for 20 s", "failed"},
		"stopped": {evidence.Record{Steps: walked("GracePeriod"), Ended: at(20), Status: "ABORTED"}, "GracePeriod",
			"stopped, at 06:00:00 UTC, for 20 s", "stopped"},
		"an end that is a failure": {evidence.Record{Steps: walked("Notify", "Refused"), Ended: at(10),
			Status: "FAILED",
			Error:  "Refused"}, "Refused", "failed with Refused, at 06:00:10 UTC, for 0 s", "failed"},
		"an end": {evidence.Record{Steps: walked("Notify", "Rotated"), Ended: at(10), Status: "SUCCEEDED"}, "Rotated",
			"done, at 06:00:10 UTC, for 0 s", "done"},
		"a Map's items are part of it": {evidence.Record{Steps: walked("SetSecret", "SetTargets", "AwaitSpread"),
			Failures: []evidence.Failure{fails(12, "SetTargets")}}, "SetSecret",
			"done, at 06:00:00 UTC, for 20 s, tried again once", "done retried"},
		"entered again": {evidence.Record{Steps: walked("ReloadClient", "RediscoverTargets", "ReloadClient")},
			"ReloadClient", "running, at 06:00:20 UTC, for 80 s, entered 2 times", "running"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, s := range c.record.Steps { // the name of the state within the Map is the definition's
				if s.State == "SetTargets" {
					for inner := range m.state["SetSecret"].ItemProcessor.States {
						c.record.Steps[i].State, c.record.Failures[0].State = inner, inner
					}
				}
			}
			v := m.follow(c.record, at(100)).visits[c.state]
			if v.Mark == "" {
				v.Mark = todo
			}
			if v.Says() != c.says || class(v) != c.class {
				t.Errorf("got %q, class %q", v.Says(), class(v))
			}
		})
	}
	w := m.follow(evidence.Record{Steps: walked("LoadClient", "OfAnotherRelease")}, at(100))
	if len(w.unknown) != 1 || len(w.way) != 1 {
		t.Errorf("a state of another release: %+v", w)
	}
}
