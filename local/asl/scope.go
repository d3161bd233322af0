package asl

import (
	"context"
	"encoding/json"
	"time"
)

// maxPayload is the largest payload of a state, and the most that one Assign may store: 256 KiB of UTF-8 (developer
// guide, "Service quotas").
const maxPayload = 256 << 10

// maxVariables is what all variables of a scope and its outer scopes may hold: 10 MiB.
const maxVariables = 10 << 20

// maxEvents is the length of history at which Step Functions fails an execution.
const maxEvents = 25000

// failure is an error on its way to a Retry, a Catch or the end of the execution.
type failure struct {
	Error string
	Cause *string
	// aborted: the context ended; nobody may handle that.
	aborted bool
	// taskResult: a Task's result was too large.
	taskResult bool
}

func fail(name, cause string) *failure { return &failure{Error: name, Cause: &cause} }

// name is the error as histories show it: null if a Fail state gave none.
func (f *failure) name() *string {
	if f.Error == "" {
		return nil
	}
	return &f.Error
}

func aborted() *failure { return &failure{aborted: true} }

// scope is where a flow stands: the machine, one branch of a Parallel, or one iteration of a Map. It outlives the run,
// so that a redrive can go on from it. One goroutine at a time works on it.
type scope struct {
	flow   *Flow
	parent *scope
	vars   map[string]json.RawMessage
	item   *mapItem // of an iteration

	state   string
	input   json.RawMessage
	prev    int64     // the last event
	entry   int64     // the event before the present state was entered
	entered int64     // the event of the present state's entry; 0 before it
	resumed bool      // a redrive goes on in the present state
	since   time.Time // when the present state was entered

	children []*scope   // of the present Parallel or Map
	run      *Execution // an item of a distributed Map: its execution, once begun
	started  bool       // an iteration: MapIterationStarted is recorded
	selected bool       // an iteration: ItemSelector has given its input
	done     bool
	output   json.RawMessage
}

// mapItem is Map.Item of the context object.
type mapItem struct {
	Index int             `json:"Index"`
	Value json.RawMessage `json:"Value"`
}

// exit is how a state was left.
type exit struct {
	next   string // "" at the end of the flow
	output json.RawMessage
}

// runScope carries a flow on from where it stands to its end.
func (x *Execution) runScope(ctx context.Context, s *scope) (json.RawMessage, *failure) {
	for !s.done {
		st := s.flow.States[s.state]
		if ctx.Err() != nil {
			return nil, aborted()
		}
		if x.isFull() {
			return nil, historyFull()
		}
		x.enter(s, st)
		to, f := x.runState(ctx, s, st)
		if f != nil {
			x.recordAbort(ctx, st, f)
			return nil, f
		}
		s.move(to)
	}
	return s.output, nil
}

// enter records that a state is entered. A state that a redrive resumes is not entered again, except Fail (developer
// guide, "Redrive behavior of individual states").
func (x *Execution) enter(s *scope, st *State) {
	if s.resumed = s.entered != 0; s.resumed && st.Type != typeFail {
		return
	}
	x.transition()
	s.entry, s.since = s.prev, x.engine.Clock.Now()
	input, details := detailsOf(s.input)
	s.entered = x.record(s, Event{Type: st.Type + "StateEntered", StateEntered: &EnteredDetails{Name: st.Name,
		Input: input, InputDetails: details}})
}

// recordAbort records that a state was cut off by the failure of a sibling. The end of the whole execution leaves no
// such trace.
func (x *Execution) recordAbort(ctx context.Context, st *State, f *failure) {
	if why := cutOff(ctx); f.aborted && why != nil && canAbort(st.Type) {
		x.recordAfter(why.last, Event{Type: st.Type + "StateAborted"})
	}
}

// canAbort: the history knows an aborted event for the types that take time (API reference, HistoryEvent).
func canAbort(stateType string) bool {
	switch stateType {
	case typeTask, typeWait, typeMap, typeParallel:
		return true
	default:
		return false
	}
}

