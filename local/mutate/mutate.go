// Package mutate holds faults of the protocol, one small change of the code or of a state machine each, and plants them
// one at a time to see whether a test catches each and says what is lost.
package mutate

import (
	"cmp"
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
	"strings"
)

// fault is one change. where is a state, a state of another machine ("notifier NAME", "fleet NAME"), or a file and a
// function, constant or variable of it ("shared/journal/journal.go Save"). before is there once; how its white space
// looks does not matter. lost is in what the test that catches it says, its name included.
type fault struct{ where, before, after, lost string }

// Fault is one change and the test that must catch it.
type Fault struct {
	File, Within, Before, After, Lost string
	// Package is a folder of the repository, Test one of its tests.
	Package, Test string
}

// Name says which fault it is.
func (f Fault) Name() string {
	return fmt.Sprintf("%s %s: %s > %s", f.File, f.Within, oneLine(f.Before), cmp.Or(oneLine(f.After), "nothing"))
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// Faults are all faults, sorted by file, function and text.
func Faults() []Fault {
	var out []Fault
	for _, table := range []map[string][]fault{ofTheStateMachine, ofTheJournal, ofTheFunctions, ofWhatTheyUse,
		ofTheVendors, ofTheTemplate, ofOthersHelp, ofTheFleet, ofCanaries, ofEnds} {
		for caughtBy, list := range table {
			dir, test, more := strings.Cut(caughtBy, " ")
			if !more {
				dir, test = "statemachine", caughtBy
			}
			for _, f := range list {
				file, within := definition(f.where)
				out = append(out, Fault{file, within, f.before, f.after, f.lost, dir, test})
			}
		}
	}
	slices.SortFunc(out, func(a, b Fault) int { return strings.Compare(a.Name(), b.Name()) })
	return out
}

// definition is the file of a fault, and what in it has the fault.
func definition(where string) (file, within string) {
	first, second, two := strings.Cut(where, " ")
	switch {
	case !two:
		return "statemachine/rotation.asl.json", where
	case first == "notifier", first == "fleet":
		return "statemachine/" + first + ".asl.json", second
	default:
		return first, second
	}
}

// ofADefinition: the fault is in a state machine, and planted without compiling anything.
func (f Fault) ofADefinition() bool { return strings.HasSuffix(f.File, ".asl.json") }

// Planted returns the fault's file with the fault in it.
func (f Fault) Planted(root string) (string, error) {
	b, err := os.ReadFile(filepath.Join(root, f.File))
	if err != nil {
		return "", err
	}
	return f.plantedIn(string(b))
}

// plantedIn returns a text of the fault's file with the fault in it.
func (f Fault) plantedIn(whole string) (string, error) {
	from, to, err := f.place(whole)
	if err != nil {
		return "", err
	}
	out := whole[:from] + f.After + whole[to:]
	if f.ofADefinition() && !json.Valid([]byte(out)) {
		return "", fmt.Errorf("%s: what it becomes is no JSON", f.Name())
	}
	return out, nil
}

// place is where in a text of its file the fault changes something.
func (f Fault) place(whole string) (from, to int, err error) {
	find := function
	if f.ofADefinition() {
		find = state
	}
	from, to, err = find(whole, f.Within)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", f.Name(), err)
	}
	places := anySpace(f.Before).FindAllStringIndex(whole[from:to], -1)
	if len(places) != 1 {
		return 0, 0,
			fmt.Errorf("%s: the text is there %d times, must be once: write down what the code is now, with more "+
				"of what is around it", f.Name(), len(places))
	}
	return from + places[0][0], from + places[0][1], nil
}

// anySpace matches a text with any white space where it has some.
func anySpace(text string) *regexp.Regexp {
	words := strings.Fields(text)
	for i, w := range words {
		words[i] = regexp.QuoteMeta(w)
	}
	return regexp.MustCompile(strings.Join(words, `\s+`))
}

// state is where a state's value begins and ends in a definition.
func state(whole, name string) (from, to int, err error) {
	begins := "\n    \"" + name + "\": "
	from = strings.Index(whole, begins+"{") + len(begins)
	var body json.RawMessage
	if from < len(begins) || json.NewDecoder(strings.NewReader(whole[from:])).Decode(&body) != nil {
		return 0, 0, fmt.Errorf("there is no such state")
	}
	return from, from + len(body), nil
}

// function is where a function, a constant or a variable of that name begins and ends in a Go file.
func function(whole, name string) (from, to int, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", whole, parser.SkipObjectResolution)
	if err != nil {
		return 0, 0, err
	}
	found := map[ast.Node]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == name {
				found[n] = true
			}
			return false
		case *ast.ValueSpec:
			if slices.ContainsFunc(n.Names, func(i *ast.Ident) bool { return i.Name == name }) {
				found[n] = true
			}
		}
		return true
	})
	if len(found) != 1 {
		return 0, 0, fmt.Errorf("the file has %d of that name, must have one", len(found))
	}
	n := slices.Collect(maps.Keys(found))[0]
	return files.Position(n.Pos()).Offset, files.Position(n.End()).Offset, nil
}
