// Package jsonata evaluates the JSONata of Step Functions: the official JSONata 2.0.6 library, run by a JavaScript
// engine in this process, with the functions Step Functions adds and without the one it removes.
package jsonata

import (
	_ "embed" // for glue.js
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"time"

	"github.com/dop251/goja"
)

// defaultTimeLimit is how long one expression may run unless Options says otherwise. It ends what would never end; a
// text of 256 KiB takes seconds on a busy machine.
const defaultTimeLimit = time.Minute

// maxCallDepth stops a runaway recursion before it exhausts the process's stack.
const maxCallDepth = 5000

//go:embed glue.js
var glueSource string

// ErrUndefined means that an expression had no value. Step Functions treats that as a failed evaluation (developer
// guide, "Transforming data with JSONata", on undefined results).
var ErrUndefined = errors.New("the expression returned nothing (undefined)")

// ErrTimeLimit means that an expression ran for longer than Options.TimeLimit.
var ErrTimeLimit = errors.New("the expression took too long")

// Error is a failure that JSONata reported.
type Error struct {
	// Code is JSONata's own, e.g. T1006; it may be empty.
	Code    string
	Message string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Code == "" {
		return e.Message
	}
	return e.Code + ": " + e.Message
}

// Options tune an Engine. The zero value is ready for use.
type Options struct {
	// Now is the time that $now and $millis tell; nil is the machine's clock.
	Now func() time.Time
	// Uint64 is where $random and $uuid take their randomness; nil is the runtime's own generator. It is called from
	// many goroutines.
	Uint64 func() uint64
	// TimeLimit bounds one evaluation, in real time; 0 is a minute.
	TimeLimit time.Duration
}

// Engine evaluates expressions. It may be used by many goroutines at once.
type Engine struct {
	library *library
	options Options
}

// library is an installed JSONata library. All engines of a process share its runtimes, because compiling an expression
// takes far longer than evaluating it, and a runtime keeps what it compiled. There are as many as can run at once: a
// further one would take megabytes and compile everything again.
type library struct {
	code, glue *goja.Program
	runs       chan struct{} // one for each evaluation under way

	mu   sync.Mutex
	idle []*runtime
}

// runtime is one JavaScript runtime with the library loaded; it serves one goroutine of one engine at a time.
type runtime struct {
	vm       *goja.Runtime
	options  Options // of the engine that it serves
	check    goja.Callable
	evaluate goja.Callable
}

// libraries are those that were loaded, by folder.
var libraries struct {
	mu     sync.Mutex
	loaded map[string]*library
}

// Find looks for the installed library: local/node_modules/jsonata or node_modules/jsonata in the working directory
// or any directory above it.
func Find() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the JSONata library: %w", err)
	}
	for start := dir; ; dir = filepath.Dir(dir) {
		for _, sub := range []string{"local/node_modules/jsonata", "node_modules/jsonata"} {
			path := filepath.Join(dir, sub)
			if _, err := os.Stat(filepath.Join(path, "jsonata.min.js")); err == nil {
				return path, nil
			}
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("the JSONata library is not installed in or above %s: run `make`, or `npm ci` in "+
				"the folder local", start)
		}
	}
}

// Load reads the library from the folder that Find returned, once in a process.
func Load(path string, o Options) (*Engine, error) {
	libraries.mu.Lock()
	defer libraries.mu.Unlock()
	l := libraries.loaded[path]
	if l == nil {
		var err error
		if l, err = load(path); err != nil {
			return nil, fmt.Errorf("loading the JSONata library: %w", err)
		}
		if libraries.loaded == nil {
			libraries.loaded = map[string]*library{}
		}
		libraries.loaded[path] = l
	}
	return &Engine{library: l, options: o.withDefaults()}, nil
}

func load(path string) (*library, error) {
	file := filepath.Join(path, "jsonata.min.js")
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	l := &library{runs: make(chan struct{}, goruntime.GOMAXPROCS(0))}
	if l.code, err = goja.Compile(file, string(source), false); err != nil {
		return nil, err
	}
	if l.glue, err = goja.Compile("glue.js", glueSource, true); err != nil {
		return nil, err
	}
	r, err := l.newRuntime()
	if err != nil {
		return nil, err
	}
	l.idle = append(l.idle, r)
	return l, nil
}

// Check reports a syntax error in an expression, as *Error.
func (e *Engine) Check(expression string) error {
	r, err := e.library.take(e.options)
	if err != nil {
		return err
	}
	v, err := e.call(r, r.check, r.vm.ToValue(expression))
	defer e.library.put(r, err == nil)
	if err != nil {
		return err
	}
	if goja.IsNull(v) {
		return nil
	}
	return problem(v.ToObject(r.vm))
}

