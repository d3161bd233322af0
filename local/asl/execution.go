package asl

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"alboidc.internal/shared/clock"
)

// Tasks carries out the work of Task states.
type Tasks interface {
	// Run performs one task and returns its result or its error. It is not told when its state has timed out or the
	// execution was stopped: an abandoned request still takes effect, as on AWS. It is called in a goroutine of the
	// clock, and sleeps on that clock.
	Run(ctx context.Context, t Task) (json.RawMessage, *TaskError)
}

// Task is one call of an integration.
type Task struct {
	Resource     string // e.g. arn:aws:states:::lambda:invoke
	Arguments    json.RawMessage
	Region       string
	ExecutionARN string
}

// TaskError is the error of a task, as Retry and Catch see it.
type TaskError struct {
	Error string
	Cause string
}

// Engine is what executions run on. All fields are required.
type Engine struct {
	Clock       clock.Clock
	Expressions Evaluator
	Tasks       Tasks
	// Random gives the jitter of retries, from [0, 1).
	Random func() float64
}

// Identity is what an execution is called; most of it appears in the context object.
type Identity struct {
	ARN              string
	Name             string
	StateMachineARN  string
	StateMachineName string
	RoleARN          string
	Region           string
	Input            json.RawMessage
	// AliasARN and VersionARN are set if the execution was started through them.
	AliasARN   string
	VersionARN string
}

// Status is the status of an execution, e.g. RUNNING.
type Status string

// The statuses (Step Functions API reference, DescribeExecution).
const (
	Running   Status = "RUNNING"
	Succeeded Status = "SUCCEEDED"
	Failed    Status = "FAILED"
	TimedOut  Status = "TIMED_OUT"
	Aborted   Status = "ABORTED"
)

// Result is how a run of an execution ended.
type Result struct {
	Status Status
	Output json.RawMessage // if succeeded
	Error  *string
	Cause  *string
	At     time.Time
}

// Execution is one execution of a machine. Run and then any number of Redrives are called one after the other,
// Events and Transitions at any time.
type Execution struct {
	engine   *Engine
	machine  *Machine
	identity Identity
	onEvent  func(Event)
	started  time.Time
	root     *scope

	mu          sync.Mutex
	events      []Event
	transitions int
	redrives    int
	redriven    time.Time
	children    []*Execution // of distributed Maps
}

// StopReason is the cause to cancel the context of Run or Redrive with, so that the execution ends as ABORTED with an
// optional error and cause (API reference, StopExecution).
type StopReason struct{ Details ErrorDetails }

// Error implements error.
func (*StopReason) Error() string { return "the execution was stopped" }

var errExecutionTimeout = errors.New("the execution timed out")

// siblingFailed is why a branch or an iteration is cut off. The events of the end of all of them follow the last event
// of the one that failed (recorded).
type siblingFailed struct{ last int64 }

// Error implements error.
func (*siblingFailed) Error() string { return "another branch or iteration failed" }

// cutOff is why ctx ended, nil if no sibling failed.
func cutOff(ctx context.Context) *siblingFailed {
	var why *siblingFailed
	errors.As(context.Cause(ctx), &why)
	return why
}

// New prepares an execution. onEvent, if not nil, is called with every event of its history, in order, one at a time;
// it must not call the execution.
func (e *Engine) New(m *Machine, id Identity, onEvent func(Event)) *Execution {
	return &Execution{engine: e, machine: m, identity: id, onEvent: onEvent, started: e.Clock.Now(),
		root: &scope{flow: &m.Flow, state: m.StartAt, input: id.Input, vars: map[string]json.RawMessage{}}}
}

// Run carries the execution out. It ends at once, as ABORTED, when ctx does. Call it from a goroutine of the engine's
// clock.
func (x *Execution) Run(ctx context.Context) Result {
	input, details := detailsOf(x.identity.Input)
	x.record(nil, Event{Type: "ExecutionStarted", ExecutionStarted: &StartedDetails{Input: input, InputDetails: details,
		RoleARN:              x.identity.RoleARN,
		StateMachineAliasARN: x.identity.AliasARN, StateMachineVersionARN: x.identity.VersionARN}})
	return x.drive(ctx)
}

// Redrive goes on with a failed, timed out or stopped execution from the states where it ended (developer guide,
// "Restarting state machine executions with redrive"). Call it from a goroutine of the engine's clock.
func (x *Execution) Redrive(ctx context.Context) Result {
	x.mu.Lock()
	x.redrives++
	x.redriven = x.engine.Clock.Now()
	count := x.redrives
	x.mu.Unlock()
	last := &scope{prev: int64(x.length())}
	x.root.resume(x.record(last, Event{Type: "ExecutionRedriven",
		ExecutionRedriven: &RedrivenDetails{RedriveCount: count}}))
	return x.drive(ctx)
}

