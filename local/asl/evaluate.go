package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"alboidc.internal/local/jsonata"
)

// view is what $states shows besides the input and the context: it depends on how far a state has come.
type view struct {
	result      json.RawMessage
	errorOutput json.RawMessage
	retryCount  int
	item        *mapItem // while ItemSelector is evaluated
}

// The context object (developer guide, "Accessing execution data from the Context object").
type contextObject struct {
	Execution struct {
		ID           string          `json:"Id"`
		Input        json.RawMessage `json:"Input"`
		Name         string          `json:"Name"`
		RoleARN      string          `json:"RoleArn"`
		StartTime    string          `json:"StartTime"`
		RedriveCount int             `json:"RedriveCount"`
		RedriveTime  string          `json:"RedriveTime,omitempty"`
	} `json:"Execution"`
	StateMachine struct {
		ID   string `json:"Id"`
		Name string `json:"Name"`
	} `json:"StateMachine"`
	State struct {
		Name        string `json:"Name"`
		EnteredTime string `json:"EnteredTime"`
		// RetryCount is there for the states that can be retried.
		RetryCount *int `json:"RetryCount,omitempty"`
	} `json:"State"`
	Map *mapObject `json:"Map,omitempty"`
}

type mapObject struct {
	Item *mapItem `json:"Item"`
}

type statesObject struct {
	Input       json.RawMessage `json:"input"`
	Result      json.RawMessage `json:"result,omitempty"`
	ErrorOutput json.RawMessage `json:"errorOutput,omitempty"`
	Context     contextObject   `json:"context"`
}

func isoMillis(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (x *Execution) contextObject(s *scope, st *State, v view) contextObject {
	var c contextObject
	x.mu.Lock()
	c.Execution.RedriveCount = x.redrives
	if x.redrives > 0 {
		c.Execution.RedriveTime = isoMillis(x.redriven)
	}
	x.mu.Unlock()
	c.Execution.ID, c.Execution.Name = x.identity.ARN, x.identity.Name
	c.Execution.Input, c.Execution.RoleARN = x.identity.Input, x.identity.RoleARN
	c.Execution.StartTime = isoMillis(x.started)
	c.StateMachine.ID, c.StateMachine.Name = x.identity.StateMachineARN, x.identity.StateMachineName
	c.State.Name, c.State.EnteredTime = st.Name, isoMillis(s.since)
	if st.Type == typeTask || st.Type == typeMap || st.Type == typeParallel {
		c.State.RetryCount = &v.retryCount
	}
	for item, outer := v.item, s; c.Map == nil && outer != nil; outer = outer.parent {
		if item == nil {
			item = outer.item
		}
		if item != nil {
			c.Map = &mapObject{Item: item}
		}
	}
	return c
}

// bindings are all variables that an expression sees: those of the outer scopes, its own, and $states.
func (x *Execution) bindings(s *scope, st *State, v view) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	for outer := s; outer != nil; outer = outer.parent {
		for name, value := range outer.vars {
			if _, hidden := out[name]; !hidden {
				out[name] = value
			}
		}
	}
	states, err := json.Marshal(statesObject{Input: s.input, Result: v.result, ErrorOutput: v.errorOutput,
		Context: x.contextObject(s, st, v)})
	out["states"] = states
	return out, err
}

// evaluate gives a template its value; field is its path inside the state.
func (x *Execution) evaluate(s *scope, st *State, v view, t *Template, field string) (json.RawMessage, *failure) {
	var bindings map[string]json.RawMessage // the same for all expressions of the template
	return t.evaluate(field, func(expression, field string) (json.RawMessage, *failure) {
		if bindings == nil {
			var err error
			if bindings, err = x.bindings(s, st, v); err != nil {
				return nil, fail(errRuntime, err.Error())
			}
		}
		value, err := x.engine.Expressions.Evaluate(expression, bindings)
		var je *jsonata.Error
		switch {
		case err == nil:
			return value, nil
		case errors.Is(err, jsonata.ErrUndefined):
			return nil, x.evaluationFailed(s, st, s.entry, expression, field, "returned nothing (undefined).")
		case errors.As(err, &je), errors.Is(err, jsonata.ErrTimeLimit):
			return nil, x.evaluationFailed(s, st, s.entry, expression, field,
				"threw an error during evaluation. "+err.Error())
		default:
			return nil, fail(errRuntime, err.Error())
		}
	})
}

// evaluateAs evaluates a template whose value must have a type: "string", "number", "boolean" or "array".
func (x *Execution) evaluateAs(s *scope, st *State, v view, t *Template, field, wanted string) (json.RawMessage,
	*failure) {
	value, f := x.evaluate(s, st, v, t, field)
	if f != nil {
		return nil, f
	}
	if got := typeOf(value); got != wanted {
		return nil, x.evaluationFailed(s, st, s.entry, t.expression, field,
			fmt.Sprintf("returned an unexpected result type. Expected '%s', but was '%s' for value: %s", wanted, got,
				value))
	}
	return value, nil
}

// evaluateCount evaluates a template whose value must be a whole number from low to 99,999,999.
func (x *Execution) evaluateCount(s *scope, st *State, v view, t *Template, field string, low int64) (int64, *failure) {
	value, f := x.evaluateAs(s, st, v, t, field, "number")
	if f != nil {
		return 0, f
	}
	n, whole := wholeNumber(value)
	if !whole || n < low || n > 99999999 {
		return 0, x.evaluationFailed(s, st, s.entry, t.expression, field,
			fmt.Sprintf("returned a value out of range. Expected a whole number from %d to 99999999, but was: %s", low,
				value))
	}
	return n, nil
}

// evaluationFailed records a failed evaluation. Its previous event is the one before the state was entered, not the
// entry itself; a Wait's bad Timestamp is the exception. The events that follow come after it.
func (x *Execution) evaluationFailed(s *scope, st *State, prev int64, expression, field, what string) *failure {
	where := fmt.Sprintf("The JSONata expression '%s' specified for the field '%s' %s", expression, field, what)
	return x.evaluationError(s, st, prev, field, where)
}

func (x *Execution) evaluationError(s *scope, st *State, prev int64, location, what string) *failure {
	cause := fmt.Sprintf("An error occurred while executing the state '%s' (entered at the event id #%d). %s", st.Name,
		s.entered, what)
	s.prev = x.recordAfter(prev, Event{Type: "EvaluationFailed",
		EvaluationFailed: &EvaluationError{Error: errEvaluation, Cause: cause, Location: location, State: st.Name}})
	return fail(errEvaluation, cause)
}

// typeOf names the type of a JSON value.
func typeOf(v json.RawMessage) string {
	if len(v) == 0 {
		return "undefined"
	}
	switch v[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	default:
		return "number"
	}
}

func wholeNumber(v json.RawMessage) (int64, bool) {
	var f float64
	if typeOf(v) != "number" || json.Unmarshal(v, &f) != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// stateTime is RFC 3339 with the restrictions of the Amazon States Language: an upper case T, and an upper case Z if
// there is no numeric offset.
var stateTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

// timestamp reads a Wait's Timestamp; fractions of a second are cut off.
func timestamp(v json.RawMessage) (time.Time, bool) {
	var text string
	if json.Unmarshal(v, &text) != nil || !stateTime.MatchString(text) {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, text)
	return t.Truncate(time.Second), err == nil
}

func itoa(n int) string { return strconv.Itoa(n) }
