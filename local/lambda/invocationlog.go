package lambda

import (
	"fmt"
	"sync"
	"time"
)

// tailSize is how much of the log an invocation with LogType Tail returns (API reference, Invoke).
const tailSize = 4 << 10

// invocationLog takes the lines of one invocation.
type invocationLog struct {
	service *Service
	version *version
	id      string

	mu   sync.Mutex
	tail []byte
}

// add takes one line without its end.
func (l *invocationLog) add(line []byte) {
	f := l.version.function
	addMetrics(l.service.options.Metrics, f.region, line)
	if l.service.options.Logs != nil {
		l.service.options.Logs(f.name, l.id, line)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(append(l.tail, line...), '\n')
	if len(l.tail) > tailSize {
		l.tail = append([]byte(nil), l.tail[len(l.tail)-tailSize:]...)
	}
}

func (l *invocationLog) start() {
	l.add(fmt.Appendf(nil, "START RequestId: %s Version: %s", l.id, l.version.config.Version))
}

// end adds the lines that close an invocation. Lambda bills whole milliseconds.
func (l *invocationLog) end(took time.Duration) {
	ms := float64(took.Microseconds()) / 1000
	l.add(fmt.Appendf(nil, "END RequestId: %s", l.id))
	l.add(fmt.Appendf(nil, "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB",
		l.id, ms, int(ms)+1, l.version.config.MemorySize))
}

func (l *invocationLog) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]byte(nil), l.tail...)
}
