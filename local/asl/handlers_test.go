package asl_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/asl"
)

func failing(name string) func(*world, asl.Task, int) (string, *asl.TaskError) {
	return func(*world, asl.Task, int) (string, *asl.TaskError) {
		return "", &asl.TaskError{Error: name, Cause: `{"errorType":"` + name + `"}`}
	}
}

func TestATaskGetsItsArgumentsOrElseTheStatesInput(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]string{``: `{"a":1}`, `"Arguments":{},`: `{}`,
		`"Arguments":{"p":"{% $states.input.a %}"},`: `{"p":1}`} {
		w := newWorld(t, func(w *world, task asl.Task, _ int) (string, *asl.TaskError) {
			if string(task.Arguments) != want || task.Region != "eu-central-1" ||
				task.Resource != "arn:aws:states:::lambda:invoke" {
				w.t.Errorf("task %+v; want arguments %s", task, want)
			}
			return `{"StatusCode":200}`, nil
		})
		r := w.run(machine("T",
			`"T":{`+invoke+`,`+arguments+`"Assign":{"code":"{% $states.result.StatusCode %}"},"End":true}`), `{"a":1}`)
		w.wantSuccess(r, `{"StatusCode":200}`)
		w.wantTrail(0, "ExecutionStarted", "TaskStateEntered T", "TaskScheduled", "TaskStarted", "TaskSucceeded",
			"TaskStateExited T", "ExecutionSucceeded")
		if d := w.event("TaskScheduled").TaskScheduled; d.ResourceType != "lambda" || d.Resource != "invoke" ||
			d.Parameters != want {
			t.Errorf("scheduled %+v", d)
		}
		if d := w.event("TaskStateExited").StateExited; d.AssignedVariables["code"] != "200" {
			t.Errorf("exited %+v", d)
		}
	}
}

func TestRetryBacksOffUpToItsCapAndAddsNoEventsOfItsOwn(t *testing.T) {
	t.Parallel()
	var at []time.Duration
	w := newWorld(t, func(w *world, task asl.Task, call int) (string, *asl.TaskError) {
		at = append(at, w.elapsed())
		if call <= 5 {
			return "", &asl.TaskError{Error: "Throttled"}
		}
		return string(task.Arguments), nil
	})
	r := w.run(machine("T", `"T":{`+invoke+`,"Arguments":"{% $states.context.State.RetryCount %}","End":true,
		"Retry":[{"ErrorEquals":["Throttled"],"IntervalSeconds":2,"BackoffRate":3,"MaxAttempts":5,"MaxDelaySeconds":20}]}`), `{}`)
	w.wantSuccess(r, `5`)
	want := []time.Duration{0, 2 * time.Second, 8 * time.Second, 26 * time.Second, 46 * time.Second, 66 * time.Second}
	if !slices.Equal(at, want) {
		t.Errorf("tried at %v; want %v", at, want)
	}
	trail := w.trail(1)
	if strings.Count(strings.Join(trail, ","), "TaskStateEntered") != 1 || strings.Count(strings.Join(trail, ","),
		"TaskFailed") != 5 {
		t.Errorf("history %v", trail)
	}
	if w.execution.Transitions() != 6 {
		t.Errorf("%d transitions; want one for the state and one for each retry", w.execution.Transitions())
	}
}

func TestFullJitterWaitsBetweenZeroAndTheComputedDelay(t *testing.T) {
	t.Parallel()
	for _, random := range []float64{0, 0.25, 0.999} {
		w := newWorld(t, failing("E"))
		w.engine.Random = func() float64 { return random }
		r := w.run(machine("T",
			`"T":{`+invoke+
				`,"End":true,"Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":100,"MaxAttempts":1,"JitterStrategy":"FULL"}]}`), `{}`)
		w.wantFailure(r, "E")
		if want := time.Duration(random * float64(100*time.Second)); w.elapsed() != want {
			t.Errorf("random %v: waited %s, want %s", random, w.elapsed(), want)
		}
	}
}

