package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"alboidc.internal/statemachine"
)

// machine is a state machine's definition, as far as it is drawn.
type machine struct {
	order []string // as in the definition
	state map[string]*state
	// shows says whether a state is shown; others are passed through.
	shows func(string) bool
}

// state is one state of a definition.
type state struct {
	Type    string
	Next    string
	Default string
	End     bool
	Choices []struct{ Next string }
	Catch   []struct{ Next string }
	// ItemProcessor is what a Map does with each item.
	ItemProcessor *struct{ States map[string]json.RawMessage }
	place         int // in the definition
}

// next are the states that follow without a failure.
func (s *state) next() []string {
	var out []string
	if s.Next != "" {
		out = append(out, s.Next)
	}
	for _, c := range s.Choices {
		out = append(out, c.Next)
	}
	if s.Default != "" {
		out = append(out, s.Default)
	}
	return out
}

// catches are the states that follow a failure.
func (s *state) catches() []string {
	var out []string
	for _, c := range s.Catch {
		out = append(out, c.Next)
	}
	return out
}

// parseMachine reads a definition. Its order is kept: it is that of a rotation.
func parseMachine(definition string, shows func(string) bool) (*machine, error) {
	var doc struct{ States json.RawMessage }
	if err := json.Unmarshal([]byte(definition), &doc); err != nil {
		return nil, fmt.Errorf("reading the definition of the state machine: %w", err)
	}
	m := &machine{state: map[string]*state{}, shows: shows}
	d := json.NewDecoder(bytes.NewReader(doc.States))
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("reading the states: %w", err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("reading the states: %w", err)
		}
		s := &state{place: len(m.order)}
		if err := d.Decode(s); err != nil {
			return nil, fmt.Errorf("reading state %v: %w", name, err)
		}
		m.order = append(m.order, name.(string))
		m.state[name.(string)] = s
	}
	return m, nil
}

// rotationMachine is the definition of this release.
func rotationMachine() (*machine, error) {
	return parseMachine(statemachine.Definition, func(s string) bool { return statemachine.Sentence(s) != "" })
}

// outer is the state that a state of a Map's items belongs to; the state itself if it is none.
func (m *machine) outer(name string) string {
	if m.state[name] != nil {
		return name
	}
	for outer, s := range m.state {
		if s.ItemProcessor != nil && s.ItemProcessor.States[name] != nil {
			return outer
		}
	}
	return name
}

// reach are the shown states that follow the given ones, through any that are not shown, in the definition's order.
func (m *machine) reach(from []string) []string {
	seen := map[string]bool{}
	var out []string
	for len(from) > 0 {
		name := from[0]
		from = from[1:]
		s := m.state[name]
		switch {
		case s == nil || seen[name]:
			continue
		case m.shows(name):
			out = append(out, name)
		default:
			from = append(from, s.next()...)
		}
		seen[name] = true
	}
	slices.SortFunc(out, func(a, b string) int { return m.state[a].place - m.state[b].place })
	return out
}

// lanes are the shown states in chains: the longest way through the definition without a failure, then the longest
// through what is left, and so on. Ends that are no chain's come last, each alone.
func (m *machine) lanes() [][]string {
	left := map[string]bool{}
	for _, name := range m.order {
		left[name] = m.shows(name)
	}
	var out [][]string
	for {
		chain := m.longest(left)
		if len(chain) == 0 {
			return out
		}
		for _, name := range chain {
			left[name] = false
		}
		out = append(out, chain)
	}
}

// longest is the longest chain of states that are left, each further on in the definition than the one before. Of
// equal ones it is the last: the rollback has an end in common with a repair, which stands before it.
func (m *machine) longest(left map[string]bool) []string {
	best := map[string][]string{} // the longest chain that begins at a state
	var longest []string
	for _, name := range slices.Backward(m.order) {
		if !left[name] {
			continue
		}
		chain := []string{name}
		for _, next := range m.reach(m.state[name].next()) {
			if left[next] && m.state[next].place > m.state[name].place && len(best[next]) >= len(chain) {
				chain = append([]string{name}, best[next]...)
			}
		}
		if best[name] = chain; len(chain) > len(longest) {
			longest = chain
		}
	}
	return longest
}
