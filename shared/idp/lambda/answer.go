package lambda

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/strictjson"
	"alboidc.internal/shared/versions"
)

// notUnderstood is about an answer that does not keep to the contract. It names the field and what that must be; it
// quotes nothing of the answer, which may hold the secret.
func notUnderstood(operation, field, must string) error {
	return failure.New(failure.Unavailable,
		"the function's answer to the request to %s is not understood: %s must %s; "+
			"correct the function, and try it by rotator conformance", operation, field, must)
}

// parse reads an answer. The decoder's errors quote it, so only the field that they name is passed on.
func parse(operation string, body []byte) (a answer, err error) {
	var wrong *json.UnmarshalTypeError
	switch err := json.Unmarshal(body, &a); {
	case len(body) > maxAnswer:
		return answer{}, notUnderstood(operation, "it", "be no longer than 1 MB")
	case errors.As(err, &wrong) && wrong.Field != "":
		return answer{}, notUnderstood(operation, wrong.Field, "be "+describe(wrong.Type))
	case err != nil:
		return answer{}, notUnderstood(operation, "it", "be a JSON object, and nothing besides")
	case a.Contract == 0:
		return answer{}, notUnderstood(operation, "contract", "be the number 1")
	}
	return a, nil
}

// describe says what a field of a type holds, in the words of JSON.
func describe(t reflect.Type) string {
	if t == reflect.TypeFor[listed]() { // one of the list, which the decoder names by the list
		return "a list of objects"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	}
	if t == reflect.TypeFor[instant]() {
		return "a time as in RFC 3339 (2026-03-01T12:00:00Z), or left out"
	}
	return "an object"
}

// instant is a time that may be left out. One that is no time is a wrong type, so that the decoder names its field.
type instant struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (i *instant) UnmarshalJSON(b []byte) error {
	if i.Time.UnmarshalJSON(b) != nil {
		return &json.UnmarshalTypeError{Value: "text", Type: reflect.TypeFor[instant]()}
	}
	return nil
}

// nameProblems says what is wrong with capabilities. The name of a field that there is not may be anything.
func nameProblems(ps strictjson.Problems) string {
	names := strictjson.Names(reflect.TypeFor[Capabilities]())
	for _, name := range strictjson.Names(reflect.TypeFor[Probe]()) {
		names = append(names, "probe."+name)
	}
	out := make([]string, len(ps))
	for i, p := range ps {
		path := strings.TrimPrefix(p.Path, idp.SettingsPath+".")
		field, _, _ := strings.Cut(strings.TrimPrefix(path, opCapabilities+"."), "[")
		if path != opCapabilities && !slices.Contains(names, field) {
			path = "a field of capabilities"
		}
		out[i] = path + " " + p.Text
	}
	return strings.Join(out, "; ")
}

// checkID reports what an id of a secret must be that it is not; "" is nothing. Ids are stored and logged.
func checkID(id string) string {
	if id == "" || len(id) > 255 || strings.ContainsFunc(id, unicode.IsControl) {
		return "have 1 to 255 characters, and no line break"
	}
	return ""
}

// longestValue is what Secrets Manager stores (API reference, PutSecretValue).
const longestValue = 65536

// checkValue reports what a secret's value must be that it is not; "" is nothing. Most often it is the line break of
// what the function has read.
func checkValue(v string) string {
	if len(v) > longestValue {
		return "be no longer than 65536 bytes"
	}
	if v == "" || versions.Padded(secret.New(v)) || strings.ContainsFunc(v, unicode.IsControl) {
		return "be the secret as the identity provider takes it, without white space or a line break around it"
	}
	return ""
}
