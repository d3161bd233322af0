package runtime

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// EnvRuntime names the kernel's program: bin/jsii-runtime.js of the npm package @jsii/runtime. The official runtime reads
// the same variable.
const EnvRuntime = "JSII_RUNTIME"

// kernel is the Node.js process that runs the original JavaScript. It speaks one JSON object a line: a request and its
// response, one at a time (jsii specification, "The jsii kernel API").
type kernel struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	output chan struct{} // closed when all that the JavaScript printed was passed on
}

// start runs the kernel and waits for its greeting.
func start(program string, stderr io.Writer) (*kernel, error) {
	if program == "" {
		return nil, fmt.Errorf("%s is not set: it names jsii-runtime.js; infra/bindings/run sets it", EnvRuntime)
	}
	k := &kernel{cmd: exec.Command("node", program), output: make(chan struct{})}
	in, err := k.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	printed, err := k.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := k.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the kernel: %w", err)
	}
	k.in, k.out = in, bufio.NewReaderSize(out, 1<<20)
	go func() {
		defer close(k.output)
		passOn(printed, stderr)
	}()
	var greeting struct{ Hello string }
	line, err := k.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &greeting)
	}
	if err == nil && greeting.Hello == "" {
		err = errors.New("it did not say hello")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the kernel %s did not start: %w", program, err), k.stop())
	}
	return k, nil
}

// passOn prints what the JavaScript printed. The kernel wraps it in lines {"stdout" or "stderr": base64}, because its own
// standard output carries the protocol; other lines come from Node.js itself.
func passOn(from io.Reader, to io.Writer) {
	lines := bufio.NewReaderSize(from, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		text := line
		wrapped := map[string]string{}
		if json.Unmarshal(line, &wrapped) == nil {
			text = nil
			for _, s := range wrapped {
				if b, err := base64.StdEncoding.DecodeString(s); err == nil {
					text = append(text, b...)
				}
			}
		}
		_, _ = to.Write(text)
		if err != nil {
			return
		}
	}
}

// response is what the kernel answers. Callback is set instead when it wants a method that is overridden here.
type response struct {
	OK       json.RawMessage `json:"ok"`
	Error    *string         `json:"error"`
	Name     string          `json:"name"`
	Callback *struct {
		Invoke *struct {
			Method string `json:"method"`
		} `json:"invoke"`
		Get *struct {
			Property string `json:"property"`
		} `json:"get"`
		Set *struct {
			Property string `json:"property"`
		} `json:"set"`
	} `json:"callback"`
}

// call sends one request and reads its response's "ok" into result.
func (k *kernel) call(request map[string]any, result any) error {
	line, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if _, err := k.in.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("the kernel is gone: %w", err)
	}
	line, err = k.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the kernel is gone: %w", err)
	}
	var r response
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("the kernel's answer cannot be read: %w", err)
	}
	switch {
	case r.Callback != nil:
		return errors.New("the kernel calls back into Go, which is not supported")
	case r.Error != nil:
		return fmt.Errorf("%s: %s", r.Name, *r.Error)
	case result == nil || r.OK == nil:
		return nil
	}
	return json.Unmarshal(r.OK, result)
}

// stop tells the kernel to exit and waits until it has.
func (k *kernel) stop() error {
	_, _ = io.WriteString(k.in, "{\"exit\":0}\n") // it may be gone already
	_ = k.in.Close()
	<-k.output
	if err := k.cmd.Wait(); err != nil {
		return fmt.Errorf("the kernel's end: %w", err)
	}
	return nil
}

// open starts the process's one kernel at its first use.
func open() (*kernel, error) { return start(os.Getenv(EnvRuntime), os.Stderr) }
