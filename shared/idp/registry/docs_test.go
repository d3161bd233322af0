package registry_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/registry"
)

// pages is where each provider has its page. The test of what make idp makes has some of its own.
var pages = flag.String("docs", filepath.Join("..", "..", "..", "docs", "identity-providers"),
	"where the providers' pages are")

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
	entries, err := os.ReadDir(*pages)
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
}

var update = flag.Bool("update", false, "write the table of providers")

// tables are the files that hold the table of providers, between two marks, and where the pages are from there.
var tables = map[string]string{"../../../docs/identity-providers/README.md": "",
	"../../../README.md": "docs/identity-providers/"}

const begin, end = "<!-- providers: written by make golden -->\n", "<!-- end of providers -->\n"

func TestTheTableOfProvidersSaysWhatTheCodeCan(t *testing.T) {
	t.Parallel()
	for file, folder := range tables {
		text := read(t, file)
		before, rest, found := strings.Cut(text, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Errorf("%s lacks the marks of the table", file)
			continue
		}
		want := before + begin + table(t, folder) + end + after
		if text == want {
			continue
		}
		if !*update {
			t.Errorf("%s: the table is not what the code says; run make golden", file)
		} else if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// table is one row for each provider.
func table(t *testing.T, folder string) string {
	var b strings.Builder
	b.WriteString("| `type` | provider | secrets of a client | who makes a new one | can be disabled first | how a " +
		"secret is proven |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, kind := range registry.Types() {
		page := read(t, *pages, kind+".md")
		title, _, _ := strings.Cut(strings.TrimPrefix(page, "# "), "\n")
		_, rest, _ := strings.Cut(page, "```json\n")
		example, _, _ := strings.Cut(rest, "```")
		c, err := registry.Capabilities(kind, []byte(example), idp.Client{Name: "orders-web", ClientID: "client"})
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		fmt.Fprintf(&b, "| [`%s`](%s%s.md) | %s | %s | %s | %s | %s |\n", kind, folder, kind, title, secrets(t, c),
			maker(c), yes(c.CanDisable), c.Probe.Grant)
	}
	return b.String()
}

// secrets says what a client can have.
func secrets(t *testing.T, c idp.Capabilities) string {
	switch c.Model {
	case idp.NamedSet:
		if c.MaxSecrets == 0 {
			return "many"
		}
		return fmt.Sprint(c.MaxSecrets)
	case idp.CurrentPrevious:
		if c.CanSet {
			return "a current and a previous one; or a pair of registrations"
		}
		return "a current and a previous one"
	case idp.SingleSlot:
		return "one: a pair of registrations takes turns"
	case idp.ByHand:
		return "as a person makes them"
	}
	t.Errorf("model %s has no words", c.Model)
	return ""
}

func maker(c idp.Capabilities) string {
	switch {
	case c.MadeByHand():
		return "a person"
	case c.AcceptsValue || c.KeepsOne():
		return "this system"
	}
	return "the provider"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// sections of a provider's page, in order.
var sections = []string{"## What to grant", "## Settings", "## Limits", "## What its audit log shows",
	"## Not verified"}

func TestEveryPageHasTheSameSections(t *testing.T) {
	t.Parallel()
	for _, kind := range registry.Types() {
		got := regexp.MustCompile(`(?m)^## .*$`).FindAllString(read(t, *pages, kind+".md"), -1)
		// where there is more to say than the overview does, and where real servers were at hand
		got = slices.DeleteFunc(got, func(s string) bool { return s == "## Rollback" || s == "## Verified" })
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
		page := read(t, *pages, kind+".md")
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
		examples := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(read(t, *pages, kind+".md"), -1)
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

func TestEveryProviderRunsTheConformanceSuite(t *testing.T) { // against the imitation that the local stack has
	t.Parallel()
	for _, kind := range registry.Types() {
		files, err := filepath.Glob(filepath.Join("..", kind, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(f string) bool {
			text := read(t, f)
			return strings.Contains(text, "idptest.Run(t,") && strings.Contains(text, kind+"test.Imitation")
		}) {
			t.Errorf("no test in shared/idp/%s runs idptest.Run with %stest.Imitation", kind, kind)
		}
	}
}
