package asl

import (
	"context"
	"encoding/json"
	"strings"
)

// errTolerance is how a distributed Map fails of which a child has failed.
const errTolerance = "States.ExceedToleratedFailureThreshold"

// runDistributed is one try of a Map in distributed mode. Each item has an execution of its own, with a history of its
// own, which knows neither the variables nor the context of the one that started it; there is no limit of 40 (developer
// guide, "Distributed mode"). A redrive goes on with the children that did not succeed.
func (x *Execution) runDistributed(ctx context.Context, s *scope, st *State, v view) (json.RawMessage, *failure) {
	width, f := x.concurrency(s, st, v)
	if f != nil {
		return nil, f
	}
	if s.children == nil {
		items, f := x.items(s, st, v)
		if f != nil {
			return nil, f
		}
		x.record(s, Event{Type: "MapStateStarted", MapStarted: &MapDetails{Length: len(items)}})
		id := x.record(s, Event{Type: "MapRunStarted", MapRunStarted: &MapRunDetails{MapRunARN: x.mapRun(st.Name)}})
		s.children = make([]*scope, 0, len(items))
		for i, item := range items {
			s.children = append(s.children, &scope{parent: s, input: item, prev: id,
				item: &mapItem{Index: i, Value: item}})
		}
	}
	if width == 0 {
		width = int64(len(s.children))
	}
	return x.join(ctx, s, st, int(width), func(ctx context.Context, i int) *failure {
		return x.runChild(ctx, s, st, v, i)
	})
}

// mapRun is the ARN of a map run, and what those of its children begin with.
func (x *Execution) mapRun(state string) string {
	return strings.Replace(strings.Replace(x.identity.ARN, ":execution:", ":mapRun:", 1),
		x.identity.StateMachineName+":", x.identity.StateMachineName+"/"+state+":", 1)
}

// runChild runs the execution of one item, or goes on with it after a redrive.
func (x *Execution) runChild(ctx context.Context, s *scope, st *State, v view, i int) *failure {
	c := s.children[i]
	if f := x.selectItem(s, c, st, v); f != nil {
		return f
	}
	var r Result
	if c.run != nil {
		r = c.run.Redrive(ctx)
	} else {
		id := x.identity
		id.ARN = strings.Replace(x.mapRun(st.Name), ":mapRun:", ":execution:", 1) + "-" + itoa(i)
		id.Name, id.Input = id.ARN[strings.LastIndexByte(id.ARN, ':')+1:], c.input
		c.run = x.engine.New(&Machine{Flow: *st.Processor}, id, nil)
		x.mu.Lock()
		x.children = append(x.children, c.run)
		x.mu.Unlock()
		r = c.run.Run(ctx)
	}
	switch r.Status {
	case Succeeded:
		c.done, c.output = true, r.Output
		return nil
	case Aborted:
		return aborted()
	}
	return fail(errTolerance, "The specified tolerated failure threshold was exceeded")
}
