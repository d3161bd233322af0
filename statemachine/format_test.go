package statemachine_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/statemachine"
)

var update = flag.Bool("update", false, "write the definitions in their layout")

// columns is how long a line may be; one with a single long text is longer.
const columns = 132

// Workflow Studio writes one member or element a line. `go test ./statemachine -run Layout -update` lays it out again.
func TestTheDefinitionsHaveTheirLayout(t *testing.T) {
	t.Parallel()
	for file, definition := range map[string]string{
		"rotation.asl.json": statemachine.Definition, "notifier.asl.json": statemachine.Notifier,
		"fleet.asl.json": statemachine.Fleet,
	} {
		want := layOut(t, definition)
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if definition != want {
			t.Errorf("%s has another layout: run `go test ./statemachine -run Layout -update`", file)
		}
	}
}

func TestTheLayout(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 60)
	got := layOut(t, `{"States":{"A":{"Type":"Pass","n":[1,2],"End":true},"B":{"Type":"Task","Comment":"<`+long+`>",
		"Retry":[{"ErrorEquals":["`+long+`","`+long+`","z"],"MaxAttempts":2,"BackoffRate":1.50}],
		"Catch":[{"Next":"`+long+`"},{"Next":"`+long+`"}],"End":true}}}`)
	want := `{
  "States": {
    "A": {"Type": "Pass", "n": [1, 2], "End": true},
    "B": {
      "Type": "Task", "Comment": "<` + long + `>",
      "Retry": [{
        "ErrorEquals": ["` + long + `",
          "` + long + `", "z"],
        "MaxAttempts": 2, "BackoffRate": 1.50
      }],
      "Catch": [
        {"Next": "` + long + `"},
        {"Next": "` + long + `"}
      ],
      "End": true
    }
  }
}
`
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

// node is a JSON value: a scalar as it is written, or the parts of an object or list.
type node struct {
	scalar string
	open   string // "{" or "["
	parts  []node
	key    string // with its colon, in an object
}

func layOut(t *testing.T, definition string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(definition))
	d.UseNumber()
	n, err := read(d)
	if err != nil {
		t.Fatal(err)
	}
	return n.render(0, 0) + "\n"
}

func read(d *json.Decoder) (node, error) {
	token, err := d.Token()
	if err != nil {
		return node{}, err
	}
	open, nested := token.(json.Delim)
	if !nested {
		return node{scalar: encode(token)}, nil
	}
	n := node{open: open.String()}
	for d.More() {
		key := ""
		if n.open == "{" {
			name, err := d.Token()
			if err != nil {
				return node{}, err
			}
			key = encode(name) + ": "
		}
		part, err := read(d)
		if err != nil {
			return node{}, err
		}
		part.key = key
		n.parts = append(n.parts, part)
	}
	_, err = d.Token()
	return n, err
}

func encode(token any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(token) // a string, a number, a boolean or null
	return strings.TrimSuffix(b.String(), "\n")
}

func (n node) closing() string { return map[string]string{"{": "}", "[": "]"}[n.open] }

// renderFlat is the value on one line.
func (n node) renderFlat() string {
	if n.open == "" {
		return n.scalar
	}
	parts := make([]string, 0, len(n.parts))
	for _, p := range n.parts {
		parts = append(parts, p.key+p.renderFlat())
	}
	return n.open + strings.Join(parts, ", ") + n.closing()
}

// render is the value, which begins in a column of a line with an indent: on that line if it fits, otherwise wrapped.
// A part that needs several lines shares none of them.
func (n node) render(indent, column int) string {
	flat := n.renderFlat()
	switch {
	case n.open == "" || column+len(flat)+1 <= columns:
		return flat
	case n.open == "[" && len(n.parts) == 1 && n.isNested():
		return "[" + n.parts[0].render(indent, column+2) + "]"
	}
	inner, lines := strings.Repeat(" ", indent+2), []string{}
	list := n.open == "[" && !n.isNested() // of scalars: it begins on the line of its bracket, and so it ends
	first := inner
	if list {
		first = strings.Repeat(" ", column+1)
	}
	for i, p := range n.parts {
		part := p.key + p.render(indent+2, indent+2+len(p.key))
		if i < len(n.parts)-1 {
			part += ","
		}
		last := len(lines) - 1
		switch {
		case last < 0:
			lines = append(lines, first+part)
		case (list || n.open == "{") && !strings.Contains(lines[last]+part, "\n") &&
			len(lines[last])+1+len(part) <= columns:
			lines[last] += " " + part
		default:
			lines = append(lines, inner+part)
		}
	}
	text := strings.Join(lines, "\n")
	if list {
		return n.open + strings.TrimPrefix(text, first) + n.closing()
	}
	return n.open + "\n" + text + "\n" + strings.Repeat(" ", indent) + n.closing()
}

func (n node) isNested() bool {
	return slices.ContainsFunc(n.parts, func(p node) bool { return p.open != "" })
}