func TestEachRetrierKeepsItsOwnCountAndTheFirstMatchDecides(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *world, _ asl.Task, call int) (string, *asl.TaskError) {
		return "", &asl.TaskError{Error: map[bool]string{true: "A", false: "B"}[call%2 == 1]}
	})
	r := w.run(machine("T", `"T":{`+invoke+`,"End":true,"Retry":[
		{"ErrorEquals":["A"],"MaxAttempts":2,"BackoffRate":1},{"ErrorEquals":["States.ALL"],"MaxAttempts":9,"BackoffRate":1}]}`), `{}`)
	w.wantFailure(r, "A") // the third A is not handed on to States.ALL
	if n := strings.Count(strings.Join(w.trail(0), ","), "TaskFailed"); n != 5 {
		t.Errorf("%d tries; want A B A B A", n)
	}
}

func TestWildcardsMatchWhatTheServiceSaysTheyMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		error, names string
		caught       bool
	}{
		{"Custom", "States.ALL", true},
		{"Custom", "States.TaskFailed", true},
		{"States.Timeout", "States.ALL", true},
		{"States.Timeout", "States.TaskFailed", false},
		{"States.Runtime", "States.ALL", false},
		{"States.Runtime", "States.Runtime", false},
		{"States.DataLimitExceeded", "States.ALL", false},
		{"States.DataLimitExceeded", "States.DataLimitExceeded", true},
		{"Custom", "Cust", false},
	} {
		w := newWorld(t, failing(c.error))
		r := w.run(machine("T", `"T":{`+invoke+`,"End":true,"Catch":[{"ErrorEquals":["`+c.names+
			`"],"Next":"S"}]},"S":{"Type":"Succeed"}`), `{}`)
		if got := r.Status == asl.Succeeded; got != c.caught {
			t.Errorf("%s by %s: caught %v, want %v", c.error, c.names, got, c.caught)
		}
	}
}

func TestStatesALLCatchesTheTooLargeResultOfATaskAsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(*world, asl.Task, int) (string, *asl.TaskError) {
		return `"` + strings.Repeat("x", 256<<10) + `"`, nil
	})
	r := w.run(machine("T",
		`"T":{`+invoke+
			`,"End":true,"Catch":[{"ErrorEquals":["States.ALL"],"Output":"{% $states.errorOutput.Error %}","Next":"S"}]},"S":{"Type":"Succeed"}`), `{}`)
	w.wantSuccess(r, `"States.DataLimitExceeded"`)
}

func TestACatcherSetsOutputAndVariablesInPlaceOfTheState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, failing("Boom"))
	r := w.run(machine("T", `
		"T":{`+invoke+`,"Assign":{"never":1},"Output":"never","End":true,"Catch":[
			{"ErrorEquals":["Other"],"Next":"S"},
			{"ErrorEquals":["States.ALL"],"Next":"S","Assign":{"e":"{% $states.errorOutput.Error %}"},"Output":{"was":"{% $states.input %}"}}]},
		"S":{"Type":"Succeed","Output":["{% $e %}","{% $exists($never) %}","{% $states.input.was %}"]}`), `7`)
	w.wantSuccess(r, `["Boom",false,7]`)
	w.wantTrail(0, "ExecutionStarted", "TaskStateEntered T", "TaskScheduled", "TaskStarted", "TaskFailed",
		"TaskStateExited T",
		"SucceedStateEntered S", "SucceedStateExited S", "ExecutionSucceeded")
	if d := w.event("TaskStateExited").StateExited; d.Output != `{"was":7}` || d.AssignedVariables["e"] != `"Boom"` {
		t.Errorf("exited with %+v", d)
	}
}

func TestACatcherWithoutOutputHandsOnErrorAndCause(t *testing.T) {
	t.Parallel()
	w := newWorld(t, failing("Boom"))
	r := w.run(machine("T",
		`"T":{`+invoke+`,"End":true,"Catch":[{"ErrorEquals":["Boom"],"Next":"S"}]},"S":{"Type":"Succeed"}`), `{}`)
	w.wantSuccess(r, `{"Error":"Boom","Cause":"{\"errorType\":\"Boom\"}"}`)
}

