package asl

import (
	"maps"
	"slices"
)

// check verifies what a single state cannot: transitions lead somewhere, every state can be reached, every flow can
// end, names are unique in the whole machine, and inner scopes leave outer variables alone.
func (p *parser) check(f *Flow) {
	p.checkFlow(f, "", map[string]bool{}, map[string]bool{})
}

func (p *parser) checkFlow(f *Flow, path string, names, outer map[string]bool) {
	if f.States[f.StartAt] == nil {
		p.report(codeTransition, path+"/StartAt", "There is no state '%s'", f.StartAt)
		return
	}
	if !f.ends() {
		p.report(codeEnd, path+"/States", "There is no terminal state")
	}
	reached := map[string]bool{}
	p.reach(f, f.StartAt, path, reached)
	scope := maps.Clone(outer)
	for _, name := range slices.Sorted(maps.Keys(f.States)) {
		at := path + "/States/" + name
		if !reached[name] {
			p.report(codeTransition, at, "State \"%s\" is not reachable.", name)
		}
		if names[name] {
			p.report(codeSchema, at, "The name '%s' is used by more than one state", name)
		}
		names[name] = true
		for _, v := range f.States[name].assigned() {
			if outer[v] {
				p.report(codeSchema, at+"/Assign/"+v,
					"The variable '%s' belongs to an outer scope and cannot be assigned here", v)
			}
			scope[v] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.States)) {
		visible := scope
		if f.States[name].Distributed {
			visible = map[string]bool{} // of an execution of its own there is no outer scope
		}
		for at, inner := range f.States[name].inner(path + "/States/" + name) {
			p.checkFlow(inner, at, names, visible)
		}
	}
}

// reach marks the states that can follow name, itself included.
func (p *parser) reach(f *Flow, name, path string, reached map[string]bool) {
	if reached[name] {
		return
	}
	reached[name] = true
	for _, next := range f.States[name].successors() {
		if f.States[next] == nil {
			p.report(codeTransition, path+"/States/"+name, "There is no state '%s' to go to", next)
			continue
		}
		p.reach(f, next, path, reached)
	}
}

// successors are the names of the states that may come next.
func (s *State) successors() []string {
	var out []string
	for _, n := range []string{s.Next, s.Default} {
		if n != "" {
			out = append(out, n)
		}
	}
	for _, r := range s.Choices {
		out = append(out, r.Next)
	}
	for _, c := range s.Catch {
		out = append(out, c.Next)
	}
	return out
}

// assigned are the variables that a state may give a value.
func (s *State) assigned() []string {
	out := s.Assign.keys()
	for _, r := range s.Choices {
		out = append(out, r.Assign.keys()...)
	}
	for _, c := range s.Catch {
		out = append(out, c.Assign.keys()...)
	}
	return out
}

// keys are the names of an object's members.
func (t *Template) keys() []string {
	if t == nil {
		return nil
	}
	if t.literal == nil {
		return slices.Clone(t.names)
	}
	list, err := members(t.literal)
	if err != nil {
		return nil
	}
	var out []string
	for _, m := range list {
		out = append(out, m.name)
	}
	return out
}
