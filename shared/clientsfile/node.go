package clientsfile

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// kind is what a value of the file is.
type kind string

const (
	null    kind = "nothing"
	boolean kind = "true or false"
	number  kind = "a number"
	text    kind = "a text"
	list    kind = "a list"
	object  kind = "an object"
)

// node is a value of the file, and where it is written. Anchors, merge keys and defaults share nodes, so a path is the
// one of the file, whatever the value is used for.
type node struct {
	kind         kind
	line, column int
	path         string
	scalar       string // of a boolean, number or text
	items        []*node
	members      map[string]member
	size         int // how many nodes it is with all below it
}

// member is a member of an object. line and column are those of its name.
type member struct {
	line, column int
	value        *node
}

// names of an object's members, in the order of the file.
func (n *node) names() []string {
	return slices.SortedFunc(maps.Keys(n.members), func(a, b string) int {
		x, y := n.members[a], n.members[b]
		return cmp.Or(cmp.Compare(x.line, y.line), cmp.Compare(x.column, y.column), cmp.Compare(a, b))
	})
}

// get is a member, or nil.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	return n.members[name].value
}

// with returns an object with another value of a member, which stays where it is written.
func (n *node) with(name string, value *node) *node {
	out := *n
	out.members = maps.Clone(n.members)
	m := n.members[name]
	m.value = value
	out.members[name] = m
	return &out
}

// mergeOver returns an object with all members of n, and those of base that n does not have. Objects in both are merged
// in the same way; everything else is n's.
func (n *node) mergeOver(base *node) *node {
	if base == nil || n.kind != object || base.kind != object {
		return n
	}
	both := *n
	both.members = maps.Clone(base.members)
	for name, m := range n.members {
		if below, has := base.members[name]; has {
			m.value = m.value.mergeOver(below.value)
		}
		both.members[name] = m
	}
	return &both
}

// at is the node at a path, or the deepest one above it, and what of the path is left below that.
func (n *node) at(path string) (*node, string) {
	for path != "" {
		name, rest := nextStep(path)
		below := n.get(name)
		if i, err := strconv.Atoi(strings.Trim(name, "[]")); name[0] == '[' && err == nil && i < len(n.items) {
			below = n.items[i]
		}
		if below == nil {
			return n, path
		}
		n, path = below, rest
	}
	return n, ""
}

// nextStep is the first step of a path: a name, or an index in brackets.
func nextStep(path string) (step, rest string) {
	end := strings.IndexAny(path[1:], ".[")
	if end < 0 {
		return path, ""
	}
	return path[:end+1], strings.TrimPrefix(path[end+1:], ".")
}

// joinPath returns the path of a step below a path.
func joinPath(path, step string) string {
	if path == "" || step == "" || step[0] == '[' {
		return path + step
	}
	return path + "." + step
}

// isWithin reports whether a path is above, or below it.
func isWithin(path, above string) bool {
	rest, ok := strings.CutPrefix(path, above)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