func TestAFailedExpressionInATaskCanBeCaught(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	r := w.run(machine("T",
		`"T":{`+invoke+
			`,"Arguments":"{% $x %}","End":true,"Catch":[{"ErrorEquals":["States.QueryEvaluationError"],"Output":"caught","Next":"S"}]},"S":{"Type":"Succeed"}`), `{}`)
	w.wantSuccess(r, `"caught"`)
	w.wantTrail(0, "ExecutionStarted", "TaskStateEntered T", "EvaluationFailed", "TaskStateExited T",
		"SucceedStateEntered S", "SucceedStateExited S", "ExecutionSucceeded")
}

func TestATaskTimesOutWithoutACauseAndItsWorkGoesOn(t *testing.T) {
	t.Parallel()
	landed := make(chan time.Duration, 1)
	w := newWorld(t, func(w *world, _ asl.Task, _ int) (string, *asl.TaskError) {
		if err := w.clock.Sleep(context.Background(), time.Minute); err != nil {
			w.t.Error(err)
		}
		landed <- w.elapsed()
		return `{}`, nil
	})
	r := w.run(machine("T", `
		"T":{`+invoke+`,"TimeoutSeconds":"{% 10 %}","End":true,"Catch":[{"ErrorEquals":["States.Timeout"],"Output":"{% $states.errorOutput %}","Next":"W"}]},
		"W":{"Type":"Wait","Seconds":100,"End":true}`), `{}`)
	w.wantSuccess(r, `{"Error":"States.Timeout","Cause":""}`)
	if got := <-landed; got != time.Minute {
		t.Errorf("the abandoned call took effect after %s; want one minute", got)
	}
	e := w.event("TaskTimedOut")
	if d := e.TaskTimedOut; *d.Error != "States.Timeout" || d.Cause != nil || e.Timestamp.Sub(start) != 10*time.Second {
		t.Errorf("timed out with %+v at %s", d, e.Timestamp)
	}
	if d := w.event("TaskScheduled").TaskScheduled; d.TimeoutInSeconds == nil || *d.TimeoutInSeconds != 10 {
		t.Errorf("scheduled %+v", d)
	}
}

