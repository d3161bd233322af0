//go:build unix && !linux

package lambda

import "syscall"

// processAttributes puts a function into a process group of its own, so that Ctrl-C in a terminal leaves its end to
// Close. If the local stack dies without closing, the runtime's call for the next invocation fails and it exits by
// itself.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
