package guarantees_test

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stepfunctions"
)

// oneAtATime checks G6: once another execution has the lock, no function does anything for the former owner.
func (r *telling) oneAtATime() {
	taken := map[string][]time.Time{}
	histories := map[string][]stepfunctions.Event{}
	for _, x := range r.executions {
		events, err := r.Stack.StepFunctions.History(x)
		if err != nil {
			r.rec.Fatal(err)
		}
		histories[x] = events
		state := ""
		for _, e := range events {
			if e.StateEntered != nil {
				state = e.StateEntered.Name
			}
			if e.TaskSucceeded != nil && strings.HasSuffix(state, "Lock") && state != "ReleaseLock" {
				taken[x] = append(taken[x], e.Timestamp.Time)
			}
		}
		r.mustHaveTested(x, events)
	}
	for x := range histories {
		r.mustFindItFree(x, taken, histories)
	}
	for x, events := range histories {
		scheduled, state := map[int64]time.Time{}, ""
		for _, e := range events {
			if e.StateEntered != nil {
				state = e.StateEntered.Name
			}
			if at, ok := scheduled[e.PreviousEventID]; ok && e.StateEntered == nil {
				scheduled[e.ID] = at
			}
			if e.TaskScheduled != nil && e.TaskScheduled.ResourceType == "lambda" && state != "Notify" { // only tells
				scheduled[e.ID] = e.Timestamp.Time
			}
			if at, ok := scheduled[e.ID]; ok && e.TaskSucceeded != nil && len(taken[x]) > 0 {
				r.mustOwn(x, at, taken)
			}
		}
	}
}

// mustHaveTested checks G3: what is in use was tested since every target was set the last time, before the old secret
// goes; and that an execution whose configuration is gone begins no rollback, for which it would need it.
func (r *telling) mustHaveTested(execution string, events []stepfunctions.Event) {
	state, tested, gone := "", false, false
	for _, e := range events {
		switch {
		case e.TaskFailed != nil:
			gone = text(e.TaskFailed.Error) == "Reconfigured"
		case e.StateEntered != nil:
			if gone && e.StateEntered.Name == "RollBack" {
				r.rec.Errorf("G5: %s began a rollback although its configuration was gone", execution)
			}
			state, gone = e.StateEntered.Name, false
			tested = tested && state != "ReassertSecret"
		case e.TaskSucceeded != nil && state == "TestBeforeFinish":
			tested = true
		case e.TaskSucceeded != nil && state == "DisableOldSecret" && !tested:
			r.rec.Errorf("G3: %s disabled the old secret although no test had succeeded since the last round",
				execution)
		}
	}
}

// mustFindItFree checks that an execution that is no emergency and no repair took the lock from none that runs.
func (r *telling) mustFindItFree(execution string, taken map[string][]time.Time,
	histories map[string][]stepfunctions.Event) {
	if input := histories[execution][0].ExecutionStarted.Input; strings.Contains(input, `"emergency"`) ||
		strings.Contains(input, `"repair"`) {
		return
	}
	for _, at := range taken[execution] {
		former, since := "", time.Time{}
		for x, times := range taken {
			for _, t := range times {
				if x != execution && t.Before(at) && t.After(since) {
					former, since = x, t
				}
			}
		}
		if former != "" && hasIt(histories[former], at) {
			r.rec.Errorf("G6: %s took the lock from %s, which runs", execution, former)
		}
	}
}

// hasIt reports whether an execution runs at an instant, and has for a minute, and has not given its lock back.
func hasIt(events []stepfunctions.Event, at time.Time) bool {
	has, state, since := true, "", time.Time{}
	for _, e := range events {
		switch {
		case e.Timestamp.After(at):
			return has && at.Sub(since) > time.Minute
		case e.StateEntered != nil:
			state = e.StateEntered.Name
		case e.ExecutionRedriven != nil:
			has, since = true, e.Timestamp.Time
		case e.TaskSucceeded != nil && state == "ReleaseLock", e.ExecutionAborted != nil, e.ExecutionFailed != nil,
			e.ExecutionSucceeded != nil, e.ExecutionTimedOut != nil:
			has = false
		}
	}
	return has && at.Sub(since) > time.Minute
}

