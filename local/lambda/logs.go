package lambda

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"time"
)

// maxLine is where a line without an end is broken: CloudWatch Logs takes events up to 256 KB.
const maxLine = 256 << 10

// logPipe carries what a process writes to its standard output and error, in order and line by line, to sink.
type logPipe struct {
	r       *os.File
	sink    func(line []byte)
	flushes chan chan struct{}
	ended   chan struct{}
	partial []byte // owned by read
}

// newLogPipe returns a pipe and its writing end, for the process.
func newLogPipe(sink func(line []byte)) (*logPipe, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	l := &logPipe{r: r, sink: sink, flushes: make(chan chan struct{}), ended: make(chan struct{})}
	go l.read()
	return l, w, nil
}

func (l *logPipe) read() {
	defer close(l.ended)
	defer l.r.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := l.r.Read(buf)
		l.add(buf[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			l.drain(buf)
			l.endLine()
			close(<-l.flushes)
			continue
		}
		if err != nil {
			l.endLine()
			return
		}
	}
}

// drain takes what is in the pipe and returns as soon as it is empty.
func (l *logPipe) drain(buf []byte) {
	_ = l.r.SetReadDeadline(time.Time{})
	raw, err := l.r.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool {
		for {
			n, err := syscall.Read(int(fd), buf)
			if errors.Is(err, syscall.EINTR) {
				continue
			}
			if n <= 0 {
				return true
			}
			l.add(buf[:n])
		}
	})
}

func (l *logPipe) add(b []byte) {
	l.partial = append(l.partial, b...)
	for {
		line, rest, ok := bytes.Cut(l.partial, []byte("\n"))
		if !ok {
			break
		}
		l.sink(line)
		l.partial = rest
	}
	if len(l.partial) >= maxLine {
		l.endLine()
	}
}

func (l *logPipe) endLine() {
	if len(l.partial) > 0 {
		l.sink(l.partial)
		l.partial = nil
	}
}

// flush returns once everything written so far has reached the sink: an invocation's lines must be there before its
// answer is. One caller at a time.
func (l *logPipe) flush() {
	// A deadline in the past wakes the reader, which then empties the pipe without blocking.
	_ = l.r.SetReadDeadline(time.Unix(1, 0))
	ack := make(chan struct{})
	select {
	case l.flushes <- ack:
		<-ack
	case <-l.ended:
	}
}

// end takes what is left and stops reading. A child of the process may still hold the writing end.
func (l *logPipe) end() {
	l.flush()
	_ = l.r.Close()
	<-l.ended
}
