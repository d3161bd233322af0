package createsecret

import (
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
)

// The kinds of provider: with ids, by whose value it is; without; and a person.
var (
	ours      = idp.Capabilities{Model: idp.NamedSet, AcceptsValue: true}
	theirs    = idp.Capabilities{Model: idp.NamedSet}
	shifts    = idp.Capabilities{Model: idp.CurrentPrevious}
	overwrite = idp.Capabilities{Model: idp.ClientPair, AcceptsValue: true}
	byHand    = idp.Capabilities{Model: idp.ByHand, AcceptsValue: true}
)

func TestWhatIsDoneNext(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	entry := func(asked time.Time) journal.Entry {
		return journal.Entry{State: journal.Intended, At: now, Asked: asked}
	}
	for name, c := range map[string]struct {
		snapshot
		want step
		says string
	}{
		"nothing is there": {snapshot{Capable: ours}, intend, ""},
		"it is made":       {snapshot{Capable: ours, Entry: journal.Entry{State: journal.Live}}, answer, ""},
		"it is made, and a removal is not long ago": {snapshot{Capable: shifts, Ended: now,
			Entry: journal.Entry{State: journal.Live}}, answer, ""},
		"it was rolled back": {snapshot{Capable: ours,
			Entry: journal.Entry{State: journal.Removed}}, refuse, "already rolled back"},
		"it was rolled back, and kept": {snapshot{Capable: shifts,
			Entry: journal.Entry{State: journal.Kept}}, refuse, "already rolled back"},
		"a repair takes what could not be removed": {snapshot{Capable: shifts, Repair: true,
			Entry: journal.Entry{State: journal.Kept}}, take, ""},
		"a repair, and the dead one is gone": {snapshot{Capable: ours, Repair: true, Missing: "mem-7"}, intend, ""},
		"AWSCURRENT is padded":               {snapshot{Capable: ours, Padded: "version-again"}, refuse, "store it again without"},
		"AWSCURRENT is padded, and it was made": {snapshot{Capable: ours, Padded: "v",
			Entry: journal.Entry{State: journal.Live}}, refuse, "store it again without"},
		"what is to be taken over is gone": {snapshot{Capable: ours, Missing: "mem-7"}, refuse,
			"does not list secret mem-7"},
		"what was to be taken over is gone now": {snapshot{Capable: ours, Missing: "mem-7",
			Entry: entry(time.Time{})}, store, ""},
		"the version is there before the intent": {snapshot{Capable: ours, Stored: true}, refuse,
			"was stored before this rotation began"},
		"the same by hand, on purpose": {snapshot{Capable: byHand, Stored: true,
			StoredAt: ago(time.Hour)}, intend, ""},
		"the version is older than the intent": {snapshot{Capable: ours, Stored: true,
			StoredAt: ago(2 * time.Minute), Entry: entry(time.Time{})}, refuse, "was stored at 2026-03-01T11:58:00Z"},
		"the same by hand, on purpose too": {snapshot{Capable: byHand, Stored: true,
			StoredAt: ago(time.Hour), Entry: entry(time.Time{})}, ask, ""},
		"it is older by what clocks differ": {snapshot{Capable: ours, Stored: true,
			StoredAt: ago(time.Minute), Entry: entry(time.Time{})}, ask, ""},
		"nobody says how old it is": {snapshot{Capable: ours, Stored: true,
			Entry: entry(time.Time{})}, ask, ""},
		"a removal may come late": {snapshot{Capable: shifts, Ended: ago(74 * time.Second)}, wait,
			"was removed at the identity provider 1m14s ago"},
		"a removal cannot come any more":       {snapshot{Capable: shifts, Ended: ago(75 * time.Second)}, intend, ""},
		"a removal that names what it removes": {snapshot{Capable: theirs, Ended: now}, intend, ""},
		"a removal at a pair": {snapshot{Capable: overwrite, Ended: now}, wait,
			"no new one is made before"},
		"a removal after the intent": {snapshot{Capable: shifts, Ended: now,
			Entry: entry(ago(time.Hour))}, wait, "no new one is made before"},
		"a kept one that a person removed": {snapshot{Capable: byHand, Ended: now, Stored: true,
			Entry: entry(time.Time{})}, ask, ""},
		"our value is not stored": {snapshot{Capable: ours, Entry: entry(time.Time{})}, store, ""},
		"our value is stored": {snapshot{Capable: ours, Stored: true,
			Entry: entry(time.Time{})}, ask, ""},
		"their value is not made": {snapshot{Capable: theirs, Entry: entry(time.Time{})}, ask, ""},
		"a request without an answer": {snapshot{Capable: ours, Stored: true,
			Entry: entry(ago(74 * time.Second))}, wait, "was asked for a secret 1m14s ago"},
		"the same, for their value": {snapshot{Capable: theirs, Entry: entry(ago(74 * time.Second))},
			wait, "has not answered"},
		"one that cannot take effect any more": {snapshot{Capable: ours, Stored: true,
			Entry: entry(ago(75 * time.Second))}, ask, ""},
		"one that can be repeated": {snapshot{Capable: overwrite, Stored: true, Entry: entry(now)}, ask, ""},
		"our lost secret": {snapshot{Capable: ours, Stored: true, Lost: "mem-2",
			Entry: entry(now)}, take, ""},
		"their lost secret, whose value is stored": {snapshot{Capable: theirs, Stored: true, Lost: "mem-2",
			Entry: entry(now)}, take, ""},
		"their lost secret, whose value is lost, too": {snapshot{Capable: theirs, Lost: "mem-2", Entry: entry(now)},
			undo, ""},
		"the same, undone": {snapshot{Capable: theirs, Undone: true, Entry: entry(now)}, ask, ""},
		"undone without an answer": {snapshot{Capable: shifts, Lost: "v", Ended: ago(time.Second),
			Entry: entry(ago(time.Hour))}, wait, "was removed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Now, c.Version = now, "version-new"
			got, why := decide(c.snapshot)
			kind := map[step]failure.Kind{refuse: failure.Precondition, wait: failure.Unavailable}[c.want]
			if got != c.want || (why != nil) != (kind != "") {
				t.Fatalf("decided %s (%v), want %s", got, why, c.want)
			}
			if why != nil && (!failure.Is(why, kind) || !strings.Contains(why.Error(), c.says)) {
				t.Errorf("the reason is %v (%s), want %s with %q", why, failure.KindOf(why), kind, c.says)
			}
		})
	}
}
