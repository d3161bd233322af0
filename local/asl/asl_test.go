package asl_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/jsonata"
	"alboidc.internal/shared/clock"
)

var expressions = sync.OnceValues(func() (*jsonata.Engine, error) {
	path, err := jsonata.Find()
	if err != nil {
		return nil, err
	}
	return jsonata.Load(path, jsonata.Options{})
})

// start is when every test's clock begins.
var start = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// tasks is an asl.Tasks that answers as its function says and keeps what it was asked.
type tasks struct {
	run func(t asl.Task, call int) (string, *asl.TaskError)

	mu    sync.Mutex
	calls []asl.Task
}

func (f *tasks) Run(_ context.Context, t asl.Task) (json.RawMessage, *asl.TaskError) {
	f.mu.Lock()
	f.calls = append(f.calls, t)
	n := len(f.calls)
	f.mu.Unlock()
	out, err := f.run(t, n)
	return json.RawMessage(out), err
}

// world is an engine on a virtual clock.
type world struct {
	t         *testing.T
	clock     *clock.Virtual
	engine    *asl.Engine
	execution *asl.Execution
	stop      context.CancelCauseFunc // of the present run
	onEvent   func(asl.Event)
}

func newWorld(t *testing.T, run func(w *world, task asl.Task, call int) (string, *asl.TaskError)) *world {
	t.Helper()
	e, err := expressions()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, clock: clock.NewVirtual(start)}
	f := &tasks{run: func(task asl.Task, call int) (string, *asl.TaskError) { return run(w, task, call) }}
	w.engine = &asl.Engine{Clock: w.clock, Expressions: e, Tasks: f, Random: func() float64 { return 0.5 }}
	return w
}

// noTasks is for machines without Task states.
func noTasks(w *world, _ asl.Task, _ int) (string, *asl.TaskError) {
	w.t.Error("a task was run")
	return "null", nil
}

func (w *world) parse(definition string) *asl.Machine {
	w.t.Helper()
	e, err := expressions()
	if err != nil {
		w.t.Fatal(err)
	}
	m, diagnostics := asl.Parse([]byte(definition), e)
	if m == nil {
		w.t.Fatalf("refused: %+v", diagnostics)
	}
	return m
}

// run executes a definition to its end.
func (w *world) run(definition, input string) asl.Result {
	w.t.Helper()
	w.execution = w.engine.New(w.parse(definition), asl.Identity{
		ARN: "arn:aws:states:eu-central-1:111122223333:execution:m:e", Name: "e", Region: "eu-central-1",
		StateMachineARN: "arn:aws:states:eu-central-1:111122223333:stateMachine:m", StateMachineName: "m",
		RoleARN: "arn:aws:iam::111122223333:role/r", Input: json.RawMessage(input)}, w.onEvent)
	return w.await(w.execution.Run)
}

func (w *world) redrive() asl.Result { return w.await(w.execution.Redrive) }

func (w *world) await(f func(context.Context) asl.Result) asl.Result {
	done := make(chan asl.Result, 1)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	w.stop = cancel
	w.clock.Go(func() { done <- f(ctx) })
	return <-done
}

// trail is the history as "Type" or "Type name", from the given event on.
func (w *world) trail(from int) []string {
	var out []string
	for _, e := range w.execution.Events()[from:] {
		s := e.Type
		switch {
		case e.StateEntered != nil:
			s += " " + e.StateEntered.Name
		case e.StateExited != nil:
			s += " " + e.StateExited.Name
		case e.IterationStarted != nil:
			s += fmt.Sprint(" ", e.IterationStarted.Index)
		case e.IterationSucceeded != nil:
			s += fmt.Sprint(" ", e.IterationSucceeded.Index)
		case e.IterationFailed != nil:
			s += fmt.Sprint(" ", e.IterationFailed.Index)
		case e.IterationAborted != nil:
			s += fmt.Sprint(" ", e.IterationAborted.Index)
		}
		out = append(out, s)
	}
	return out
}

func (w *world) wantTrail(from int, want ...string) {
	w.t.Helper()
	got := w.trail(from)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.t.Errorf("history\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// event is the last event of a type.
func (w *world) event(kind string) asl.Event {
	w.t.Helper()
	events := w.execution.Events()
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].Type == kind {
			return events[i]
		}
	}
	w.t.Fatalf("there is no %s in %v", kind, w.trail(0))
	return asl.Event{}
}

func (w *world) wantSuccess(r asl.Result, output string) {
	w.t.Helper()
	if r.Status != asl.Succeeded || string(r.Output) != output {
		w.t.Fatalf("got %s %s %s; want success with %s", r.Status, r.Output, text(r.Error, r.Cause), output)
	}
}

func (w *world) wantFailure(r asl.Result, name string) {
	w.t.Helper()
	if r.Status != asl.Failed || r.Error == nil || *r.Error != name {
		w.t.Fatalf("got %s %s %s; want %s", r.Status, r.Output, text(r.Error, r.Cause), name)
	}
}

func text(parts ...*string) string {
	out := ""
	for _, p := range parts {
		if p != nil {
			out += *p + " "
		}
	}
	return out
}

func (w *world) elapsed() time.Duration { return w.clock.Now().Sub(start) }

// machine is a JSONata definition around states.
func machine(startAt, states string) string {
	return fmt.Sprintf(`{"QueryLanguage":"JSONata","StartAt":%q,"States":{%s}}`, startAt, states)
}

const invoke = `"Type":"Task","Resource":"arn:aws:states:::lambda:invoke"`
