package clientsfile

import (
	"fmt"
	"strings"

	"alboidc.internal/shared/failure"
)

// Severity says whether a finding must be mended before a deployment.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing to mend in the file. It never shows a value of the file that could be a secret.
type Finding struct {
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"`
	Column   int      `json:"column,omitempty"`
	Severity Severity `json:"severity"`
	Client   string   `json:"client,omitempty"`
	Path     string   `json:"path,omitempty"` // where it is written, e.g. clients[0].secret.arn
	Message  string   `json:"message"`
}

// String is the finding in one line, as editors and terminals make a link of it.
func (f Finding) String() string {
	text := fmt.Sprintf("%s:%d: ", f.File, f.Line)
	if f.Line == 0 {
		text = f.File + ": "
	}
	if f.Severity == Warning {
		text += "warning: "
	}
	path := f.Path
	if f.Client != "" {
		text += f.Client + ": "
		_, path, _ = strings.Cut(path, "].")
	}
	if path != "" {
		text += path + ": "
	}
	return text + f.Message
}

// Findings are those of one file, in the order of its lines.
type Findings []Finding

// Of keeps those of one severity.
func (fs Findings) Of(s Severity) Findings {
	var out Findings
	for _, f := range fs {
		if f.Severity == s {
			out = append(out, f)
		}
	}
	return out
}

// shown is how many findings people read at once: the rest of hundreds are mostly of the same kind.
const shown = 30

// String is one line for each, or for the first of many, errors before warnings.
func (fs Findings) String() string {
	if len(fs) > shown {
		fs = append(fs.Of(Error), fs.Of(Warning)...)
	}
	lines := make([]string, 0, len(fs))
	for _, f := range fs[:min(len(fs), shown)] {
		lines = append(lines, f.String())
	}
	if more := len(fs) - shown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more: mend these first (rotator check -o json lists all)", more))
	}
	return strings.Join(lines, "\n")
}

// Some are the first of the names of clients and the like, at most so many, and how many more there are.
func Some(names []string, most int) string {
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// Err is nil, or one InvalidInput failure with a line for each error.
func (fs Findings) Err() error {
	if wrong := fs.Of(Error); len(wrong) > 0 {
		return failure.New(failure.InvalidInput, "%s", wrong)
	}
	return nil
}
