package asl_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"alboidc.internal/local/asl"
)

// mapOf is a Map state M around one state.
func mapOf(fields, inner string) string {
	return `"M":{"Type":"Map",` + fields +
		`"ItemProcessor":{"ProcessorConfig":{"Mode":"INLINE"},"StartAt":"I","States":{"I":` + inner + `}},"End":true}`
}

func TestAMapGivesItsOutputsInTheOrderOfItsItems(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	r := w.run(machine("A", `"A":{"Type":"Pass","Assign":{"base":10},"Next":"M"},`+
		mapOf(
			`"Items":"{% $states.input.list %}","ItemSelector":{"n":"{% $states.context.Map.Item.Value %}","i":"{% $states.context.Map.Item.Index %}","all":"{% $count($states.input.list) %}"},`,
			`{"Type":"Wait","Seconds":"{% $states.input.n %}","Output":"{% $base + $states.input.n + $states.input.i + $states.input.all + $states.context.Map.Item.Index %}","End":true}`)), `{"list":[30,20,10]}`)
	w.wantSuccess(r, `[43,35,27]`)
	if w.elapsed() != 30*time.Second {
		t.Errorf("took %s; the iterations did not run side by side", w.elapsed())
	}
}

func TestMaxConcurrencyBoundsTheIterationsThatRunAtOnce(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	w := newWorld(t, func(w *world, _ asl.Task, _ int) (string, *asl.TaskError) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if err := w.clock.Sleep(context.Background(), time.Second); err != nil {
			w.t.Error(err)
		}
		now.Add(-1)
		return `1`, nil
	})
	w.wantSuccess(w.run(machine("M", mapOf(`"MaxConcurrency":"{% 2 %}",`, `{`+invoke+`,"End":true}`)), `[1,2,3,4,5]`),
		`[1,1,1,1,1]`)
	if most.Load() != 2 || w.elapsed() != 3*time.Second {
		t.Errorf("%d at once, %s in all; want 2 and 3s", most.Load(), w.elapsed())
	}
}

func TestAnEmptyMapStartsAndSucceeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	w.wantSuccess(w.run(machine("M", mapOf(`"Items":"{% [] %}",`, `{"Type":"Pass","End":true}`)), `{}`), `[]`)
	w.wantTrail(0, "ExecutionStarted", "MapStateEntered M", "MapStateStarted", "MapStateSucceeded", "MapStateExited M",
		"ExecutionSucceeded")
}

func TestAMapOverSomethingElseThanAnArrayNeverStarts(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string][2]string{
		`"Items":"{% 1 %}",`: {"Items", "Expected 'array', but was 'number' for value: 1"},
		``:                   {"", "Map state input must be an array but was: 1"},
	} {
		w := newWorld(t, noTasks)
		w.wantFailure(w.run(machine("M", mapOf(fields, `{"Type":"Pass","End":true}`)), `1`),
			"States.QueryEvaluationError")
		w.wantTrail(0, "ExecutionStarted", "MapStateEntered M", "EvaluationFailed", "MapStateFailed", "ExecutionFailed")
		if d := w.event("EvaluationFailed").EvaluationFailed; d.Location != want[0] ||
			!strings.HasSuffix(d.Cause, want[1]) {
			t.Errorf("got %+v", d)
		}
	}
}

func TestAFailedIterationAbortsTheOthersAndTheMap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world, task asl.Task, _ int) (string, *asl.TaskError) {
		if string(task.Arguments) == "1" {
			_ = w.clock.Sleep(context.Background(), time.Second)
			return "", &asl.TaskError{Error: "Boom"}
		}
		_ = w.clock.Sleep(context.Background(), time.Hour)
		return `{}`, nil
	})
	w.wantFailure(w.run(machine("M", mapOf(``, `{`+invoke+`,"End":true}`)), `[0,1]`), "Boom")
	trail := w.trail(0)
	wantOrder := []string{"MapIterationFailed 1", "TaskStateAborted", "MapIterationAborted 0", "MapStateFailed",
		"ExecutionFailed"}
	if got := trail[len(trail)-5:]; !slices.Equal(got, wantOrder) {
		t.Errorf("the history ends %v; want %v", got, wantOrder)
	}
	for _, kind := range []string{"MapIterationFailed", "TaskStateAborted", "MapIterationAborted", "MapStateFailed"} {
		if e := w.event(kind); e.PreviousEventID != w.event("TaskFailed").ID {
			t.Errorf("%s follows event %d, want the task's failure", kind, e.PreviousEventID)
		}
	}
	if w.event("ExecutionFailed").Timestamp.Sub(start) != time.Second {
		t.Error("the failed Map waited for its other iteration")
	}
}

