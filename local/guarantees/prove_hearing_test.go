package guarantees_test

import (
	"fmt"
	"slices"
	"strings"

	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stepfunctions"
)

// hearState lets happen what is to happen in a state: while it waits, or at its first call.
func (r *telling) hearState(execution string, e stepfunctions.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.ExecutionStarted != nil || e.ExecutionRedriven != nil {
		r.hearStart(execution)
		delete(r.over, execution) // it may have been stopped, and redriven
	}
	if e.ExecutionSucceeded != nil || e.ExecutionFailed != nil || e.ExecutionAborted != nil ||
		e.ExecutionTimedOut != nil {
		r.over[execution] = true
		if held := r.held; execution == r.awaited {
			r.clock.Go(func() { <-held })
		}
	}
	if e.StateEntered != nil && e.StateEntered.Name == "RollBack" {
		r.goesBack(execution)
	}
	if e.StateEntered == nil || !strings.HasSuffix(execution, ":"+r.main) {
		return
	}
	r.state, r.reads = e.StateEntered.Name, 0
	r.canariesFirst = r.canariesFirst && r.state != "TestCanaries"
	r.reasserted = r.reasserted || slices.Contains([]string{"ReassertSecret", "RediscoverToRestore",
		"ReassertOldSecret"}, r.state)
	if r.state == "TellRollback" {
		r.aimAgain()
	}
	for _, e := range r.take(func(m moment) bool { return m.state == r.state }) {
		switch {
		case !waits(r.state):
			e.at.state, e.at.call = "", r.calls+max(1, e.at.call)
			r.due = append(r.due, e)
		case e.at.after == 0:
			r.clock.Go(func() { r.fire(e, seen{}) })
		default:
			r.after(e.at.after, func(ended bool) {
				if !ended && !r.isTold(execution) {
					r.fire(e, seen{})
				}
			})
		}
	}
}

// aimAgain lets what was to happen on the way forward happen on the way back. r.mu is held.
func (r *telling) aimAgain() {
	back := wayBack(r.life.way)
	for i, e := range r.due {
		list := e.kind.on(back)
		if e.at.state != "" && !slices.Contains(back, e.at.state) && len(list) > 0 {
			r.due[i].at.state = list[e.n%len(list)]
		}
	}
}

// hearStart notes an execution that starts, or starts again. r.mu is held.
func (r *telling) hearStart(execution string) {
	list := &r.executions
	if !strings.Contains(execution, ":"+scenario.MachineName+":") {
		list = &r.notifiers
	}
	r.over[execution], r.told[execution] = false, false
	if !slices.Contains(*list, execution) {
		*list = append(*list, execution)
	}
	if soon := r.soon; soon != nil && !strings.HasSuffix(execution, "-measures") {
		r.main, r.soon = nameOf(execution), nil
		r.mu.Unlock()
		<-soon
		r.mu.Lock()
	}
}

// ofTests are calls of the test itself.
var ofTests = []string{"StartExecution", "RedriveExecution", "UpdateStateMachine", "DescribeStateMachine"}

// hearCall lets happen what is to happen at a call, before it is carried out.
func (r *telling) hearCall(service, operation, text string) {
	if r.other.Load() > 0 || service == "states" && slices.Contains(ofTests, operation) {
		return
	}
	_, first, _ := strings.Cut(r.Site.LoadBalancers[0], ":loadbalancer/")
	if service == "elasticloadbalancing" && strings.HasPrefix(operation, "Describe") && !strings.Contains(text, first) {
		return // several load balancers are searched at a time, in any order
	}
	r.mu.Lock()
	if r.life.way.canaried && r.canariesFirst && r.state == "SetTargetSecret" &&
		strings.HasPrefix(operation, "Modify") && strings.Contains(text, first) {
		r.rec.Errorf("canaries: a target that is none got the new secret before they were tested")
	}
	r.calls++
	c := seen{service: service, operation: operation}
	if operation == "DescribeRules" && r.isAboutWeights(text) {
		r.reads++
		c.reading = r.reads
	}
	now := r.take(func(m moment) bool { return m.comes(r.calls, c) })
	r.mu.Unlock()
	r.mustNotBeOutdated(service, operation, text)
	for _, e := range now {
		r.fire(e, c)
	}
}

// take takes what is due. r.mu is held.
func (r *telling) take(due func(moment) bool) (now []event) {
	r.due = slices.DeleteFunc(r.due, func(e event) bool {
		if due(e.at) {
			now = append(now, e)
		}
		return due(e.at)
	})
	return now
}

// fire lets an event happen.
func (r *telling) fire(e event, c seen) {
	if e.kind.atCall && c.service == "" {
		return
	}
	r.other.Add(1)
	defer r.other.Add(-1)
	r.mu.Lock()
	stops := slices.Contains(executions, e.kind)
	if stops {
		r.stopping++
	}
	where := r.where()
	if c.service != "" {
		where += fmt.Sprintf(", before %s:%s (call %d)", c.service, c.operation, r.calls)
	}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if stops {
			r.stopping--
		}
		r.calm.Broadcast()
	}()
	var said string
	done := make(chan struct{})
	go func() { // a Fatal ends it
		defer close(done)
		said = e.kind.do(r, e.n, c)
	}()
	<-done
	if said == "" {
		r.tell("could not happen: %s%s", e.kind.name, where)
		return
	}
	r.tell("%s%s", said, where)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[e.kind.name]++
	if e.kind.harmless || e.given && e.at.before {
		return
	}
	if !e.given {
		r.took++
	}
	r.happened = append(r.happened, e.kind)
	r.canariesFirst = r.canariesFirst && slices.Contains(faults, e.kind)
}

// where says in which state the chapter's execution is. r.mu is held.
func (r *telling) where() string {
	if r.state == "" {
		return ""
	}
	return ", in " + r.state
}

// isIn reports whether the chapter's execution is in one of these states.
func (r *telling) isIn(states ...string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(states, r.state)
}

// mend is done at the end of the chapter.
func (r *telling) mend(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mends = append(r.mends, f)
}
