package live_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// report is what a run at a provider came to, for the provider's page.
type report struct {
	provider string
	mu       sync.Mutex
	lines    []string
}

// newReport is printed, and written to the folder of the results, when the test ends.
func newReport(t *testing.T, provider, kind string) *report {
	t.Helper()
	r := &report{provider: provider}
	t.Cleanup(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		text := fmt.Sprintf("%s, on %s:\n\n| what | result | seconds |\n| --- | --- | --- |\n%s\n", r.provider,
			time.Now().Format("2 January 2006"), strings.Join(r.lines, "\n"))
		if *results == "" {
			t.Log(text)
			return
		}
		fmt.Println(text)
		if err := os.WriteFile(filepath.Join(*results, kind+".md"), []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	})
	return r
}

// note puts how a test ends into the report.
func (r *report) note(t *testing.T, what string) {
	began := time.Now()
	t.Cleanup(func() {
		result := "as it should be"
		switch {
		case t.Failed():
			result = "**not as it should be**"
		case t.Skipped():
			result = "cannot be told: answers came too late"
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lines = append(r.lines, fmt.Sprintf("| %s | %s | %.0f |", what, result, time.Since(began).Seconds()))
	})
}
