package journal_test

import (
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
)

func TestTheLastWriteOfATargetIsNoted(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	table := journal.New(f, table)
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	note := func(owner string, at time.Time) error { return table.NoteWrite(t.Context(), client, owner, at) }
	// of several at once the latest counts, though it may not be written last
	for _, later := range []time.Duration{0, time.Minute, time.Minute, 30 * time.Second} {
		if err := note(me, at.Add(later)); err != nil {
			t.Fatal(err)
		}
	}
	f.set("settleSeconds", number("10"))
	j, err := table.Own(t.Context(), client, me)
	if err != nil || !j.LastWrite.Equal(at.Add(time.Minute)) || j.Settle != 10*time.Second || j.Rev != 0 {
		t.Errorf("the journal is %+v (%v)", j, err)
	}
	if err := note(other, at.Add(time.Hour)); !failure.Is(err, failure.LockLost) {
		t.Errorf("who does not have the lock gets %v", err)
	}
	if left := j.Left(at.Add(70*time.Second), 15*time.Second); left != 5*time.Second {
		t.Errorf("%s are left", left)
	}
	if left := j.Left(at.Add(75*time.Second), 15*time.Second); left != 0 {
		t.Errorf("%s are left", left)
	}
}

func TestAnItemOfAnEarlierReleaseSettlesAsThatDid(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	j, err := journal.New(f, table).Own(t.Context(), client, me)
	if err != nil || !j.LastWrite.IsZero() || j.Settle != 75*time.Second || j.Left(time.Now(), time.Hour) != 0 {
		t.Errorf("the journal is %+v (%v)", j, err)
	}
}
