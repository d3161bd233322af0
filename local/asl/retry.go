package asl

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// attempt is one try of a Task, Map or Parallel; it gives $states.result.
type attempt func(ctx context.Context, s *scope, st *State, v view) (json.RawMessage, *failure)

// handled runs a state that has Retry and Catch: first the retries, then the catchers (developer guide, "Handling
// errors in Step Functions workflows"). A redrive starts the counts of the retriers anew.
func (x *Execution) handled(ctx context.Context, s *scope, st *State, try attempt) (exit, *failure) {
	counts := make([]int64, len(st.Retry))
	for v := (view{}); ; v.retryCount++ {
		if x.isFull() {
			return exit{}, historyFull()
		}
		result, f := try(ctx, s, st, v)
		worked := f == nil
		if worked {
			after := v
			after.result = result
			var to exit
			if to, f = x.leave(s, st, after, way{next: st.Next, assign: st.Assign, output: st.Output},
				result); f == nil {
				return to, nil
			}
		}
		if f.aborted {
			return exit{}, f
		}
		if delay, again := x.retryDelay(st, counts, f); again {
			if x.engine.Clock.Sleep(ctx, delay) != nil {
				return exit{}, aborted()
			}
			x.transition()
			s.children = nil
			continue
		}
		return x.giveUp(s, st, v, f, worked)
	}
}

// retryDelay finds the retrier for a failure and how long to wait. The first that names the error decides alone.
func (x *Execution) retryDelay(st *State, counts []int64, f *failure) (time.Duration, bool) {
	for i, r := range st.Retry {
		if !matches(r.ErrorEquals, f) {
			continue
		}
		if counts[i] >= r.MaxAttempts {
			return 0, false
		}
		seconds := float64(r.IntervalSeconds) * math.Pow(r.BackoffRate, float64(counts[i]))
		counts[i]++
		if r.MaxDelaySeconds > 0 {
			seconds = math.Min(seconds, float64(r.MaxDelaySeconds))
		}
		seconds = math.Min(seconds, maxAttemptsValue)
		if r.FullJitter {
			seconds *= x.engine.Random()
		}
		return time.Duration(seconds * float64(time.Second)), true
	}
	return 0, false
}

// giveUp ends a state whose retries are used up: at the first catcher that matches, or with the failure.
func (x *Execution) giveUp(s *scope, st *State, v view, f *failure, worked bool) (exit, *failure) {
	if f.Error == errDataLimit {
		s.children = nil // a redrive then runs all branches again, also those that had succeeded
	}
	if !worked && st.Type != typeTask {
		x.record(s, Event{Type: st.Type + "StateFailed"})
	}
	for i, c := range st.Catch {
		if !matches(c.ErrorEquals, f) {
			continue
		}
		var output struct {
			Error string
			Cause string
		}
		output.Error = f.Error
		if f.Cause != nil {
			output.Cause = *f.Cause
		}
		text, err := json.Marshal(output)
		if err != nil {
			return exit{}, fail(errRuntime, err.Error())
		}
		v.errorOutput = text
		return x.leave(s, st, v, way{next: c.Next, assign: c.Assign, output: c.Output, field: fmt.Sprintf("Catch[%d]/",
			i)}, text)
	}
	return exit{}, f
}
