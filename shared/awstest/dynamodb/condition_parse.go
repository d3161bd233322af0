package dynamodb

import (
	"slices"
	"strconv"
	"strings"
)

// maxIn is the most operands of IN (developer guide, "Quotas").
const maxIn = 100

// typeDescriptors is what attribute_type may be asked for.
var typeDescriptors = []string{"B", "BOOL", "BS", "L", "M", "N", "NS", "NULL", "S", "SS"}

func numberValue(n int) value { return value{kind: "N", str: strconv.Itoa(n)} }

// parseCondition reads the text of the parameter kind. The paths are those it mentions.
func parseCondition(kind, text string, in *placeholders) (c condition, paths []path, err error) {
	p, err := newParser(kind, text, in)
	if err != nil {
		return nil, nil, err
	}
	if c, err = p.or(); err != nil {
		return nil, nil, err
	}
	return c, p.paths, p.end()
}

// The precedence, lowest first: OR, AND, NOT, then comparisons, functions and parentheses (developer guide,
// "Condition and filter expressions, operators, and functions").

func (p *parser) or() (condition, error) {
	left, err := p.and()
	for err == nil && p.accept("OR") {
		var right condition
		right, err = p.and()
		left = or{left, right}
	}
	return left, err
}

func (p *parser) and() (condition, error) {
	left, err := p.not()
	for err == nil && p.accept("AND") {
		var right condition
		right, err = p.not()
		left = and{left, right}
	}
	return left, err
}

func (p *parser) not() (condition, error) {
	if !p.accept("NOT") {
		return p.primary()
	}
	c, err := p.not()
	return not{c}, err
}

func (p *parser) primary() (condition, error) {
	if p.accept("(") {
		c, err := p.or()
		if err != nil {
			return nil, err
		}
		return c, p.expect(")")
	}
	if p.atFunction() && !p.peek().is("size") {
		return p.function()
	}
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	switch {
	case p.accept("BETWEEN"):
		return p.between(left)
	case p.accept("IN"):
		return p.list(left)
	}
	op := string(p.peek())
	if !slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, op) {
		return nil, p.syntaxError()
	}
	p.at++
	right, err := p.operand()
	if err != nil {
		return nil, err
	}
	if op != "=" && op != "<>" {
		if err := p.checkTypes(op, "SNB", left, right); err != nil {
			return nil, err
		}
	}
	return comparison{op, left, right}, nil
}

func (p *parser) atFunction() bool { return p.peek().isWord() && p.peekAt(1) == "(" }

// operand reads a path, a :value or size(path).
func (p *parser) operand() (operand, error) {
	switch {
	case p.atLiteral():
		v, err := p.literal()
		return literal{v}, err
	case p.atFunction():
		name := p.next()
		if name != "size" {
			return nil, p.errorf("The function is not allowed to be used this way in an expression; function: %s", name)
		}
		p.at++
		at, err := p.pathArgument("size")
		if err != nil {
			return nil, err
		}
		return sizeOf{at}, p.expect(")")
	}
	at, err := p.path()
	return attribute{at}, err
}

func (p *parser) between(v operand) (condition, error) {
	low, err := p.operand()
	if err != nil {
		return nil, err
	}
	if err := p.expect("AND"); err != nil {
		return nil, err
	}
	high, err := p.operand()
	if err != nil {
		return nil, err
	}
	if err := p.checkTypes("BETWEEN", "SNB", v, low, high); err != nil {
		return nil, err
	}
	a, okA := low.(literal)
	b, okB := high.(literal)
	if okA && okB {
		order, same := a.v.compare(b.v)
		if !same {
			return nil, p.errorf("The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: %s, upper bound operand: %s", a.v.kind, b.v.kind)
		}
		if order > 0 {
			return nil, p.errorf("The BETWEEN operator requires upper bound to be greater than or equal to lower bound")
		}
	}
	return between{v, low, high}, nil
}

func (p *parser) list(v operand) (condition, error) {
	c := oneOf{v: v}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	for {
		o, err := p.operand()
		if err != nil {
			return nil, err
		}
		c.list = append(c.list, o)
		if !p.accept(",") {
			break
		}
	}
	if len(c.list) > maxIn {
		return nil, p.errorf("Invalid number of operands for operator IN; number of operands: %d, maximum: %d", len(c.list), maxIn)
	}
	return c, p.expect(")")
}

// function reads a function that is a condition of its own. Names of functions are case-sensitive.
func (p *parser) function() (condition, error) {
	name := string(p.next())
	p.at++
	if !slices.Contains([]string{"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains"}, name) {
		if name == "if_not_exists" || name == "list_append" {
			return nil, p.errorf("The function is not allowed in a condition expression; function: %s", name)
		}
		return nil, p.errorf("Invalid function name; function: %s", name)
	}
	at, err := p.pathArgument(name)
	if err != nil {
		return nil, err
	}
	var c condition
	switch name {
	case "attribute_exists":
		c = exists{at}
	case "attribute_not_exists":
		c = not{exists{at}}
	default:
		if err := p.expect(","); err != nil {
			return nil, err
		}
		if c, err = p.twoArguments(name, at); err != nil {
			return nil, err
		}
	}
	return c, p.expect(")")
}

func (p *parser) twoArguments(name string, at path) (condition, error) {
	second, err := p.operand()
	if err != nil {
		return nil, err
	}
	switch name {
	case "begins_with":
		return beginsWith{at, second}, p.checkTypes(name, "SB", second)
	case "contains":
		return contains{at, second}, nil
	}
	l, ok := second.(literal)
	if !ok || l.v.kind != "S" {
		return nil, p.errorf("Incorrect operand type for operator or function; operator or function: attribute_type, operand type: not a string value")
	}
	if !slices.Contains(typeDescriptors, l.v.str) {
		return nil, p.errorf("Invalid attribute type name found; type: %s, valid types: {%s}", l.v.str, strings.Join(typeDescriptors, ","))
	}
	return hasType{at, l.v.str}, nil
}

// pathArgument reads an argument that has to be a document path.
func (p *parser) pathArgument(function string) (path, error) {
	if p.atLiteral() || p.atFunction() {
		return nil, p.errorf("Operator or function requires a document path; operator or function: %s", function)
	}
	return p.path()
}

// checkTypes refuses :values of a type that an operator does not take. Attributes of such a type just do not match.
func (p *parser) checkTypes(operator, kinds string, operands ...operand) error {
	for _, o := range operands {
		l, ok := o.(literal)
		if ok && (len(l.v.kind) > 1 || !strings.Contains(kinds, l.v.kind)) {
			return p.errorf("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", operator, l.v.kind)
		}
	}
	return nil
}
