package runtime

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatTheJavaScriptPrintsIsPassedOn(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	passOn(strings.NewReader(`{"stderr":"aGVsbG8K"}`+"\n"+"(node) a warning\n"+`{"stdout":"d29ybGQ="}`), &out)
	if out.String() != "hello\n(node) a warning\nworld" {
		t.Errorf("got %q", out.String())
	}
}

func TestAProgramThatIsNoKernelIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, tt := range map[string]struct{ script, want string }{
		"exit.js":   {`process.exit(3)`, "exit status 3"},
		"rude.js":   {`console.log('{"goodbye": 1}')`, "it did not say hello"},
		"babble.js": {`console.log('hello')`, "did not start: invalid character"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(tt.script), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := start(path, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if _, err := start("", &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), EnvRuntime+" is not set") {
		t.Errorf("no program: %v", err)
	}
}

func TestAKernelThatCallsBackOrDiesIsAnError(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		`console.log('{"hello":"k"}'); process.stdin.once('data', () => console.log('{"callback":{"invoke":{"method":"visit"}}}'))`: "calls back into Go, which is not supported",
		`console.log('{"hello":"k"}'); process.stdin.once('data', () => process.exit(0))`:                                           "the kernel is gone",
		`console.log('{"hello":"k"}'); process.stdin.once('data', () => console.log('?'))`:                                          "cannot be read",
		`console.log('{"hello":"k"}'); process.stdin.once('data', () => console.log('{"error":"why","name":"E"}'))`:                 "E: why",
	} {
		path := filepath.Join(t.TempDir(), "kernel.js")
		if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := start(path, &bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		if err := k.call(map[string]any{"api": "stats"}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if err := k.cmd.Process.Kill(); err != nil && !strings.Contains(err.Error(), "finished") {
			t.Error(err)
		}
		_ = k.stop() // its end is the test's doing
	}
}
