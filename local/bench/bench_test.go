package bench

import (
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/statemachine"
)

var update = flag.Bool("update", false, "write the rows that are counted into docs/performance.md")

const document = "../../docs/performance.md"

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the OpenID library tells of every refused request
	os.Exit(m.Run())
}

// What is counted on a virtual clock is the same on every machine: a table that has something else is older than the
// code. What is timed is only there.
func TestTheTableIsOfThisCode(t *testing.T) {
	t.Parallel()
	targets := []int{1, 10}
	if !testing.Short() || *update {
		targets = Usual().Targets
	}
	rows, err := Counts(t.Context(), targets)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := page(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	have, counted := Lines(text), map[string]bool{}
	for _, r := range slices.Concat(rows, pages) {
		if !r.Counted {
			continue
		}
		name := r.name()
		counted[name] = true
		if *update {
			text = put(text, have[name], r)
		} else if have[name] != r.Line() {
			t.Errorf("docs/performance.md has\n%s\nbut it is (make golden, or make performance)\n%s", have[name],
				r.Line())
		}
	}
	for name, line := range have {
		if !strings.HasSuffix(line, "| counted |") || counted[name] || ofTargetsPattern.MatchString(name) {
			continue
		}
		text = []byte(strings.Replace(string(text), line+"\n", "", 1))
		if !*update {
			t.Errorf("docs/performance.md has a row of something that is not counted any more: %s", line)
		}
	}
	if *update {
		if err := os.WriteFile(document, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, of := range parts() {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(have)), func(name string) bool {
			group, _, _ := strings.Cut(name, " | ")
			return strings.HasSuffix(group, of)
		}) {
			t.Errorf("docs/performance.md has no row of %q: make performance", of)
		}
	}
}

// ofTargetsPattern is for rows that are not counted each time.
var ofTargetsPattern = regexp.MustCompile(`^\d+ targets?[,| ]`)

// parts are how the groups of a whole run end.
func parts() []string {
	out := []string{"start of " + hello, "a login test through one node", " rotations under traffic",
		" clients at once", " clients at once, Okta's 600 requests a minute"}
	for _, f := range statemachine.Functions() {
		out = append(out, "start of "+f.Name)
	}
	return out
}

// The prices and sizes by which a rotation is billed are those of the pages about them.
func TestTheBillIsByTheDocumentedPrices(t *testing.T) {
	t.Parallel()
	for file, lines := range map[string][]string{
		"cost.md": {fmt.Sprintf("| state transitions | $%g / 1,000 |", prices.transition*1000),
			fmt.Sprintf("| Lambda requests | $%.2f / 1,000,000 |", prices.request*1_000_000),
			fmt.Sprintf("| Lambda GB-seconds, at most | $%.10f |", prices.gbSecond)},
		"deploying.md": memories(),
	} {
		text, err := os.ReadFile("../../docs/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if !strings.Contains(string(text), line) {
				t.Errorf("docs/%s has no %q", file, line)
			}
		}
	}
}

func memories() []string {
	var out []string
	for _, f := range statemachine.Functions() {
		mb := memory[f.Name]
		if mb == 0 {
			mb = 256
		}
		out = append(out, fmt.Sprintf("| `%s` | %g MB |", f.Name, mb))
	}
	return out
}

func TestAFigureHasThreeDigits(t *testing.T) {
	t.Parallel()
	for n, want := range map[float64]string{0: "0", 1: "1", 0.0667: "0.0667", 1.0 / 3: "0.333", 12.345: "12.3",
		1234.5: "1235", 262144: "262144", 0.1: "0.1", 99.96: "100"} {
		if got := figure(n); got != want {
			t.Errorf("%g is written as %s, want %s", n, got, want)
		}
	}
}

func TestTheTableIsPutBetweenItsMarks(t *testing.T) {
	t.Parallel()
	r := Report{Rows: []Row{{"a", "b", 2, "s", goal(1), true}, {"c", "d", 0.5, "", nil, false}}}
	page, err := Write([]byte("before\n"+begin+"old\n"+end+"\n| a | of what |\n"), r)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(page); !strings.HasPrefix(text, "before\n"+begin) || !strings.HasSuffix(text, end+"\n| a | of what |\n") ||
		strings.Contains(text, "old") {
		t.Errorf("the page is\n%s", text)
	}
	if got := Lines(page); got["a | b"] != "| a | b | 2 s | ≤ 1 **missed** | counted |" ||
		got["c | d"] != "| c | d | 0.5 |  | timed |" {
		t.Errorf("its rows are %q", got)
	}
	if _, err := Write([]byte("nothing"), r); err == nil {
		t.Error("a page without marks is written")
	}
	page, err = Update(page, Report{Rows: []Row{{"c", "d", 3, "", nil, false}, {"a", "e", 4, "", nil, false}, {"f",
		"g", 5, "", nil, false}}})
	if want := begin + r.Machine.String() + "\n\n" + Header + "\n" + r.Rows[0].Line() + "\n| a | e | 4 |  | timed |\n" +
		"| c | d | 3 |  | timed |\n| f | g | 5 |  | timed |\n" + end; err != nil ||
		!strings.Contains(string(page), want) {
		t.Errorf("%v: with a part the page is\n%s, want\n%s", err, page, want)
	}
	if _, err := Update(page, Report{Machine: Machine{Cores: 96}}); err == nil {
		t.Error("the figures of another machine go into the table")
	}
	if missed := r.Missed(); len(missed) != 1 {
		t.Errorf("%v miss their goals", missed)
	}
}

func TestTheGateLetsThroughWhatAServiceTakes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	g := newGate(func() time.Time { return now }, awsLimits())
	through := func(service, operation string, n int) int {
		passed := 0
		for range n {
			if !g.judge(service, operation).Refuse {
				passed++
			}
		}
		return passed
	}
	if got := through("elasticloadbalancing", "DescribeRules", 100); got != 40 {
		t.Errorf("%d reads pass at once", got)
	}
	if got := through("elasticloadbalancing", "ModifyRule", 100); got != 40 {
		t.Errorf("%d writes pass beside them", got)
	}
	now = now.Add(2 * time.Second)
	if got := through("elasticloadbalancing", "DescribeListeners", 100); got != 20 {
		t.Errorf("%d reads pass two seconds later", got)
	}
	if got := through("dynamodb", "UpdateItem", 10_000); got != 10_000 {
		t.Errorf("%d of what has no limit pass", got)
	}
	if got := through("lambda", "Invoke", 2*concurrency); got != concurrency {
		t.Errorf("%d functions run at once", got)
	}
	g.returned()
	if got := through("lambda", "Invoke", 10); got != 1 {
		t.Errorf("%d begin when one has ended", got)
	}
}
