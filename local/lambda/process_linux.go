package lambda

import "syscall"

// processAttributes puts a function into a process group of its own, so that Ctrl-C in a terminal leaves its end to
// Close, and has the kernel kill it when the local stack dies without closing.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
