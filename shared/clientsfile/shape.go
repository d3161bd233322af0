package clientsfile

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/strictjson"
)

// shape compares the file with the Go types that it is read into, and writes what fits as JSON. Everything that does
// not fit is left out of that, and noted as wrong, so that no later check takes it for missing.
type shape struct {
	reader *reader
	places map[string][]string // names of fields, and where they are allowed
}

var rawType = reflect.TypeFor[json.RawMessage]()

// encode returns a node as JSON, or "null" if it does not fit. path is where the value counts, with defaults and merge
// keys applied.
func (s *shape) encode(n *node, t reflect.Type, path string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.kind == null || s.reader.isWrong[path] {
		return "null"
	}
	switch {
	case t == rawType && n.kind == object, t.Kind() == reflect.Map && n.kind == object:
		return s.anyObject(n, t, path)
	case t.Kind() == reflect.Struct && n.kind == object:
		return s.object(n, t, path)
	case t.Kind() == reflect.Slice && t != rawType && n.kind == list:
		var items []string
		for i, x := range n.items {
			at := fmt.Sprintf("%s[%d]", path, i)
			if x.kind == null {
				s.reader.addAt(x, at, "is empty: remove the -, or write what it is for")
			}
			items = append(items, s.encode(x, t.Elem(), at))
		}
		return "[" + strings.Join(items, ",") + "]"
	case t.Kind() == reflect.String && n.kind == text:
		quoted, _ := json.Marshal(n.scalar)
		return string(quoted)
	case t.Kind() == reflect.Bool && n.kind == boolean:
		return n.scalar
	case t.Kind() == reflect.Int && n.kind == number && wholePattern.MatchString(n.scalar):
		return n.scalar
	}
	if !slices.ContainsFunc(s.reader.wrong, func(w string) bool { return isWithin(w, path) }) {
		s.reader.addAt(n, path, "%s", describeExpected(n, t, path))
	}
	return "null"
}

var wholePattern = regexp.MustCompile(`^-?(0|[1-9]\d{0,15})$`)

// describeExpected says what a field must be, and how that is written.
func describeExpected(n *node, t reflect.Type, path string) string {
	switch name := path[strings.LastIndexAny(path, ".]")+1:]; {
	case t == reflect.TypeFor[config.Secret]() && n.kind == text:
		return "must be an object, as in secret: {arn: \"arn:aws:secretsmanager:…\"}, with the ARN of the secret and " +
			"never the secret itself"
	case path == "clients" && n.kind == object:
		return "must be a list: each client begins with - name: NAME"
	case t.Kind() == reflect.Slice && t != rawType:
		return "must be a list, not " + string(n.kind) + ": write [VALUE], or - VALUE in a line of its own"
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map, t == rawType:
		return "must be an object, its fields indented below it, not " + string(n.kind)
	case n.kind == list || n.kind == object:
		return "must be one value, not " + string(n.kind)
	case t.Kind() == reflect.Bool:
		return "must be true or false, without quotes"
	case t.Kind() == reflect.Int:
		for _, unit := range []string{"Seconds", "Minutes", "Days"} {
			if strings.HasSuffix(name, unit) {
				return "must be a whole number of " + strings.ToLower(unit) + ", without unit and quotes"
			}
		}
		return "must be a whole number, without quotes"
	case name == "account":
		return accountForm
	}
	return "must be a text: put it in quotes"
}

