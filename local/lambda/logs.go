package lambda

import (
	"bytes"
	"encoding/json"
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

// emf is one line in the embedded metric format (CloudWatch user guide, "Specification: Embedded metric format").
type emf struct {
	AWS struct {
		CloudWatchMetrics []struct {
			Namespace  string     `json:"Namespace"`
			Dimensions [][]string `json:"Dimensions"`
			Metrics    []struct {
				Name string `json:"Name"`
			} `json:"Metrics"`
		} `json:"CloudWatchMetrics"`
	} `json:"_aws"`
}

// addMetrics gives the values of an embedded metric format line to m, once per set of dimensions. A line that is
// something else, and a metric without a value or with a dimension that is missing, gives nothing, as in CloudWatch.
func addMetrics(m Metrics, region string, line []byte) {
	if m == nil || !bytes.HasPrefix(bytes.TrimSpace(line), []byte("{")) || !bytes.Contains(line, []byte(`"_aws"`)) {
		return
	}
	var e emf
	var members map[string]json.RawMessage
	if json.Unmarshal(line, &e) != nil || json.Unmarshal(line, &members) != nil {
		return
	}
	for _, directive := range e.AWS.CloudWatchMetrics {
		for _, set := range directive.Dimensions {
			dims, ok := dimensions(set, members)
			if !ok {
				continue
			}
			for _, metric := range directive.Metrics {
				for _, value := range values(members[metric.Name]) {
					m.Add(region, directive.Namespace, metric.Name, dims, value)
				}
			}
		}
	}
}

func dimensions(set []string, members map[string]json.RawMessage) (map[string]string, bool) {
	dims := map[string]string{}
	for _, name := range set {
		var value string
		if json.Unmarshal(members[name], &value) != nil {
			return nil, false
		}
		dims[name] = value
	}
	return dims, true
}

// values reads a metric's value: a number, or a list of them.
func values(raw json.RawMessage) []float64 {
	var one float64
	if json.Unmarshal(raw, &one) == nil {
		return []float64{one}
	}
	var many []float64
	if json.Unmarshal(raw, &many) != nil {
		return nil
	}
	return many
}
