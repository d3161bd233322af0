package dynamodb

import (
	"slices"
	"strings"
)

var updateSections = []string{"SET", "REMOVE", "ADD", "DELETE"}

// parseUpdate reads an UpdateExpression.
func parseUpdate(text string, in *placeholders) (update, error) {
	p, err := newParser("UpdateExpression", text, in)
	if err != nil {
		return update{}, err
	}
	var u update
	seen := map[string]bool{}
	for p.peek() != "" {
		section := strings.ToUpper(string(p.peek()))
		if !slices.Contains(updateSections, section) {
			return u, p.syntaxError()
		}
		if seen[section] {
			return u, p.errorf("The \"%s\" section can only be used once in an update expression;", section)
		}
		seen[section] = true
		p.at++
		for {
			a, err := p.action(section)
			if err != nil {
				return u, err
			}
			u.actions = append(u.actions, a)
			if !p.accept(",") {
				break
			}
		}
	}
	return u, checkOverlap(p.kind, u.paths())
}

func (p *parser) action(section string) (action, error) {
	at, err := p.path()
	a := action{section: section, path: at}
	if err != nil || section == "REMOVE" {
		return a, err
	}
	if section == "SET" {
		if err := p.expect("="); err != nil {
			return a, err
		}
		a.term, err = p.sum()
		return a, err
	}
	if !p.atLiteral() {
		return a, p.syntaxError()
	}
	v, err := p.literal()
	if err != nil {
		return a, err
	}
	if !isSet(v.kind) && (section == "DELETE" || v.kind != "N") {
		return a, p.errorf("Incorrect operand type for operator or function; operator: %s, operand type: %s", section, v.kind)
	}
	a.term = literal{v}
	return a, nil
}

// sum reads a term, or two with + or - between them.
func (p *parser) sum() (term, error) {
	left, err := p.term()
	if err != nil {
		return nil, err
	}
	op := p.peek()
	if op != "+" && op != "-" {
		return left, nil
	}
	p.at++
	right, err := p.term()
	if err != nil {
		return nil, err
	}
	for _, t := range []term{left, right} {
		if l, ok := t.(literal); ok && l.v.kind != "N" {
			return nil, p.errorf("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", op, l.v.kind)
		}
	}
	return sum{left, right, op == "-"}, nil
}

func (p *parser) term() (term, error) {
	switch {
	case p.atLiteral():
		v, err := p.literal()
		return literal{v}, err
	case p.atFunction():
		return p.termFunction()
	}
	at, err := p.path()
	return attribute{at}, err
}

func (p *parser) termFunction() (term, error) {
	name := string(p.next())
	p.at++
	switch name {
	case "if_not_exists":
		at, err := p.pathArgument(name)
		if err != nil {
			return nil, err
		}
		if err := p.expect(","); err != nil {
			return nil, err
		}
		fallback, err := p.term()
		if err != nil {
			return nil, err
		}
		return ifNotExists{at, fallback}, p.expect(")")
	case "list_append":
		first, err := p.term()
		if err != nil {
			return nil, err
		}
		if err := p.expect(","); err != nil {
			return nil, err
		}
		second, err := p.term()
		if err != nil {
			return nil, err
		}
		return listAppend{first, second}, p.expect(")")
	case "attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size":
		return nil, p.errorf("The function is not allowed in an update expression; function: %s", name)
	}
	return nil, p.errorf("Invalid function name; function: %s", name)
}
