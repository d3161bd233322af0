package mutate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"alboidc.internal/local/report"
)

// Report is the outcome of a run.
type Report struct {
	Faults, Caught int
	Seconds        float64
	Results        []Result
}

// NewReport counts results, those that were not caught first.
func NewReport(results []Result, took time.Duration) Report {
	r := Report{Faults: len(results), Seconds: took.Seconds(), Results: slices.Clone(results)}
	slices.SortFunc(r.Results, func(a, b Result) int {
		if a.Outcome.Good() != b.Outcome.Good() {
			return map[bool]int{true: 1, false: -1}[a.Outcome.Good()]
		}
		return strings.Compare(a.Name(), b.Name())
	})
	for _, x := range results {
		if x.Outcome.Good() {
			r.Caught++
		}
	}
	return r
}

// Line says in one line what became of a fault.
func (r Result) Line() string {
	return fmt.Sprintf("%-6s %5.1f s  %s\n                %s: %s", r.Outcome, r.Seconds, r.Name(), r.By, r.Says)
}

// Summary is the report in one line.
func (r Report) Summary() string {
	return fmt.Sprintf("%d faults, %d caught, %d not, in %.0f s", r.Faults, r.Caught, r.Faults-r.Caught, r.Seconds)
}

// Write writes report.md and report.json into a folder.
func (r Report) Write(dir string) error {
	var md strings.Builder
	fmt.Fprintf(&md, "# Planted faults\n\n%s.\n\n| fault | becomes | outcome | by | says | s |\n"+
		"| --- | --- | --- | --- | --- | --- |\n", r.Summary())
	for _, x := range r.Results {
		fmt.Fprintf(&md, "| %s %s: `%s` | `%s` | %s | %s | %s | %.1f |\n", x.File, x.Within,
			report.Cell(oneLine(x.Before)), report.Cell(oneLine(x.After)), x.Outcome, x.By,
			report.Cell(x.Says), x.Seconds)
	}
	return report.Write(dir, r, md.String())
}
