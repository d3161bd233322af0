package fakes_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// doubles are the packages that stand for something in tests.
	doubles = regexp.MustCompile(
		`^"alboidc\.internal/(functions/internal/fakes|shared/(awstest|fault|idp/(.*/)?\w+test))(/|"$)`)
	// testCode is what may import them.
	testCode = regexp.MustCompile(`_test\.go$|/fakes/|/(fault|\w+test)/`)
)

// TestNoProductionCodeImportsADouble keeps the doubles out of the functions.
func TestNoProductionCodeImportsADouble(t *testing.T) {
	t.Parallel()
	seen, tests := 0, 0
	for _, module := range []string{"../..", "../../../shared"} {
		err := filepath.WalkDir(module, func(path string, d fs.DirEntry, err error) error {
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
				case !doubles.MatchString(i.Path.Value):
				case testCode.MatchString(filepath.ToSlash(path)):
					tests++
				default:
					t.Errorf("%s imports %s, which is for tests only", path, i.Path.Value)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 100 || tests < 20 {
		t.Errorf("%d files were looked at, %d imports of doubles were found in tests", seen, tests)
	}
}
