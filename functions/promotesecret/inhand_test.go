package promotesecret_test

import (
	"testing"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/shared/failure"
)

// Who may invoke the function could otherwise make a secret current that is dead for years.
func TestNoLabelGoesToAVersionThatNoRotationHasInHand(t *testing.T) {
	t.Parallel()
	const dead = "version-dead"
	for name, c := range map[string]struct {
		undo     bool
		from, to string
	}{
		"forward to":   {false, older, dead},
		"forward from": {false, dead, older},
		"back to":      {true, dead, older},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Secrets.Add(dead, fakes.Mark+"-dead")
			_, err := call(w, c.undo, c.from, c.to)
			fakes.Failed(t, err, failure.Precondition, "no rotation has it in hand")
			wrote(t, w)
			w.LabelsAre(t, before)
		})
	}
}
