package mutate

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// cache is a build cache of the runner's own. What compiling a fault leaves is of no use to anybody, and much: all that
// depends on the package with the fault in it.
type cache struct {
	dir  string
	warm map[string]bool // packages whose tests were compiled without a fault
	kept map[string]bool // files that are not a fault's
}

// newCache makes a cache in dir that has what the user's has, as links, which take no space. On another file system it
// begins empty.
func newCache(user, dir string) (*cache, error) {
	c := &cache{dir: dir, warm: map[string]bool{}}
	_ = filepath.WalkDir(user, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, strings.TrimPrefix(path, user))
		if d.IsDir() {
			return os.MkdirAll(to, 0o750)
		}
		return os.Link(path, to)
	})
	return c, os.MkdirAll(dir, 0o750)
}

// begin compiles what the tests of a package need without any fault, and notes what the cache has then.
func (c *cache) begin(ctx context.Context, root, pkg string) {
	if !c.warm[pkg] {
		build := exec.CommandContext(ctx, "go", "list", "-test", "-deps", "-export", "./"+pkg)
		build.Dir, build.Env = root, c.environment()
		c.warm[pkg] = build.Run() == nil
	}
	c.kept = c.files()
}

// end deletes what was added since begin.
func (c *cache) end() {
	for path := range c.files() {
		if !c.kept[path] {
			_ = os.Remove(path)
		}
	}
}

func (c *cache) files() map[string]bool {
	list := map[string]bool{}
	_ = filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list[path] = true
		}
		return nil
	})
	return list
}

func (c *cache) environment() []string { return append(os.Environ(), "GOCACHE="+c.dir) }
