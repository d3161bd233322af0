package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"

	"alboidc.internal/cmd/internal/system"
)

// Formats of output.
const (
	formatTable    = "table"
	formatJSON     = "json"
	formatYAML     = "yaml"
	formatMarkdown = "md"
)

func checkFormat(format string) error {
	switch format {
	case formatTable, formatJSON, formatYAML, formatMarkdown:
		return nil
	}
	return &system.Error{Text: fmt.Sprintf("--output %q is not table, json, yaml or md", format)}
}

// forPeople reports whether the output is for people, and not for a program.
func (a *app) forPeople() bool { return a.format != formatJSON && a.format != formatYAML }

// write prints v as a program reads it.
func (a *app) write(v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if a.format == formatYAML {
		if text, err = yaml.JSONToYAML(text); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(a.Out, strings.TrimRight(string(text), "\n"))
	return err
}

// table prints rows below a head, in columns.
func (a *app) table(head []string, rows [][]string) error {
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), " \t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

func (a *app) print(format string, args ...any) { _, _ = fmt.Fprintf(a.Out, format+"\n", args...) }

// span says a duration in the largest unit that fits: 12 s, 5 min, 3 h, 41 days.
func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// at is an instant for people, "-" if it is not known.
func at(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// orDash is "-" in place of nothing.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
