package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/clientsfile"
	"alboidc.internal/statemachine"
)

// clientsFile is the example that users edit, from this folder.
const clientsFile = "clients.yaml"

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// resource is a resource of a template.
type resource struct {
	Type, DeletionPolicy, UpdateReplacePolicy string
	Properties                                map[string]any
	Metadata                                  map[string]any
}

// template is a synthesized template.
type template struct {
	text      []byte
	Resources map[string]resource
	Outputs   map[string]any
}

// example is the template of clients.yaml as it is in the repository; all tests share it.
var example = sync.OnceValues(func() (template, error) {
	file, err := readFile(clientsFile)
	if err != nil {
		return template{}, err
	}
	return synthesized(file)
})

func exampleTemplate(t *testing.T) template {
	t.Helper()
	tpl, err := example()
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

func readFile(path string) (File, error) {
	file, findings, err := clientsfile.Read(path)
	return file, errors.Join(err, findings.Err())
}

func parseFile(text []byte) (File, error) {
	file, findings := clientsfile.Parse(clientsFile, text)
	return file, findings.Err()
}

// changed is the template of clients.yaml after one change of its text.
func changed(t *testing.T, old, new string) template {
	t.Helper()
	file, err := parseFile(changedText(t, old, new))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := synthesized(file)
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

func changedText(t *testing.T, old, new string) []byte {
	t.Helper()
	text, err := os.ReadFile(clientsFile)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), old) == 0 {
		t.Fatalf("clients.yaml does not have %q", old)
	}
	return []byte(strings.Replace(string(text), old, new, 1))
}

// synthesized is the template of a file with functions whose content never changes.
func synthesized(file File) (template, error) {
	list, err := synthesizedWith(file, nil)
	if err != nil {
		return template{}, err
	}
	return list[0], nil
}

// synthesizing: the CDK's own process mixes up what is asked of it at the same time.
var synthesizing sync.Mutex

// synthesizedWith are the templates of a file whose clients have places.
func synthesizedWith(file File, p *places) ([]template, error) {
	texts, err := synthesizedTexts(file, p, false)
	if err != nil {
		return nil, err
	}
	var out []template
	for _, text := range texts {
		tpl := template{text: text}
		if err := cmp.Or(checkLimits(text), json.Unmarshal(text, &tpl)); err != nil {
			return nil, err
		}
		out = append(out, tpl)
	}
	return out, nil
}

func synthesizedTexts(file File, p *places, standsIn bool) ([][]byte, error) {
	synthesizing.Lock()
	defer synthesizing.Unlock()
	folder, err := os.MkdirTemp("", "infra-test-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	functions := filepath.Join(folder, "functions")
	for _, f := range statemachine.Functions() {
		if err := os.MkdirAll(filepath.Join(functions, f.Name), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(functions, f.Name, "bootstrap"), []byte(f.Name), 0o755); err != nil {
			return nil, err
		}
	}
	return synthTexts(file, p, functions, filepath.Join(folder, "cdk.out"), standsIn)
}

// of returns the logical ids of a type of resource, in order.
func (tpl template) of(kind string) []string {
	var ids []string
	for id, r := range tpl.Resources {
		if r.Type == kind {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// one returns the resource of a type whose property has a value.
func (tpl template) one(t *testing.T, kind, property, want string) resource {
	t.Helper()
	for _, id := range tpl.of(kind) {
		if r := tpl.Resources[id]; text(r.Properties[property]) == want {
			return r
		}
	}
	t.Fatalf("the template has no %s with %s = %s", kind, property, want)
	return resource{}
}

// text renders a value of a template: intrinsic functions as readable text, so that an ARN is one string again.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any:
		if ref, ok := v["Ref"].(string); ok && len(v) == 1 {
			if ref == "AWS::Partition" {
				return "aws"
			}
			return "<" + ref + ">"
		}
		if att, ok := v["Fn::GetAtt"].([]any); ok && len(v) == 1 {
			return fmt.Sprintf("<%s.%s>", att[0], att[1])
		}
		if join, ok := v["Fn::Join"].([]any); ok && len(v) == 1 {
			var parts []string
			for _, p := range join[1].([]any) {
				parts = append(parts, text(p))
			}
			return strings.Join(parts, join[0].(string))
		}
	}
	b, _ := json.Marshal(v) // it was read from JSON
	return string(b)
}

// texts renders a value that is one text or a list of them.
func texts(v any) []string {
	list, ok := v.([]any)
	if !ok {
		return []string{text(v)}
	}
	var out []string
	for _, x := range list {
		out = append(out, text(x))
	}
	return out
}

// at walks into nested objects and lists: at(r, "Targets", 0, "Arn").
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch key := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("no object at %v of %v", key, path)
			}
			v = m[key]
		case int:
			l, ok := v.([]any)
			if !ok || key >= len(l) {
				t.Fatalf("no element %d of %v", key, path)
			}
			v = l[key]
		}
	}
	return v
}

// expect compares values of properties, given by path with dots.
func expect(t *testing.T, what string, r resource, want map[string]string) {
	t.Helper()
	for path, w := range want {
		var v any = r.Properties
		for _, key := range strings.Split(path, ".") {
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("%s has no %s", what, path)
			}
			v = m[key]
		}
		if got := text(v); got != w {
			t.Errorf("%s: %s is %s, want %s", what, path, got, w)
		}
	}
}
