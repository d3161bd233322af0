package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAReleaseIsPackedTheSameEveryTime(t *testing.T) {
	self, err := os.Executable() // a program with a build's notes in it
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	packed := func() map[string]string {
		functions, out := t.TempDir(), t.TempDir()
		for path, text := range map[string][]byte{filepath.Join(functions, "plan", "bootstrap"): binary,
			filepath.Join(out, "rotator_linux_arm64"): binary, filepath.Join(out,
				"rotator.template.json"): []byte("{}")} {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := pack(functions, "1.2.3", out); err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		entries, _ := os.ReadDir(out) // it was just written to
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(out, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			files[e.Name()] = string(text)
		}
		return files
	}
	files, again := packed(), packed()
	if len(files) != 5 || len(again) != len(files) {
		t.Fatalf("it has %d files, and then %d", len(files), len(again))
	}
	for name, text := range files {
		if again[name] != text {
			t.Errorf("%s differs the second time", name)
		}
		if line := hexSum([]byte(text)) + "  " + name + "\n"; name != sumsFile &&
			!strings.Contains(files[sumsFile], line) {
			t.Errorf("%s has no right checksum in\n%s", name, files[sumsFile])
		}
	}
	checkZip(t, []byte(files["plan.zip"]), binary)
	checkSBOM(t, []byte(files[sbomFile]), hexSum(binary))
}

// checkZip: Lambda takes an executable called bootstrap.
func checkZip(t *testing.T, text, binary []byte) {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.File) != 1 || r.File[0].Name != "bootstrap" || r.File[0].Mode() != 0o755 {
		t.Fatalf("the zip has %v", r.File)
	}
	f, err := r.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, binary) {
		t.Errorf("the zip holds another file (%v)", err)
	}
}

func checkSBOM(t *testing.T, text []byte, sum string) {
	t.Helper()
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	refs := map[string]component{}
	for _, c := range append(d.Components, d.Metadata.Component) {
		if _, twice := refs[c.Ref]; twice {
			t.Errorf("%s is there twice", c.Ref)
		}
		refs[c.Ref] = c
	}
	for _, dep := range d.Dependencies {
		for _, on := range append(dep.DependsOn, dep.Ref) {
			if refs[on].Ref == "" {
				t.Errorf("%s depends on %s, which is not listed", dep.Ref, on)
			}
		}
	}
	for _, name := range []string{"plan", "rotator_linux_arm64"} {
		if c := refs[name]; c.Version != "1.2.3" || len(c.Hashes) != 1 || c.Hashes[0].Content != sum {
			t.Errorf("%s is listed as %+v", name, c)
		}
	}
	if !strings.Contains(string(text), `"pkg:golang/std@1.`) || strings.Contains(string(text), ownModules) {
		t.Errorf("the list lacks Go's own library, or names our own modules:\n%s", text)
	}
}
