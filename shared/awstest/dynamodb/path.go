package dynamodb

import (
	"slices"
	"strconv"
	"strings"
)

// step is one element of a document path: an attribute's name, or an index into a list.
type step struct {
	name  string
	index int // -1 for a name
}

// path is a document path such as a.b[0]. Its first step is a name.
type path []step

func (p path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case s.index >= 0:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case i > 0:
			b.WriteString("." + s.name)
		default:
			b.WriteString(s.name)
		}
	}
	return b.String()
}

// of finds the element of a map or list that a step leads to.
func (s step) of(v value) (value, bool) {
	switch {
	case s.index < 0 && v.kind == "M":
		w, ok := v.fields[s.name]
		return w, ok
	case s.index >= 0 && v.kind == "L" && s.index < len(v.list):
		return v.list[s.index], true
	}
	return value{}, false
}

// get finds the value at a path.
func (p path) get(it item) (value, bool) {
	v, ok := value{kind: "M", fields: it}, true
	for i := 0; i < len(p) && ok; i++ {
		v, ok = p[i].of(v)
	}
	return v, ok
}

func errPathForUpdate() error {
	return errValidation("The document path provided in the update expression is invalid for update")
}

// set returns v with the value at the path replaced. Only the last step may be missing: a name is added, an index
// beyond the end of a list appends (developer guide, "Update expressions").
func (p path) set(v, to value) (value, error) {
	if len(p) == 0 {
		return to, nil
	}
	s, last := p[0], len(p) == 1
	switch {
	case s.index < 0 && v.kind == "M":
		child, ok := v.fields[s.name]
		if !ok && !last {
			return v, errPathForUpdate()
		}
		child, err := p[1:].set(child, to)
		v.fields = copyItem(v.fields)
		v.fields[s.name] = child
		return v, err
	case s.index >= 0 && v.kind == "L" && s.index < len(v.list):
		child, err := p[1:].set(v.list[s.index], to)
		v.list = slices.Clone(v.list)
		v.list[s.index] = child
		return v, err
	case s.index >= 0 && v.kind == "L" && last:
		v.list = append(slices.Clone(v.list), to)
		return v, nil
	}
	return v, errPathForUpdate()
}

// remove returns v without the value at the path; what is not there is no error, but its parents must be.
func (p path) remove(v value) (value, error) {
	s, last := p[0], len(p) == 1
	switch {
	case s.index < 0 && v.kind == "M":
		child, ok := v.fields[s.name]
		v.fields = copyItem(v.fields)
		if last {
			delete(v.fields, s.name)
			return v, nil
		}
		if !ok {
			return v, errPathForUpdate()
		}
		child, err := p[1:].remove(child)
		v.fields[s.name] = child
		return v, err
	case s.index >= 0 && v.kind == "L":
		if s.index >= len(v.list) {
			if last {
				return v, nil
			}
			return v, errPathForUpdate()
		}
		v.list = slices.Clone(v.list)
		if last {
			v.list = slices.Delete(v.list, s.index, s.index+1)
			return v, nil
		}
		child, err := p[1:].remove(v.list[s.index])
		v.list[s.index] = child
		return v, err
	}
	return v, errPathForUpdate()
}

func copyItem(it item) item {
	c := make(item, len(it)+1)
	for k, v := range it {
		c[k] = v
	}
	return c
}

// checkOverlap refuses paths of which one leads through another, and ones that take the same place for a map and for a
// list.
func checkOverlap(expression string, paths []path) error {
	for i, a := range paths {
		for _, b := range paths[i+1:] {
			n := 0
			for n < len(a) && n < len(b) && a[n] == b[n] {
				n++
			}
			if n == len(a) || n == len(b) {
				return errValidation("Invalid %s: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [%s], path two: [%s]", expression, a, b)
			}
			if (a[n].index < 0) != (b[n].index < 0) {
				return errValidation("Invalid %s: Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [%s], path two: [%s]", expression, a, b)
			}
		}
	}
	return nil
}

// project returns the parts of an item that the paths lead to, in their places; list elements close ranks.
func project(it item, paths []path) item {
	out, _ := projectValue(value{kind: "M", fields: it}, paths)
	if out.fields == nil {
		return item{}
	}
	return out.fields
}

// projectValue does that below one value; ok is false if no path leads to anything.
func projectValue(v value, paths []path) (out value, ok bool) {
	below := map[step][]path{}
	var steps []step
	for _, p := range paths {
		if len(p) == 0 {
			return v, true
		}
		if below[p[0]] == nil {
			steps = append(steps, p[0])
		}
		below[p[0]] = append(below[p[0]], p[1:])
	}
	slices.SortFunc(steps, func(a, b step) int { return a.index - b.index })
	out = value{kind: v.kind}
	for _, s := range steps {
		child, ok := s.of(v)
		if ok {
			child, ok = projectValue(child, below[s])
		}
		switch {
		case !ok:
		case s.index >= 0:
			out.list = append(out.list, child)
		case out.fields == nil:
			out.fields = item{s.name: child}
		default:
			out.fields[s.name] = child
		}
	}
	return out, out.list != nil || out.fields != nil
}
