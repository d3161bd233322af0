package asl

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// runWait sleeps for Seconds, or until Timestamp. A Wait that a redrive resumes does the same again: one whose
// Timestamp has passed is left at once (developer guide, "Redrive behavior of individual states"), Seconds start anew.
func (x *Execution) runWait(ctx context.Context, s *scope, st *State) (exit, *failure) {
	d, f := x.waitFor(s, st)
	if f != nil {
		return exit{}, f
	}
	if x.engine.Clock.Sleep(ctx, d) != nil {
		return exit{}, aborted()
	}
	return x.leave(s, st, view{}, way{next: st.Next, assign: st.Assign, output: st.Output}, s.input)
}

// runPass leaves a Pass that a redrive resumes without executing it (developer guide, "Redrive behavior of individual
// states").
func (x *Execution) runPass(ctx context.Context, s *scope, st *State) (exit, *failure) {
	switch {
	case s.resumed:
		return x.leave(s, st, view{}, way{next: st.Next}, s.input)
	case ctx.Err() != nil:
		return exit{}, aborted()
	default:
		return x.leave(s, st, view{}, way{next: st.Next, assign: st.Assign, output: st.Output}, s.input)
	}
}

func (x *Execution) waitFor(s *scope, st *State) (time.Duration, *failure) {
	if st.Seconds != nil {
		n, f := x.evaluateCount(s, st, view{}, st.Seconds, "Seconds", 0)
		return time.Duration(n) * time.Second, f
	}
	value, f := x.evaluate(s, st, view{}, st.Timestamp, "Timestamp")
	if f != nil {
		return 0, f
	}
	until, ok := timestamp(value)
	if !ok {
		return 0, x.evaluationFailed(s, st, s.entered, st.Timestamp.expression, "Timestamp",
			fmt.Sprintf("returned a value that is not a timestamp: %s", value))
	}
	return until.Sub(x.engine.Clock.Now()), nil
}

// runChoice takes the first rule whose Condition is true. The state's own Assign and Output belong to Default.
func (x *Execution) runChoice(s *scope, st *State) (exit, *failure) {
	for i, r := range st.Choices {
		field := fmt.Sprintf("Choices[%d]/", i)
		v, f := x.evaluateAs(s, st, view{}, r.Condition, field+"Condition", "boolean")
		if f != nil {
			return exit{}, f
		}
		if string(v) == "true" {
			return x.leave(s, st, view{}, way{next: r.Next, assign: r.Assign, output: r.Output, field: field}, s.input)
		}
	}
	if st.Default == "" {
		return exit{}, fail(errNoChoice,
			fmt.Sprintf("An error occurred while executing the state '%s' (entered at the event id #%d). "+
				"Failed to transition out of the state. No rule matched, and there is no Default.", st.Name, s.entered))
	}
	return x.leave(s, st, view{}, way{next: st.Default, assign: st.Assign, output: st.Output}, s.input)
}

// runFail gives the failure that a Fail state stands for.
func (x *Execution) runFail(s *scope, st *State) *failure {
	out := &failure{}
	for _, part := range []struct {
		t     *Template
		field string
		set   func(string)
	}{
		{st.Error, "Error", func(v string) { out.Error = v }},
		{st.Cause, "Cause", func(v string) { out.Cause = &v }},
	} {
		if part.t == nil {
			continue
		}
		v, f := x.evaluateAs(s, st, view{}, part.t, part.field, "string")
		if f != nil {
			return f
		}
		var text string
		if err := json.Unmarshal(v, &text); err != nil {
			return fail(errRuntime, err.Error())
		}
		part.set(text)
	}
	return out
}
