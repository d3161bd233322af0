package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/goccy/go-yaml"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/words"
	"alboidc.internal/shared/clientsfile"
)

// Formats of output.
const (
	formatTable    = "table"
	formatJSON     = "json"
	formatYAML     = "yaml"
	formatMarkdown = "md"     // of plan and evidence
	formatCSV      = "csv"    // of evidence
	formatGitHub   = "github" // of check
)

func checkFormat(command, format string) error {
	switch {
	case format == formatTable, format == formatJSON, format == formatYAML,
		format == formatMarkdown && (command == "plan" || command == "evidence"),
		format == formatCSV && command == "evidence", format == formatGitHub && command == "check":
		return nil
	}
	return &system.Error{
		Text: fmt.Sprintf("--output %q is not table, json or yaml (of plan also md, of evidence also md and "+
			"csv, of check also github)",
			format)}
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
	_, err = fmt.Fprintln(a.Out, words.Plain(strings.TrimRight(string(text), "\n")))
	return err
}

// table prints rows below a head, in columns.
func (a *app) table(head []string, rows [][]string) error {
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = words.OneLine(cell)
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), " \t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

func (a *app) print(format string, args ...any) {
	_, _ = fmt.Fprintln(a.Out, words.Plain(fmt.Sprintf(format, args...)))
}

// annotation is a finding as a GitHub workflow shows it beside the line (GitHub documentation, "Workflow commands").
func annotation(f clientsfile.Finding) string {
	escape := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	text, path := f.Message, f.Path
	if f.Client != "" {
		_, path, _ = strings.Cut(path, "].")
	}
	for _, about := range []string{path, f.Client} {
		if about != "" {
			text = about + ": " + text
		}
	}
	return fmt.Sprintf("::%s file=%s,line=%d,col=%d::%s", f.Severity, property.Replace(f.File), max(f.Line, 1),
		max(f.Column, 1), escape.Replace(text))
}
