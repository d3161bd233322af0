package console

import (
	"fmt"
	"slices"
	"time"

	"alboidc.internal/cmd/internal/words"
	"alboidc.internal/shared/evidence"
)

// mark is what has become of a state.
type mark string

const (
	todo    mark = "not reached"
	current mark = "running"
	done    mark = "done"
	failed  mark = "failed"
	stopped mark = "stopped"
)

// visited is what has become of a state in an execution, the last time that it was there.
type visited struct {
	Mark mark
	At   time.Time
	Took time.Duration
	// Tries is how often its task failed and was tried again; Times how often the state was entered.
	Tries, Times int
	Error        string // of the last failure
	Cause        string
}

// Says is the state in words.
func (v visited) Says() string {
	if v.Mark == todo {
		return string(todo)
	}
	says := string(v.Mark)
	if v.Mark == failed && v.Error != "" {
		says += " with " + v.Error
	}
	if !v.At.IsZero() {
		says += ", at " + v.At.Format("15:04:05") + " UTC, for " + words.Span(v.Took)
	}
	if v.Tries > 0 {
		says += fmt.Sprintf(", tried again %s", times(v.Tries))
	}
	if v.Times > 1 {
		says += fmt.Sprintf(", entered %s", times(v.Times))
	}
	return says
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// walk is the way of an execution through a definition.
type walk struct {
	visits map[string]visited
	// way are the shown states in the order in which they were entered.
	way []string
	// unknown are states that the definition does not have: it is another release's.
	unknown []string
}

// follow tells what has become of each state, from the record of a run that goes on, or has ended.
func (m *machine) follow(r evidence.Record, now time.Time) walk {
	w := walk{visits: map[string]visited{}}
	steps := m.outerSteps(r.Steps)
	for i, s := range steps {
		end := r.Ended
		if end.IsZero() {
			end = now
		}
		last := i == len(steps)-1
		if !last {
			end = steps[i+1].At
		}
		before := w.visits[s.State]
		v := visited{Mark: done, At: s.At, Took: end.Sub(s.At), Times: before.Times + 1}
		for _, f := range r.Failures {
			if m.outer(f.State) == s.State && !f.At.Before(s.At) && !f.At.After(end) {
				v.Tries++
				v.Error, v.Cause = f.Error, f.Cause
			}
		}
		switch definition := m.state[s.State]; {
		case definition == nil:
			w.unknown = append(w.unknown, s.State)
		case !last:
			if caught(definition, steps[i+1].State) {
				v.Mark = failed
			}
		case r.Ended.IsZero():
			v.Mark = current
		case r.Status == "FAILED" && definition.Type != "Fail":
			v.Mark = failed
		case r.Status != "SUCCEEDED" && r.Status != "FAILED":
			v.Mark = stopped
		case definition.Type == "Fail":
			v.Mark, v.Error = failed, r.Error
		}
		if v.Mark == failed {
			v.Tries = max(0, v.Tries-1)
		}
		w.visits[s.State] = v
		if m.state[s.State] != nil && m.shows(s.State) {
			w.way = append(w.way, s.State)
		}
	}
	return w
}

// outerSteps are the steps without those of a Map's items.
func (m *machine) outerSteps(steps []evidence.Step) []evidence.Step {
	var out []evidence.Step
	for _, s := range steps {
		s.State = m.outer(s.State)
		if n := len(out); n == 0 || out[n-1].State != s.State {
			out = append(out, s)
		}
	}
	return out
}

// caught reports whether only a failure leads from a state to the next one.
func caught(s *state, next string) bool {
	return slices.Contains(s.catches(), next) && !slices.Contains(s.next(), next)
}
