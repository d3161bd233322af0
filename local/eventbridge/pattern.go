package eventbridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// pattern is a compiled event pattern: every field must match (EventBridge user guide, "Event patterns").
type pattern map[string]field

// field is a nested pattern, or a list of which one must match.
type field struct {
	nested pattern
	any    []matcher
}

// matcher says whether a value matches. present is false if the event has no such field.
type matcher func(value any, present bool) bool

// unknownMatcher is a comparison that EventBridge has and the local stack has not.
type unknownMatcher string

func (u unknownMatcher) Error() string { return "matcher " + string(u) + " is not implemented" }

// compile reads an event pattern. It refuses matchers it does not know with an unknownMatcher.
func compile(text string) (pattern, error) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	var raw map[string]json.RawMessage
	if err := d.Decode(&raw); err != nil || d.More() {
		return nil, errors.New("filter is not an object")
	}
	if len(raw) == 0 {
		return nil, errors.New("empty patterns are not allowed")
	}
	p := pattern{}
	for name, value := range raw {
		if name == "$or" {
			return nil, unknownMatcher(name)
		}
		f, err := compileField(name, value)
		if err != nil {
			return nil, err
		}
		p[name] = f
	}
	return p, nil
}

func compileField(name string, raw json.RawMessage) (field, error) {
	switch raw[0] {
	case '{':
		nested, err := compile(string(raw))
		return field{nested: nested}, err
	case '[':
	default:
		return field{}, fmt.Errorf("%q must be an object or an array", name)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || len(list) == 0 {
		return field{}, fmt.Errorf("empty arrays are not allowed in %q", name)
	}
	var f field
	for _, item := range list {
		m, err := compileMatcher(item)
		if err != nil {
			return field{}, err
		}
		f.any = append(f.any, m)
	}
	return f, nil
}

func compileMatcher(raw json.RawMessage) (matcher, error) {
	if raw[0] == '[' {
		return nil, errors.New("nested arrays are not allowed")
	}
	if raw[0] != '{' {
		var want any
		if err := json.Unmarshal(raw, &want); err != nil {
			return nil, err
		}
		return func(value any, present bool) bool { return present && value == want }, nil
	}
	errOne := errors.New("a match expression has exactly one comparison")
	var comparison map[string]json.RawMessage
	if err := json.Unmarshal(raw, &comparison); err != nil || len(comparison) != 1 {
		return nil, errOne
	}
	for kind, argument := range comparison {
		switch kind {
		case "prefix":
			return compilePrefix(argument)
		case "exists":
			var want bool
			if json.Unmarshal(argument, &want) != nil {
				return nil, errors.New("exists is true or false")
			}
			return func(_ any, present bool) bool { return present == want }, nil
		case "anything-but":
			return compileAnythingBut(argument)
		default:
			return nil, unknownMatcher(kind)
		}
	}
	return nil, errOne
}

func compilePrefix(argument json.RawMessage) (matcher, error) {
	var prefix string
	if json.Unmarshal(argument, &prefix) != nil {
		return nil, unknownMatcher("prefix with " + string(argument))
	}
	return func(value any, present bool) bool {
		s, ok := value.(string)
		return present && ok && strings.HasPrefix(s, prefix)
	}, nil
}

// compileAnythingBut reads a value, a list of values, or {"prefix": …} with one or a list.
func compileAnythingBut(argument json.RawMessage) (matcher, error) {
	var forbidden any
	if err := json.Unmarshal(argument, &forbidden); err != nil {
		return nil, err
	}
	switch v := forbidden.(type) {
	case map[string]any:
		prefixes, ok := v["prefix"].([]any)
		if !ok {
			prefixes = []any{v["prefix"]}
		}
		if len(v) != 1 || slices.ContainsFunc(prefixes, func(p any) bool { _, is := p.(string); return !is }) {
			return nil, unknownMatcher("anything-but with " + string(argument))
		}
		return func(value any, present bool) bool {
			s, is := value.(string)
			return present && !(is && slices.ContainsFunc(prefixes, func(p any) bool {
				return strings.HasPrefix(s, p.(string))
			}))
		}, nil
	case []any:
		for _, x := range v {
			switch x.(type) {
			case string, float64:
			default:
				return nil, errors.New("inside anything-but, only strings and numbers are allowed")
			}
		}
		return func(value any, present bool) bool { return present && !slices.Contains(v, value) }, nil
	case string, float64:
		return func(value any, present bool) bool { return present && value != v }, nil
	default:
		return nil, errors.New("inside anything-but, only strings and numbers are allowed")
	}
}

// matches reports whether an event, or a part of it, fits the pattern.
func (p pattern) matches(event map[string]any) bool {
	for name, f := range p {
		value, present := event[name]
		if !f.matches(value, present) {
			return false
		}
	}
	return true
}

// matches tries a value; of a list, one element is enough.
func (f field) matches(value any, present bool) bool {
	if list, ok := value.([]any); ok {
		if len(list) == 0 {
			return f.matches(nil, false)
		}
		return slices.ContainsFunc(list, func(v any) bool { return f.matches(v, present) })
	}
	object, isObject := value.(map[string]any)
	if f.nested != nil {
		if !isObject {
			object = nil // its fields count as absent
		}
		return f.nested.matches(object)
	}
	if isObject {
		return slices.ContainsFunc(f.any, func(m matcher) bool { return m(nil, false) }) // only a leaf exists
	}
	return slices.ContainsFunc(f.any, func(m matcher) bool { return m(value, present) })
}