// Events is a copy of the history so far.
func (x *Execution) Events() []Event {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.events)
}

func (x *Execution) length() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.events)
}

// Transitions is how many state transitions AWS would charge for so far: states entered, and retries; those of the
// executions of a distributed Map, too.
func (x *Execution) Transitions() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := x.transitions
	for _, c := range x.children {
		n += c.Transitions()
	}
	return n
}

// drive runs the root scope to its end, under the machine's timeout, which a redrive starts anew.
func (x *Execution) drive(parent context.Context) Result {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	endTimer := x.startTimer(ctx, cancel)
	output, fail := x.runScope(ctx, x.root)
	endTimer()
	return x.finishRun(ctx, output, fail)
}

// startTimer ends the run after the machine's TimeoutSeconds. While the run winds down the timer stays busy, so that a
// virtual clock cannot jump to a sleeper that is being woken.
func (x *Execution) startTimer(ctx context.Context, cancel context.CancelCauseFunc) (end func()) {
	if x.machine.TimeoutSeconds == 0 {
		return func() {}
	}
	ctx, stop := context.WithCancel(ctx)
	over, gone := make(chan struct{}), make(chan struct{})
	x.engine.Clock.Go(func() {
		defer close(gone)
		if x.engine.Clock.Sleep(ctx, time.Duration(x.machine.TimeoutSeconds)*time.Second) == nil {
			cancel(errExecutionTimeout)
			<-over
		}
	})
	return func() {
		close(over)
		stop()
		<-gone
	}
}

// historyFull is how an execution ends whose history is full, as was seen in such executions.
func historyFull() *failure {
	return fail(errRuntime, "The execution reached the maximum number of history events (25000).")
}

// isFull reports whether only the last event has room.
func (x *Execution) isFull() bool { return x.length() >= maxEvents-1 }

// finishRun records the last event of a run.
func (x *Execution) finishRun(ctx context.Context, output json.RawMessage, fail *failure) Result {
	r := Result{At: x.engine.Clock.Now()}
	var byHand *StopReason
	cause := context.Cause(ctx)
	switch {
	case fail == nil:
		r.Status, r.Output = Succeeded, output
		text, details := detailsOf(output)
		x.record(x.root, Event{Type: "ExecutionSucceeded", ExecutionSucceeded: &OutputDetails{Output: text,
			OutputDetails: details}})
	case !fail.aborted:
		r.Status, r.Error, r.Cause = Failed, fail.name(), fail.Cause
		x.record(x.root, Event{Type: "ExecutionFailed", ExecutionFailed: &ErrorDetails{Error: r.Error, Cause: r.Cause}})
	case errors.Is(cause, errExecutionTimeout):
		r.Status = TimedOut // without error and cause, and before no other event
		x.record(nil, Event{Type: "ExecutionTimedOut", ExecutionTimedOut: &ErrorDetails{}})
	default:
		r.Status = Aborted
		reason := ErrorDetails{}
		if errors.As(cause, &byHand) {
			reason = byHand.Details
		}
		r.Error, r.Cause = reason.Error, reason.Cause
		x.record(nil, Event{Type: "ExecutionAborted", ExecutionAborted: &reason})
	}
	return r
}

// record appends an event to the history. It follows the last event of scope s, and becomes that; nil is the event 0.
func (x *Execution) record(s *scope, e Event) int64 {
	var prev int64
	if s != nil {
		prev = s.prev
	}
	id := x.recordAfter(prev, e)
	if s != nil {
		s.prev = id
	}
	return id
}

// ends are the events that may be the last of a history.
var ends = []string{"ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"}

// recordAfter appends an event to the history that follows a given one. Event number 25,000 is how the execution ends,
// whatever comes then (developer guide, "Avoid reaching the history quota"); one that is none is left out.
func (x *Execution) recordAfter(prev int64, e Event) int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.events) >= maxEvents-1 && !slices.Contains(ends, e.Type) {
		return int64(len(x.events))
	}
	e.ID = int64(len(x.events)) + 1
	e.PreviousEventID = prev
	e.Timestamp = Instant{x.engine.Clock.Now()}
	x.events = append(x.events, e)
	if x.onEvent != nil {
		x.onEvent(e)
	}
	return e.ID
}

// transition counts one state transition.
func (x *Execution) transition() {
	x.mu.Lock()
	x.transitions++
	x.mu.Unlock()
}
