package lambda

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
)

// initLimit is the longest a runtime may take before it asks for its first invocation (Lambda developer guide,
// "Understanding the Lambda execution environment lifecycle": 10 s for the init phase).
const initLimit = 10 * time.Second

// invocation is one run of a function.
type invocation struct {
	id      string
	arn     string // as the caller named the function
	payload []byte
	done    chan result // has room for one
}

// result is what a function made of an invocation.
type result struct {
	payload []byte
	failed  bool
}

// process is one execution environment: a running bootstrap with a Runtime API of its own. Between start and the end
// of an invocation it belongs to that invocation; while idle, to its version's list.
type process struct {
	version *version
	cmd     *exec.Cmd
	server  *http.Server
	ready   chan struct{}    // the runtime has asked for the next invocation; has room for one
	work    chan *invocation // taken by the runtime's request for the next invocation
	gone    chan struct{}    // closed when the process has ended
	parked  bool             // ready was received and not used up; for the owner only

	mu      sync.Mutex
	current *invocation
	exit    error // set before gone is closed
}

// start runs v's bootstrap.
func (s *Service) start(v *version) (*process, error) {
	p := &process{version: v, ready: make(chan struct{}, 1), work: make(chan *invocation), gone: make(chan struct{})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.server = &http.Server{Handler: p.runtimeAPI(), ReadHeaderTimeout: initLimit}
	p.cmd = exec.Command(filepath.Join(v.folder, "bootstrap"))
	p.cmd.Dir = v.folder
	p.cmd.Env = s.environ(v, listener.Addr().String())
	out := &lines{logs: &s.logs, function: v.function.name}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.WaitDelay = time.Second // a child of the process may still hold them
	p.cmd.SysProcAttr = processAttributes()
	if err = p.cmd.Start(); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s.mu.Lock()
	s.processes[p] = struct{}{}
	closed := s.closed
	s.mu.Unlock()
	if closed {
		p.kill()
	}
	go func() { _ = p.server.Serve(listener) }() // ends with server.Close
	go func() {
		p.wait()
		s.mu.Lock()
		delete(s.processes, p)
		s.mu.Unlock()
	}()
	return p, nil
}

// wait ends what belongs to the process once it is dead.
func (p *process) wait() {
	err := p.cmd.Wait()
	p.mu.Lock()
	p.exit = err
	p.mu.Unlock()
	close(p.gone)
	_ = p.server.Close()
}

// kill ends the process, if it has not ended; gone is closed once it has.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

func (p *process) alive() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// run has the process carry out one invocation, and reports whether it can take another.
func (p *process) run(inv *invocation, timeout time.Duration) (r result, reusable bool) {
	if r, ok := p.awaitInit(inv, timeout); !ok {
		return r, false
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	p.parked = false
	select {
	case p.work <- inv:
	case <-p.gone:
		return p.exited(inv), false
	case <-timer.C:
		p.kill()
		return timedOut(inv.id, timeout), false
	}
	select {
	case r = <-inv.done:
	case <-p.gone:
		select {
		case r = <-inv.done: // it answered, then ended
			return r, false
		default:
			return p.exited(inv), false
		}
	case <-timer.C:
		p.kill()
		return timedOut(inv.id, timeout), false
	}
	// The invocation lasts until the runtime asks for the next one (Lambda developer guide, Runtime API).
	select {
	case <-p.ready:
		p.parked = true
		return r, true
	case <-p.gone:
	case <-timer.C:
		p.kill()
	}
	return r, false
}

// awaitInit waits until the runtime has asked for an invocation.
func (p *process) awaitInit(inv *invocation, timeout time.Duration) (result, bool) {
	if p.parked {
		return result{}, true
	}
	limit := time.NewTimer(initLimit + timeout)
	defer limit.Stop()
	select {
	case <-p.ready:
		return result{}, true
	case <-p.gone:
		return p.exited(inv), false
	case <-limit.C:
		p.kill()
		return timedOut(inv.id, timeout), false
	}
}

// exited is the result of an invocation whose process ended without answering.
func (p *process) exited(inv *invocation) result {
	p.mu.Lock()
	exit := p.exit
	p.mu.Unlock()
	if exit == nil {
		return failure("Runtime.ExitError", "RequestId: %s Error: Runtime exited without providing a reason", inv.id)
	}
	return failure("Runtime.ExitError", "RequestId: %s Error: Runtime exited with error: %v", inv.id, exit)
}

// timedOut is the result of an invocation that took too long.
func timedOut(id string, timeout time.Duration) result {
	return failure("Sandbox.Timedout", "RequestId: %s Error: Task timed out after %.2f seconds", id, timeout.Seconds())
}

// environ is the environment of a process (Lambda developer guide, "Defined runtime environment variables"). Of the
// stack's own environment it gets only where to find programs and temporary files.
func (s *Service) environ(v *version, runtimeAPI string) []string {
	c := v.config
	vars := map[string]string{"PATH": os.Getenv("PATH"), "TMPDIR": os.TempDir(), "LANG": "en_US.UTF-8", "TZ": ":UTC"}
	add := func(more map[string]string) {
		for k, value := range more {
			vars[k] = value
		}
	}
	add(s.options.ExtraEnv)
	if c.Environment != nil {
		add(c.Environment.Variables)
	}
	add(map[string]string{
		"AWS_LAMBDA_RUNTIME_API": runtimeAPI, "_HANDLER": c.Handler, "LAMBDA_TASK_ROOT": v.folder,
		"AWS_LAMBDA_FUNCTION_NAME": c.FunctionName, "AWS_LAMBDA_FUNCTION_VERSION": c.Version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(c.MemorySize),
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + c.FunctionName,
		"AWS_LAMBDA_LOG_STREAM_NAME":      fmt.Sprintf("[%s]%s", c.Version, awsapi.NewID()),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_REGION":                      v.function.region, "AWS_DEFAULT_REGION": v.function.region,
		"AWS_ACCESS_KEY_ID": "ASIALOCALSTACKLAMBDA", "AWS_SECRET_ACCESS_KEY": "local", "AWS_SESSION_TOKEN": "local",
	})
	out := make([]string, 0, len(vars))
	for k, value := range vars {
		out = append(out, k+"="+value)
	}
	return out
}
