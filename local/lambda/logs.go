package lambda

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// logs takes what processes write to their standard outputs and errors, and passes it on line by line, each with the
// function's name before it.
type logs struct {
	mu  sync.Mutex
	out io.Writer
}

// lines is the end of the logs that one process writes to.
type lines struct {
	logs     *logs
	function string
	partial  []byte
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	l.partial = append(l.partial, b...)
	for {
		line, rest, ended := bytes.Cut(l.partial, []byte("\n"))
		if !ended {
			return len(b), nil
		}
		l.logs.mu.Lock()
		_, _ = fmt.Fprintf(l.logs.out, "%s %s\n", l.function, line)
		l.logs.mu.Unlock()
		l.partial = rest
	}
}
