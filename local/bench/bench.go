// Package bench measures what the system promises and costs: counts of whole rotations on a virtual clock, which are
// the same on every machine, and times on this one. Each row of its table is a count or a ratio of one run.
package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Row is one line of the table.
type Row struct {
	// Group and What name it; together they are unique.
	Group string  `json:"group"`
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
	// AtMost is the goal; nil is none.
	AtMost *float64 `json:"atMost,omitempty"`
	// Counted: it is the same on every machine, so the table in the documentation must have the same.
	Counted bool `json:"counted"`
}

// name is what a row is found by in a page.
func (r Row) name() string { return r.Group + " | " + r.What }

// Missed reports whether the row has a goal that it does not reach.
func (r Row) Missed() bool { return r.AtMost != nil && r.Value > *r.AtMost }

// goal is a Row.AtMost.
func goal(n float64) *float64 { return &n }

// figure is a number as people read it: three digits, or all of a whole number.
func figure(n float64) string {
	if n == math.Trunc(n) || math.Abs(n) >= 1000 {
		return strconv.FormatFloat(math.Round(n), 'f', 0, 64)
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(n))))
	text := strconv.FormatFloat(n, 'f', max(0, digits), 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// Line is the row in the table.
func (r Row) Line() string {
	want, kind := "", "timed"
	if r.AtMost != nil {
		want = "≤ " + figure(*r.AtMost)
	}
	if r.Missed() {
		want += " **missed**"
	}
	if r.Counted {
		kind = "counted"
	}
	value := strings.TrimSpace(figure(r.Value) + " " + r.Unit)
	return fmt.Sprintf("| %s | %s | %s | %s | %s |", r.Group, r.What, value, want, kind)
}

// Report is the table of one run.
type Report struct {
	Machine Machine `json:"machine"`
	Rows    []Row   `json:"rows"`
}

// Header begins a table.
const Header = "| of | what | figure | goal | |\n| --- | --- | --- | --- | --- |"

// Markdown is the table, with the machine above it.
func (r Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n", r.Machine, Header)
	for _, row := range r.Rows {
		b.WriteString(row.Line() + "\n")
	}
	return b.String()
}

// JSON is the report for programs.
func (r Report) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	return append(text, '\n'), err
}

// Missed are the rows whose goal is not reached.
func (r Report) Missed() []Row {
	var out []Row
	for _, row := range r.Rows {
		if row.Missed() {
			out = append(out, row)
		}
	}
	return out
}

const begin, end = "<!-- bench: written by make performance -->\n", "<!-- end of bench -->"

var written = regexp.MustCompile(`(?s)` + begin + `.*` + end)

// Write puts the table of a report into a page, between its two marks.
func Write(page []byte, r Report) ([]byte, error) {
	if !written.Match(page) {
		return nil, fmt.Errorf("the page has no %s", strings.TrimSpace(begin))
	}
	return written.ReplaceAllLiteral(page, []byte(begin+r.Markdown()+end)), nil
}

// Update puts the rows of a report that measured a part into the table of a page, which must be of the same machine.
func Update(page []byte, r Report) ([]byte, error) {
	if !bytes.HasPrefix(written.Find(page), []byte(begin+r.Machine.String()+"\n")) {
		return nil, errors.New("the table of the page is another machine's: measure everything")
	}
	for _, row := range r.Rows {
		page = put(page, Lines(page)[row.name()], row)
	}
	return page, nil
}

// put puts a row in the place of a line, or, if that is "", behind those of its group.
func put(page []byte, line string, r Row) []byte {
	if line != "" {
		return bytes.Replace(page, []byte(line), []byte(r.Line()), 1)
	}
	table := page[:bytes.Index(page, []byte(end))] // what stands below explains the groups, and begins as they do
	at := bytes.LastIndex(table, []byte("\n| "+r.Group+" | ")) + 1
	if at == 0 {
		at = bytes.LastIndexByte(table[:len(table)-1], '\n') + 1
	}
	at += bytes.IndexByte(page[at:], '\n') + 1
	return slices.Insert(page, at, []byte(r.Line()+"\n")...)
}

// Lines are the rows of the table in a page, by "of | what".
func Lines(page []byte) map[string]string {
	out := map[string]string{}
	for line := range bytes.Lines(written.Find(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(string(line)), "|"), "|")
		if len(cells) == 5 {
			out[strings.TrimSpace(cells[0])+" | "+strings.TrimSpace(cells[1])] = strings.TrimSpace(string(line))
		}
	}
	return out
}
