package asl

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// runTask is one try of a Task: scheduled, started, and its end.
func (x *Execution) runTask(ctx context.Context, s *scope, st *State, v view) (json.RawMessage, *failure) {
	arguments, timeout, f := x.taskInput(s, st, v)
	if f != nil {
		return nil, f
	}
	kind, action := splitResource(st.Resource)
	scheduled := &ScheduledDetails{ResourceType: kind, Resource: action, Region: x.identity.Region,
		Parameters: string(arguments)}
	if timeout > 0 {
		scheduled.TimeoutInSeconds = &timeout
	}
	x.record(s, Event{Type: "TaskScheduled", TaskScheduled: scheduled})
	x.record(s, Event{Type: "TaskStarted", TaskStarted: &TaskDetails{ResourceType: kind, Resource: action}})
	task := Task{Resource: st.Resource, Arguments: arguments, Region: x.identity.Region, ExecutionARN: x.identity.ARN}
	answer := x.call(ctx, task, time.Duration(timeout)*time.Second)
	if answer == nil {
		return nil, aborted()
	}
	return x.taskResult(s, st, *answer)
}

// taskInput evaluates Arguments, which are the state's input if absent, and TimeoutSeconds.
func (x *Execution) taskInput(s *scope, st *State, v view) (json.RawMessage, int64, *failure) {
	arguments, timeout := s.input, int64(0)
	var f *failure
	if st.Arguments != nil {
		if arguments, f = x.payload(s, st, v, st.Arguments, "Arguments"); f != nil {
			return nil, 0, f
		}
	}
	if st.TimeoutSeconds != nil {
		timeout, f = x.evaluateCount(s, st, v, st.TimeoutSeconds, "TimeoutSeconds", 1)
	}
	return arguments, timeout, f
}

// taskResult records how a task ended.
func (x *Execution) taskResult(s *scope, st *State, a answer) (json.RawMessage, *failure) {
	kind, action := splitResource(st.Resource)
	details := &TaskDetails{ResourceType: kind, Resource: action}
	if a.timedOut {
		f := &failure{Error: errTimeout} // neither event nor execution carries a cause
		details.Error = &f.Error
		x.record(s, Event{Type: "TaskTimedOut", TaskTimedOut: details})
		return nil, f
	}
	if a.err == nil && len(a.result) <= maxPayload {
		details.Output, details.OutputDetails = detailsOf(a.result)
		x.record(s, Event{Type: "TaskSucceeded", TaskSucceeded: details})
		return a.result, nil
	}
	f := tooLarge(kind + ":" + action)
	f.taskResult = true
	if a.err != nil {
		f = &failure{Error: a.err.Error}
		if a.err.Cause != "" {
			f.Cause = &a.err.Cause
		}
	}
	details.Error, details.Cause = f.name(), f.Cause
	x.record(s, Event{Type: "TaskFailed", TaskFailed: details})
	return nil, f
}

// answer is how a call ended.
type answer struct {
	result   json.RawMessage
	err      *TaskError
	timedOut bool
}

// call runs a task and waits for its answer, its timeout (0 is none) or the end of ctx, when it returns nil.
// The task is not cancelled: on AWS a function goes on after its state has given up, and its effects still happen.
func (x *Execution) call(ctx context.Context, t Task, timeout time.Duration) *answer {
	clock := x.engine.Clock
	h := newHandoff[answer]()
	clock.Go(func() {
		result, err := x.engine.Tasks.Run(context.WithoutCancel(ctx), t)
		if err == nil && len(result) == 0 {
			result = json.RawMessage("null")
		}
		h.give(answer{result: result, err: err})
	})
	timer, stop := context.WithCancel(ctx)
	gone := make(chan struct{})
	clock.Go(func() {
		defer close(gone)
		if timeout > 0 && clock.Sleep(timer, timeout) == nil {
			h.give(answer{timedOut: true})
		}
	})
	var got *answer
	clock.Idle(func() { got = h.wait(ctx) })
	h.release()
	stop()
	<-gone
	return got
}

// splitResource gives the resource type and action of an integration, e.g. "aws-sdk:ssm" and "getParameter".
func splitResource(arn string) (kind, action string) {
	rest := strings.TrimPrefix(arn, "arn:aws:states:::")
	i := strings.LastIndexByte(rest, ':')
	return rest[:i], rest[i+1:]
}

// handoff passes the first of several values to one waiter. A giver returns only when the waiter is on its feet again,
// so that at no moment in between both look idle to a virtual clock.
type handoff[T any] struct {
	once  sync.Once
	value T
	ready chan struct{}
	awake chan struct{}
}

func newHandoff[T any]() *handoff[T] {
	return &handoff[T]{ready: make(chan struct{}), awake: make(chan struct{})}
}

// give offers a value and blocks until release.
func (h *handoff[T]) give(v T) {
	h.once.Do(func() {
		h.value = v
		close(h.ready)
	})
	<-h.awake
}

// wait returns the first value given, or nil when ctx ends.
func (h *handoff[T]) wait(ctx context.Context) *T {
	select {
	case <-h.ready:
		return &h.value
	case <-ctx.Done():
		return nil
	}
}

// release lets all givers go on.
func (h *handoff[T]) release() { close(h.awake) }
