package guarantees_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestEveryTestThatTheDocumentationCitesExists(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	declared := map[string]bool{}
	cited := map[string]string{}
	declaration, citation := regexp.MustCompile(`(?m)^func (Test\w+)\(`), regexp.MustCompile(`\bTest[A-Z]\w+`)
	// not Go tests
	states := map[string]bool{"TestBeforeChange": true, "TestCanaries": true, "TestSecret": true,
		"TestBeforeFinish": true,
		"TestAfterDisable": true, "TestAfterRollback": true, "TestState": true}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && d.Name() != "..") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, ".md") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".md") {
			for _, name := range citation.FindAllString(string(text), -1) {
				cited[name] = path
			}
			return nil
		}
		for _, m := range declaration.FindAllStringSubmatch(string(text), -1) {
			declared[m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(cited) < 10 {
		t.Fatalf("only %d tests are cited", len(cited))
	}
	for name, path := range cited {
		if !declared[name] && !states[name] {
			t.Errorf("%s cites %s, which does not exist", path, name)
		}
	}
}