func TestDefinitionsAreRefusedByThePathOfTheField(t *testing.T) {
	t.Parallel()
	e, err := expressions()
	if err != nil {
		t.Fatal(err)
	}
	pass := `"P":{"Type":"Pass","End":true}`
	for definition, location := range map[string]string{
		`{`: "",
		`{"StartAt":"P","States":{` + pass +
			`}}`: "/States/P/QueryLanguage",
		machine("X", pass): "/StartAt",
		machine("P",
			`"P":{"Type":"Pass","Next":"Q"}`): "/States/P",
		machine("P", pass+
			`,"Q":{"Type":"Pass","End":true}`): "/States/Q",
		machine("P",
			`"P":{"Type":"Pass","End":true,"InputPath":"$.a"}`): "/States/P/InputPath",
		machine("P",
			`"P":{"Type":"Pass","End":true,"Result":1}`): "/States/P/Result",
		machine("P",
			`"P":{"Type":"Pass","End":true,"Output":{"a":["{% $( %}"]}}`): "/States/P/Output/a[0]",
		machine("P",
			`"P":{"Type":"Pass","End":true,"Assign":{"states":1}}`): "/States/P/Assign/states",
		machine("P",
			`"P":{"Type":"Pass","End":true,"End":true}`): "/States/P",
		machine("P",
			`"P":{"Type":"Activity"}`): "/States/P/Type",
		machine("A",
			`"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Choice","Choices":[{"Condition":true,"Next":"A"}]}`): "/States",
		machine("M",
			`"M":{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"A"}}}}`): "/States/M/ItemProcessor/States",
		machine("T",
			`"T":{`+invoke+`,"End":true,"HeartbeatSeconds":1}`): "/States/T/HeartbeatSeconds",
		machine("T",
			`"T":{`+invoke+`,"End":true,"TimeoutSeconds":0}`): "/States/T/TimeoutSeconds",
		machine("T",
			`"T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken","End":true}`): "/States/T/Resource",
		machine("T",
			`"T":{`+invoke+
				`,"End":true,"Retry":[{"ErrorEquals":["States.ALL"]},{"ErrorEquals":["A"]}]}`): "/States/T/Retry",
		machine("T",
			`"T":{`+invoke+
				`,"End":true,"Retry":[{"ErrorEquals":["A"],"BackoffRate":0.5}]}`): "/States/T/Retry[0]/BackoffRate",
		machine("T",
			`"T":{`+invoke+
				`,"End":true,"Catch":[{"ErrorEquals":["A"],"Next":"T","ResultPath":"$"}]}`): "/States/T/Catch[0]/ResultPath",
		machine("W",
			`"W":{"Type":"Wait","Seconds":1,"Timestamp":"2026-03-01T10:00:00Z","End":true}`): "/States/W",
		machine("W",
			`"W":{"Type":"Wait","Timestamp":"2026-03-01T10:00:00z","End":true}`): "/States/W/Timestamp",
		machine("C",
			`"C":{"Type":"Choice","Choices":[{"Variable":"$.a","Next":"C"}]}`): "/States/C/Choices[0]/Condition",
		machine("M",
			`"M":{"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"EXPRESS"},"StartAt":"P","States":{`+pass+`}}}`): "/States/M/ItemProcessor/ProcessorConfig/Mode",
		machine("M",
			`"M":{"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"P","States":{`+pass+`}}}`): "/States/M/ItemProcessor/ProcessorConfig/ExecutionType",
		machine("M", `"M":{"Type":"Map","End":true,"ToleratedFailureCount":1,"ItemProcessor":{"StartAt":"P","States":{`+
			pass+`}}}`): "/States/M/ToleratedFailureCount",
		machine("P", `"P":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"P","States":{`+pass+
			`}}]}`): "/States/P/Branches[0]/States/P",
		machine("A",
			`"A":{"Type":"Pass","Assign":{"v":1},"Next":"M"},"M":{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"P","States":{"P":{"Type":"Pass","Assign":{"v":2},"End":true}}}}`): "/States/M/ItemProcessor/States/P/Assign/v",
	} {
		m, diagnostics := asl.Parse([]byte(definition), e)
		found := slices.ContainsFunc(diagnostics, func(d asl.Diagnostic) bool {
			return d.Location == location && d.Severity == "ERROR" && d.Message != ""
		})
		if m != nil || !found {
			t.Errorf("%s\n  reported %s; want something at %q", definition, fmt.Sprint(diagnostics), location)
		}
	}
}

func TestAFullHistoryEndsTheExecution(t *testing.T) {
	t.Parallel()
	const retry = `"Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":99999999,"BackoffRate":1}]`
	const forever = retry + `,"Catch":[{"ErrorEquals":["States.ALL"],"Next":"C"}]`
	for name, states := range map[string]string{
		"by a loop": `"M":{"Type":"Choice","Choices":[{"Condition":"{% true %}","Next":"M"}],"Default":"C"},` +
			`"C":{"Type":"Succeed"}`,
		"by the tries of a task":       `"M":{` + invoke + `,"End":true,` + forever + `},"C":{"Type":"Succeed"}`,
		"by the tries of tasks in Map": mapOf(`"Items":[1,2,3],`, `{`+invoke+`,"End":true,`+retry+`}`),
		"by the tries of a Map": mapOf(`"Items":[1,2,3],`+forever+`,`,
			`{`+invoke+`,"End":true}`) + `,"C":{"Type":"Succeed"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, failing("Down"))
			r := w.run(machine("M", states), `{}`)
			w.wantFailure(r, "States.Runtime") // which nothing catches
			events := w.execution.Events()
			if last := events[len(events)-1]; len(events) != 25_000 || last.Type != "ExecutionFailed" ||
				last.ID != 25_000 {
				t.Errorf("the history has %d events, and ends with %s", len(events), last.Type)
			}
		})
	}
}
