package createsecret_test

import (
	"testing"

	"alboidc.internal/functions/createsecret"
	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/shared/rotation"
)

func TestWhatCanariesGetFirstIsOnNoTargetYet(t *testing.T) {
	t.Parallel()
	for _, canaries := range []bool{true, false} {
		w, _ := newWorld(t, takesOurs)
		if _, err := fakes.Call(w, createsecret.Handler{Deps: w.Deps()}.Handle, rotation.CreateInput{Common: w.Common(),
			From: rotation.Ref{VersionID: older, IdPSecretID: first}, To: rotation.Ref{VersionID: newer}, Import: true,
			Canaries: canaries}); err != nil {
			t.Fatal(err)
		}
		j := w.Journal.Get()
		if has := j.Has(newer, older); canaries && (has == nil || has("a target")) {
			t.Error("a rollback writes targets that never had it")
		} else if !canaries && has != nil {
			t.Error("a rollback leaves out targets that may have it")
		}
	}
}
