package createsecret_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/functions/createsecret"
	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

// A new secret overwrites the only slot. A person sets and stores another one while the call waits for an earlier
// removal.
func TestWhatAPersonSetsMeanwhileIsNotOverwritten(t *testing.T) {
	t.Parallel()
	byHand := fakes.Mark + "-by-hand"
	v := memory.NewSlots(memory.SlotOptions{Single: true}, fakes.ClientID)
	w := fakes.New(t, v, memory.Initial)
	w.Client.IdentityProvider.AllowInterruption = true
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		fakes.Old: {State: journal.Live, IdPSecretID: fakes.Old, Imported: true, At: w.Now},
		"gone":    {State: journal.Removed, IdPSecretID: "gone", At: w.Now.Add(-50 * time.Second)}}})
	d := w.Deps()
	sleep, waited := d.Sleep, false
	d.Sleep = func(ctx context.Context, x time.Duration) error {
		if !waited {
			waited = true
			if err := v.Registration(fakes.ClientID).(idp.Setter).Set(ctx, secret.New(byHand)); err != nil {
				t.Error(err)
			}
			w.Secrets.Add("by-hand", byHand, "AWSCURRENT")
		}
		return sleep(ctx, x)
	}
	_, err := fakes.Call(w, createsecret.Handler{Deps: d}.Handle, rotation.CreateInput{Common: w.Common(),
		From: rotation.Ref{VersionID: fakes.Old, IdPSecretID: fakes.Old},
		To:   rotation.Ref{VersionID: "11111111-2222-4333-8444-555555555555"}})
	fakes.Failed(t, err, failure.Unavailable, "in the middle of this call")
	if !waited || !v.AcceptsFrom(fakes.ClientID, secret.New(byHand)) {
		t.Errorf("waited: %t; or what the person set is overwritten", waited)
	}
}

// A secret whose value was lost is removed before another is made, unless AWSCURRENT went to somebody else's since.
func TestNothingIsRemovedIfAWSCURRENTChangesMeanwhile(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, makesOwn)
	w.LoseReply("Create")
	_, err := create(w)
	fakes.Failed(t, err, failure.Unavailable, "")
	before := len(w.Writes())
	w.Before("List", func() { w.Secrets.Add("by-hand", foreign, "AWSCURRENT") })
	_, err = create(w)
	fakes.Failed(t, err, failure.Unavailable, "in the middle of this call")
	if got := w.Writes()[before:]; slices.ContainsFunc(got, func(s string) bool {
		return strings.HasPrefix(s,
			"Remove")
	}) {
		t.Errorf("the writes were %q", got)
	}
}
