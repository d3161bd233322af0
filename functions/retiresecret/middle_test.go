package retiresecret_test

import (
	"context"
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/retiresecret"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

// What somebody else does while a call is under way.

func TestNothingIsDoneIfAWSCURRENTChangesMeanwhile(t *testing.T) {
	t.Parallel()
	for _, action := range []rotation.RetireAction{rotation.RetireDisable, rotation.RetireEnable,
		rotation.RetireDelete} {
		t.Run(string(action), func(t *testing.T) {
			t.Parallel()
			w, v := promoted(t, switchable)
			if action == rotation.RetireEnable {
				if err := v.Registration(fakes.ClientID).(idp.Disabler).Disable(t.Context(), oldID); err != nil {
					t.Fatal(err)
				}
			}
			w.Before("List", func() { w.Secrets.Add("by-hand", foreign, "AWSCURRENT") })
			_, err := retire(w, action)
			fakes.Failed(t, err, failure.Unavailable, "in the middle of this call")
			wrote(t, w)
			_, err = retire(w, action)
			fakes.Failed(t, err, failure.Superseded, "somebody else changed the secret")
		})
	}
}

// The old secret is gone, but the answer was lost; its repeat waits for the spread.
func TestAThirdVersionDuringTheWaitIsSeen(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, switchable)
	if err := v.Registration(fakes.ClientID).(idp.Provider).Remove(t.Context(), oldID); err != nil {
		t.Fatal(err)
	}
	w.Journal.SetLastWrite(w.Now.Add(-50 * time.Second))
	d := w.Deps()
	sleep, waited := d.Sleep, false
	d.Sleep = func(ctx context.Context, x time.Duration) error {
		if !waited {
			waited = true
			w.Secrets.Add("by-hand", foreign, "AWSCURRENT")
		}
		return sleep(ctx, x)
	}
	in := rotation.RetireInput{Common: w.Common(), Action: rotation.RetireDelete,
		Retire: rotation.Ref{VersionID: older}, Keep: rotation.Ref{VersionID: newer}}
	if _, err := fakes.Call(w, retiresecret.Handler{Deps: d}.Handle, in); !waited ||
		!failure.Is(err, failure.Superseded) {
		t.Errorf("waited: %t, %v", waited, err)
	}
}

// Putting the old secret back overwrites the only slot. Between the last look and that no question is asked.
func TestWhatAPersonSetsMeanwhileIsNotOverwritten(t *testing.T) {
	t.Parallel()
	for question := 1; ; question++ {
		v := memory.NewSlots(memory.SlotOptions{Single: true}, fakes.ClientID)
		w := fakes.New(t, v, memory.Initial)
		w.Client.IdentityProvider.AllowInterruption = true
		set := func(x string) {
			if err := v.Registration(fakes.ClientID).(idp.Setter).Set(context.Background(), secret.New(x)); err != nil {
				t.Error(err)
			}
		}
		set(value)
		w.Secrets.Add(newer, value, "AWSPENDING")
		w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
			older: {State: journal.Live, IdPSecretID: older, Imported: true, At: w.Now},
			newer: {State: journal.Live, IdPSecretID: newer, At: w.Now.Add(time.Second)}}})
		asked := 0
		w.Tokens.Judge(func(_ secret.Value, accepted bool) (int, string) {
			if asked++; asked == question {
				set(foreign)
				w.Secrets.Add("by-hand", foreign, "AWSCURRENT")
			}
			if accepted {
				return 400, "invalid_grant"
			}
			return 401, "invalid_client"
		})
		_, _ = call(w, rotation.RetireEnable, older, newer)
		if asked < question { // nothing came in between any more
			if question < 3 {
				t.Errorf("only %d questions", asked)
			}
			return
		}
		if !v.AcceptsFrom(fakes.ClientID, secret.New(foreign)) {
			t.Errorf("what a person set at question %d is overwritten: %v", question, w.Writes())
		}
	}
}

// A rollback begins whatever else is in the secret.
func TestEnableNeedsNoOtherVersionToBeReadable(t *testing.T) {
	t.Parallel()
	const second = "client-second"
	v := memory.NewSlots(memory.SlotOptions{Single: true}, fakes.ClientID, second)
	w := fakes.New(t, v, memory.Initial)
	w.Client.IdentityProvider.ClientPair = second
	if err := v.Registration(second).(idp.Setter).Set(t.Context(), secret.New(value)); err != nil {
		t.Fatal(err)
	}
	w.Secrets.Add(newer, value, "AWSPENDING")
	w.Secrets.Add("kept-long-ago", `{"a":"`+fakes.Mark+`-1","b":"`+fakes.Mark+`-2"}`)
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		older:           {State: journal.Live, IdPSecretID: older, ClientID: fakes.ClientID, Imported: true, At: w.Now},
		newer:           {State: journal.Live, IdPSecretID: newer, ClientID: second, At: w.Now},
		"kept-long-ago": {State: journal.Kept, IdPSecretID: "kept-long-ago", ClientID: second, At: w.Now}}})
	if _, err := call(w, rotation.RetireEnable, older, newer); err != nil {
		t.Error(err)
	}
}
