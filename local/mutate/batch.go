package mutate

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// batch is all faults that are in bodies of functions, compiled at once: each such function begins with a copy of its
// body for each of its faults, and the environment names the one that counts.
type batch struct {
	numbers map[Fault]int
	overlay string
	// tests are those of all faults, by package.
	tests map[string][]string
}

// chosen is the variable of the environment that has the number of the fault to plant.
const chosen = "ALBOIDC_PLANTED"

// chooser is the file that is added to a package with faults.
const chooser = `package %s

import "os"

var alboidcPlanted = os.Getenv("` + chosen + `")
`

// plantTogether plants what compiles together. What does not is left to be planted alone.
func (r *Runner) plantTogether(ctx context.Context, faults []Fault) (batch, error) {
	b := batch{numbers: map[Fault]int{}, tests: map[string][]string{}}
	var packages []string
	for i, f := range faults {
		if !f.ofADefinition() {
			b.numbers[f] = i
		}
		if b.tests[f.Package] == nil {
			packages = append(packages, "./"+f.Package)
		}
		if !slices.Contains(b.tests[f.Package], f.tests()) {
			b.tests[f.Package] = append(b.tests[f.Package], f.tests())
		}
	}
	for {
		var err error
		if b.overlay, err = r.overlay(b.numbers); err != nil {
			return batch{}, err
		}
		out, err := r.golang(ctx, append([]string{"list", "-test", "-deps", "-export", "-overlay", b.overlay},
			packages...)...)
		if err == nil {
			return b, nil
		}
		before := len(b.numbers)
		for _, m := range inPlanted.FindAllSubmatch(out, -1) {
			n, _ := strconv.Atoi(string(m[1]))
			delete(b.numbers, faults[n])
		}
		if len(b.numbers) == before {
			return batch{}, fmt.Errorf("the faults do not compile together: %w: %s", err, oneLine(string(out)))
		}
	}
}

// inPlanted finds what the compiler says of a fault.
var inPlanted = regexp.MustCompile(`planted(\d+):\d+`)

// overlay writes an overlay with all faults that numbers has, and takes those out that cannot be in it.
func (r *Runner) overlay(numbers map[Fault]int) (string, error) {
	dir, err := os.MkdirTemp(r.dir, "overlay")
	if err != nil {
		return "", err
	}
	byFile := map[string][]Fault{}
	for f := range numbers {
		byFile[f.File] = append(byFile[f.File], f)
	}
	replace := map[string]string{}
	for name, faults := range byFile {
		name = filepath.Join(r.Root, name)
		b, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		text, pkg, err := plantEach(string(b), filepath.Base(name), faults, numbers)
		if err != nil {
			return "", err
		}
		added := filepath.Join(filepath.Dir(name), "zz_planted.go")
		for path, content := range map[string]string{name: text, added: fmt.Sprintf(chooser, pkg)} {
			replace[path] = filepath.Join(dir, strings.ReplaceAll(strings.TrimPrefix(path, r.Root), "/", "-"))
			if err := os.WriteFile(replace[path], []byte(content), 0o600); err != nil {
				return "", err
			}
		}
	}
	return writeOverlay(dir, replace)
}

// plantEach plants faults into the text of a file, and takes out of numbers those that are in no function's body. A
// message of the compiler names the fault as its file.
func plantEach(whole, name string, faults []Fault, numbers map[Fault]int) (text, pkg string, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", whole, parser.SkipObjectResolution)
	if err != nil {
		return "", "", err
	}
	copies := map[*ast.FuncDecl]string{}
	for _, f := range faults {
		from, to, err := f.place(whole)
		in := slices.IndexFunc(file.Decls, func(d ast.Decl) bool {
			fn, ok := d.(*ast.FuncDecl)
			return ok && files.Position(fn.Body.Lbrace).Offset < from && to <= files.Position(fn.Body.Rbrace).Offset
		})
		if err != nil || in < 0 {
			delete(numbers, f)
			continue
		}
		fn := file.Decls[in].(*ast.FuncDecl)
		begins, ends := files.Position(fn.Body.Lbrace).Offset+1, files.Position(fn.Body.Rbrace).Offset
		leave := ""
		if fn.Type.Results == nil {
			leave = "\nreturn"
		}
		copies[fn] += fmt.Sprintf("\n//line planted%d:1\nif alboidcPlanted == \"%[1]d\" {%s%s%s%s}\n",
			numbers[f], whole[begins:from], f.After, whole[to:ends], leave)
	}
	at := func(a *ast.FuncDecl) token.Position { return files.Position(a.Body.Lbrace) }
	sorted := slices.SortedFunc(maps.Keys(copies), func(a, b *ast.FuncDecl) int { return at(a).Offset - at(b).Offset })
	done := 0
	for _, fn := range sorted {
		text += whole[done:at(fn).Offset+1] + copies[fn] + fmt.Sprintf("//line %s:%d\n", name, at(fn).Line)
		done = at(fn).Offset + 1
	}
	return text + whole[done:], file.Name.Name, nil
}

// writeOverlay writes which files the compiler reads in place of which, and returns the name of that list.
func writeOverlay(dir string, replace map[string]string) (string, error) {
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	return list, os.WriteFile(list, b, 0o600)
}
