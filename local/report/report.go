// Package report writes what a program has found, for people and for programs.
package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// Write writes report.json and report.md into a folder.
func Write(dir string, r any, markdown string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "report.json"), b, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "report.md"), []byte(markdown), 0o644)
}

var cell = strings.NewReplacer("|", `\|`, "\n", " ")

// Cell is a text in a cell of a Markdown table.
func Cell(text string) string { return cell.Replace(text) }