// mustOwn checks that an execution was the last to take the lock when one of its calls began.
func (r *telling) mustOwn(execution string, at time.Time, taken map[string][]time.Time) {
	last := func(x string, until time.Time) (t time.Time) {
		for _, took := range taken[x] {
			if !took.After(until) {
				t = took
			}
		}
		return t
	}
	for other := range taken {
		if other != execution && last(other, at.Add(-1)).After(last(execution, at)) {
			r.rec.Errorf("G6: a function worked for %s although %s had the lock", execution, other)
		}
	}
}

// isAboutWeights tells whether a request names the rule with weights.
func (r *telling) isAboutWeights(request string) bool {
	rule, is := r.ruleWithWeights()
	return is && strings.Contains(request, rule.ARN)
}

// mustKeepWeights checks that no rotation has put back weights that a deployment had moved.
func (r *telling) mustKeepWeights() {
	r.mu.Lock()
	want := r.weights
	r.mu.Unlock()
	rule, is := r.ruleWithWeights()
	if want < 0 || !is || r.fs != nil { // something else writes old copies there
		return
	}
	if got := rule.Actions[1].Forward.TargetGroups[1].Weight; got != int(want) {
		r.rec.Errorf("lost: a deployment moved a weight to %d, and now it is %d", want, got)
	}
}

// isThird notes that a person has just stored another secret as AWSCURRENT.
func (r *telling) isThird() {
	labels, values, err := r.Stack.SecretsManager.Snapshot(scenario.Home, r.SecretARN)
	if err != nil {
		r.rec.Fatal(err)
	}
	values = secretsIn(values)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outdated, r.outdatedAt, r.earlier = map[string]bool{}, r.clock.Now(), slices.Clone(r.executions)
	for _, value := range values {
		r.outdated[value] = value != values[labels["AWSCURRENT"]]
	}
}

// goesBack notes that an execution goes back after a failure. One that began after a person had stored a secret, and
// made none, goes back from that. r.mu is held.
func (r *telling) goesBack(execution string) {
	labels, _, err := r.Stack.SecretsManager.Snapshot(scenario.Home, r.SecretARN)
	if err == nil && labels["AWSPENDING"] == "" && !slices.Contains(r.earlier, execution) {
		r.outdated = nil
	}
}

// mustNotBeOutdated checks that no target gets an earlier secret once a person has stored another as AWSCURRENT and
// every call that began before has ended. Followers read late.
func (r *telling) mustNotBeOutdated(service, operation, request string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fs != nil || service != "elasticloadbalancing" || !strings.HasPrefix(operation, "Modify") ||
		r.clock.Now().Sub(r.outdatedAt) <= usual() {
		return
	}
	for value, outdated := range r.outdated {
		if outdated && strings.Contains(request, value) {
			r.rec.Errorf("G1: a target gets an earlier secret, %s after a person stored another as AWSCURRENT",
				r.clock.Now().Sub(r.outdatedAt))
		}
	}
}

// hidden checks G7 over everything that the life has left.
func (r *telling) hidden() {
	traces := r.traces(r.executions)
	for _, x := range r.notifiers {
		history, err := r.Stack.StepFunctions.History(x)
		if err != nil {
			r.rec.Fatal(err)
		}
		b, err := json.Marshal(history)
		if err != nil {
			r.rec.Fatal(err)
		}
		traces["history of the notifier"] += string(b)
	}
	for what, value := range r.values() {
		for _, d := range r.disguises(value) {
			for name, trace := range traces {
				if value != "" && strings.Contains(trace, d) {
					r.rec.Errorf("G7: the %s shows in the %s", what, name)
				}
			}
		}
	}
}
