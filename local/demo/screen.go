package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Columns of the output: where the sentences begin, where the facts below them begin, and where lines end, in a file
// and on a terminal.
const (
	sentenceColumn = 30
	factColumn     = 9
	fileWidth      = 100
	terminalWidth  = 80
)

func (v *view) width() int {
	if v.live {
		return terminalWidth
	}
	return fileWidth
}

// step prints what happens now: a state, and a sentence. state is "" for a detail of the state before. Where lines
// stay, the facts that have changed since the last state follow.
func (v *view) step(state, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var b strings.Builder
	b.WriteString(v.erase())
	first := strings.Repeat(" ", sentenceColumn)
	if state != "" {
		first = fmt.Sprintf("%6.1fs  %-20s ", time.Since(v.began).Seconds(), state)
	}
	b.WriteString(first + wrap(fmt.Sprintf(format, args...), sentenceColumn, v.width()) + "\n")
	if v.live {
		b.WriteString(v.status())
	} else if state != "" {
		v.writeFacts(&b)
	}
	_, _ = io.WriteString(v.out, b.String())
}

// writeFacts adds what people notice, and the parts of the picture, as far as they have changed. v.mu is held.
func (v *view) writeFacts(b *strings.Builder) {
	p := v.world.takePicture()
	for _, f := range []struct {
		last    *string
		now     string
		heading string
	}{
		{&v.lastPeople, v.describePeople(), ""},
		{&v.last.labels, p.labels, "labels: "},
		{&v.last.secrets, p.secrets, "secrets at the identity provider: "},
		{&v.last.inUse, p.inUse, "load balancer nodes use version: "},
	} {
		if *f.last != f.now {
			*f.last = f.now
			b.WriteString(strings.Repeat(" ", factColumn) + wrap(f.heading+f.now, factColumn, v.width()) + "\n")
		}
	}
}

// describePeople says what users noticed so far. v.mu is held.
func (v *view) describePeople() string {
	failed, late := v.countFailures()
	w := v.world
	return fmt.Sprintf("logins: %d ok, %d failed%s; session refreshes: %d ok, %d failed%s", v.traffic.Logins.Load(),
		failed, describeLate(late), w.refreshes.Load(), w.refusedRefreshes.Load(),
		describeLate(int(w.lateRefreshes.Load())))
}

// describeLate says how many answers came too late, "" if none did.
func describeLate(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d too late", n)
}

// wrap breaks a text that begins in a column into lines that are no longer than width, if its words allow; the lines
// after the first begin in the same column.
func wrap(text string, column, width int) string {
	var b strings.Builder
	at := column
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case at+1+len(word) > width:
			b.WriteString("\n" + strings.Repeat(" ", column))
			at = column
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}

// draw keeps the status on a terminal up to date until the function it returns is called.
func (v *view) draw() (stop func()) {
	if !v.live {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				v.redraw(v.status)
			case <-done:
				v.redraw(func() string { return "" })
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// redraw puts something in the place of the status, in one write so that it does not flicker.
func (v *view) redraw(with func() string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	text := v.erase()
	_, _ = io.WriteString(v.out, text+with())
}

// erase returns what removes the status from the terminal, and forgets the status. v.mu is held.
func (v *view) erase() string {
	if v.drawn == 0 {
		return ""
	}
	up := fmt.Sprintf("\x1b[%dA\x1b[J", v.drawn)
	v.drawn = 0
	return up
}

// status is what is true now. It is drawn with automatic wrapping off: a line that the terminal broke in two would
// leave its first half behind when the status is erased. v.mu is held.
func (v *view) status() string {
	p := v.world.takePicture()
	failed, late := v.countFailures()
	lines := []string{"",
		fmt.Sprintf("  %5.1fs            %s", time.Since(v.began).Seconds(), v.state),
		fmt.Sprintf("  logins            %5d ok  %d failed%s", v.traffic.Logins.Load(), failed, describeLate(late)),
		fmt.Sprintf("  session refreshes %5d ok  %d failed%s", v.world.refreshes.Load(),
			v.world.refusedRefreshes.Load(), describeLate(int(v.world.lateRefreshes.Load()))),
		"  labels            " + p.labels, "  identity provider " + p.secrets, "  nodes use version " + p.inUse}
	v.drawn = len(lines)
	return "\x1b[?7l" + strings.Join(lines, "\n") + "\n\x1b[?7h"
}

func (v *view) print(format string, args ...any) { _, _ = fmt.Fprintf(v.out, format+"\n", args...) }
