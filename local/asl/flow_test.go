package asl_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/asl"
)

func TestAWaitOfSevenDaysPassesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	r := w.run(machine("W", `"W":{"Type":"Wait","Seconds":"{% $states.input.days * 86400 %}","End":true}`),
		`{"days":7}`)
	w.wantSuccess(r, `{"days":7}`)
	if w.elapsed() != 7*24*time.Hour {
		t.Errorf("took %s", w.elapsed())
	}
	w.wantTrail(0, "ExecutionStarted", "WaitStateEntered W", "WaitStateExited W", "ExecutionSucceeded")
	for i, prev := range []int64{0, 0, 2, 3} { // the first state follows event 0, as in recorded histories
		if e := w.execution.Events()[i]; e.ID != int64(i+1) || e.PreviousEventID != prev {
			t.Errorf("event %d follows %d; want %d follows %d", e.ID, e.PreviousEventID, i+1, prev)
		}
	}
}

func TestAWaitUntilATimestampIsInWholeSecondsAndNotForThePast(t *testing.T) {
	t.Parallel()
	for ts, want := range map[string]time.Duration{
		"2026-03-01T10:00:30.9Z":    30 * time.Second,
		"2026-03-01T12:00:10+02:00": 10 * time.Second,
		"2020-01-01T00:00:00Z":      0,
	} {
		w := newWorld(t, noTasks)
		r := w.run(machine("W", `"W":{"Type":"Wait","Timestamp":"{% $states.input %}","End":true}`), `"`+ts+`"`)
		w.wantSuccess(r, `"`+ts+`"`)
		if w.elapsed() != want {
			t.Errorf("%s: waited %s, want %s", ts, w.elapsed(), want)
		}
	}
}

func TestABadTimestampFailsTheEvaluationAfterTheEntryEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	r := w.run(machine("P",
		`"P":{"Type":"Pass","Next":"W"},"W":{"Type":"Wait","Timestamp":"{% $states.input %}","End":true}`),
		`"2026-03-01 10:00"`)
	w.wantFailure(r, "States.QueryEvaluationError")
	if e := w.event("EvaluationFailed"); e.PreviousEventID != w.event("WaitStateEntered").ID {
		t.Errorf("follows %d", e.PreviousEventID)
	}
}

func TestAssignAndOutputAreEvaluatedFromTheValuesAtEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	r := w.run(machine("A", `
		"A":{"Type":"Pass","Assign":{"x":1,"o":{"k":"{% $states.input.v %}"}},"Output":{"b":"{% $exists($x) %}","a":["{% $states.input.v %}",1.50]},"Next":"B"},
		"B":{"Type":"Pass","Assign":{"x":"{% $x + 1 %}"},"Output":"{% $x %}","Next":"C"},
		"C":{"Type":"Succeed","Output":{"x":"{% $x %}","o":"{% $o.k %}","in":"{% $states.input %}"}}`), `{"v":"é"}`)
	w.wantSuccess(r, `{"x":2,"o":"é","in":1}`)
	exited := w.execution.Events()[2].StateExited
	if exited.Output != `{"b":false,"a":["é",1.50]}` || exited.AssignedVariables["o"] != `{"k":"é"}` ||
		exited.AssignedVariables["x"] != "1" {
		t.Errorf("exited with %+v", exited)
	}
	if w.event("SucceedStateExited").StateExited.AssignedVariables != nil {
		t.Error("a state that assigned nothing shows assigned variables")
	}
}

func TestTheContextObjectTellsWhereAndWhen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	r := w.run(machine("W",
		`"W":{"Type":"Wait","Seconds":90,"Next":"P"},"P":{"Type":"Pass","Output":"{% $states.context %}","End":true}`),
		`{"i":1}`)
	w.wantSuccess(r,
		`{"Execution":{"Id":"arn:aws:states:eu-central-1:111122223333:execution:m:e","Input":{"i":1},"Name":"e",`+
			`"RoleArn":"arn:aws:iam::111122223333:role/r","StartTime":"2026-03-01T10:00:00.000Z","RedriveCount":0},`+
			`"StateMachine":{"Id":"arn:aws:states:eu-central-1:111122223333:stateMachine:m","Name":"m"},`+
			`"State":{"Name":"P","EnteredTime":"2026-03-01T10:01:30.000Z"}}`)
}

