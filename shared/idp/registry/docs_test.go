package registry_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/shared/idp/registry"
)

// pages is where each provider has its page.
var pages = filepath.Join("..", "..", "..", "docs", "identity-providers")

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryProviderHasAPageAndEveryPageAProvider(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(pages)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		if name, is := strings.CutSuffix(e.Name(), ".md"); is && name != "README" {
			found = append(found, name)
		}
	}
	if want := registry.Types(); !slices.Equal(found, want) {
		t.Errorf("docs/identity-providers has pages for %v, registered are %v", found, want)
	}
	overview := read(t, pages, "README.md")
	for _, kind := range registry.Types() {
		if !strings.Contains(overview, "| [`"+kind+"`]("+kind+".md) |") {
			t.Errorf("docs/identity-providers/README.md has no row for %s", kind)
		}
	}
}

// sections of a provider's page, in order.
var sections = []string{"## What to grant", "## Settings", "## Limits", "## What its audit log shows", "## Not verified"}

func TestEveryPageHasTheSameSections(t *testing.T) {
	t.Parallel()
	for _, kind := range registry.Types() {
		got := regexp.MustCompile(`(?m)^## .*$`).FindAllString(read(t, pages, kind+".md"), -1)
		if !slices.Equal(got, sections) {
			t.Errorf("%s.md has the sections %q, want %q", kind, got, sections)
		}
	}
}

func TestEveryPageNamesEverySetting(t *testing.T) {
	t.Parallel()
	for _, kind := range registry.Types() {
		// the refusal of an unknown field lists the known ones
		_, list, found := strings.Cut(registry.Check(kind, []byte(`{"invented": 1}`)).Error(), "allowed here: ")
		if !found {
			t.Errorf("%s does not say which settings it knows", kind)
		}
		page := read(t, pages, kind+".md")
		for _, setting := range strings.Split(list, ", ") {
			if !strings.Contains(page, "\n| `"+setting+"` |") {
				t.Errorf("%s.md has no row for setting %s", kind, setting)
			}
		}
	}
}

func TestTheExamplesOfEveryPageAreGoodSettings(t *testing.T) {
	t.Parallel()
	for _, kind := range registry.Types() {
		examples := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(read(t, pages, kind+".md"), -1)
		if len(examples) == 0 {
			t.Errorf("%s.md has no example", kind)
		}
		for _, e := range examples {
			if err := registry.Check(kind, []byte(e[1])); err != nil {
				t.Errorf("%s.md: %v in %s", kind, err, e[1])
			}
		}
	}
}

func TestEveryProviderRunsTheConformanceSuite(t *testing.T) {
	t.Parallel()
	for _, kind := range registry.Types() {
		files, err := filepath.Glob(filepath.Join("..", kind, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(f string) bool { return strings.Contains(read(t, f), "idptest.Run(t,") }) {
			t.Errorf("no test in shared/idp/%s calls idptest.Run", kind)
		}
	}
}
