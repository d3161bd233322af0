package lambda

import (
	"fmt"
	"time"
)

// invocationLog takes the lines of one invocation.
type invocationLog struct {
	service *Service
	version *version
	id      string
}

// add takes one line without its end.
func (l *invocationLog) add(line []byte) {
	if l.service.options.Logs != nil {
		l.service.options.Logs(l.version.function.name, l.id, line)
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