func TestOnlyStatesThatCanBeRetriedKnowARetryCount(t *testing.T) {
	t.Parallel()
	asks := `"{% $exists($states.context.State.RetryCount) %}"`
	for name, c := range map[string]struct{ states, want string }{
		"Task": {`"S":{` + invoke + `,"Output":` + asks + `,"End":true}`, "true"},
		"Pass": {`"S":{"Type":"Pass","Output":` + asks + `,"End":true}`, "false"},
		"Wait": {`"S":{"Type":"Wait","Seconds":1,"Output":` + asks + `,"End":true}`, "false"},
		"Choice": {`"S":{"Type":"Choice","Choices":[{"Condition":false,"Next":"E"}],"Output":` + asks +
			`,"Default":"E"},"E":{"Type":"Succeed"}`, "false"},
		"Succeed": {`"S":{"Type":"Succeed","Output":` + asks + `}`, "false"},
		"Parallel": {`"S":{"Type":"Parallel","Output":["{% $states.result[0] %}",` + asks +
			`],"End":true,"Branches":[` +
			`{"StartAt":"B","States":{"B":{"Type":"Pass","Output":` + asks + `,"End":true}}}]}`, "[false,true]"},
		"Map": {`"S":{"Type":"Map","Items":[1],"ItemSelector":` + asks + `,"End":true,"ItemProcessor":` +
			`{"StartAt":"B","States":{"B":{"Type":"Pass","Output":["{% $states.input %}",` + asks + `],"End":true}}}}`,
			"[[true,false]]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(*world, asl.Task, int) (string, *asl.TaskError) { return "{}", nil })
			w.wantSuccess(w.run(machine("S", c.states), `{}`), c.want)
		})
	}
}

func TestAChoiceTakesTheFirstTrueRuleWithItsOwnAssignAndOutput(t *testing.T) {
	t.Parallel()
	definition := machine("C", `
		"C":{"Type":"Choice","Assign":{"by":"default"},"Output":"d","Default":"S","Choices":[
			{"Condition":"{% $states.input = 1 %}","Next":"S","Assign":{"by":"rule 1"}},
			{"Condition":"{% $states.input < 3 %}","Next":"S","Output":"two"}]},
		"S":{"Type":"Succeed","Output":["{% $exists($by) ? $by : 'nobody' %}","{% $states.input %}"]}`)
	for input, want := range map[string]string{`1`: `["rule 1",1]`, `2`: `["nobody","two"]`, `3`: `["default","d"]`} {
		w := newWorld(t, noTasks)
		w.wantSuccess(w.run(definition, input), want)
	}
}

func TestAChoiceWithoutMatchOrDefaultFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	r := w.run(machine("C",
		`"C":{"Type":"Choice","Choices":[{"Condition":"{% false %}","Next":"S"}]},"S":{"Type":"Succeed"}`), `1`)
	w.wantFailure(r, "States.NoChoiceMatched")
}

func TestAFailStateFailsWithEvaluatedErrorAndCause(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	r := w.run(machine("F", `"F":{"Type":"Fail","Error":"RolledBack","Cause":"{% 'because ' & $states.input.why %}"}`),
		`{"why":"x"}`)
	w.wantFailure(r, "RolledBack")
	if *r.Cause != "because x" {
		t.Errorf("cause %q", *r.Cause)
	}
	w.wantTrail(0, "ExecutionStarted", "FailStateEntered F", "ExecutionFailed")
}

func TestWhatFailsWithoutAnErrorShowsNull(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{
		`{"Type":"Fail"}`:                         `{"error":null,"cause":null}`,
		`{"Type":"Fail","Cause":"x"}`:             `{"error":null,"cause":"x"}`,
		`{"Type":"Fail","Error":"E"}`:             `{"error":"E","cause":null}`,
		`{"Type":"Fail","Error":"E","Cause":"x"}`: `{"error":"E","cause":"x"}`,
		`{` + invoke + `,"End":true}`:             `{"error":"Boom","cause":null}`,
	} {
		w := newWorld(t, func(*world, asl.Task, int) (string, *asl.TaskError) {
			return "", &asl.TaskError{Error: "Boom"}
		})
		r := w.run(machine("F", `"F":`+state), `{}`)
		got, err := json.Marshal(w.event("ExecutionFailed").ExecutionFailed)
		if err != nil || string(got) != want || r.Status != asl.Failed {
			t.Errorf("%s: %s, want %s", state, got, want)
		}
		if both, err := json.Marshal(asl.ErrorDetails{Error: r.Error, Cause: r.Cause}); err != nil ||
			string(both) != want {
			t.Errorf("%s: the result has %s, want %s", state, both, want)
		}
	}
}

// What is caught has texts for both, also where there was none (recorded for a timeout).
func TestACaughtFailureWithoutErrorOrCauseHasEmptyTexts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	w.wantSuccess(w.run(machine("P",
		`"P":{"Type":"Parallel","Branches":[{"StartAt":"F","States":{"F":{"Type":"Fail"}}}],
		"End":true,"Catch":[{"ErrorEquals":["States.ALL"],"Next":"S"}]},"S":{"Type":"Succeed"}`), `{}`),
		`{"Error":"","Cause":""}`)
}

