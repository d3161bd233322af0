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
	set := func(w *fakes.World, canaries bool) error {
		_, err := fakes.Call(w, updatealb.Handler{Deps: w.Deps()}.Handle, rotation.UpdateInput{Common: w.Common(),
			Targets: []rotation.Target{target}, From: rotation.Ref{VersionID: fakes.Old},
			To: rotation.Ref{VersionID: newer}, Canaries: canaries, Proven: rotation.Timestamp(w.Now)})
		return err
	}
	w := newWorld(t)
	j := journal.Journal{Secrets: map[string]journal.Entry{newer: {State: journal.Live, Unused: true}}}
	j.Keep(newer, fakes.Old)
	w.Journal.Set(j)
	has := func() func(string) bool { j := w.Journal.Get(); return j.Has(newer, fakes.Old) }
	if has()(target.Key()) {
		t.Fatal("the target has it from the beginning")
	}
	w.Before("ModifyListener", func() {
		if !has()(target.Key()) || has()("another target") {
			t.Error("what is about to have the secret is not noted")
		}
	})
	if err := set(w, true); err != nil || has() == nil {
		t.Errorf("canaries are not noted (%v)", err)
	}
	w.Before("ModifyListener", func() {
		if has() != nil {
			t.Error("a rollback would leave out targets that are about to have it")
		}
	})
	if err := set(w, false); err != nil {
		t.Error(err)
	}
}
