package mutate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// timeout is how long one test may take with a fault in it, or all of a package without one.
const timeout, timeoutOfAll = 3 * time.Minute, 30 * time.Minute

// Runner plants faults of the repository in Root. It changes no file there.
type Runner struct {
	Root    string
	Workers int

	mu    sync.Mutex
	built map[string]func() (string, error)
	dir   string
	batch batch
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
	if r.batch, err = r.plantTogether(ctx, faults); err != nil {
		return err
	}
	jobs := make(chan func())
	var workers sync.WaitGroup
	for range r.Workers {
		workers.Go(func() {
			for do := range jobs {
				if ctx.Err() == nil {
					do()
				}
			}
		})
	}
	for pkg := range r.batch.tests { // all first: nobody waits then for the tests that another compiles
		jobs <- func() { _, _ = r.all(ctx, pkg) }
	}
	for _, f := range faults {
		jobs <- func() {
			began := time.Now()
			result := r.plant(ctx, f)
			result.Seconds = time.Since(began).Seconds()
			r.mu.Lock()
			done(result)
			r.mu.Unlock()
		}
	}
	close(jobs)
	workers.Wait()
	return ctx.Err()
}

// begin makes a folder for what is compiled, beside the user's build cache where it may, and returns how to remove it.
// A build cache is in it, too: what compiling faults leaves is of no use to anybody. It begins with what the user's
// has, as links, which take no space; on another file system it begins empty.
func (r *Runner) begin() (remove func(), err error) {
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		return nil, err
	}
	user := strings.TrimSpace(string(out))
	if r.dir, err = os.MkdirTemp(filepath.Dir(user), "mutate"); err != nil {
		if r.dir, err = os.MkdirTemp("", "mutate"); err != nil {
			return nil, err
		}
	}
	r.built = map[string]func() (string, error){}
	_ = filepath.WalkDir(user, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(r.cache(), strings.TrimPrefix(path, user))
		if d.IsDir() {
			return os.MkdirAll(to, 0o750)
		}
		return os.Link(path, to)
	})
	return func() { _ = os.RemoveAll(r.dir) }, nil
}

func (r *Runner) cache() string { return filepath.Join(r.dir, "cache") }

// plant plants one fault, and runs its test.
func (r *Runner) plant(ctx context.Context, f Fault) Result {
	dir, err := os.MkdirTemp(r.dir, "")
	if err != nil {
		return Result{Fault: f, Outcome: Broken, Says: err.Error()}
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary, variable, err := r.binary(ctx, f, dir)
	if err != nil {
		return Result{Fault: f, Outcome: Broken, Says: err.Error()}
	}
	out, err := r.test(ctx, f.Package, binary, f.tests(), variable, timeout)
	return judge(f, out, err)
}

// test runs tests of a package.
func (r *Runner) test(ctx context.Context, pkg, binary, tests, variable string, limit time.Duration) ([]byte, error) {
	run := exec.CommandContext(ctx, binary, "-test.short", "-test.run", tests, "-test.timeout", limit.String())
	run.Dir, run.Env = filepath.Join(r.Root, pkg), append(os.Environ(), variable)
	return run.CombinedOutput()
}

// tests is the fault's test as the flag -test.run takes it: all of the package if none is named, to find one.
func (f Fault) tests() string {
	if f.Test == "" {
		return ""
	}
	return "^" + f.Test + "$"
}

// binary compiles the fault's test so that a variable of the environment plants it, or else with it, in dir.
func (r *Runner) binary(ctx context.Context, f Fault, dir string) (path, variable string, err error) {
	path, err = r.all(ctx, f.Package)
	n, together := r.batch.numbers[f]
	if err != nil || together {
		return path, fmt.Sprintf("%s=%d", chosen, n), err
	}
	content, err := f.Planted(r.Root)
	if err != nil {
		return "", "", err
	}
	file := filepath.Join(dir, filepath.Base(f.File))
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		return "", "", err
	}
	if f.ofADefinition() {
		return path, f.variable() + "=" + file, nil
	}
	list, err := writeOverlay(dir, map[string]string{filepath.Join(r.Root, f.File): file})
	if err != nil {
		return "", "", err
	}
	path = filepath.Join(dir, "planted.test")
	return path, chosen + "=", r.compile(ctx, path, f.Package, list)
}

// variable is the one that names a file to test in place of the fault's definition.
func (f Fault) variable() string {
	name := strings.TrimSuffix(filepath.Base(f.File), ".asl.json")
	return strings.ToUpper(name) + "_DEFINITION"
}

// all compiles the tests of a package once, with all faults in them of which none is chosen, and runs those of faults:
// what fails without a fault catches none.
func (r *Runner) all(ctx context.Context, pkg string) (string, error) {
	r.mu.Lock()
	build := r.built[pkg]
	if build == nil {
		build = sync.OnceValues(func() (string, error) {
			path := filepath.Join(r.dir, strings.ReplaceAll(pkg, "/", "-")+".test")
			if err := r.compile(ctx, path, pkg, r.batch.overlay); err != nil {
				return "", err
			}
			if tests := r.batch.tests[pkg]; tests != nil {
				out, err := r.test(ctx, pkg, path, strings.Join(tests, "|"), chosen+"=", timeoutOfAll)
				if err != nil {
					return "", fmt.Errorf("its test fails without it: %w: %s", err, oneLine(string(out)))
				}
			}
			return path, nil
		})
		r.built[pkg] = build
	}
	r.mu.Unlock()
	return build()
}

// compile compiles the tests of a package, with an overlay if one is named.
func (r *Runner) compile(ctx context.Context, path, pkg, overlay string) error {
	args := []string{"test", "-c", "-vet=off", "-ldflags", "-s -w", "-o", path, "-overlay", overlay, "./" + pkg}
	if out, err := r.golang(ctx, args...); err != nil {
		return fmt.Errorf("it does not compile: %w: %s", err, oneLine(string(out)))
	}
	return nil
}

func (r *Runner) golang(ctx context.Context, args ...string) ([]byte, error) {
	run := exec.CommandContext(ctx, "go", args...)
	run.Dir, run.Env = r.Root, append(os.Environ(), "GOCACHE="+r.cache())
	return run.CombinedOutput()
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
