package dynamodb

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// maxItem is the size limit of an item in bytes, attribute names included (developer guide, "Quotas").
const maxItem = 400 * 1024

// value is one attribute value. kind is its type descriptor: S, N, B, BOOL, NULL, L, M, SS, NS or BS. Values are not
// changed once made.
type value struct {
	kind   string
	str    string   // S; N in normal form; B as bytes
	flag   bool     // BOOL
	list   []value  // L
	set    []string // SS, NS and BS, sorted, elements like str
	fields item     // M
}

// scalarOf is the type of a set's elements.
func scalarOf(set string) string { return set[:1] }

func isSet(kind string) bool { return kind == "SS" || kind == "NS" || kind == "BS" }

// UnmarshalJSON reads the wire form {"S": "text"}.
func (v *value) UnmarshalJSON(b []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return errSerialization()
	}
	if len(m) == 0 {
		return errValidation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	}
	if len(m) > 1 {
		return errValidation("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	}
	for kind, raw := range m {
		v.kind = kind
		return v.read(raw)
	}
	return nil
}

func (v *value) read(raw json.RawMessage) error {
	switch v.kind {
	case "S", "N", "B":
		s, err := readScalar(v.kind, raw)
		v.str = s
		return err
	case "BOOL":
		return into(raw, &v.flag)
	case "NULL":
		var yes bool
		if err := into(raw, &yes); err != nil {
			return err
		}
		if !yes {
			return errParameter("Null attribute value types must have the value of true")
		}
		return nil
	case "L":
		return into(raw, &v.list)
	case "M":
		return into(raw, &v.fields)
	case "SS", "NS", "BS":
		return v.readSet(raw)
	}
	return errValidation("Supplied AttributeValue has the unknown datatype %s", v.kind)
}

func (v *value) readSet(raw json.RawMessage) error {
	var elements []json.RawMessage
	if err := into(raw, &elements); err != nil {
		return err
	}
	if len(elements) == 0 {
		return errParameter("An %s set may not be empty", map[string]string{"SS": "string", "NS": "number", "BS": "binary"}[v.kind])
	}
	for _, e := range elements {
		s, err := readScalar(scalarOf(v.kind), e)
		if err != nil {
			return err
		}
		if slices.Contains(v.set, s) {
			return errParameter("Input collection contains duplicates.")
		}
		v.set = append(v.set, s)
	}
	slices.Sort(v.set)
	return nil
}

func readScalar(kind string, raw json.RawMessage) (string, error) {
	if kind == "B" {
		var b []byte
		err := into(raw, &b)
		return string(b), err
	}
	var s string
	if err := into(raw, &s); err != nil || kind == "S" {
		return s, err
	}
	return normalNumber(s)
}

// into keeps the errors of nested values and hides the text of others, which would show the value.
func into(raw json.RawMessage, target any) error {
	err := json.Unmarshal(raw, target)
	if err == nil && string(bytes.TrimSpace(raw)) != "null" {
		return nil
	}
	if isAPIError(err) {
		return err
	}
	return errSerialization()
}

// MarshalJSON writes the wire form.
func (v value) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{v.kind: v.wire()})
}

func (v value) wire() any {
	switch v.kind {
	case "B":
		return []byte(v.str)
	case "BOOL":
		return v.flag
	case "NULL":
		return true
	case "L":
		return append([]value{}, v.list...)
	case "M":
		if v.fields == nil {
			return item{}
		}
		return v.fields
	case "SS", "NS":
		return v.set
	case "BS":
		var out [][]byte
		for _, s := range v.set {
			out = append(out, []byte(s))
		}
		return out
	default:
		return v.str
	}
}

// equal compares type and content; sets and maps regardless of order.
func (v value) equal(w value) bool {
	return v.kind == w.kind && v.str == w.str && v.flag == w.flag && slices.Equal(v.set, w.set) &&
		slices.EqualFunc(v.list, w.list, value.equal) && maps.EqualFunc(v.fields, w.fields, value.equal)
}

// compare orders two scalars of one type: numbers by magnitude, strings and binaries by their bytes. ok is false for
// anything else, which DynamoDB takes for "does not match".
func (v value) compare(w value) (order int, ok bool) {
	switch {
	case v.kind != w.kind:
		return 0, false
	case v.kind == "S" || v.kind == "B":
		return strings.Compare(v.str, w.str), true
	case v.kind == "N":
		return ratOf(v.str).Cmp(ratOf(w.str)), true
	}
	return 0, false
}

// size is about what DynamoDB counts (developer guide, "DynamoDB item sizes and formats").
func (v value) size() int {
	n := len(v.str)
	switch v.kind {
	case "N":
		n = len(v.str)/2 + 1
	case "BOOL", "NULL":
		n = 1
	case "L", "M":
		n = 3
	}
	for _, s := range v.set {
		n += len(s)
	}
	for _, w := range v.list {
		n += 1 + w.size()
	}
	return n + v.fields.size() + len(v.fields)
}

func (it item) size() int {
	n := 0
	for name, v := range it {
		n += len(name) + v.size()
	}
	return n
}
