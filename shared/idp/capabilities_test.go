package idp_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Functions ask what a provider can do, not how it keeps secrets (docs/adr/0013).
func TestNobodyComparesTheModel(t *testing.T) {
	t.Parallel()
	compares := regexp.MustCompile(
		`\.Model (==|!=) (\w+\.)?(NamedSet|CurrentPrevious|SingleSlot|ClientPair|InPlace|ByHand)\b`)
	n := 0
	for _, module := range []string{"functions", "shared", "local"} {
		err := filepath.WalkDir(filepath.Join("..", "..", module), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.Name() == "node_modules":
				return filepath.SkipDir
			case !strings.HasSuffix(path, ".go") || path == filepath.Join("..", "..", "shared", "idp", "idp.go"):
				return nil
			}
			n++
			text, err := os.ReadFile(path)
			if found := compares.Find(text); found != nil {
				t.Errorf("%s: %s: ask for a behaviour of idp.Capabilities", path, found)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 100 {
		t.Errorf("only %d files were read", n)
	}
}
