package asl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// member is one name and value of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// members reads a JSON object and keeps the order of its names, of which none may occur twice.
func members(raw json.RawMessage) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, errors.New("expected an object")
	}
	var out []member
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: t.(string)}
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		if seen[m.name] {
			return nil, fmt.Errorf("the field '%s' occurs twice", m.name)
		}
		seen[m.name] = true
		out = append(out, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text after the JSON value")
	}
	return out, nil
}

// object reads the fields of one JSON object of a definition. Fields that nobody asked for are reported by done.
type object struct {
	p      *parser
	path   string
	fields map[string]json.RawMessage
	order  []string
}

// open starts reading an object; it returns an empty one, after reporting, if raw is none.
func (p *parser) open(raw json.RawMessage, path string) *object {
	o := &object{p: p, path: path, fields: map[string]json.RawMessage{}}
	list, err := members(raw)
	if err != nil {
		p.report(codeSchema, path, "%v", err)
		return o
	}
	for _, m := range list {
		o.fields[m.name] = m.value
		o.order = append(o.order, m.name)
	}
	return o
}

// take returns a field and marks it as read.
func (o *object) take(name string) (json.RawMessage, bool) {
	v, ok := o.fields[name]
	delete(o.fields, name)
	return v, ok
}

func (o *object) report(name, format string, args ...any) {
	o.p.report(codeSchema, o.path+"/"+name, format, args...)
}

// decode reads an optional field into v; it reports whether the field is there and fits.
func (o *object) decode(name string, v any, wanted string) bool {
	raw, ok := o.take(name)
	if !ok {
		return false
	}
	if string(raw) == "null" || json.Unmarshal(raw, v) != nil {
		o.report(name, "The field '%s' must be %s", name, wanted)
		return false
	}
	return true
}

func (o *object) text(name string) string {
	var s string
	o.decode(name, &s, "a string")
	return s
}

// required is text for a field that must be there.
func (o *object) required(name string) string {
	if _, ok := o.fields[name]; !ok {
		o.report(name, "The required field '%s' is missing", name)
		return ""
	}
	return o.text(name)
}

// integer reads an optional whole number between low and high.
func (o *object) integer(name string, absent, low, high int64) int64 {
	var f float64
	if !o.decode(name, &f, "a number") {
		return absent
	}
	if f != math.Trunc(f) || f < float64(low) || f > float64(high) {
		o.report(name, "The value of '%s' must be a whole number from %d to %d", name, low, high)
		return absent
	}
	return int64(f)
}

// list reads a field that is an array; each element comes with its path.
func (o *object) list(name string, each func(raw json.RawMessage, path string)) int {
	var items []json.RawMessage
	o.decode(name, &items, "an array")
	for i, raw := range items {
		each(raw, fmt.Sprintf("%s/%s[%d]", o.path, name, i))
	}
	return len(items)
}

// template reads an optional field that may hold expressions.
func (o *object) template(name string) *Template {
	raw, ok := o.take(name)
	if !ok {
		return nil
	}
	return o.p.template(raw, o.path+"/"+name)
}

// jsonPath are the fields of the other query language.
var jsonPath = map[string]bool{"InputPath": true, "Parameters": true, "ResultSelector": true, "ResultPath": true,
	"OutputPath": true,
	"ItemsPath":  true, "SecondsPath": true, "TimestampPath": true, "TimeoutSecondsPath": true,
	"HeartbeatSecondsPath": true,
	"MaxConcurrencyPath":   true, "ErrorPath": true, "CausePath": true, "Variable": true}

// done reports the fields that were not read.
func (o *object) done() {
	for _, name := range o.order {
		if _, left := o.fields[name]; !left {
			continue
		}
		if jsonPath[name] {
			o.report(name, "The field '%s' belongs to JSONPath; only JSONata is implemented here", name)
		} else {
			o.report(name, "The field '%s' is not supported here", name)
		}
	}
}

// expressionOf returns the expression in a string of the form "{% … %}".
func expressionOf(s string) (string, bool) {
	if len(s) >= 4 && strings.HasPrefix(s, "{%") && strings.HasSuffix(s, "%}") {
		return strings.TrimSpace(s[2 : len(s)-2]), true
	}
	return "", false
}
