package asl

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
)

// inlineConcurrency is how many iterations of an inline Map run at once at most (developer guide, "Inline Map state").
const inlineConcurrency = 40

// runParallel is one try of a Parallel.
func (x *Execution) runParallel(ctx context.Context, s *scope, st *State, v view) (json.RawMessage, *failure) {
	if s.children == nil {
		input := s.input
		if st.Arguments != nil {
			var f *failure
			if input, f = x.payload(s, st, v, st.Arguments, "Arguments"); f != nil {
				return nil, f
			}
		}
		id := x.record(s, Event{Type: "ParallelStateStarted"})
		for _, b := range st.Branches {
			s.children = append(s.children, &scope{flow: b, parent: s, vars: map[string]json.RawMessage{},
				state: b.StartAt, input: input, prev: id})
		}
	}
	return x.join(ctx, s, st, len(s.children), func(ctx context.Context, i int) *failure {
		_, f := x.runScope(ctx, s.children[i])
		return f
	})
}

// concurrency is a Map's MaxConcurrency; 0 is as many as there can be.
func (x *Execution) concurrency(s *scope, st *State, v view) (int64, *failure) {
	if st.MaxConcurrency == nil {
		return 0, nil
	}
	return x.evaluateCount(s, st, v, st.MaxConcurrency, "MaxConcurrency", 0)
}

// runMap is one try of an inline Map.
func (x *Execution) runMap(ctx context.Context, s *scope, st *State, v view) (json.RawMessage, *failure) {
	width, f := x.concurrency(s, st, v)
	if f != nil {
		return nil, f
	}
	if width == 0 || width > inlineConcurrency {
		width = inlineConcurrency
	}
	if s.children == nil {
		items, f := x.items(s, st, v)
		if f != nil {
			return nil, f
		}
		id := x.record(s, Event{Type: "MapStateStarted", MapStarted: &MapDetails{Length: len(items)}})
		s.children = make([]*scope, 0, len(items))
		for i, item := range items {
			s.children = append(s.children, &scope{flow: st.Processor, parent: s, vars: map[string]json.RawMessage{},
				state: st.Processor.StartAt,
				input: item, prev: id, item: &mapItem{Index: i, Value: item}})
		}
	}
	return x.join(ctx, s, st, int(width), func(ctx context.Context, i int) *failure {
		return x.iterate(ctx, s, st, v, i)
	})
}

// items is the array that a Map goes over: Items, or the state's input.
func (x *Execution) items(s *scope, st *State, v view) ([]json.RawMessage, *failure) {
	value := s.input
	if st.Items != nil {
		var f *failure
		if value, f = x.evaluateAs(s, st, v, st.Items, "Items", "array"); f != nil {
			return nil, f
		}
	} else if value = bytes.TrimSpace(value); typeOf(value) != "array" {
		return nil, x.evaluationError(s, st, s.entry, "", "Map state input must be an array but was: "+string(value))
	}
	var items []json.RawMessage
	if err := json.Unmarshal(value, &items); err != nil {
		return nil, fail(errRuntime, err.Error())
	}
	return items, nil
}

// iterate runs one iteration, or goes on with it after a redrive.
func (x *Execution) iterate(ctx context.Context, s *scope, st *State, v view, i int) *failure {
	c := s.children[i]
	details := &IterationDetails{Name: st.Name, Index: i}
	if !c.started {
		x.record(c, Event{Type: "MapIterationStarted", IterationStarted: details})
		c.started = true
	}
	f := x.selectItem(s, c, st, v)
	if f == nil {
		_, f = x.runScope(ctx, c)
	}
	switch why := cutOff(ctx); {
	case f == nil:
		x.record(c, Event{Type: "MapIterationSucceeded", IterationSucceeded: details})
	case !f.aborted:
		x.recordAfter(c.prev, Event{Type: "MapIterationFailed", IterationFailed: details})
	case why != nil:
		x.recordAfter(why.last, Event{Type: "MapIterationAborted", IterationAborted: details})
	}
	return f
}

// selectItem gives an iteration its input, once. The selector sees the Map's own input and variables, but what it
// records belongs to the iteration: several of them run at the same time.
func (x *Execution) selectItem(s, c *scope, st *State, v view) *failure {
	if st.ItemSelector == nil || c.selected {
		return nil
	}
	v.item = c.item
	at := *s
	at.prev, at.entry = c.prev, c.prev
	input, f := x.payload(&at, st, v, st.ItemSelector, "ItemSelector")
	c.prev = at.prev
	if f == nil {
		c.input, c.selected = input, true
	}
	return f
}

// group lets the children of one state run side by side.
type group struct {
	mu      sync.Mutex
	next    int // the first child that nobody has taken yet
	workers int
	failed  *failure
	last    int64 // the event after which the state goes on
	cancel  context.CancelCauseFunc
	handoff *handoff[struct{}]
}

// join runs the unfinished children, at most width at a time, and gives the array of all outputs. The first failure
// aborts the others.
func (x *Execution) join(ctx context.Context, s *scope, st *State, width int,
	run func(context.Context, int) *failure) (json.RawMessage, *failure) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g := &group{workers: min(width, len(s.children)), cancel: cancel, last: s.prev, handoff: newHandoff[struct{}]()}
	if g.workers > 0 {
		for range g.workers {
			x.engine.Clock.Go(func() { g.work(ctx, s, run) })
		}
		x.engine.Clock.Idle(func() { g.handoff.wait(context.WithoutCancel(ctx)) })
	}
	g.handoff.release()
	s.prev = g.last
	if g.failed != nil {
		if st.Distributed && !g.failed.aborted {
			x.record(s, Event{Type: "MapRunFailed"})
		}
		return nil, g.failed
	}
	var b bytes.Buffer
	b.WriteByte('[')
	for i, c := range s.children {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(c.output)
	}
	b.WriteByte(']')
	if b.Len() > maxPayload {
		return nil, tooLarge(st.Name)
	}
	if st.Distributed {
		x.record(s, Event{Type: "MapRunSucceeded"})
	}
	x.record(s, Event{Type: st.Type + "StateSucceeded"})
	return b.Bytes(), nil
}

// work takes children until none is left or one has failed. Whoever cancels the others, and whoever is the last, stays
// busy until the waiting state goes on; otherwise a virtual clock could jump while sleepers are still being cancelled.
func (g *group) work(ctx context.Context, s *scope, run func(context.Context, int) *failure) {
	cancelled := false
	for ctx.Err() == nil {
		i, ok := g.take(s.children)
		if !ok {
			break
		}
		f := run(ctx, i)
		cancelled = g.finish(s.children[i], f) || cancelled
	}
	g.mu.Lock()
	g.workers--
	last := g.workers == 0
	if g.failed == nil && ctx.Err() != nil {
		g.failed = aborted()
	}
	g.mu.Unlock()
	if last {
		g.handoff.give(struct{}{})
	} else if cancelled {
		<-g.handoff.awake
	}
}

func (g *group) take(children []*scope) (int, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for ; g.next < len(children); g.next++ {
		if !children[g.next].done {
			g.next++
			return g.next - 1, true
		}
	}
	return 0, false
}

// finish notes the end of a child; it reports whether it has cancelled the others.
func (g *group) finish(c *scope, f *failure) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case f == nil:
		g.last = max(g.last, c.prev)
		return false
	case f.aborted:
		return false
	case g.failed == nil:
		g.failed, g.last = f, c.prev
		g.cancel(&siblingFailed{c.prev})
		return true
	}
	return false
}
