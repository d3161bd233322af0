package guarantees_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"alboidc.internal/shared/idp/idptest/imitations"
	"alboidc.internal/shared/idp/registry"
)

// TestTheChecklistForProvidersIsTrue keeps docs/adding-an-idp.md true: what it names exists, for every provider that is
// there.
func TestTheChecklistForProvidersIsTrue(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	read := func(path string) string {
		b, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	checklist := read("docs/adding-an-idp.md")
	paths := regexp.MustCompile("`((?:shared|local|infra|docs|functions)/[^`*]+)`").FindAllStringSubmatch(checklist, -1)
	if len(paths) < 8 {
		t.Fatalf("only %d paths are named", len(paths))
	}
	for _, kind := range registry.Types() { // manual makes no calls that could be disturbed
		for _, p := range paths {
			path := strings.ReplaceAll(p[1], "<name>", kind)
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s: there is no %s", kind, path)
			}
		}
		if kind != "manual" && len(imitations.All[kind].Changes) == 0 {
			t.Errorf("%s: its imitation names no call that changes something, so none is disturbed in the tests of whole rotations", kind)
		}
	}
	for _, name := range regexp.MustCompile("`((?:idp|slots|idptest|facetest|config|strictjson|httpclient|clientcredentials)\\.[A-Z]\\w*)`").FindAllStringSubmatch(checklist, -1) {
		pkg, id, _ := strings.Cut(name[1], ".")
		if !declares(t, root, pkg, id) {
			t.Errorf("there is no %s", name[1])
		}
	}
}

// declares reports whether a package of module shared declares an exported name.
func declares(t *testing.T, root, pkg, name string) bool {
	t.Helper()
	for _, pattern := range []string{"shared/" + pkg + "/*.go", "shared/*/" + pkg + "/*.go", "shared/*/*/" + pkg + "/*.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if regexp.MustCompile(`(?m)^(func |type |const |var |\t)` + name + `\b`).Match(b) {
				return true
			}
		}
	}
	return false
}
