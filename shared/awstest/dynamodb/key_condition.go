package dynamodb

// keyTerm is one condition of a KeyConditionExpression: an operator, the attribute it is about, and its values.
type keyTerm struct {
	op     string
	on     path
	values []value
}

// checkKeyCondition allows what a KeyConditionExpression may be: partition key = :value, and perhaps AND one condition
// on the sort key (API reference, Query).
func (t *table) checkKeyCondition(c condition) error {
	seen := map[string]bool{}
	for _, part := range conjuncts(c) {
		term, err := keyTermOf(part)
		if err != nil {
			return err
		}
		name := term.on[0].name
		if len(term.on) != 1 || !t.isKey(name) {
			return errValidation("Query condition missed key schema element: %s", t.hash.name)
		}
		if name == t.hash.name && term.op != "=" {
			return errValidation("Query key condition not supported")
		}
		if seen[name] {
			return errValidation("KeyConditionExpressions must only contain one condition per key")
		}
		seen[name] = true
		kind := t.hash.kind
		if name != t.hash.name {
			kind = t.sort.kind
		}
		for _, v := range term.values {
			if v.kind != kind {
				return errParameter("Condition parameter type does not match schema type")
			}
		}
	}
	if !seen[t.hash.name] {
		return errValidation("Query condition missed key schema element: %s", t.hash.name)
	}
	return nil
}

// conjuncts are the conditions that AND connects.
func conjuncts(c condition) []condition {
	if a, ok := c.(and); ok {
		return append(conjuncts(a.left), conjuncts(a.right)...)
	}
	return []condition{c}
}

func keyTermOf(c condition) (term keyTerm, err error) {
	var left operand
	var right []operand
	switch c := c.(type) {
	case comparison:
		term.op, left, right = c.op, c.left, []operand{c.right}
	case between:
		term.op, left, right = "BETWEEN", c.v, []operand{c.low, c.high}
	case beginsWith:
		term.op, left, right = "begins_with", attribute{c.path}, []operand{c.prefix}
	}
	if term.op == "" || term.op == "<>" {
		return term, errValidation("Invalid operator used in KeyConditionExpression: only =, <, <=, >, >=, BETWEEN, begins_with and AND are allowed")
	}
	a, ok := left.(attribute)
	if !ok {
		return term, errValidation("Invalid KeyConditionExpression: a condition must have a key attribute on its left side")
	}
	term.on = a.path
	for _, o := range right {
		l, ok := o.(literal)
		if !ok {
			return term, errValidation("Invalid KeyConditionExpression: a key attribute must be compared with a value")
		}
		term.values = append(term.values, l.v)
	}
	return term, nil
}
