package journal_test

import (
	"maps"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
)

func TestMarksOfCallsAtOnceAreAllKept(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	table := journal.New(f, table)
	note := func(owner, key string, at time.Time) error {
		return table.NoteMarks(t.Context(), client, owner, at,
			map[string]journal.Mark{key: {Result: "updated", At: at}})
	}
	has := func(keys ...string) {
		t.Helper()
		want := map[string]bool{}
		for _, k := range keys {
			want[k] = true
		}
		got := own(t, f).Marks
		if len(got) != len(want) {
			t.Errorf("noted is %v, must be %v: what was set is set again for ever", got, keys)
		}
		for k := range maps.Keys(got) {
			if !want[k] {
				t.Errorf("%s is noted still", k)
			}
		}
	}
	mustNote := func(key string, at time.Time) {
		t.Helper()
		if err := note(me, key, at); err != nil {
			t.Error(err)
		}
	}
	mustNote("one", noon)
	f.before = func() { mustNote("two", noon) } // right before the write of the next
	mustNote("three", noon.Add(time.Minute))
	has("one", "two", "three")
	f.before = func() { f.set("owner", text(other)) }
	if err := note(me, "four", noon); !failure.Is(err, failure.LockLost) {
		t.Errorf("who loses the lock meanwhile gets %v", err)
	}
	f.set("owner", text(me))
	if err := note(other, "four", noon); !failure.Is(err, failure.LockLost) {
		t.Errorf("who does not have the lock gets %v", err)
	}
	mustNote("five", noon.Add(time.Hour))
	has("three", "five")
	f.set("marked", text("yesterday")) // the worst that may happen is that targets are set again
	has()
	mustNote("six", noon)
	has("six")
}
