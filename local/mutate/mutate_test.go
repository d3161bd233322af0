package mutate

import (
	"errors"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// A fault that can no longer be planted, or whose test has gone, proves nothing. make mutate shows that each is caught.
func TestEveryFaultCanBePlanted(t *testing.T) {
	t.Parallel()
	faults := Faults()
	if len(faults) < 900 { // docs/guarantees.md says so
		t.Errorf("%d faults", len(faults))
	}
	for i, f := range faults {
		planted, err := f.Planted(root)
		if err != nil {
			t.Error(err)
			continue
		}
		if i > 0 && f.Name() == faults[i-1].Name() {
			t.Errorf("%s is there twice", f.Name())
		}
		if f.Lost == "" {
			t.Errorf("%s: what is lost is not said", f.Name())
		}
		if !f.ofADefinition() {
			if _, err := parser.ParseFile(token.NewFileSet(), f.File, planted, 0); err != nil {
				t.Errorf("%s: %v", f.Name(), err)
			}
		}
		if !hasTest(t, f) {
			t.Errorf("%s: %s has no %s", f.Name(), f.Package, f.Test)
		}
	}
}

// make mutate SEEDS=50 shows that histories find them.
func TestEveryFaultOfTheHistoriesCanBePlanted(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs", "guarantees.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Count(written.FindString(string(page)), "\n| ") - 2 // without the head
	for _, p := range ofHistories {
		if rowOf(string(page), p.name) != "" {
			rows--
		}
		for _, e := range p.edits {
			f := Fault{Before: e.before, After: e.after}
			f.File, f.Within = definition(e.where)
			if _, err := f.Planted(root); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
		}
	}
	if rows != 0 {
		t.Errorf("docs/guarantees.md has %d rows of faults that are not in the table", rows)
	}
}

func TestTheFirstHistoryThatFailsIsFound(t *testing.T) {
	t.Parallel()
	const out = "--- FAIL: TestRandomHistories (0.00s)\n    --- FAIL: TestRandomHistories/7 (1.20s)\n" +
		"        prove_test.go:92: once: it ended\n    --- FAIL: TestRandomHistories/3 (1.20s)\n" +
		"        prove_test.go:92: G1 at a call: node 1 of arn:aws:x:eu-central-1:1:rule/app/a\n"
	if first, says := firstSeed([]byte(out)); first != 3 || says != "G1 at a call: node 1 of rule/app/a" {
		t.Errorf("%d: %s", first, says)
	}
	if first, _ := firstSeed([]byte("PASS\n")); first != 0 {
		t.Errorf("%d of a run without failures", first)
	}
	page, err := WriteHistories([]byte("a\n"+begin+"| "+ofHistories[0].name+" | 1 | G1 |\n"+end+"\nb\n"),
		[]History{{Name: ofHistories[1].name, Seeds: 50}})
	if want := "| " + ofHistories[0].name + " | 1 | G1 |\n| " + ofHistories[1].name + " | not in 50 |  |\n" + end +
		"\nb\n"; err != nil || !strings.HasSuffix(string(page), want) {
		t.Errorf("the page is %s (%v)", page, err)
	}
	if _, err := WriteHistories([]byte("a page\n"), nil); err == nil {
		t.Error("a page without the marks is written")
	}
}

func hasTest(t *testing.T, f Fault) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, f.Package, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+f.Test+"(t *testing.T) {") {
			return true
		}
	}
	return false
}

func TestOnlyAFailureThatSaysWhatIsLostIsACatch(t *testing.T) {
	t.Parallel()
	f := Fault{Package: "shared/journal", Test: "TestSave", Lost: "overwrites the next one"}
	failure := &exec.ExitError{}
	const fails = "--- FAIL: TestSave (0.00s)\n    --- FAIL: TestSave/by_another (0.00s)\n        save_test.go:1: "
	for out, want := range map[string]struct {
		err     error
		outcome Outcome
		by      string
	}{
		fails + "a lost owner overwrites the next one\nFAIL": {failure, Caught, "shared/journal TestSave/by_another"},
		fails + "got 1, want 2\nFAIL":                        {failure, Unsaid, "shared/journal TestSave/by_another"},
		"panic: nil map\n":                                   {failure, Crashed, "shared/journal TestSave"},
		"PASS\n":                                             {nil, Survived, "shared/journal TestSave"},
		"testing: warning: no tests to run\nPASS\n":          {nil, Broken, "shared/journal TestSave"},
		"": {errors.New("not started"), Broken, "shared/journal TestSave"},
	} {
		if r := judge(f, []byte(out), want.err); r.Outcome != want.outcome || r.By != want.by {
			t.Errorf("%q: %s by %s, want %s by %s", out, r.Outcome, r.By, want.outcome, want.by)
		}
	}
}
