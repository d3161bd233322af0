package fakes_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoProductionCodeImportsTheFakes keeps them out of the functions.
func TestNoProductionCodeImportsTheFakes(t *testing.T) {
	t.Parallel()
	seen, tests := 0, 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		seen++
		for _, i := range f.Imports {
			switch {
			case i.Path.Value != `"alboidc.internal/functions/internal/fakes"`:
			case strings.HasSuffix(path, "_test.go"):
				tests++
			default:
				t.Errorf("%s imports the fakes, which are for tests only", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 || tests < 6 {
		t.Errorf("%d files were looked at, %d tests among them import the fakes", seen, tests)
	}
}
