// Package words says for people how clients and executions are: in a terminal, and on the console's pages.
package words

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
)

// Plain returns a text without what a terminal obeys or turns around, but for line ends: reasons, causes and names are
// written by others. The escapes are those of JSON, so a document of JSON or quoted YAML keeps its meaning.
func Plain(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n', !unicode.IsControl(r) && !unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// OneLine is a text that stays in its line or cell, and cannot pass for another.
func OneLine(s string) string { return Plain(strings.Join(strings.Fields(s), " ")) }

// Span says a duration in the largest unit that fits: 12 s, 5 min, 3 h, 41 days.
func Span(d time.Duration) string {
	switch d = max(d, 0); { // this machine's clock may be behind AWS's
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

// At is an instant for people, "-" if it is not known.
func At(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// OrDash is "-" in place of nothing.
func OrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Name is the execution's own part of its ARN, which commands take, too.
func Name(id string) string { return id[strings.LastIndex(id, ":")+1:] }