func TestAFailedExpressionIsRecordedWithLocationAndWording(t *testing.T) {
	t.Parallel()
	for expression, ending := range map[string]string{
		"$states.input.nope": "The JSONata expression '$states.input.nope' specified for the field 'Output/result' " +
			"returned nothing (undefined).",
		"$eval('1')": "The JSONata expression '$eval('1')' specified for the field 'Output/result' threw an error " +
			"during evaluation. T1006: Attempted to invoke a non-function",
	} {
		w := newWorld(t, noTasks)
		r := w.run(machine("P", `"P":{"Type":"Pass","Output":{"result":"{% `+expression+` %}"},"End":true}`), `{}`)
		w.wantFailure(r, "States.QueryEvaluationError")
		want := "An error occurred while executing the state 'P' (entered at the event id #2). " + ending
		e := w.event("EvaluationFailed")
		d := e.EvaluationFailed
		if e.PreviousEventID != 0 || d.Cause != want || d.Location != "Output/result" || d.State != "P" ||
			*r.Cause != want {
			t.Errorf("event %d follows %d: %+v", e.ID, e.PreviousEventID, d)
		}
		w.wantTrail(0, "ExecutionStarted", "PassStateEntered P", "EvaluationFailed", "ExecutionFailed")
	}
}

func TestAnOversizePassFailsWithDataLimitExceeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	r := w.run(machine("P", `"P":{"Type":"Pass","Output":"{% $pad('', 262143) %}","End":true}`), `{}`)
	w.wantFailure(r, "States.DataLimitExceeded")
	w.wantTrail(0, "ExecutionStarted", "PassStateEntered P", "ExecutionFailed")
	w = newWorld(t, noTasks)
	if r = w.run(machine("P", `"P":{"Type":"Pass","Output":"{% $pad('', 262142) %}","End":true}`),
		`{}`); r.Status != asl.Succeeded {
		t.Errorf("a payload of exactly 256 KiB ended %s", r.Status)
	}
}

func TestTheMachinesTimeoutEndsSleepersAtOnceWithoutErrorOrCause(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	r := w.run(`{"QueryLanguage":"JSONata","TimeoutSeconds":60,"StartAt":"P","States":{
		"P":{"Type":"Parallel","End":true,"Branches":[
			{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":3600,"End":true}}},
			{"StartAt":"B","States":{"B":{"Type":"Wait","Seconds":7200,"End":true}}}]}}}`, `{}`)
	if r.Status != asl.TimedOut || r.Error != nil || r.Cause != nil || w.elapsed() != time.Minute {
		t.Errorf("got %+v after %s", r, w.elapsed())
	}
	if got := w.trail(0); got[len(got)-1] != "ExecutionTimedOut" || strings.Contains(fmt.Sprint(got), "Aborted") {
		t.Errorf("history %v", got)
	}
}

func TestStopEndsAnExecutionAtOnceWithEventZeroBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world, _ asl.Task, _ int) (string, *asl.TaskError) {
		w.stop(&asl.StopReason{})
		return `{}`, nil
	})
	r := w.run(machine("T", `"T":{`+invoke+`,"Next":"W"},"W":{"Type":"Wait","Seconds":86400,"End":true}`), `{}`)
	if r.Status != asl.Aborted || w.elapsed() != 0 {
		t.Errorf("got %s after %s", r.Status, w.elapsed())
	}
	if e := w.event("ExecutionAborted"); e.PreviousEventID != 0 || e.ExecutionAborted.Error != nil ||
		e.ExecutionAborted.Cause != nil {
		t.Errorf("event %+v", e)
	}
}

func TestEventsMarshalAsTheAPIShowsThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	w.run(machine("P", `"P":{"Type":"Pass","Assign":{"v":[1]},"End":true}`), `{"a":1}`)
	b, err := json.Marshal(w.execution.Events()[2])
	want := `{"timestamp":1772359200.000,"type":"PassStateExited","id":3,"previousEventId":2,"stateExitedEventDetails":{"name":"P","output":"{\"a\":1}",` +
		`"outputDetails":{"truncated":false},"assignedVariables":{"v":"[1]"},"assignedVariablesDetails":{"truncated":false}}}`
	if err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
}

func TestAnEndlessLoopEndsAtTheLimitOfTheHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	w.wantFailure(w.run(machine("A",
		`"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Choice","Choices":[{"Condition":true,"Next":"A"}],"Default":"S"},"S":{"Type":"Succeed"}`), `{}`), "States.Runtime")
}