// anyObject is an object whose names are not fields of ours: a provider's settings, which it checks itself, or tags.
func (s *shape) anyObject(n *node, t reflect.Type, path string) string {
	var parts []string
	for _, name := range n.names() {
		value := n.members[name].value
		below := joinPath(path, showName(name))
		if t == rawType && showName(name) == "…" { // no setting's name, and not to be shown by the provider's check
			s.unknownSetting(n, name, below)
			continue
		}
		var encoded string
		if t == rawType {
			encoded = s.raw(value, below)
		} else {
			encoded = s.encode(value, t.Elem(), below)
		}
		quoted, _ := json.Marshal(name)
		parts = append(parts, string(quoted)+":"+encoded)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// unknownSetting reports a name that no setting of any provider has, unless it was reported as a secret.
func (s *shape) unknownSetting(n *node, name, path string) {
	m := n.members[name]
	if !isPastedName(name) {
		s.reader.add(problem{m.line, m.column, joinPath(n.path, "…"),
			"is not known: the names of settings consist of " +
				"letters and digits"}, Error, path)
	}
}

// raw is any value as JSON.
func (s *shape) raw(n *node, path string) string {
	switch n.kind {
	case object:
		return s.anyObject(n, rawType, path)
	case list:
		var items []string
		for i, x := range n.items {
			items = append(items, s.raw(x, fmt.Sprintf("%s[%d]", path, i)))
		}
		return "[" + strings.Join(items, ",") + "]"
	case null:
		return "null"
	case boolean:
		return n.scalar
	case number:
		if f, err := strconv.ParseFloat(n.scalar, 64); err == nil && json.Valid([]byte(n.scalar)) && f == f {
			return n.scalar
		}
	}
	quoted, _ := json.Marshal(n.scalar)
	return string(quoted)
}

func (s *shape) object(n *node, t reflect.Type, path string) string {
	fields := strictjson.Fields(t)
	var parts []string
	for _, name := range n.names() {
		m := n.members[name]
		if path == "" && strings.HasPrefix(name, "x-") {
			continue // for anchors
		}
		ft, known := fields[name]
		if !known {
			s.unknown(n, name, strictjson.Names(t), path)
			continue
		}
		if encoded := s.encode(m.value, ft, joinPath(path, name)); encoded != "null" {
			parts = append(parts, strconv.Quote(name)+":"+encoded)
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// unknown reports a field that is not allowed where it is. What it was meant to be is not missing besides.
func (s *shape) unknown(n *node, name string, allowed []string, path string) {
	m, at := n.members[name], joinPath(path, showName(name))
	report := func(format string, args ...any) {
		s.reader.add(problem{m.line, m.column, m.value.memberPath(name), fmt.Sprintf(format, args...)}, Error, at)
	}
	if isPastedName(name) || showName(name) != "…" && s.reader.isWrong[at] {
		return // a secret, which was reported
	}
	if near := strictjson.Nearest(name, allowed); near != "" && n.get(near) == nil {
		report("is not known; did you mean %s?", near)
		s.reader.ignore(joinPath(path, near))
		return
	}
	client, _, _ := strings.Cut(path, "].")
	client = strings.TrimSuffix(client, "]") + "]"
	if places := s.places[name]; len(places) > 0 {
		var told []string
		for _, place := range places {
			s.reader.ignore(strings.Replace(place+"."+name, "clients[]", client, 1))
			if place = strings.TrimPrefix(place, "clients[]"); !strings.Contains(place, "[]") || len(places) == 1 {
				told = append(told, cmp.Or(strings.TrimPrefix(place, "."), "the client itself"))
			}
		}
		if len(told) > 0 {
			report("is not known here; it belongs into %s", strings.Join(told, " or "))
			return
		}
	}
	s.reader.ignore(client + ".identityProvider.settings." + name)
	text := "is not known; allowed here: " + strings.Join(allowed, ", ")
	switch {
	case strings.HasSuffix(path, "identityProvider"):
		text += "; what only one kind of provider has belongs into settings"
	case strings.HasPrefix(name, "x-"):
		text = "is not known; names with x- are allowed at the top of the file only"
	}
	report("%s", text)
}

// memberPath returns the path of the member called name that holds n.
func (n *node) memberPath(name string) string {
	if strings.HasSuffix(n.path, showName(name)) {
		return n.path
	}
	return showName(name) // an alias: its path is that of the anchor
}

// placesOf collects where each field of a type is allowed, lists as clients[].
func placesOf(t reflect.Type, path string, into map[string][]string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && t != rawType {
		if t.Kind() == reflect.Slice {
			path += "[]"
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for _, name := range strictjson.Names(t) {
		if name == "defaults" {
			continue
		}
		if path != "" {
			into[name] = append(into[name], path)
		}
		placesOf(strictjson.Fields(t)[name], joinPath(path, name), into)
	}
}
