// Package strictjson reads JSON documents that people write. Unlike encoding/json it reports every problem at once,
// each with the path of the field, and it refuses fields that the target type does not have, or that are given twice.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sort"
	"strings"

	"alboidc.internal/shared/failure"
)

// Problem is one thing that is wrong in a document.
type Problem struct {
	Path string // e.g. smokeTests.login[0].url
	Text string // what is wrong and what is allowed
}

// Problems is a list of problems; it is an error if not empty.
type Problems []Problem

// Add appends a problem.
func (p *Problems) Add(path, format string, args ...any) {
	*p = append(*p, Problem{Path: path, Text: fmt.Sprintf(format, args...)})
}

// Err is nil, or one InvalidInput failure that lists the problems of the document called what, with them as its cause.
func (p Problems) Err(what string) error {
	if len(p) == 0 {
		return nil
	}
	return failure.Wrap(failure.InvalidInput, p, "%s is not valid", what)
}

// Error lists the problems.
func (p Problems) Error() string {
	lines := make([]string, 0, len(p))
	for _, x := range p {
		if x.Path == "" {
			lines = append(lines, x.Text)
			continue
		}
		lines = append(lines, x.Path+": "+x.Text)
	}
	return strings.Join(lines, "; ")
}

// Join is the path of a field below path.
func Join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

// Decode reads data into v, a pointer to a struct, and returns what does not fit. path is put before every field's
// path. v is filled only if there is no problem.
func Decode(data []byte, v any, path string) Problems {
	var ps Problems
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var doc any
	if err := d.Decode(&doc); err != nil {
		ps.Add(path, "is not JSON")
		return ps
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		ps.Add(path, "has text after the JSON value")
		return ps
	}
	duplicates(&ps, path, json.NewDecoder(bytes.NewReader(data)))
	check(&ps, path, doc, reflect.TypeOf(v).Elem())
	if len(ps) > 0 {
		return ps
	}
	if err := json.Unmarshal(data, v); err != nil {
		ps.Add(path, "cannot be read as %s", reflect.TypeOf(v).Elem().Name())
	}
	return ps
}

// duplicates reports members that an object has twice; encoding/json silently takes the last. The next value of d must
// be JSON without syntax errors.
func duplicates(ps *Problems, path string, d *json.Decoder) {
	t, err := d.Token()
	if err != nil {
		return
	}
	switch t {
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			t, _ := d.Token()
			key, _ := t.(string)
			if seen[key] {
				ps.Add(Join(path, key), "is given twice")
			}
			seen[key] = true
			duplicates(ps, Join(path, key), d)
		}
		_, _ = d.Token()
	case json.Delim('['):
		for i := 0; d.More(); i++ {
			duplicates(ps, fmt.Sprintf("%s[%d]", path, i), d)
		}
		_, _ = d.Token()
	}
}

var rawType = reflect.TypeFor[json.RawMessage]()

// check compares a decoded document with the type it is meant for.
func check(ps *Problems, path string, doc any, t reflect.Type) {
	if t == rawType || doc == nil {
		return
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Struct:
		checkStruct(ps, path, doc, t)
	case reflect.Slice:
		list, ok := doc.([]any)
		if !ok {
			ps.Add(path, "must be a list")
			return
		}
		for i, x := range list {
			check(ps, fmt.Sprintf("%s[%d]", path, i), x, t.Elem())
		}
	case reflect.Map:
		m, ok := doc.(map[string]any)
		if !ok {
			ps.Add(path, "must be an object")
			return
		}
		for _, k := range sortedKeys(m) {
			check(ps, Join(path, k), m[k], t.Elem())
		}
	case reflect.String:
		if _, ok := doc.(string); !ok {
			ps.Add(path, "must be a string")
		}
	case reflect.Bool:
		if _, ok := doc.(bool); !ok {
			ps.Add(path, "must be true or false")
		}
	case reflect.Int, reflect.Int64:
		n, ok := doc.(json.Number)
		if !ok {
			ps.Add(path, "must be a whole number")
			return
		}
		if _, err := n.Int64(); err != nil {
			ps.Add(path, "must be a whole number, not %s", n)
		}
	}
}

func checkStruct(ps *Problems, path string, doc any, t reflect.Type) {
	m, ok := doc.(map[string]any)
	if !ok {
		ps.Add(path, "must be an object")
		return
	}
	fields := Fields(t)
	for _, k := range sortedKeys(m) {
		ft, known := fields[k]
		if !known {
			text := "is not known; "
			if near := Nearest(k, Names(t)); near != "" {
				text += "did you mean " + near + "? "
			}
			ps.Add(Join(path, k), "%sallowed here: %s", text, strings.Join(Names(t), ", "))
			continue
		}
		check(ps, Join(path, k), m[k], ft)
	}
}

// Names are the JSON names of a struct's fields in alphabetical order.
func Names(t reflect.Type) []string { return sortedKeys(Fields(t)) }

// Nearest is the one of names that a misspelt name was meant to be, or "": upper case, hyphens and underscores do not
// count, and one letter in four may be wrong.
func Nearest(name string, names []string) string {
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(s))
	}
	best, least := "", 1+max(1, min(len(name), 12)/4)
	for _, n := range names {
		if d := distance(plain(name), plain(n)); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is how many letters have to be added, removed, replaced or swapped with the next to make b of a.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			if i == 0 || j == 0 {
				rows[i][j] = i + j
				continue
			}
			other := 0
			if a[i-1] != b[j-1] {
				other = 1
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+other)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// Fields maps the JSON names of a struct's fields to their types, embedded structs included.
func Fields(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			for k, v := range Fields(f.Type) {
				out[k] = v
			}
			continue
		}
		if name != "" && name != "-" {
			out[name] = f.Type
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
