package promotesecret_test

import (
	"testing"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/promotesecret"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/rotation"
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

// Somebody stores another version between the first look and the move.
func TestAWSCURRENTThatMovesMeanwhileIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		value string
		then  failure.Kind
	}{
		"the same secret":  {memory.Initial, ""},
		"another's secret": {fakes.Mark + "-by-hand", failure.Superseded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			promote := func() error { // as it is deployed, without the registration
				d := w.Deps()
				d.Registrations = nil
				_, err := fakes.Call(w, promotesecret.Handler{Deps: d}.Handle, rotation.PromoteInput{Common: w.Common(),
					Proven: rotation.Timestamp(w.Now), From: rotation.Ref{VersionID: older},
					To: rotation.Ref{VersionID: newer}, GracePeriodSeconds: 3600})
				return err
			}
			w.Before("AWSCURRENT", func() { w.Secrets.Add("by-hand", c.value, "AWSCURRENT") })
			fakes.Failed(t, promote(), failure.Unavailable, "in the middle of this call")
			if err := promote(); c.then == "" && err != nil || c.then != "" && !failure.Is(err, c.then) {
				t.Errorf("the next try ended with %v", err)
			}
		})
	}
}
