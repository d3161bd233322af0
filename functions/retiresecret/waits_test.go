package retiresecret_test

import (
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/rotation"
)

// The spread is 60 s, and a late write takes 75 s at most.
func TestNothingGoesBeforeTheTargetsHaveHadTheirTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		action        rotation.RetireAction
		retire, keep  string
		wait          time.Duration
		current, from string
	}{
		"the old one, disabled":            {rotation.RetireDisable, older, newer, 60 * time.Second, newer, older},
		"the old one, deleted":             {rotation.RetireDelete, older, newer, 60 * time.Second, newer, older},
		"the old one, before a rollback":   {rotation.RetireEnable, older, newer, 75 * time.Second, newer, older},
		"the new one, deleted in rollback": {rotation.RetireDelete, newer, older, 135 * time.Second, older, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := promoted(t, memory.Options{CanDisable: true})
			w.Secrets.SetLabel("AWSCURRENT", c.current)
			if c.from == "" { // the labels are back
				j := w.Journal.Get()
				j.Promotion = nil
				w.Journal.Set(j)
			}
			w.Journal.SetLastWrite(w.Now)
			began, tries := w.Now, 0
			for ; tries < 10; tries++ { // as the state machine's Retry does
				_, err := call(w, c.action, c.retire, c.keep)
				if err == nil {
					break
				}
				fakes.Failed(t, err, failure.Unavailable, "nothing that cannot be undone is done before")
				wrote(t, w)
			}
			if waited := w.Now.Sub(began); waited < c.wait || waited > c.wait+10*time.Second || tries == 0 {
				t.Errorf("it was done after %s and %d tries, want %s", waited, tries, c.wait)
			}
		})
	}
}
