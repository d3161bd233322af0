package updatealb_test

import (
	"testing"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/updatealb"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

// Which targets may have the secret is noted before the first of them is written, by a call that is cut off, too.
func TestWhoMayHaveTheSecretIsNotedBeforeItIsWritten(t *testing.T) {
	t.Parallel()
	old, next := rotation.Ref{VersionID: fakes.Old}, rotation.Ref{VersionID: newer}
	call := func(w *fakes.World, in rotation.UpdateInput) (string, error) {
		in.Common, in.Targets, in.Proven = w.Common(), []rotation.Target{target}, rotation.Timestamp(w.Now)
		out, err := fakes.Call(w, updatealb.Handler{Deps: w.Deps()}.Handle, in)
		return out.Result, err
	}
	w := newWorld(t)
	j := journal.Journal{Secrets: map[string]journal.Entry{newer: {State: journal.Live, Unused: true}}}
	j.Keep(newer, fakes.Old)
	w.Journal.Set(j)
	has := func() func(string) bool { j := w.Journal.Get(); return j.Has(newer, fakes.Old) }
	if has()(target.Key()) {
		t.Fatal("the target has it from the beginning")
	}
	if got, err := call(w, rotation.UpdateInput{From: next, To: old, Undo: true}); got != "spared" || err != nil {
		t.Errorf("a rollback: what was never given it is %s (%v)", got, err)
	}
	w.Before("ModifyListener", func() {
		if !has()(target.Key()) || has()("another target") {
			t.Error("what is about to have the secret is not noted")
		}
	})
	if _, err := call(w, rotation.UpdateInput{From: old, To: next}); err != nil || !has()(target.Key()) {
		t.Errorf("what has the secret is not noted (%v)", err)
	}
	if got, err := call(w, rotation.UpdateInput{From: next, To: old, Undo: true}); got != "updated" || err != nil {
		t.Errorf("a rollback: what has it is %s (%v)", got, err)
	}
}
