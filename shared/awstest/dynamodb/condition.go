package dynamodb

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// condition is a parsed ConditionExpression, FilterExpression or KeyConditionExpression. An item that does not exist
// is an empty one.
type condition interface {
	holds(it item) bool
}

// operand is a side of a comparison.
type operand interface {
	// eval returns the operand's value; false if the attribute is missing or has no such property.
	eval(it item) (value, bool)
}

type literal struct{ v value }

func (l literal) eval(item) (value, bool) { return l.v, true }

type attribute struct{ path path }

func (a attribute) eval(it item) (value, bool) { return a.path.get(it) }

// sizeOf is the function size(path).
type sizeOf struct{ path path }

func (s sizeOf) eval(it item) (value, bool) {
	v, ok := s.path.get(it)
	if !ok {
		return value{}, false
	}
	n := 0
	switch v.kind {
	case "S":
		n = utf8.RuneCountInString(v.str)
	case "B":
		n = len(v.str)
	case "SS", "NS", "BS":
		n = len(v.set)
	case "L":
		n = len(v.list)
	case "M":
		n = len(v.fields)
	default:
		return value{}, false
	}
	return numberValue(n), true
}

type and struct{ left, right condition }

func (c and) holds(it item) bool { return c.left.holds(it) && c.right.holds(it) }

type or struct{ left, right condition }

func (c or) holds(it item) bool { return c.left.holds(it) || c.right.holds(it) }

type not struct{ inner condition }

func (c not) holds(it item) bool { return !c.inner.holds(it) }

type comparison struct {
	op          string
	left, right operand
}

// holds is false when an attribute is missing or types differ, except for <>, which is the opposite of =.
func (c comparison) holds(it item) bool {
	a, okA := c.left.eval(it)
	b, okB := c.right.eval(it)
	equal := okA && okB && a.equal(b)
	switch c.op {
	case "=":
		return equal
	case "<>":
		return !equal
	}
	order, ok := a.compare(b)
	if !okA || !okB || !ok {
		return false
	}
	switch c.op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default: // ">=", the parser knows no other
		return order >= 0
	}
}

type between struct{ v, low, high operand }

func (c between) holds(it item) bool {
	return comparison{">=", c.v, c.low}.holds(it) && comparison{"<=", c.v, c.high}.holds(it)
}

// oneOf is the operator IN.
type oneOf struct {
	v    operand
	list []operand
}

func (c oneOf) holds(it item) bool {
	return slices.ContainsFunc(c.list, func(o operand) bool { return comparison{"=", c.v, o}.holds(it) })
}

// exists is attribute_exists(path).
type exists struct{ path path }

func (c exists) holds(it item) bool {
	_, ok := c.path.get(it)
	return ok
}

// hasType is attribute_type(path, :type).
type hasType struct {
	path path
	kind string
}

func (c hasType) holds(it item) bool {
	v, ok := c.path.get(it)
	return ok && v.kind == c.kind
}

// beginsWith is begins_with(path, prefix), of strings and of binaries.
type beginsWith struct {
	path   path
	prefix operand
}

func (c beginsWith) holds(it item) bool {
	v, ok := c.path.get(it)
	w, okW := c.prefix.eval(it)
	return ok && okW && v.kind == w.kind && (v.kind == "S" || v.kind == "B") && strings.HasPrefix(v.str, w.str)
}

// contains is contains(path, operand): a part of a string or binary, or an element of a set or list.
type contains struct {
	path path
	part operand
}

func (c contains) holds(it item) bool {
	v, ok := c.path.get(it)
	w, okW := c.part.eval(it)
	switch {
	case !ok || !okW:
		return false
	case v.kind == "S" || v.kind == "B":
		return v.kind == w.kind && strings.Contains(v.str, w.str)
	case isSet(v.kind):
		return scalarOf(v.kind) == w.kind && slices.Contains(v.set, w.str)
	}
	return slices.ContainsFunc(v.list, w.equal)
}
