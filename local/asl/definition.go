// Package asl runs Amazon States Language definitions in the JSONata query language, on a clock that tests can move.
// It implements what the rotation's state machine and its operators need of Standard workflows, and refuses everything
// else by the path of the field. Sources: the Amazon States Language specification (states-language.net), the Step
// Functions developer guide, and execution histories of the service where those are silent.
package asl

import (
	"encoding/json"
	"iter"
)

// Machine is a parsed definition.
type Machine struct {
	Flow
	// TimeoutSeconds bounds a whole execution; 0 is no bound.
	TimeoutSeconds int64
}

// Resources are the resources of all Task states, by the path of their field.
func (m *Machine) Resources() map[string]string {
	out := map[string]string{}
	m.Flow.resources("", out)
	return out
}

func (f *Flow) resources(path string, out map[string]string) {
	for name, s := range f.States {
		at := path + "/States/" + name
		if s.Resource != "" {
			out[at+"/Resource"] = s.Resource
		}
		for inner, f := range s.inner(at) {
			f.resources(inner, out)
		}
	}
}

// inner yields the flows inside a state, by their paths.
func (s *State) inner(path string) iter.Seq2[string, *Flow] {
	return func(yield func(string, *Flow) bool) {
		if s.Processor != nil && !yield(path+"/ItemProcessor", s.Processor) {
			return
		}
		for i, b := range s.Branches {
			if !yield(path+"/Branches["+itoa(i)+"]", b) {
				return
			}
		}
	}
}

// ends reports whether a flow can come to an end.
func (f *Flow) ends() bool {
	for _, s := range f.States {
		if s.Type == typeFail || s.Type == typeSucceed || s.Type != typeChoice && s.Next == "" {
			return true
		}
	}
	return false
}

// Flow is a set of states with a start: the machine itself, a branch of a Parallel, or the item processor of a Map.
type Flow struct {
	StartAt string
	States  map[string]*State
}

// State is one state. Which fields are in use depends on its type; a field that was not given is nil or zero.
type State struct {
	Name string
	Type string
	Next string // "" if the state is terminal

	Assign *Template
	Output *Template

	Resource       string    // Task
	Arguments      *Template // Task, Parallel
	TimeoutSeconds *Template // Task
	Retry          []Retrier // Task, Map, Parallel
	Catch          []Catcher // Task, Map, Parallel

	Seconds   *Template // Wait
	Timestamp *Template // Wait

	Choices []Rule // Choice
	Default string // Choice

	Items          *Template // Map
	ItemSelector   *Template // Map
	MaxConcurrency *Template // Map
	Processor      *Flow     // Map
	Distributed    bool      // Map: every item has an execution of its own

	Branches []*Flow // Parallel

	Error *Template // Fail
	Cause *Template // Fail
}

// The state types.
const (
	typeTask     = "Task"
	typeWait     = "Wait"
	typeChoice   = "Choice"
	typePass     = "Pass"
	typeSucceed  = "Succeed"
	typeFail     = "Fail"
	typeMap      = "Map"
	typeParallel = "Parallel"
)

// Rule is one rule of a Choice.
type Rule struct {
	Condition *Template
	Next      string
	Assign    *Template
	Output    *Template
}

// Retrier is one retry policy.
type Retrier struct {
	ErrorEquals     []string
	IntervalSeconds int64
	MaxAttempts     int64
	BackoffRate     float64
	MaxDelaySeconds int64 // 0 is no cap
	FullJitter      bool
}

// Catcher is one way on after an error.
type Catcher struct {
	ErrorEquals []string
	Next        string
	Assign      *Template
	Output      *Template
}

// Diagnostic is one finding about a definition, as ValidateStateMachineDefinition reports it.
type Diagnostic struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	// Location is the path of the field, e.g. /States/Plan/Retry[0].
	Location string `json:"location,omitempty"`
}

// Codes of diagnostics (API reference, ValidateStateMachineDefinitionDiagnostic).
const (
	codeJSON       = "INVALID_JSON_DESCRIPTION"
	codeSchema     = "SCHEMA_VALIDATION_FAILED"
	codeTransition = "MISSING_TRANSITION_TARGET"
	codeExpression = "INVALID_JSONATA_EXPRESSION"
	codeEnd        = "MISSING_END_STATE"
)

// Checker finds syntax errors in expressions.
type Checker interface {
	Check(expression string) error
}

// Evaluator gives an expression its value. Bindings are the variables, "states" included. An error that matches
// jsonata.ErrUndefined means that there was no value.
type Evaluator interface {
	Evaluate(expression string, bindings map[string]json.RawMessage) (json.RawMessage, error)
}