// Evaluate gives the value of an expression as JSON. Bindings are the variables without their dollar signs, each JSON.
// It returns ErrUndefined, ErrTimeLimit or *Error.
func (e *Engine) Evaluate(expression string, bindings map[string]json.RawMessage) (json.RawMessage, error) {
	text, err := json.Marshal(named(expression, bindings))
	if err != nil {
		return nil, fmt.Errorf("encoding the variables of an expression: %w", err)
	}
	r, err := e.library.take(e.options)
	if err != nil {
		return nil, err
	}
	v, err := e.call(r, r.evaluate, r.vm.ToValue(expression), r.vm.ToValue(string(text)))
	defer e.library.put(r, err == nil)
	if err != nil {
		return nil, err
	}
	record := v.ToObject(r.vm)
	switch kind := record.Get("kind").String(); kind {
	case "value":
		return json.RawMessage(record.Get("text").String()), nil
	case "undefined":
		return nil, ErrUndefined
	case "error":
		return nil, problem(record)
	default:
		return nil, fmt.Errorf("the expression is still %s although nothing is left to run", kind)
	}
}

// named leaves out the variables whose names do not occur in the expression: parsing them is most of the work.
func named(expression string, bindings map[string]json.RawMessage) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(bindings))
	for name, value := range bindings {
		if strings.Contains(expression, "$"+name) {
			out[name] = value
		}
	}
	return out
}

// call runs a function of the glue within the time limit. goja runs all promise jobs before an outermost call returns.
func (e *Engine) call(r *runtime, f goja.Callable, args ...goja.Value) (goja.Value, error) {
	limit := time.AfterFunc(e.options.TimeLimit, func() { r.vm.Interrupt(ErrTimeLimit) })
	v, err := f(goja.Undefined(), args...)
	if !limit.Stop() {
		return nil, ErrTimeLimit
	}
	var interrupted *goja.InterruptedError
	if errors.As(err, &interrupted) {
		return nil, ErrTimeLimit
	}
	if err != nil {
		return nil, fmt.Errorf("running JSONata: %w", err)
	}
	return v, nil
}

func problem(record *goja.Object) *Error {
	return &Error{Code: record.Get("code").String(), Message: record.Get("text").String()}
}

// take waits for a runtime; put gives it back.
func (l *library) take(o Options) (*runtime, error) {
	l.runs <- struct{}{}
	l.mu.Lock()
	var r *runtime
	if n := len(l.idle); n > 0 {
		r, l.idle = l.idle[n-1], l.idle[:n-1]
	}
	l.mu.Unlock()
	if r == nil {
		var err error
		if r, err = l.newRuntime(); err != nil {
			<-l.runs
			return nil, err
		}
	}
	r.options = o
	return r, nil
}

// put gives a runtime back. One that is not whole, because it was interrupted halfway, is not used again.
func (l *library) put(r *runtime, whole bool) {
	if whole {
		r.options = Options{}
		l.mu.Lock()
		l.idle = append(l.idle, r)
		l.mu.Unlock()
	}
	<-l.runs
}

func (l *library) newRuntime() (*runtime, error) {
	vm := goja.New()
	r := &runtime{vm: vm}
	vm.SetMaxCallStackSize(maxCallDepth)
	vm.SetTimeSource(func() time.Time { return r.options.Now() })
	library, err := loadModule(vm, l.code)
	if err != nil {
		return nil, fmt.Errorf("starting JSONata: %w", err)
	}
	glue, err := vm.RunProgram(l.glue)
	if err != nil {
		return nil, fmt.Errorf("starting JSONata: %w", err)
	}
	build, ok := goja.AssertFunction(glue)
	if !ok {
		return nil, errors.New("starting JSONata: glue.js is not a function")
	}
	functions, err := build(goja.Undefined(), library, vm.ToValue(r.host()))
	if err != nil {
		return nil, fmt.Errorf("starting JSONata: %w", err)
	}
	r.check, _ = goja.AssertFunction(functions.ToObject(vm).Get("check"))
	r.evaluate, _ = goja.AssertFunction(functions.ToObject(vm).Get("evaluate"))
	return r, nil
}

// loadModule runs a CommonJS module and returns its exports.
func loadModule(vm *goja.Runtime, p *goja.Program) (goja.Value, error) {
	module := vm.NewObject()
	exports := vm.NewObject()
	for name, v := range map[string]*goja.Object{"module": module, "exports": exports} {
		if err := vm.Set(name, v); err != nil {
			return nil, err
		}
	}
	if err := module.Set("exports", exports); err != nil {
		return nil, err
	}
	if _, err := vm.RunProgram(p); err != nil {
		return nil, err
	}
	return module.Get("exports"), nil
}
