package asl

import (
	"encoding/json"
	"slices"
)

// Error names that Step Functions itself gives and matches (developer guide, "Handling errors in Step Functions
// workflows").
const (
	errAll           = "States.ALL"
	errTaskFailed    = "States.TaskFailed"
	errTimeout       = "States.Timeout"
	errRuntime       = "States.Runtime"
	errEvaluation    = "States.QueryEvaluationError"
	errDataLimit     = "States.DataLimitExceeded"
	errNoChoice      = "States.NoChoiceMatched"
	maxDelay         = 31622400
	maxAttemptsValue = 99999999
)

// handlers reads Retry and Catch.
func (o *object) handlers(s *State) {
	var names [][]string
	o.list("Retry", func(raw json.RawMessage, path string) {
		r := o.p.open(raw, path)
		s.Retry = append(s.Retry, r.retrier())
		names = append(names, s.Retry[len(s.Retry)-1].ErrorEquals)
		r.done()
	})
	o.wildcardLast("Retry", names)
	names = nil
	o.list("Catch", func(raw json.RawMessage, path string) {
		c := o.p.open(raw, path)
		c.text("Comment")
		catcher := Catcher{ErrorEquals: c.errorEquals(), Next: c.required("Next")}
		catcher.Assign, catcher.Output = c.outcome()
		s.Catch = append(s.Catch, catcher)
		names = append(names, catcher.ErrorEquals)
		c.done()
	})
	o.wildcardLast("Catch", names)
}

func (o *object) retrier() Retrier {
	o.text("Comment")
	r := Retrier{
		ErrorEquals:     o.errorEquals(),
		IntervalSeconds: o.integer("IntervalSeconds", 1, 1, maxAttemptsValue),
		MaxAttempts:     o.integer("MaxAttempts", 3, 0, maxAttemptsValue),
		MaxDelaySeconds: o.integer("MaxDelaySeconds", 0, 1, maxDelay),
		BackoffRate:     2,
	}
	if o.decode("BackoffRate", &r.BackoffRate, "a number") && r.BackoffRate < 1 {
		o.report("BackoffRate", "The value of 'BackoffRate' must not be less than 1")
	}
	switch j := o.text("JitterStrategy"); j {
	case "", "NONE":
	case "FULL":
		r.FullJitter = true
	default:
		o.report("JitterStrategy", "'%s' is not one of FULL, NONE", j)
	}
	return r
}

func (o *object) errorEquals() []string {
	var names []string
	if o.decode("ErrorEquals", &names, "an array of error names") && len(names) > 0 {
		return names
	}
	o.report("ErrorEquals", "There must be at least one error name")
	return nil
}

// wildcardLast: States.ALL must be alone in its list, and that list the last one.
func (o *object) wildcardLast(field string, lists [][]string) {
	for i, names := range lists {
		if slices.Contains(names, errAll) && (len(names) > 1 || i < len(lists)-1) {
			o.report(field, "'States.ALL' must stand alone, and in the last entry")
		}
	}
}

// matches reports whether a Retrier or Catcher with these names handles a failure. States.Runtime is never handled.
// The wildcards do not match States.DataLimitExceeded, with one exception that the service makes against its
// documentation: the too large result of a Task.
func matches(names []string, f *failure) bool {
	if f.Error == errRuntime {
		return false
	}
	wild := f.Error != errDataLimit || f.taskResult
	for _, n := range names {
		switch {
		case n == f.Error,
			n == errAll && wild,
			n == errTaskFailed && wild && f.Error != errTimeout:
			return true
		}
	}
	return false
}
