package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/words"
)

// What others write does not reach the terminal as commands, and does not pass for another line.
func TestTextsOfOthersArePlain(t *testing.T) {
	t.Parallel()
	written := "a\x1b[31mRED\x1b]0;t\a\r\nb\tc\u202eevil\u009b\U000e0001 ü"
	const escaped = `a\u001b[31mRED\u001b]0;t\u0007 b c\u202eevil\u009b\udb40\udc01 ü`
	if got := words.OneLine(written); got != escaped {
		t.Errorf("got %q", got)
	}
	var out bytes.Buffer
	a := &app{Machine: Machine{Out: &out, Err: &out, Now: time.Now}, format: formatJSON}
	if err := a.write(map[string]string{"reason": written}); err != nil {
		t.Fatal(err)
	}
	var back map[string]string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["reason"] != written {
		t.Errorf("%v: got %q from %s", err, back["reason"], out.String())
	}
	if err := a.table([]string{"REASON"}, [][]string{{written}}); err != nil {
		t.Fatal(err)
	}
	a.format = formatYAML
	if err := a.write(map[string]string{"reason": written}); err != nil {
		t.Fatal(err)
	}
	a.printTold(words.Told{Execution: system.Execution{Status: "FAILED", Error: written}, What: written})
	_, _ = out.WriteString(words.Line{State: written, Says: written}.String())
	a.complain(written)
	if i := strings.IndexAny(out.String(), "\x1b\a\r\u202e\u009b\U000e0001"); i >= 0 {
		t.Errorf("raw at byte %d of %q", i, out.String())
	}
}
