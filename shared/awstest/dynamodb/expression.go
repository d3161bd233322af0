package dynamodb

import (
	"slices"
	"strings"
)

// condition is a ConditionExpression. An item that does not exist is an empty one.
type condition func(it item) bool

// operand is a side of a comparison; false if the attribute is missing.
type operand func(it item) (value, bool)

// update is an UpdateExpression: what becomes of attributes, nil if they are removed.
type update []action

type action struct {
	name string
	to   *value
}

// names are the attributes that the update names.
func (u update) names() []string {
	var out []string
	for _, a := range u {
		out = append(out, a.name)
	}
	return out
}

func (u update) apply(it item) {
	for _, a := range u {
		if a.to == nil {
			delete(it, a.name)
		} else {
			it[a.name] = *a.to
		}
	}
}

// parseProjection reads a ProjectionExpression; nil, for no names, if there is none.
func parseProjection(text *string, in *placeholders) ([]string, error) {
	if text == nil {
		return nil, nil
	}
	p, err := newParser("ProjectionExpression", *text, in)
	if err != nil {
		return nil, err
	}
	names, err := p.names()
	if err != nil {
		return nil, err
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	return names, p.checkOverlap(names)
}

// parseUpdate reads an UpdateExpression.
func parseUpdate(text string, in *placeholders) (update, error) {
	p, err := newParser("UpdateExpression", text, in)
	if err != nil {
		return nil, err
	}
	var u update
	seen := map[string]bool{}
	for p.peek() != "" {
		section := strings.ToUpper(string(p.next()))
		switch {
		case section == "ADD" || section == "DELETE":
			return nil, errNotImplemented("%s in UpdateExpression", section)
		case section != "SET" && section != "REMOVE":
			p.at--
			return nil, p.syntaxError()
		case seen[section]:
			return nil, p.errorf("The \"%s\" section can only be used once in an update expression;", section)
		}
		seen[section] = true
		actions, err := p.actions(section)
		if err != nil {
			return nil, err
		}
		u = append(u, actions...)
	}
	return u, p.checkOverlap(u.names())
}

// actions reads the list of a section.
func (p *parser) actions(section string) (out []action, err error) {
	for {
		var a action
		if a.name, err = p.name(); err != nil {
			return nil, err
		}
		if section == "SET" {
			if err := p.expect("="); err != nil {
				return nil, err
			}
			v, err := p.assigned()
			if err != nil {
				return nil, err
			}
			a.to = &v
		}
		out = append(out, a)
		if !p.accept(",") {
			return out, nil
		}
	}
}

// assigned reads what SET gives an attribute.
func (p *parser) assigned() (value, error) {
	switch {
	case p.atFunction():
		return value{}, p.errFunction(string(p.peek()), conditionFunctions)
	case p.peek().isWord() || strings.HasPrefix(string(p.peek()), "#"):
		return value{}, errNotImplemented("attributes on the right side of SET (%s)", p.peek())
	case !p.atLiteral():
		return value{}, p.syntaxError()
	}
	v, err := p.literal()
	if err == nil && (p.peek() == "+" || p.peek() == "-") {
		err = errNotImplemented("sums in UpdateExpression")
	}
	return v, err
}

// parseCondition reads a ConditionExpression.
func parseCondition(text string, in *placeholders) (condition, error) {
	p, err := newParser("ConditionExpression", text, in)
	if err != nil {
		return nil, err
	}
	c, err := p.or()
	if err != nil {
		return nil, err
	}
	return c, p.end()
}

// The precedence, lowest first: OR, AND, NOT, then comparisons, functions and parentheses (developer guide,
// "Condition and filter expressions, operators, and functions").

func (p *parser) or() (condition, error) {
	left, err := p.and()
	for err == nil && p.accept("OR") {
		var right condition
		first := left
		right, err = p.and()
		left = func(it item) bool { return first(it) || right(it) }
	}
	return left, err
}

func (p *parser) and() (condition, error) {
	left, err := p.not()
	for err == nil && p.accept("AND") {
		var right condition
		first := left
		right, err = p.not()
		left = func(it item) bool { return first(it) && right(it) }
	}
	return left, err
}

func (p *parser) not() (condition, error) {
	if !p.accept("NOT") {
		return p.primary()
	}
	c, err := p.not()
	return func(it item) bool { return !c(it) }, err
}

func (p *parser) primary() (condition, error) {
	if p.accept("(") {
		c, err := p.or()
		if err != nil {
			return nil, err
		}
		return c, p.expect(")")
	}
	if p.atFunction() && p.peek() != "size" {
		return p.function()
	}
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	op := string(p.peek())
	if p.peek().is("BETWEEN") || p.peek().is("IN") {
		return nil, errNotImplemented("%s in ConditionExpression", op)
	}
	if !slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, op) {
		return nil, p.syntaxError()
	}
	p.at++
	right, err := p.operand()
	return func(it item) bool { return compare(op, left, right, it) }, err
}

// operand reads the name of an attribute or a :value.
func (p *parser) operand() (operand, error) {
	if p.atLiteral() {
		v, err := p.literal()
		return func(item) (value, bool) { return v, true }, err
	}
	if p.atFunction() {
		function := string(p.peek())
		if function != "size" && slices.Contains(conditionFunctions, function) {
			return nil, p.errorf("The function is not allowed to be used this way in an expression; function: %s",
				function)
		}
		return nil, p.errFunction(function, updateFunctions)
	}
	name, err := p.name()
	return func(it item) (value, bool) { v, ok := it[name]; return v, ok }, err
}

// compare is false when an attribute is missing or types differ, except for <>, which is the opposite of =.
func compare(op string, left, right operand, it item) bool {
	a, okA := left(it)
	b, okB := right(it)
	order, ok := 0, false
	if okA && okB {
		order, ok = a.compare(b)
	}
	switch op {
	case "=":
		return ok && order == 0
	case "<>":
		return !ok || order != 0
	case "<":
		return ok && order < 0
	case "<=":
		return ok && order <= 0
	case ">":
		return ok && order > 0
	default: // ">=", the parser knows no other
		return ok && order >= 0
	}
}

// function reads a function that is a condition of its own.
func (p *parser) function() (condition, error) {
	function := string(p.peek())
	if function != "attribute_exists" && function != "attribute_not_exists" {
		return nil, p.errFunction(function, updateFunctions)
	}
	p.at += 2
	if p.atLiteral() || p.atFunction() {
		return nil, p.errorf("Operator or function requires a document path; operator or function: %s", function)
	}
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	return func(it item) bool {
		_, exists := it[name]
		return exists == (function == "attribute_exists")
	}, p.expect(")")
}
