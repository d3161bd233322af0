package journal_test

import (
	"testing"

	"alboidc.internal/shared/journal"
)

// What is noted says which targets may have a version's secret, and never leaves one out.
func TestWhichTargetsMayHaveASecretIsNoted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do func(*journal.Journal)
		// limited: others are left alone. has are the targets that may have it then.
		limited bool
		has     []string
	}{
		"made before there were canaries": {func(*journal.Journal) {}, false, nil},
		"just made":                       {func(j *journal.Journal) { j.Keep("new", "old") }, true, nil},
		"on a canary": {func(j *journal.Journal) { j.Keep("new", "old"); j.Give("new", "a") }, true,
			[]string{"a"}},
		"on two, in two calls": {func(j *journal.Journal) {
			j.Keep("new", "old")
			j.Give("new", "a")
			j.Give("new", "b")
		}, true, []string{"a", "b"}},
		"a call that knows of no canaries": {func(j *journal.Journal) { j.Give("new", "a") }, false, nil},
		"once AWSCURRENT": {func(j *journal.Journal) { j.Keep("new", "old"); j.Use("new") },
			false, nil},
		"the other stored again": {func(j *journal.Journal) {
			j.Keep("new", "before")
			j.Rename("before", "old")
		}, true, nil},
		"a third AWSCURRENT": {func(j *journal.Journal) { j.Keep("new", "another") }, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := &journal.Journal{Secrets: map[string]journal.Entry{"new": {State: journal.Live, Unused: true},
				"before": {State: journal.Live}}}
			c.do(j)
			has := j.Has("new", "old")
			if (has != nil) != c.limited {
				t.Fatalf("a rollback leaves targets alone: %t", has != nil)
			}
			for _, target := range []string{"a", "b"} {
				want := false
				for _, x := range c.has {
					want = want || x == target
				}
				if has != nil && has(target) != want {
					t.Errorf("target %s may have it: %t", target, !want)
				}
			}
		})
	}
	j := &journal.Journal{Secrets: map[string]journal.Entry{"new": {}}}
	j.Keep("new", "old")
	before := j.Clone()
	if !j.Give("new", "a") || j.Give("new", "a") || j.Give("unknown", "a") {
		t.Error("what is noted already is saved again, or what is not is not")
	}
	if before.Has("new", "old") != nil { // Unused is false
		t.Error("a copy has changed")
	}
}
