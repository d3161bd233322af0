package clientsfile

import (
	"strings"
	"testing"
)

// Who reads the first of hundreds must read what keeps the file from being deployed.
func TestErrorsAreShownBeforeHundredsOfWarnings(t *testing.T) {
	t.Parallel()
	var fs Findings
	for range 200 {
		fs = append(fs, Finding{Severity: Warning, File: "clients.yaml", Line: 1, Message: "is odd"})
	}
	fs = append(fs, Finding{Severity: Error, File: "clients.yaml", Line: 900, Message: "is wrong"})
	lines := strings.Split(fs.String(), "\n")
	if len(lines) != shown+1 || lines[0] != "clients.yaml:900: is wrong" ||
		!strings.HasPrefix(lines[shown], "and 171 more: ") {
		t.Errorf("%d lines: %s, …, %s", len(lines), lines[0], lines[len(lines)-1])
	}
	if len(fs[200:].String()) == 0 || fs[0].Severity != Warning {
		t.Error("the order of the findings was changed")
	}
}
