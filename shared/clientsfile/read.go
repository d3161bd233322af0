package clientsfile

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/strictjson"
)

// reader collects the findings of one file.
type reader struct {
	file     string
	root     *node
	findings Findings
	// wrong are paths whose value did not fit. Nothing is said of them a second time, nor of what is below them, nor
	// of an object around them as a whole.
	wrong   []string
	isWrong map[string]bool
	said    map[Finding]bool
}

// Read reads and checks a file. The error is that it cannot be read.
func Read(path string) (File, Findings, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return File{}, nil, err
	}
	f, findings := Parse(path, data)
	return f, findings, nil
}

// Parse reads and checks the text of a file called name. It returns everything that is to be mended in it, each thing
// once; the File can be deployed if Findings.Err is nil.
func Parse(name string, data []byte) (File, Findings) {
	root, problems := parse(data)
	r := &reader{file: name, root: root, isWrong: map[string]bool{}, said: map[Finding]bool{}}
	for _, p := range problems {
		r.add(p, Error, p.path)
	}
	if root == nil {
		return File{}, r.sorted()
	}
	if root.kind != object {
		r.addAt(root, "", "must begin with stack: and clients:, not be %s", root.kind)
		return File{}, r.sorted()
	}
	r.findSecrets(root, "", "")
	r.applyDefaults()
	r.applyRoles()
	places := map[string][]string{}
	placesOf(reflect.TypeFor[File](), "", places)
	document := (&shape{r, places}).encode(r.root, reflect.TypeFor[File](), "")
	var f File
	if err := json.Unmarshal([]byte(document), &f); err != nil {
		r.addAt(root, "", "cannot be read")
		return File{}, r.sorted()
	}
	f.Stack.defaults()
	f.stagger()
	var errors, warnings strictjson.Problems
	f.check(&errors)
	r.addAll(errors, Error)
	if len(r.findings.Of(Error)) == 0 {
		f.warn(&warnings)
		r.addAll(warnings, Warning)
	}
	return f, r.sorted()
}

// applyDefaults puts each client over the defaults. Its own values count, and what is no longer needed by them goes.
func (r *reader) applyDefaults() {
	defaults, clients := r.root.get("defaults"), r.root.get("clients")
	if defaults == nil || defaults.kind != object || clients == nil || clients.kind != list {
		return
	}
	for _, own := range []string{"name", "clientId", "secret.arn", "identityProvider.clientPair",
		"identityProvider.currentSecretId"} {
		if n, rest := defaults.at(own); rest == "" && n.kind != null {
			r.addAt(n, "defaults."+own, "cannot be shared: each client has its own")
		}
	}
	merged := *clients
	merged.items = nil
	for _, c := range clients.items {
		base := *defaults
		if c.get("secret") != nil && c.get("createSecret") == nil {
			base.members = maps.Clone(base.members)
			delete(base.members, "createSecret")
		}
		merged.items = append(merged.items, c.mergeOver(&base))
	}
	r.root = r.root.with("clients", &merged)
}

// add adds a finding, once for each place of the file, and notes the path at which it counts as wrong.
func (r *reader) add(p problem, s Severity, path string) {
	f := Finding{File: r.file, Line: max(p.line, 1), Column: max(p.column, 1), Severity: s, Path: p.path,
		Message: p.message}
	if strings.HasPrefix(f.Path, "clients[") {
		c, _ := r.root.at(f.Path[:strings.Index(f.Path, "]")+1])
		if name := c.get("name"); name != nil && name.kind == text && config.NameOK(name.scalar) &&
			!looksRandom(name.scalar) {
			f.Client = name.scalar
		}
	}
	if s == Error && path != "" {
		r.ignore(path)
	}
	if !r.said[f] {
		r.said[f] = true
		r.findings = append(r.findings, f)
	}
}

func (r *reader) addAt(n *node, path, format string, args ...any) {
	r.add(problem{n.line, n.column, n.path, fmt.Sprintf(format, args...)}, Error, path)
}

// related are fields of a client of which one is enough: if one is misspelt, the other is not missing.
var related = map[string]string{"createSecret": "secret", "loadBalancerSearch": "loadBalancers"}

func (r *reader) ignore(path string) {
	paths := []string{path}
	if i := strings.LastIndex(path, "."); i > 0 && related[path[i+1:]] != "" {
		paths = append(paths, path[:i+1]+related[path[i+1:]])
	}
	for _, p := range paths {
		if !r.isWrong[p] {
			r.isWrong[p] = true
			r.wrong = append(r.wrong, p)
		}
	}
}

// addAll adds what the checks found, unless something is wrong there already. If all of an object is missing, that is
// one finding.
func (r *reader) addAll(ps strictjson.Problems, s Severity) {
	before := slices.Clone(r.wrong)
	absent := map[string][]string{} // what an object that is not there lacks
	object := func(p strictjson.Problem) string {
		n, rest := r.root.at(p.Path)
		if rest == "" {
			return ""
		}
		step, below := nextStep(rest)
		if below == "" || n.kind != object && n.kind != null || strings.Contains(step, "[") {
			return ""
		}
		return strings.TrimSuffix(p.Path, rest) + step
	}
	for _, p := range ps {
		if o := object(p); o != "" {
			absent[o] = append(absent[o], strings.TrimPrefix(p.Path, o+"."))
		}
	}
	said := map[string]bool{}
	for _, p := range ps {
		if said[p.Path] {
			continue // what follows from the first
		}
		said[p.Path] = true
		if slices.ContainsFunc(before, func(w string) bool { return isWithin(p.Path, w) || isWithin(w, p.Path) }) {
			continue
		}
		path, message := p.Path, p.Text
		if o := object(p); len(absent[o]) > 1 {
			path, message = o, "is missing: it needs "+strings.Join(absent[o], ", ")
		}
		n, rest := r.root.at(path)
		r.add(problem{n.line, n.column, joinPath(n.path, rest), message}, s, path)
	}
}

// sorted are the findings in the order of the file.
func (r *reader) sorted() Findings {
	slices.SortStableFunc(r.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return r.findings
}
