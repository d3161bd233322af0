package dynamodb

import (
	"cmp"
	"math/big"
	"slices"
)

// update is a parsed UpdateExpression.
type update struct{ actions []action }

// action is one clause of an UpdateExpression.
type action struct {
	section string // SET, REMOVE, ADD or DELETE
	path    path
	term    term // what SET, ADD and DELETE take
}

// term is a value that SET computes from the item as it was before the update.
type term interface {
	value(it item) (value, error)
}

func (l literal) value(item) (value, error) { return l.v, nil }

func (a attribute) value(it item) (value, error) {
	v, ok := a.path.get(it)
	if !ok {
		return v, errValidation("The provided expression refers to an attribute that does not exist in the item")
	}
	return v, nil
}

// ifNotExists is if_not_exists(path, term).
type ifNotExists struct {
	path     path
	fallback term
}

func (f ifNotExists) value(it item) (value, error) {
	if v, ok := f.path.get(it); ok {
		return v, nil
	}
	return f.fallback.value(it)
}

// listAppend is list_append(term, term).
type listAppend struct{ first, second term }

func (f listAppend) value(it item) (value, error) {
	a, b, err := both(it, f.first, f.second)
	if err != nil {
		return a, err
	}
	if a.kind != "L" || b.kind != "L" {
		return a, errOperandType()
	}
	return value{kind: "L", list: slices.Concat(a.list, b.list)}, nil
}

// sum is term + term, or term - term.
type sum struct {
	left, right term
	minus       bool
}

func (s sum) value(it item) (value, error) {
	a, b, err := both(it, s.left, s.right)
	if err != nil {
		return a, err
	}
	return add(a, b, s.minus)
}

func both(it item, x, y term) (a, b value, err error) {
	if a, err = x.value(it); err != nil {
		return a, b, err
	}
	b, err = y.value(it)
	return a, b, err
}

func add(a, b value, minus bool) (value, error) {
	if a.kind != "N" || b.kind != "N" {
		return a, errOperandType()
	}
	r := ratOf(b.str)
	if minus {
		r.Neg(r)
	}
	str, err := formatNumber(new(big.Rat).Add(ratOf(a.str), r))
	return value{kind: "N", str: str}, err
}

func errOperandType() error {
	return errValidation("An operand in the update expression has an incorrect data type")
}

// paths is the document paths that the update changes.
func (u update) paths() []path {
	var out []path
	for _, a := range u.actions {
		out = append(out, a.path)
	}
	return out
}

// apply returns the item after the update. Every value is computed from the item before; elements are removed from
// lists after all else, from the end, so that no index shifts meanwhile.
func (u update) apply(before item) (item, error) {
	ordered := slices.Clone(u.actions)
	slices.SortStableFunc(ordered, compareActions)
	after := value{kind: "M", fields: before}
	for _, a := range ordered {
		to, keep, err := a.result(before)
		if err != nil {
			return nil, err
		}
		if keep {
			after, err = a.path.set(after, to)
		} else {
			after, err = a.path.remove(after)
		}
		if err != nil {
			return nil, err
		}
	}
	return copyItem(after.fields), nil
}

// compareActions puts REMOVE last, its list elements from the end, and the others by index, so that elements that SET
// appends come in the order of their indexes.
func compareActions(a, b action) int {
	aLast, bLast := a.section == "REMOVE", b.section == "REMOVE"
	switch {
	case aLast && bLast:
		return -comparePaths(a.path, b.path)
	case aLast:
		return 1
	case bLast:
		return -1
	}
	return comparePaths(a.path, b.path)
}

func comparePaths(a, b path) int {
	return slices.CompareFunc(a, b, func(x, y step) int {
		return cmp.Or(cmp.Compare(x.name, y.name), cmp.Compare(x.index, y.index))
	})
}

// result is the value that an action leaves at its path; keep is false if it leaves none.
func (a action) result(before item) (to value, keep bool, err error) {
	if a.section == "REMOVE" {
		return value{}, false, nil
	}
	to, err = a.term.value(before)
	if err != nil || a.section == "SET" {
		return to, true, err
	}
	old, there := a.path.get(before)
	if a.section == "ADD" {
		to, err = addTo(old, there, to)
		return to, true, err
	}
	if !there {
		return value{}, false, a.parentExists(before)
	}
	if old.kind != to.kind {
		return old, true, errOperandType()
	}
	left := slices.DeleteFunc(slices.Clone(old.set), func(e string) bool { return slices.Contains(to.set, e) })
	return value{kind: old.kind, set: left}, len(left) > 0, nil // a set is never empty
}

// parentExists refuses a nested path whose parent is missing.
func (a action) parentExists(before item) error {
	if len(a.path) == 1 {
		return nil
	}
	if _, ok := a.path[:len(a.path)-1].get(before); !ok {
		return errPathForUpdate()
	}
	return nil
}

// addTo is ADD: to a number its sum, to a set its union, where nothing is the operand itself.
func addTo(old value, there bool, operand value) (value, error) {
	switch {
	case !there:
		return operand, nil
	case old.kind != operand.kind:
		return old, errOperandType()
	case old.kind == "N":
		return add(old, operand, false)
	}
	union := slices.Concat(old.set, operand.set)
	slices.Sort(union)
	return value{kind: old.kind, set: slices.Compact(union)}, nil
}
