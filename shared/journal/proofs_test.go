package journal_test

import (
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
)

func TestARepeatedProofIsNotedByTheOwnerOnly(t *testing.T) {
	t.Parallel()
	f := newItem(t)
	table := journal.New(f, table)
	first := journal.Proof{Version: "version-1", At: noon}
	if err := table.NoteProof(t.Context(), client, me, first); err != nil {
		t.Fatal(err)
	}
	second := journal.Proof{Version: "version-2", At: noon.Add(time.Minute)}
	if err := table.NoteProof(t.Context(), client, other, second); !failure.Is(err, failure.LockLost) {
		t.Errorf("who does not have the lock gets %v", err)
	}
	if j := own(t, f); j.Proven != first || j.Rev != 0 {
		t.Errorf("the journal is %+v", j)
	}
	f.set("proven", text("yesterday"))
	_, err := table.Own(t.Context(), client, me)
	failed(t, err, failure.Precondition, "remove it from the item")
}
