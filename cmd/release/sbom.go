package main

import (
	"cmp"
	"encoding/json"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
)

// program is a binary of the release.
type program struct {
	name string
	text []byte
	info *debug.BuildInfo
}

// The parts of a CycloneDX document that are used (CycloneDX 1.6 JSON reference). It has no time and no random number,
// so that the same release has the same one.
type (
	document struct {
		Schema       string       `json:"$schema"`
		Format       string       `json:"bomFormat"`
		SpecVersion  string       `json:"specVersion"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Component component `json:"component"`
	}
	component struct {
		Type    string `json:"type"`
		Ref     string `json:"bom-ref"`
		Name    string `json:"name"`
		Version string `json:"version"`
		PURL    string `json:"purl,omitempty"`
		Hashes  []hash `json:"hashes,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

// ownModules begin the names of this repository's modules, which are the release itself.
const ownModules = "alboidc.internal/"

// writeSBOM lists the modules that the programs were built from, as the binaries themselves say.
func writeSBOM(version string, programs []program) ([]byte, error) {
	const all = "alb-oidc-rotator"
	libraries := map[string]component{}
	d := document{Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6",
		Version:  1,
		Metadata: metadata{component{Type: "application", Ref: all, Name: all, Version: version}}}
	whole := dependency{Ref: all}
	for _, p := range programs {
		needs := map[string]bool{}
		add := func(name, version string) {
			c := library(name, version)
			libraries[c.Ref], needs[c.Ref] = c, true
		}
		add("std", strings.TrimPrefix(p.info.GoVersion, "go"))
		for _, m := range p.info.Deps {
			if !strings.HasPrefix(m.Path, ownModules) {
				add(m.Path, m.Version)
			}
		}
		d.Components = append(d.Components, component{Type: "application", Ref: p.name, Name: p.name, Version: version,
			Hashes: []hash{{"SHA-256", hexSum(p.text)}}})
		d.Dependencies = append(d.Dependencies, dependency{p.name, slices.Sorted(maps.Keys(needs))})
		whole.DependsOn = append(whole.DependsOn, p.name)
	}
	for _, ref := range slices.Sorted(maps.Keys(libraries)) {
		d.Components = append(d.Components, libraries[ref])
	}
	d.Dependencies = append(d.Dependencies, whole)
	slices.SortFunc(d.Dependencies, func(a, b dependency) int { return cmp.Compare(a.Ref, b.Ref) })
	text, err := json.MarshalIndent(d, "", "  ")
	return append(text, '\n'), err
}

// library is a module of Go, by its package URL (purl specification, type golang: names are in lower case).
func library(name, version string) component {
	purl := "pkg:golang/" + strings.ToLower(name) + "@" + strings.ReplaceAll(version, "+", "%2B")
	return component{Type: "library", Ref: purl, Name: name, Version: version, PURL: purl}
}