func (s *scope) move(to exit) {
	s.children, s.entered = nil, 0
	if to.next == "" {
		s.done, s.output = true, to.output
		return
	}
	s.state, s.input = to.next, to.output
}

// resume prepares an unfinished scope for a redrive that was recorded as event id.
func (s *scope) resume(id int64) {
	s.prev = id
	for _, c := range s.children {
		if !c.done {
			c.resume(id)
		}
	}
}

func (x *Execution) runState(ctx context.Context, s *scope, st *State) (exit, *failure) {
	switch st.Type {
	case typeTask:
		return x.handled(ctx, s, st, x.runTask)
	case typeMap:
		if st.Distributed {
			return x.handled(ctx, s, st, x.runDistributed)
		}
		return x.handled(ctx, s, st, x.runMap)
	case typeParallel:
		return x.handled(ctx, s, st, x.runParallel)
	case typeWait:
		return x.runWait(ctx, s, st)
	case typeChoice:
		return x.runChoice(s, st)
	case typeFail:
		return exit{}, x.runFail(s, st)
	case typePass:
		return x.runPass(ctx, s, st)
	default: // Succeed; the parser lets no other type through
		return x.leave(s, st, view{}, way{next: st.Next, assign: st.Assign, output: st.Output}, s.input)
	}
}

// way is one way out of a state, with the fields that shape it.
type way struct {
	next   string
	assign *Template
	output *Template
	field  string // the path of a rule or catcher, with a slash at the end
}

// leave evaluates Assign and Output, both from the values at entry, and records the exit.
func (x *Execution) leave(s *scope, st *State, v view, w way, output json.RawMessage) (exit, *failure) {
	assigned, f := x.assign(s, st, v, w)
	if f != nil {
		return exit{}, f
	}
	if w.output != nil {
		if output, f = x.payload(s, st, v, w.output, w.field+"Output"); f != nil {
			return exit{}, f
		}
	}
	text, details := detailsOf(output)
	e := &ExitedDetails{Name: st.Name, Output: text, OutputDetails: details}
	for _, m := range assigned {
		if e.AssignedVariables == nil {
			e.AssignedVariables, e.AssignedVariablesDetails = map[string]string{}, &Truncated{}
		}
		e.AssignedVariables[m.name] = string(m.value)
		s.vars[m.name] = m.value
	}
	x.record(s, Event{Type: st.Type + "StateExited", StateExited: e})
	return exit{next: w.next, output: output}, nil
}

// payload evaluates a template whose value a state takes or gives.
func (x *Execution) payload(s *scope, st *State, v view, t *Template, field string) (json.RawMessage, *failure) {
	value, f := x.evaluate(s, st, v, t, field)
	if f == nil && len(value) > maxPayload {
		f = tooLarge(st.Name)
	}
	return value, f
}

// assign evaluates Assign without storing anything yet.
func (x *Execution) assign(s *scope, st *State, v view, w way) ([]member, *failure) {
	if w.assign == nil {
		return nil, nil
	}
	value, f := x.evaluate(s, st, v, w.assign, w.field+"Assign")
	if f != nil {
		return nil, f
	}
	assigned, err := members(value)
	if err != nil {
		return nil, fail(errRuntime, "Assign did not give an object: "+err.Error())
	}
	size := 0
	for _, m := range assigned {
		size += len(m.value)
	}
	if size > maxPayload || size+s.variableBytes() > maxVariables {
		return nil, tooLarge(st.Name)
	}
	return assigned, nil
}

func (s *scope) variableBytes() int {
	n := 0
	for ; s != nil; s = s.parent {
		for _, v := range s.vars {
			n += len(v)
		}
	}
	return n
}

func tooLarge(what string) *failure {
	return fail(errDataLimit,
		"The state/task '"+what+"' returned a result with a size exceeding the maximum number of bytes service limit.")
}
