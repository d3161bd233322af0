package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestTextIsBrokenWhereALineIsFull(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text   string
		column int
		want   string
	}{
		"a short text":             {"waits", 30, "waits"},
		"a text that fills a line": {"a " + strings.Repeat("b", 88), 10, "a " + strings.Repeat("b", 88)},
		"a text beyond it": {"a " + strings.Repeat("b", 89), 10,
			"a\n          " + strings.Repeat("b", 89)},
		"a word that is too long for a line": {strings.Repeat("b", 200) + " c", 2, strings.Repeat("b", 200) + "\n  c"},
		"nothing":                            {"", 5, ""},
		"a text with line breaks":            {"one\n\ttwo", 5, "one two"},
	} {
		if got := wrap(c.text, c.column, 100); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestStatusIsErasedByAsManyLinesAsWereDrawn(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	v := &view{out: &out, live: true, began: time.Now()}
	draws := 0
	v.redraw(func() string { draws++; v.drawn = 3; return "one\ntwo\nthree\n" })
	v.redraw(func() string { draws++; return "" })
	v.redraw(func() string { draws++; return "" })
	if want := "one\ntwo\nthree\n\x1b[3A\x1b[J"; out.String() != want || draws != 3 {
		t.Errorf("wrote %q, want %q", out.String(), want)
	}
}
