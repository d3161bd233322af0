package asl

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Template is a JSON value in which strings of the form "{% … %}" are expressions.
type Template struct {
	literal    json.RawMessage // set if there is no expression inside
	expression string          // set if the value itself is an expression
	names      []string        // of an object, parallel to parts
	parts      []*Template     // of an object or array
	isObject   bool
}

// template parses a value and checks the syntax of its expressions.
func (p *parser) template(raw json.RawMessage, path string) *Template {
	raw = bytes.TrimSpace(raw)
	switch raw[0] {
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			p.report(codeSchema, path, "%v", err)
			return &Template{literal: raw}
		}
		if e, ok := expressionOf(s); ok {
			if err := p.checker.Check(e); err != nil {
				p.report(codeExpression, path, "The JSONata expression '%s' is not valid: %v", e, err)
			}
			return &Template{expression: e}
		}
	case '{':
		return p.objectTemplate(raw, path)
	case '[':
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			p.report(codeSchema, path, "%v", err)
			return &Template{literal: raw}
		}
		t := &Template{}
		for i, item := range items {
			t.parts = append(t.parts, p.template(item, fmt.Sprintf("%s[%d]", path, i)))
		}
		return t.collapse(raw)
	}
	return &Template{literal: compact(raw)}
}

func (p *parser) objectTemplate(raw json.RawMessage, path string) *Template {
	list, err := members(raw)
	if err != nil {
		p.report(codeSchema, path, "%v", err)
		return &Template{literal: raw}
	}
	t := &Template{isObject: true}
	for _, m := range list {
		t.names = append(t.names, m.name)
		t.parts = append(t.parts, p.template(m.value, path+"/"+m.name))
	}
	return t.collapse(raw)
}

// collapse turns a container without expressions into a literal.
func (t *Template) collapse(raw json.RawMessage) *Template {
	for _, part := range t.parts {
		if part.literal == nil {
			return t
		}
	}
	return &Template{literal: compact(raw)}
}

func compact(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}

// evaluate gives the template's value. eval evaluates one expression found at a field such as "Output/result".
func (t *Template) evaluate(field string, eval func(expression, field string) (json.RawMessage,
	*failure)) (json.RawMessage, *failure) {
	if t.literal != nil {
		return t.literal, nil
	}
	if t.expression != "" || t.parts == nil {
		return eval(t.expression, field)
	}
	var b bytes.Buffer
	open, end := byte('['), byte(']')
	if t.isObject {
		open, end = '{', '}'
	}
	b.WriteByte(open)
	for i, part := range t.parts {
		if i > 0 {
			b.WriteByte(',')
		}
		at := fmt.Sprintf("%s[%d]", field, i)
		if t.isObject {
			at = field + "/" + t.names[i]
			name, _ := json.Marshal(t.names[i])
			b.Write(name)
			b.WriteByte(':')
		}
		v, fail := part.evaluate(at, eval)
		if fail != nil {
			return nil, fail
		}
		b.Write(v)
	}
	b.WriteByte(end)
	return b.Bytes(), nil
}
