package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What is at the top of the repository, for those who find it.

func readRepository(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheLicenceIsTheWholeApacheLicence(t *testing.T) {
	t.Parallel()
	words := strings.Join(strings.Fields(readRepository(t, "LICENSE")), " ")
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(words))); got != licence {
		t.Errorf("its words have the SHA-256 %s", got)
	}
}

// licence is the SHA-256 of the words of https://www.apache.org/licenses/LICENSE-2.0.txt with a space between them.
const licence = "0ffddef9e48f8a09aed5caf2d44f7ba1c1be2d9b8e0a6f693b1635b2d5566645"

func TestNothingFromNpmRunsAScriptWhenItIsInstalled(t *testing.T) {
	t.Parallel()
	for _, line := range strings.Split(readRepository(t, "Makefile"), "\n") {
		if strings.Contains(line, " npm ci --") && !strings.Contains(line, "--ignore-scripts") {
			t.Errorf("the Makefile has %q", line)
		}
	}
	for _, module := range []string{"infra", "local", "statemachine"} {
		if strings.Contains(readRepository(t, module+"/package-lock.json"), "hasInstallScript") {
			t.Errorf("a package of %s needs a script, which npm ci --ignore-scripts does not run", module)
		}
	}
}

func TestTheNodeThatIsThereIsToldTheTruth(t *testing.T) {
	t.Parallel()
	for version, says := range map[string]string{
		"18.20.8": "Node 18.20.8 was not tried with this. The CDK supports 22 and 24.",
		"20.20.2": "Node 20.20.2 has had its end of life. The CDK works with it, but supports 22 and 24: update it " +
			"before you deploy.",
		"22.12.0": "", "24.0.1": "",
		"23.1.0": "Node 23.1.0 was not tried with this. The CDK supports 22 and 24.",
		"26.0.0": "Node 26.0.0 was not tried with this. The CDK supports 22 and 24.",
	} {
		bin := t.TempDir()
		if err := os.WriteFile(filepath.Join(bin, "node"), []byte("#!/bin/sh\necho "+version), 0o700); err != nil {
			t.Fatal(err)
		}
		make := exec.CommandContext(t.Context(), "make", "-s", "-C", "..", "node")
		make.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=", "PATH="+bin+":"+os.Getenv("PATH"))
		out, err := make.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != says {
			t.Errorf("Node %s: %v %q, want %q", version, err, got, says)
		}
	}
	if mk := readRepository(t, "infra/infra.mk"); !strings.Contains(mk, "_END_OF_LIFE_NODE_VERSION := 20\n") {
		t.Error("jsii takes the version that it is not to speak of, so it says at length what make node says")
	}
}

// anchor is what a heading can be linked by.
func anchor(heading string) string {
	s := strings.ToLower(strings.TrimSpace(strings.TrimLeft(heading, "#")))
	s = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(s, "")
	return strings.ReplaceAll(s, " ", "-")
}

func TestEveryLinkOfTheDocumentationLeadsSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fence := regexp.MustCompile("(?s)```.*?```")
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "node_modules" || strings.HasPrefix(name, ".") && name != "..") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
			if problem := deadLink(path, m[1]); problem != "" {
				t.Errorf("%s: %s", path, problem)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// deadLink says what is wrong with a link within the repository; "" if it leads somewhere.
func deadLink(from, link string) string {
	file, fragment, _ := strings.Cut(link, "#")
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return ""
	}
	to := from
	if file != "" {
		to = filepath.Join(filepath.Dir(from), file)
	}
	info, err := os.Stat(to)
	if err != nil {
		return link + " is not there"
	}
	if fragment == "" || info.IsDir() || filepath.Ext(to) != ".md" {
		return ""
	}
	text, err := os.ReadFile(to)
	if err != nil {
		return err.Error()
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "#") && anchor(line) == fragment {
			return ""
		}
	}
	return link + " names no heading"
}