func TestARetriedMapStartsAgainWithAllItemsAndFailsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, failing("Boom"))
	w.wantFailure(w.run(machine("M", mapOf(`"MaxConcurrency":1,"Retry":[{"ErrorEquals":["Boom"],"MaxAttempts":2}],`,
		`{`+invoke+`,"End":true}`)), `[1]`), "Boom")
	one := []string{"MapStateStarted", "MapIterationStarted 0", "TaskStateEntered I", "TaskScheduled", "TaskStarted",
		"TaskFailed", "MapIterationFailed 0"}
	w.wantTrail(0, slices.Concat([]string{"ExecutionStarted", "MapStateEntered M"}, one, one, one,
		[]string{"MapStateFailed", "ExecutionFailed"})...)
}

const parallelOfTwo = `"P":{"Type":"Parallel","End":true,"Branches":[
	{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Arguments":"a","End":true}}},
	{"StartAt":"B","States":{"B":{"Type":"Wait","Seconds":60,"Output":"b","End":true}}}]`

func TestAParallelGivesTheOutputsOfItsBranches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(*world, asl.Task, int) (string, *asl.TaskError) { return `"a"`, nil })
	w.wantSuccess(w.run(machine("P", parallelOfTwo+`}`), `{}`), `["a","b"]`)
	if w.event("ParallelStateSucceeded").PreviousEventID != w.event("WaitStateExited").ID {
		t.Error("ParallelStateSucceeded does not follow the branch that ended last")
	}
}

func TestAFailedBranchIsCaughtByItsParallel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, failing("Boom"))
	r := w.run(machine("P", parallelOfTwo+
		`,"Catch":[{"ErrorEquals":["States.ALL"],"Output":"{% $states.errorOutput.Error %}","Next":"S"}]},"S":{"Type":"Succeed"}`), `{}`)
	w.wantSuccess(r, `"Boom"`)
	if w.elapsed() != 0 {
		t.Errorf("the other branch was waited for: %s", w.elapsed())
	}
	trail := strings.Join(w.trail(0), ",")
	if !strings.HasSuffix(trail,
		"ParallelStateFailed,ParallelStateExited P,SucceedStateEntered S,SucceedStateExited S,ExecutionSucceeded") {
		t.Errorf("history %s", trail)
	}
}

func TestARedriveSchedulesATaskAgainWithFreshRetries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *world, task asl.Task, call int) (string, *asl.TaskError) {
		if call <= 3 {
			return "", &asl.TaskError{Error: "Down"}
		}
		return string(task.Arguments), nil
	})
	r := w.run(machine("T",
		`"T":{`+invoke+
			`,"Arguments":["{% $states.context.Execution.RedriveCount %}","{% $states.context.State.RetryCount %}"],"End":true,
		"Retry":[{"ErrorEquals":["Down"],"MaxAttempts":1}]}`), `{}`)
	w.wantFailure(r, "Down")
	before := len(w.execution.Events())
	w.wantSuccess(w.redrive(), `[1,1]`)
	w.wantTrail(before, "ExecutionRedriven", "TaskScheduled", "TaskStarted", "TaskFailed", "TaskScheduled",
		"TaskStarted", "TaskSucceeded", "TaskStateExited T", "ExecutionSucceeded")
	if d := w.event("ExecutionRedriven").ExecutionRedriven; d.RedriveCount != 1 {
		t.Errorf("redrive count %d", d.RedriveCount)
	}
}

func TestRedriveReentersAFailStateAndFailsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	w.wantFailure(w.run(machine("F", `"F":{"Type":"Fail","Error":"RolledBack"}`), `{}`), "RolledBack")
	w.wantFailure(w.redrive(), "RolledBack")
	w.wantTrail(0, "ExecutionStarted", "FailStateEntered F", "ExecutionFailed", "ExecutionRedriven",
		"FailStateEntered F", "ExecutionFailed")
}

func TestRedriveLeavesAPassWithoutExecutingIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	w.onEvent = func(e asl.Event) {
		if e.Type == "PassStateEntered" {
			w.stop(&asl.StopReason{})
		}
	}
	r := w.run(machine("A",
		`"A":{"Type":"Choice","Choices":[{"Condition":false,"Next":"P"}],"Default":"P","Assign":{"x":1}},`+
			`"P":{"Type":"Pass","Assign":{"x":2},"Output":3,"Next":"S"},"S":{"Type":"Succeed","Output":["{% $x %}","{% $states.input %}"]}`), `0`)
	if r.Status != asl.Aborted {
		t.Fatalf("ended %s", r.Status)
	}
	w.wantSuccess(w.redrive(), `[1,0]`)
}

func TestRedriveLeavesAWaitWhoseTimestampHasPassedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	r := w.run(
		`{"QueryLanguage":"JSONata","TimeoutSeconds":60,"StartAt":"W","States":{"W":{"Type":"Wait","Timestamp":"2026-03-01T10:05:00Z","End":true}}}`, `{}`)
	if r.Status != asl.TimedOut {
		t.Fatalf("ended %s", r.Status)
	}
	w.clock.Advance(time.Hour)
	at := w.elapsed()
	w.wantSuccess(w.redrive(), `{}`)
	if w.elapsed() != at {
		t.Errorf("waited %s", w.elapsed()-at)
	}
	w.wantTrail(2, "ExecutionTimedOut", "ExecutionRedriven", "WaitStateExited W", "ExecutionSucceeded")
}

func TestRedriveRunsOnlyTheIterationsThatFailedOrWereAborted(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	down.Store(true)
	calls := map[string]int{}
	w := newWorld(t, func(w *world, task asl.Task, _ int) (string, *asl.TaskError) {
		calls[string(task.Arguments)]++
		if down.Load() && string(task.Arguments) == "2" {
			return "", &asl.TaskError{Error: "Down"}
		}
		return string(task.Arguments), nil
	})
	w.wantFailure(w.run(machine("M", mapOf(`"MaxConcurrency":1,`, `{`+invoke+`,"End":true}`)), `[1,2,3]`), "Down")
	before := len(w.execution.Events())
	down.Store(false)
	w.wantSuccess(w.redrive(), `[1,2,3]`)
	if calls["1"] != 1 || calls["2"] != 2 || calls["3"] != 1 {
		t.Errorf("calls %v", calls)
	}
	w.wantTrail(before, "ExecutionRedriven",
		"TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited I", "MapIterationSucceeded 1",
		"MapIterationStarted 2", "TaskStateEntered I", "TaskScheduled", "TaskStarted", "TaskSucceeded",
		"TaskStateExited I", "MapIterationSucceeded 2",
		"MapStateSucceeded", "MapStateExited M", "ExecutionSucceeded")
}

func TestRedriveRunsOnlyTheBranchThatFailedOfAParallel(t *testing.T) {
	t.Parallel()
	var calls int
	w := newWorld(t, func(w *world, _ asl.Task, call int) (string, *asl.TaskError) {
		calls = call
		if call == 1 {
			_ = w.clock.Sleep(context.Background(), 2*time.Minute)
			return "", &asl.TaskError{Error: "Down"}
		}
		return `"a"`, nil
	})
	w.wantFailure(w.run(machine("P", parallelOfTwo+`}`), `{}`), "Down")
	before, at := len(w.execution.Events()), w.elapsed()
	w.wantSuccess(w.redrive(), `["a","b"]`)
	w.wantTrail(before, "ExecutionRedriven", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited A",
		"ParallelStateSucceeded", "ParallelStateExited P", "ExecutionSucceeded")
	if calls != 2 || w.elapsed() != at {
		t.Errorf("%d calls, waited %s", calls, w.elapsed()-at)
	}
}
