package mutate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Result is what became of a fault.
type Result struct {
	Fault
	Outcome Outcome
	// By is the test that failed, Says its first sentence.
	By, Says string
	Seconds  float64
}

// Outcome is what became of a fault.
type Outcome string

// The outcomes. The first two are the good ones.
const (
	Caught   Outcome = "caught"
	Crashed  Outcome = "caught by a panic or a timeout"
	Unsaid   Outcome = "CAUGHT, BUT NOT SAID"
	Survived Outcome = "SURVIVED"
	Broken   Outcome = "NOT PLANTED"
)

// Good tells whether the fault was caught as it must be.
func (o Outcome) Good() bool { return o == Caught || o == Crashed }

// timeout is how long one test may take with a fault in it.
const timeout = 3 * time.Minute

// Runner plants faults of the repository in Root. It changes no file there.
type Runner struct {
	Root    string
	Workers int

	mu     sync.Mutex
	built  map[string]func() (string, error)
	dir    string
	caches chan *cache // those that nobody compiles with now
	// planted are the changes of Go files that the histories' last binary, plantedIn, has.
	planted, plantedIn string
}

// Run plants each fault and calls done with what became of it, one at a time.
func (r *Runner) Run(ctx context.Context, faults []Fault, done func(Result)) error {
	remove, err := r.begin()
	if err != nil {
		return err
	}
	defer remove()
	next := make(chan Fault)
	var workers sync.WaitGroup
	for range r.Workers {
		workers.Go(func() {
			for f := range next {
				began := time.Now()
				result := r.plant(ctx, f)
				result.Seconds = time.Since(began).Seconds()
				r.mu.Lock()
				done(result)
				r.mu.Unlock()
			}
		})
	}
	for _, f := range faults {
		if ctx.Err() != nil {
			break
		}
		next <- f
	}
	close(next)
	workers.Wait()
	return ctx.Err()
}

// begin makes a folder for what is compiled, beside the user's build cache where it may, and returns how to remove it.
func (r *Runner) begin() (remove func(), err error) {
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		return nil, err
	}
	user := strings.TrimSpace(string(out))
	if r.dir, err = os.MkdirTemp(filepath.Dir(user), "mutate"); err != nil {
		r.dir, err = os.MkdirTemp("", "mutate")
	}
	remove = func() { _ = os.RemoveAll(r.dir) }
	r.built = map[string]func() (string, error){}
	r.caches = make(chan *cache, max(r.Workers, 1))
	for i := 0; err == nil && i < cap(r.caches); i++ {
		var c *cache
		c, err = newCache(user, filepath.Join(r.dir, "cache-"+strconv.Itoa(i)))
		r.caches <- c
	}
	if err != nil {
		remove()
	}
	return remove, err
}

// plant plants one fault, and runs its test.
func (r *Runner) plant(ctx context.Context, f Fault) Result {
	content, err := f.Planted(r.Root)
	if err != nil {
		return Result{Fault: f, Outcome: Broken, Says: err.Error()}
	}
	dir, err := os.MkdirTemp(r.dir, "")
	if err != nil {
		return Result{Fault: f, Outcome: Broken, Says: err.Error()}
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, filepath.Base(f.File))
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		return Result{Fault: f, Outcome: Broken, Says: err.Error()}
	}
	binary, variables, err := r.binary(ctx, f, dir, file)
	if err != nil {
		return Result{Fault: f, Outcome: Broken, Says: err.Error()}
	}
	run := exec.CommandContext(ctx, binary, "-test.short", "-test.run", f.tests(), "-test.timeout",
		timeout.String())
	run.Dir, run.Env = filepath.Join(r.Root, f.Package), append(os.Environ(), variables...)
	out, err := run.CombinedOutput()
	return judge(f, out, err)
}

// tests is the fault's test as the flag -test.run takes it: all of the package if none is named, to find one.
func (f Fault) tests() string {
	if f.Test == "" {
		return ""
	}
	return "^" + f.Test + "$"
}

// binary compiles the fault's test with the fault in it. A definition is named by a variable of the environment.
func (r *Runner) binary(ctx context.Context, f Fault, dir, file string) (path string, variables []string, err error) {
	if f.ofADefinition() {
		path, err = r.unchanged(ctx, f.Package)
		return path, []string{f.variable() + "=" + file}, err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(r.Root, f.File): file}})
	if err != nil {
		return "", nil, err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, "planted.test")
	return path, nil, r.compile(ctx, path, f.Package, "-overlay", list)
}

// variable is the one that names a file to test in place of the fault's definition.
func (f Fault) variable() string {
	name := strings.TrimSuffix(filepath.Base(f.File), ".asl.json")
	return strings.ToUpper(name) + "_DEFINITION"
}

// unchanged compiles the tests of a package as they are, once.
func (r *Runner) unchanged(ctx context.Context, pkg string) (string, error) {
	r.mu.Lock()
	build := r.built[pkg]
	if build == nil {
		build = sync.OnceValues(func() (string, error) {
			path := filepath.Join(r.dir, strings.ReplaceAll(pkg, "/", "-")+".test")
			return path, r.compile(ctx, path, pkg)
		})
		r.built[pkg] = build
	}
	r.mu.Unlock()
	return build()
}

func (r *Runner) compile(ctx context.Context, path, pkg string, options ...string) error {
	c := <-r.caches
	defer func() { r.caches <- c }()
	if len(options) > 0 { // a fault
		c.begin(ctx, r.Root, pkg)
		defer c.end()
	}
	args := append([]string{"test", "-c", "-vet=off", "-ldflags", "-s -w", "-o", path}, options...)
	build := exec.CommandContext(ctx, "go", append(args, "./"+pkg)...)
	build.Dir, build.Env = r.Root, c.environment()
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("it does not compile: %w: %s", err, oneLine(string(out)))
	}
	return nil
}

var (
	failed  = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	message = regexp.MustCompile(`(?m)^\s+\w+\.go:\d+: (.*)$`)
)

// judge says what became of a fault, by what its test printed and how it ended.
func judge(f Fault, out []byte, err error) Result {
	r := Result{Fault: f, By: f.Package + " " + f.Test}
	var exit *exec.ExitError
	switch {
	case err == nil && !bytes.Contains(out, []byte("no tests to run")):
		r.Outcome = Survived
		return r
	case err == nil:
		r.Outcome, r.Says = Broken, "there is no such test"
		return r
	case !errors.As(err, &exit):
		r.Outcome, r.Says = Broken, err.Error()
		return r
	}
	for _, name := range failed.FindAllSubmatch(out, -1) {
		if len(name[1]) > len(r.By)-len(f.Package)-1 {
			r.By = f.Package + " " + string(name[1])
		}
	}
	if m := message.FindSubmatch(out); m != nil {
		r.Says = string(m[1])
	}
	said := strings.ReplaceAll(string(out), "_", " ")
	switch {
	case strings.Contains(said, strings.ReplaceAll(f.Lost, "_", " ")) && r.Says != "":
		r.Outcome = Caught
	case bytes.Contains(out, []byte("panic: ")):
		r.Outcome = Crashed
	default:
		r.Outcome = Unsaid
	}
	return r
}
