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
	if len(faults) < 600 { // docs/guarantees.md says so
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
