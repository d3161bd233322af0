package registry_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/shared/idp/idptest/imitations"
	"alboidc.internal/shared/idp/registry"
)

// TestTheChecklistForProvidersIsTrue keeps docs/adding-an-idp.md true: what it names exists, for every provider that is
// there.
func TestTheChecklistForProvidersIsTrue(t *testing.T) {
	t.Parallel()
	const root = "../../.."
	checklist := read(t, root, "docs/adding-an-idp.md")
	paths := regexp.MustCompile("`((?:shared|local|infra|docs|functions)/[^`*]+)`").FindAllStringSubmatch(checklist, -1)
	if len(paths) < 8 {
		t.Fatalf("only %d paths are named", len(paths))
	}
	for _, kind := range registry.Types() {
		for _, p := range paths {
			path := strings.ReplaceAll(p[1], "<name>", kind)
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s: there is no %s", kind, path)
			}
		}
	}
	packages := "`((?:idp|slots|idptest|imitationtest|config|strictjson|httpclient|clientcredentials)\\.[A-Z]\\w*)`"
	for _, name := range regexp.MustCompile(packages).FindAllStringSubmatch(checklist, -1) {
		pkg, id, _ := strings.Cut(name[1], ".")
		if !declares(t, filepath.Join(root, "shared"), pkg, id) {
			t.Errorf("there is no %s", name[1])
		}
	}
}

// declares reports whether a package of module shared declares an exported name.
func declares(t *testing.T, shared, pkg, name string) bool {
	t.Helper()
	declaration := regexp.MustCompile(`(?m)^(func |type |const |var |\t)` + name + `\b`)
	for _, folder := range []string{"", "*", "*/*"} {
		files, err := filepath.Glob(filepath.Join(shared, folder, pkg, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(files, func(f string) bool { return declaration.MatchString(read(t, f)) }) {
			return true
		}
	}
	return false
}

// TestEveryImitationNamesWhatChangesSomething: in tests of whole rotations these calls are disturbed, each in turn.
func TestEveryImitationNamesWhatChangesSomething(t *testing.T) {
	t.Parallel()
	for _, kind := range registry.Types() {
		if kind != "manual" && len(imitations.All[kind].Changes) == 0 { // it makes no calls that could be disturbed
			t.Errorf("%s: its imitation names no call that changes something", kind)
		}
	}
}
