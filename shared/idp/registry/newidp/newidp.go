package main

import (
	"bytes"
	"embed"
	"fmt"
	"go/format"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

//go:embed templates
var templates embed.FS

// models are what an adapter's author chooses from: how the provider keeps a client's secrets (idp.Model), and which
// of the imitation's calls change something. A provider without an API needs no adapter: it is configured as type
// manual.
var models = map[string][]string{
	"named-set":        {"createSecret", "deleteSecret"},
	"current-previous": {"newSecret", "setSecret", "deletePrevious"},
	"single-slot":      {"setSecret"},
}

func list() string { return strings.Join(slices.Sorted(maps.Keys(models)), ", ") }

// provider is what the templates are filled in with.
type provider struct {
	Name, Vendor, Type, Changes string
	Named, Slots, Single        bool
}

const (
	registryFile   = "shared/idp/registry/registry.go"
	revealersFile  = "shared/secret/reveal_test.go"
	imitationsFile = "shared/idp/idptest/imitations/imitations.go"
)

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9]{1,19}$`)

// generate returns the new contents of files, by their paths in the repository.
func generate(root, name, model string) (map[string][]byte, error) {
	changes, known := models[model]
	switch {
	case !namePattern.MatchString(name):
		return nil, fmt.Errorf("NAME: must be 2 to 20 lower-case letters and digits, such as acme")
	case !known:
		return nil, fmt.Errorf("MODEL: must be one of %s (a provider without an API: type manual)", list())
	}
	folder := "shared/idp/" + name
	if _, err := os.Stat(filepath.Join(root, folder)); err == nil {
		return nil, fmt.Errorf("NAME: there is a folder %s already", folder)
	}
	title := strings.ToUpper(name[:1]) + name[1:]
	p := provider{Name: name, Vendor: title, Type: title,
		Named: model == "named-set", Slots: model == "current-previous", Single: model == "single-slot"}
	var quoted []string
	for _, c := range changes {
		quoted = append(quoted, fmt.Sprintf("%q", "idp:"+name+"."+c))
	}
	p.Changes = strings.Join(quoted, ", ")
	files, err := fill(p, map[string]string{
		folder + "/" + name + ".go":                  "adapter.go",
		folder + "/settings.go":                      "settings.go",
		folder + "/secrets.go":                       model + ".go",
		folder + "/" + name + "_test.go":             "test.go",
		folder + "/" + name + "test/" + name + ".go": "imitation.go",
		"docs/identity-providers/" + name + ".md":    "page.md",
	})
	if err != nil {
		return nil, err
	}
	return files, register(root, name, files)
}

// fill fills in a template for each path.
func fill(p provider, paths map[string]string) (map[string][]byte, error) {
	all, err := template.ParseFS(templates, "templates/*.tmpl")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for path, name := range paths {
		var b bytes.Buffer
		if err := all.ExecuteTemplate(&b, name+".tmpl", p); err != nil {
			return nil, err
		}
		files[path] = b.Bytes()
		if strings.HasSuffix(path, ".go") {
			if files[path], err = format.Source(b.Bytes()); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return files, nil
}

// register adds the provider to the registry, to the files that may reveal a secret, and to the imitations. Each line
// is like PingOne's.
func register(root, name string, files map[string][]byte) error {
	for path, like := range map[string]*regexp.Regexp{
		registryFile:  regexp.MustCompile(`\bpingone\b`),
		revealersFile: regexp.MustCompile(`/pingone/pingone\.go"`),
	} {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return err
		}
		if files[path], err = format.Source([]byte(addLines(string(text), like, name))); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	files[imitationsFile] = imitations(registered(files[registryFile]))
	return nil
}

// addLines adds a copy of each line like those of PingOne, to where it belongs in the alphabetical order of the lines
// around it.
func addLines(text string, like *regexp.Regexp, name string) string {
	// the templates reveal a secret in secrets.go
	rename := strings.NewReplacer("/pingone/pingone.go", "/"+name+"/secrets.go", "pingone", name)
	entry := regexp.MustCompile(`^\t+"`)
	lines := strings.SplitAfter(text, "\n")
	for i := 0; i < len(lines); i++ {
		if !like.MatchString(lines[i]) {
			continue
		}
		added, at := rename.Replace(lines[i]), i+1
		for at > 0 && entry.MatchString(lines[at-1]) && lines[at-1] > added {
			at--
		}
		for at < len(lines) && entry.MatchString(lines[at]) && lines[at] < added {
			at++
		}
		lines = slices.Insert(lines, at, added)
		i++ // past the line, which may have moved, or its copy
	}
	return strings.Join(lines, "")
}

// registered are the providers that the registry imports.
func registered(registry []byte) []string {
	var names []string
	for _, m := range regexp.MustCompile(`"alboidc\.internal/shared/idp/([a-z0-9]+)"`).FindAllSubmatch(registry, -1) {
		names = append(names, string(m[1]))
	}
	return names
}

// imitations is the file that lists them.
func imitations(names []string) []byte {
	slices.Sort(names)
	var imports, entries strings.Builder
	for _, n := range names {
		fmt.Fprintf(&imports, "\t\"alboidc.internal/shared/idp/%s/%stest\"\n", n, n)
		fmt.Fprintf(&entries, "\t%q: %stest.Imitation,\n", n, n)
	}
	text, err := format.Source(
		[]byte("// Code generated by make golden from the registry of providers. DO NOT EDIT.\n\n" +
			"// Package imitations lists the vendors' imitations, for the local stack and for tests.\n" +
			"package imitations\n\nimport (\n" + imports.String() +
			"\t\"alboidc.internal/shared/idp/idptest/imitation\"\n)\n\n// All are the imitations, by the type of the " +
			"provider.\nvar All = map[string]imitation.Imitation{\n" + entries.String() + "}\n"))
	if err != nil {
		panic(err) // the names are those of packages
	}
	return text
}
