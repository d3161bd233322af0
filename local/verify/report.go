package verify

import (
	"fmt"
	"strings"
	"time"

	"alboidc.internal/local/report"
)

// Verdict says how what was measured compares with what the rotation takes for granted.
type Verdict string

// The verdicts.
const (
	AsAssumed Verdict = "as assumed"
	Differs   Verdict = "DIFFERS"
	Measured  Verdict = "measured" // nothing is assumed
	Unknown   Verdict = "NOT MEASURED"
)

// Finding is the answer to one question.
type Finding struct {
	Question string  `json:"question"`
	Assumed  string  `json:"assumed"`
	Found    string  `json:"found"`
	Verdict  Verdict `json:"verdict"`
	// Numbers are single measurements, in seconds.
	Numbers []float64 `json:"numbers,omitempty"`
}

// Report is what one run has found.
type Report struct {
	Account  string        `json:"account"`
	Region   string        `json:"region"`
	Began    time.Time     `json:"began"`
	Took     time.Duration `json:"tookNanoseconds"`
	Findings []Finding     `json:"findings"`
	// Left is what could not be removed, with the command that removes it.
	Left string `json:"left,omitempty"`
}

// Write writes report.md and report.json into a folder.
func (r Report) Write(dir string) error { return report.Write(dir, r, r.Markdown()) }

// Markdown is the report as people read it.
func (r Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Measured on AWS\n\nAccount %s, Region %s, %s, in %s.\n\n| question | assumed | found | |\n"+
		"| --- | --- | --- | --- |\n", r.Account, r.Region, r.Began.Format(time.RFC3339), r.Took.Round(time.Second))
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", report.Cell(f.Question), report.Cell(f.Assumed),
			report.Cell(f.Found), f.Verdict)
	}
	if r.Left != "" {
		fmt.Fprintf(&b, "\n**Not removed**: %s\n", r.Left)
	}
	return b.String()
}

// list is a few words as a sentence takes them.
func list(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// decide is AsAssumed if it is so, or else Differs.
func decide(so bool) Verdict {
	if so {
		return AsAssumed
	}
	return Differs
}

// seconds says durations in seconds, and tells the longest.
func seconds(all []time.Duration) (numbers []float64, most time.Duration) {
	for _, d := range all {
		numbers = append(numbers, d.Seconds())
		most = max(most, d)
	}
	return numbers, most
}
