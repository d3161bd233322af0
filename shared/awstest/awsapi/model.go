package awsapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Modelled is implemented by services that know the members of AWS's own requests: an input of the SDK for each
// operation. A member that AWS does not know either is ignored, as AWS does, and so is null; one that AWS knows and the
// service does not honour is refused. Services without a model refuse all.
type Modelled interface {
	Inputs() Inputs
}

// Inputs are the types of the inputs of operations, by their names.
type Inputs map[string]reflect.Type

// InputsOf makes Inputs of values of the SDK's input types, which are named for their operations.
func InputsOf(values ...any) Inputs {
	out := Inputs{}
	for _, v := range values {
		t := reflect.TypeOf(v)
		out[strings.TrimSuffix(t.Name(), "Input")] = t
	}
	return out
}

// Unknown names a member of a request, as the SDK spells it, that an operation does not have; "" if there is none.
func (in Inputs) Unknown(operation string, request json.RawMessage) string {
	if t := in[operation]; t != nil {
		return unknown(request, t)
	}
	return ""
}

func unknown(raw json.RawMessage, t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var members map[string]json.RawMessage
	var list []json.RawMessage
	switch {
	case t.Kind() == reflect.Slice && json.Unmarshal(raw, &list) == nil:
		for _, value := range list {
			if name := unknown(value, t.Elem()); name != "" {
				return name
			}
		}
	case (t.Kind() == reflect.Struct || t.Kind() == reflect.Map) && json.Unmarshal(raw, &members) == nil:
		for _, name := range slices.Sorted(maps.Keys(members)) {
			inner := member(t, name)
			if inner == nil || t.Kind() == reflect.Struct && !unicode.IsUpper(rune(name[0])) {
				return name
			}
			if below := unknown(members[name], inner); below != "" {
				return name + "." + below
			}
		}
	}
	return ""
}

// ignoreUnknown takes out of a request what AWS's model of its operation does not have.
func (c *Call) ignoreUnknown(svc Service, p Protocol) {
	modelled, ok := svc.(Modelled)
	if !ok {
		return
	}
	if c.model = modelled.Inputs()[c.Operation]; c.model == nil {
		return
	}
	if _, payload := c.model.FieldByName("Payload"); payload {
		return // the body is that member, and the caller's own
	}
	if p != Query {
		c.Body = known(c.Body, c.model)
		return
	}
	for name := range c.Form {
		if !hasPath(c.model, strings.Split(name, ".")) {
			delete(c.Form, name)
		}
	}
}

// known is a JSON value without the members that its type does not have; what is no JSON stays for the decoder.
func known(raw json.RawMessage, t reflect.Type) json.RawMessage {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time](), t == reflect.TypeFor[[]byte]():
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil || members == nil {
			return raw
		}
		for name, value := range members {
			if inner := member(t, name); inner == nil || t.Kind() == reflect.Struct &&
				string(value) == "null" {
				delete(members, name)
			} else {
				members[name] = known(value, inner)
			}
		}
		return encode(members, raw)
	case t.Kind() == reflect.Slice:
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil || list == nil {
			return raw
		}
		for i := range list {
			list[i] = known(list[i], t.Elem())
		}
		return encode(list, raw)
	}
	return raw
}

func encode(v any, otherwise json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return otherwise
	}
	return bytes.TrimSpace(b.Bytes())
}

// member is the type of a member on the wire, nil if there is none. Names on the wire are those of the SDK, but for the
// first letter.
func member(t reflect.Type, name string) reflect.Type {
	if t.Kind() == reflect.Map {
		return t.Elem()
	}
	if name == "" {
		return nil
	}
	f, ok := t.FieldByName(strings.ToUpper(name[:1]) + name[1:])
	if !ok {
		return nil
	}
	return f.Type
}

// hasPath reports whether a type has the parameter of a Query request, e.g. Actions.member.1.Type.
func hasPath(t reflect.Type, path []string) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case len(path) == 0 || len(path) == 1 && path[0] == "":
		return true
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		return path[0] == "member" && len(path) > 1 && isNumber(path[1]) && hasPath(t.Elem(), path[2:])
	case t.Kind() == reflect.Map:
		if path[0] != "entry" || len(path) < 3 || !isNumber(path[1]) {
			return false
		}
		return strings.EqualFold(path[2], "value") && hasPath(t.Elem(), path[3:]) || len(path) == 3
	case t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]():
		inner := member(t, path[0])
		return inner != nil && hasPath(inner, path[1:])
	}
	return false
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}
