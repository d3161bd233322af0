package dynamodb

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
)

// value is a text (kind S) or a number (kind N, in normal form). Values are not changed once made.
type value struct{ kind, str string }

// notImplemented are the other types of values that DynamoDB has.
var notImplemented = []string{"B", "BOOL", "BS", "L", "M", "NS", "NULL", "SS"}

// UnmarshalJSON reads the wire form {"S": "text"}. Errors do not show the value.
func (v *value) UnmarshalJSON(b []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return errSerialization()
	}
	if len(m) == 0 {
		return errValidation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	}
	if len(m) > 1 {
		return errValidation("Supplied AttributeValue has more than one datatypes set, " +
			"must contain exactly one of the supported datatypes")
	}
	for kind, raw := range m {
		switch {
		case slices.Contains(notImplemented, kind):
			return errNotImplemented("attribute values of type %s", kind)
		case kind != "S" && kind != "N":
			return errValidation("Supplied AttributeValue has the unknown datatype %s", kind)
		case json.Unmarshal(raw, &v.str) != nil || bytes.Equal(bytes.TrimSpace(raw), []byte("null")):
			return errSerialization()
		}
		v.kind = kind
	}
	var err error
	if v.kind == "N" {
		v.str, err = normalNumber(v.str)
	}
	return err
}

// MarshalJSON writes the wire form.
func (v value) MarshalJSON() ([]byte, error) { return json.Marshal(map[string]string{v.kind: v.str}) }

// compare orders two values of one type: numbers by magnitude, texts by their bytes. ok is false for two types, which
// DynamoDB takes for "does not match".
func (v value) compare(w value) (order int, ok bool) {
	switch {
	case v.kind != w.kind:
		return 0, false
	case v.kind == "S":
		return strings.Compare(v.str, w.str), true
	}
	return ratOf(v.str).Cmp(ratOf(w.str)), true
}

func (v value) size() int {
	if v.kind == "N" { // about a byte for two digits, and one more
		return len(v.str)/2 + 2
	}
	return len(v.str)
}

func errSerialization() error {
	return awsapi.Errorf("SerializationException", "An attribute value is not of the type its descriptor says")
}
