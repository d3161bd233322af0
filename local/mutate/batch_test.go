package mutate

import (
	"os"
	"path/filepath"
	"testing"
)

// A module whose test sees some of its faults.
var small = map[string]string{
	"go.mod": "module small\n\ngo 1.24\n",
	"sum/sum.go": `package sum

const zero = 0

func Of(list ...int) int {
	all := zero
	add(&all, list)
	return all
}

func add(all *int, list []int) {
	noted = len(list)
next:
	for _, n := range list {
		if n == 0 {
			continue next
		}
		*all += n
	}
}

var noted int
`,
	"sum/sum_test.go": `package sum

import "testing"

func TestSum(t *testing.T) {
	if got := Of(1, 0, 2); got != 3 {
		t.Errorf("the sum is wrong: %d", got)
	}
}
`,
	"fails/fails_test.go": `package fails

import "testing"

func TestFails(t *testing.T) { t.Error("the sum is wrong") }
`,
	"use/use.go": `package use

import "small/sum"

func Twice(n int) int { return sum.Of(n, n) }
`,
	"use/use_test.go": `package use

import "testing"

func TestTwice(t *testing.T) {
	if got := Twice(2); got != 4 {
		t.Fatalf("twice is wrong: %d", got)
	}
}
`,
}

// If all were caught, or none, a run would prove nothing. Faults that do not compile together are planted alone.
func TestWhatASmallModulesTestsSeeIsCaught(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range small {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in := func(within, before, after, pkg, test string) Fault {
		return Fault{"sum/sum.go", within, before, after, "wrong", pkg, test}
	}
	unsaid := in("Of", "return all", "return all + 5", "sum", "TestSum")
	unsaid.Lost = "another sentence"
	want := map[Fault]Outcome{
		in("Of", "return all", "return all + 1", "sum", "TestSum"):     Caught,
		in("Of", "return all", "return all + 2", "use", "TestTwice"):   Caught,
		in("Of", "return all", "_ = 3; return all", "sum", "TestSum"):  Survived,
		in("Of", "return all", "panic(4)", "sum", "TestSum"):           Crashed,
		in("Of", "return all", "return all + 6", "fails", "TestFails"): Broken,
		in("Of", "return all", "return nil", "use", "TestTwice"):       Broken,
		in("Of", "return all", "return all + 8", "use", "TestThrice"):  Broken,
		in("add", "noted = len(list)", "", "use", "TestTwice"):         Survived,
		in("add", "*all += n", "*all -= n", "use", "TestTwice"):        Caught,
		in("add", "list []int", "list [3]int", "use", "TestTwice"):     Broken,
		in("zero", "0", "1", "use", "TestTwice"):                       Caught,
		in("zero", "0", "0 * 1", "use", "TestTwice"):                   Survived,
		unsaid: Unsaid,
	}
	var faults []Fault
	for f := range want {
		faults = append(faults, f)
	}
	r := Runner{Root: dir, Workers: 2}
	got := 0
	if err := r.Run(t.Context(), faults, func(r Result) {
		got++
		if r.Outcome != want[r.Fault] {
			t.Errorf("%s by %s: %s, want %s: %s", r.Name(), r.Package, r.Outcome, want[r.Fault], r.Says)
		}
	}); err != nil || got != len(want) {
		t.Errorf("%d of %d faults: %v", got, len(want), err)
	}
}
