package journal

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
)

// Canaries are the targets that were given a version's secret, canaries first, while every other had that of From.
type Canaries struct {
	From string `json:"from"`
	// Targets are digests of their keys: the keys of hundreds would not fit.
	Targets []string `json:"targets"`
}

// Keep notes, when a version is made, that no target has it: all have that of from, and canaries come first.
func (j *Journal) Keep(version, from string) {
	e := j.Secrets[version]
	e.Canaries = &Canaries{From: from, Targets: []string{}}
	j.Secrets[version] = e
}

// Give notes, before targets are written, that these may have a version's secret from then on, besides those noted
// before; not if any may. changed is whether there is something to save.
func (j *Journal) Give(version string, targets ...string) (changed bool) {
	e := j.Secrets[version]
	if e.Canaries == nil {
		return false
	}
	next := &Canaries{From: e.Canaries.From, Targets: slices.Clone(e.Canaries.Targets)}
	for _, key := range targets {
		if d := digest(key); !slices.Contains(next.Targets, d) {
			next.Targets = append(next.Targets, d)
		}
	}
	if len(next.Targets) == len(e.Canaries.Targets) {
		return false
	}
	e.Canaries = next
	j.Secrets[version] = e
	return true
}

// Has returns a function that says, by its key, whether a target may have a version's secret; nil if any may. Others
// have that of current, which must be AWSCURRENT: if that is another one by now, all have to be set. So they have if
// the version was ever AWSCURRENT: whoever read that may have written it anywhere.
func (j *Journal) Has(version, current string) func(target string) bool {
	e := j.Secrets[version]
	if e.Canaries == nil || !e.Unused || e.Canaries.From != current {
		return nil
	}
	return func(target string) bool { return slices.Contains(e.Canaries.Targets, digest(target)) }
}

func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}
