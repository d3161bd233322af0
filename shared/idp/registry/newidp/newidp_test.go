package main

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"alboidc.internal/shared/idp/registry"
)

// root is the repository, seen from this folder.
const root = "../../../.."

var update = flag.Bool("update", false, "write the list of imitations")

// TestEveryProviderHasAnImitation keeps the list of imitations, which is for tests only, in step with the registry.
func TestEveryProviderHasAnImitation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(root, imitationsFile)
	want := string(imitations(registry.Types()))
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the registry says (%v); run make golden", imitationsFile, err)
	}
}

// TestANewProviderConforms makes one of every model, beside the repository, and runs its tests and those of the
// registry.
func TestANewProviderConforms(t *testing.T) {
	t.Parallel()
	for model := range models {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			b := newBeside(t)
			files, err := generate(root, "acme", model)
			if err != nil {
				t.Fatal(err)
			}
			b.add(files)
			b.run("vet", "./...")
			b.run("test", "-vet=off", "./...")
			out := b.run("test", "-vet=off", "-v", "alboidc.internal/shared/idp/registry",
				"-run=Page|TestEveryTypeRefuses", "-docs="+b.docs)
			if n := strings.Count(out, "\n--- PASS"); n < 5 {
				t.Errorf("only %d tests of the registry were run:\n%s", n, out)
			}
		})
	}
}

// beside is a place for a new provider that is not in the repository: its folder is a module of its own in a
// workspace with the real one, whose changed files lie over the real ones.
type beside struct {
	t                           *testing.T
	module, work, overlay, docs string
}

func newBeside(t *testing.T) *beside {
	dir := t.TempDir()
	b := &beside{t: t, module: filepath.Join(dir, "acme"), work: filepath.Join(dir, "go.work"),
		overlay: filepath.Join(dir, "overlay.json"), docs: filepath.Join(dir, "docs")}
	if err := os.CopyFS(b.docs, os.DirFS(filepath.Join(root, "docs/identity-providers"))); err != nil {
		t.Fatal(err)
	}
	shared, err := os.ReadFile(filepath.Join(root, "shared/go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go .*$`).FindString(string(shared))
	b.write(filepath.Join(b.module, "go.mod"), "module alboidc.internal/shared/idp/acme\n\n"+version+"\n")
	b.write(b.work, version+"\n\nuse (\n\t./acme\n\t"+b.real("shared")+"\n)\n")
	return b
}

// real is a file's or folder's path in the repository.
func (b *beside) real(path string) string {
	b.t.Helper()
	full, err := filepath.Abs(filepath.Join(root, path))
	if err != nil {
		b.t.Fatal(err)
	}
	return full
}

func (b *beside) write(path, text string) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *beside) add(files map[string][]byte) {
	b.t.Helper()
	replace := map[string]string{}
	for path, text := range files {
		to := filepath.Join(b.docs, filepath.Base(path))
		if below, ok := strings.CutPrefix(path, "shared/idp/acme/"); ok {
			to = filepath.Join(b.module, below)
		} else if strings.HasSuffix(path, ".go") {
			to = filepath.Join(filepath.Dir(b.overlay), path)
			replace[b.real(path)] = to
		}
		b.write(to, string(text))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		b.t.Fatal(err)
	}
	b.write(b.overlay, string(overlay))
}

// run runs the go command there.
func (b *beside) run(command string, args ...string) string {
	b.t.Helper()
	c := exec.CommandContext(b.t.Context(), "go", append([]string{command, "-overlay=" + b.overlay}, args...)...)
	c.Dir = b.module
	c.Env = append(os.Environ(), "GOWORK="+b.work, "GOPROXY=off")
	out, err := c.CombinedOutput()
	if err != nil {
		b.t.Fatalf("go %s: %v\n%s", strings.Join(c.Args, " "), err, out)
	}
	return string(out)
}

func TestLinesAreAddedInOrder(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"acme": "acme okta pingone", "ory": "okta ory pingone",
		"zitadel": "okta pingone zitadel"} {
		text := addLines("x {\n\t\"okta\": okta.New,\n\t\"pingone\": pingone.New,\n}\n",
			regexp.MustCompile(`\bpingone\b`), name)
		got := strings.Join(regexp.MustCompile(`\w+\.New`).FindAllString(text, -1), " ")
		if strings.ReplaceAll(got, ".New", "") != want || strings.Count(text, "\n") != 5 {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestWhatCannotBeMadeIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range [][3]string{
		{"Acme", "named-set", "NAME: must be 2 to 20 lower-case letters and digits"},
		{"okta", "named-set", "NAME: there is a folder shared/idp/okta already"},
		{"acme", "client-pair", "MODEL: must be one of current-previous, named-set, single-slot"},
	} {
		if _, err := generate(root, tt[0], tt[1]); err == nil || !strings.Contains(err.Error(), tt[2]) {
			t.Errorf("%v: %v", tt, err)
		}
	}
}
