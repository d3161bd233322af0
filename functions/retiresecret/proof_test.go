package retiresecret_test

import (
	"strings"
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/retiresecret"
	smtest "alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

// refuseFor makes the token endpoint refuse a right secret for a while.
func refuseFor(w *fakes.World, d time.Duration, refused ...secret.Value) {
	until := w.Now.Add(d)
	w.Tokens.Judge(func(v secret.Value, accepted bool) (int, string) {
		for _, r := range refused {
			accepted = accepted && (!r.Equal(v) || !w.Now.Before(until))
		}
		if accepted {
			return 400, "invalid_grant"
		}
		return 401, "invalid_client"
	})
}

// The token endpoint says that the old secret is gone, and it is not.
func TestWhatTheTokenEndpointRefusesIsEndedAllTheSame(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]memory.SlotOptions{"hidden": {Hidden: true}, "in place": {Single: true},
		"shown": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := shifted(t, o)
			w.Client.IdentityProvider.AllowInterruption = o.Single
			old := secret.New(memory.Initial)
			refuseFor(w, time.Hour, old)
			got, err := retire(w, rotation.RetireDelete)
			if err != nil || w.Journal.Get().Secrets[older].State != journal.Removed {
				t.Errorf("the answer is %q (%v)", got, err)
			}
			if v.AcceptsFrom(fakes.ClientID, old) {
				t.Error("the old secret is valid still")
			}
			if o.Hidden || o.Single {
				if writes := strings.Join(w.Writes(), ", "); !strings.Contains(writes, "Restore, ") &&
					!strings.Contains(writes, "Set, ") {
					t.Errorf("the writes are %s", writes)
				}
			}
		})
	}
}

// switched is a pair whose second registration is in use now.
func switched(t *testing.T) (*fakes.World, *memory.Slots) {
	t.Helper()
	const second = "client-second"
	v := memory.NewSlots(memory.SlotOptions{Single: true}, fakes.ClientID, second)
	w := fakes.New(t, v, memory.Initial)
	w.Client.IdentityProvider.ClientPair = second
	if err := v.Registration(second).(idp.Setter).Set(t.Context(), secret.New(value)); err != nil {
		t.Fatal(err)
	}
	w.Secrets.Add(newer, value, "AWSCURRENT")
	w.Secrets.SetLabel("AWSPREVIOUS", older)
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		older: {State: journal.Live, IdPSecretID: older, ClientID: fakes.ClientID, Imported: true, At: w.Now},
		newer: {State: journal.Live, IdPSecretID: newer, ClientID: second, At: w.Now}},
		Promotion: &journal.Promotion{From: older, To: newer, At: w.Now}})
	return w, v
}

func TestAPairsOldSecretIsMissedForAMinuteBeforeThatIsBelieved(t *testing.T) {
	t.Parallel()
	old := secret.New(memory.Initial)
	w, v := switched(t)
	refuseFor(w, 40*time.Second, old)
	_, err := retire(w, rotation.RetireDelete)
	fakes.Failed(t, err, failure.Unavailable, "which nobody here has removed, since 2026-11-22T03:0")
	w.Now = w.Now.Add(40 * time.Second)
	if _, err := retire(w, rotation.RetireDelete); err != nil || v.AcceptsFrom(fakes.ClientID, old) {
		t.Errorf("once it is accepted again it is not removed (%v)", err)
	}
	w, v = switched(t)
	theirs := secret.New(foreign)
	if err := v.Registration(fakes.ClientID).(idp.Setter).Set(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	_, err = retire(w, rotation.RetireDelete)
	fakes.Failed(t, err, failure.Unavailable, "nobody here has removed")
	w.Now = w.Now.Add(30 * time.Second)
	_, err = retire(w, rotation.RetireDelete)
	fakes.Failed(t, err, failure.Unavailable, "nobody here has removed")
	w.Now = w.Now.Add(30 * time.Second)
	got, err := retire(w, rotation.RetireDelete)
	answers(t, got, err, "absent")
	if !v.AcceptsFrom(fakes.ClientID, theirs) || !w.Journal.Get().Secrets[older].Missed.IsZero() {
		t.Errorf("the stranger's secret is gone, or the journal is %+v", w.Journal.Get())
	}
}

// Secrets Manager has dropped the old version, so nobody can ask about it.
func TestAPairsOldSecretWhoseTextIsGoneIsLeftToAPerson(t *testing.T) {
	t.Parallel()
	w, v := switched(t)
	w.Secrets.Change(smtest.Drop(older))
	w.Secrets.SetLabel("AWSPREVIOUS", "")
	before := w.Now
	_, err := retire(w, rotation.RetireDelete)
	fakes.Failed(t, err, failure.Unavailable, "nobody here has removed")
	w.Now = before.Add(2 * time.Minute)
	out, err := fakes.Call(w, retiresecret.Handler{Deps: w.Deps()}.Handle, rotation.RetireInput{Common: w.Common(),
		Action: rotation.RetireDelete,
		Retire: rotation.Ref{VersionID: older}, Keep: rotation.Ref{VersionID: newer}})
	if err != nil || out.Result != "kept" || !strings.Contains(out.Notice, "give that a secret that nobody knows") {
		t.Errorf("the answer is %+v (%v)", out, err)
	}
	if !v.AcceptsFrom(fakes.ClientID, secret.New(memory.Initial)) {
		t.Error("a secret that nobody can name was overwritten")
	}
}

func TestASecretOfAPersonIsToldWhateverTheProbeSays(t *testing.T) {
	t.Parallel()
	v := memory.NewSlots(memory.SlotOptions{}, fakes.ClientID)
	w := fakes.New(t, fakes.ByHand{Slots: v}, memory.Initial)
	w.Secrets.Add(newer, v.Shift(fakes.ClientID).Reveal(), "AWSCURRENT")
	w.Secrets.SetLabel("AWSPREVIOUS", older)
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{older: {State: journal.Live, IdPSecretID: older,
		At: w.Now},
		newer: {State: journal.Live, IdPSecretID: newer, At: w.Now}}, Promotion: &journal.Promotion{From: older,
		To: newer, At: w.Now}})
	refuseFor(w, time.Hour, secret.New(memory.Initial))
	for range 2 { // a repeat, whose answer may be the first that arrives
		out, err := fakes.Call(w, retiresecret.Handler{Deps: w.Deps()}.Handle, rotation.RetireInput{Common: w.Common(),
			Action: rotation.RetireDelete,
			Retire: rotation.Ref{VersionID: older}, Keep: rotation.Ref{VersionID: newer}})
		if err != nil || out.Result != "kept" || !strings.Contains(out.Notice,
			"remove it at the identity provider now") {
			t.Errorf("the answer is %+v (%v)", out, err)
		}
	}
}

// The token endpoint knows only one of two secrets as soon as the other is off.
func TestASecretThatIsRefusedWithoutTheOtherBringsThatBack(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, switchable)
	_, initial := v.Current()
	w.Tokens.Judge(func(x secret.Value, accepted bool) (int, string) {
		if accepted && v.Accepts(initial) {
			return 400, "invalid_grant"
		}
		return 401, "invalid_client"
	})
	_, err := retire(w, rotation.RetireDisable)
	fakes.Failed(t, err, failure.Unavailable, "it was switched on again")
	wrote(t, w, "Disable mem-1", "Enable mem-1")
	gone := false
	w.Before("Disable", func() { gone = true })
	w.Tokens.Judge(func(x secret.Value, accepted bool) (int, string) {
		if accepted && !(gone && x.Equal(secret.New(value))) {
			return 400, "invalid_grant"
		}
		return 401, "invalid_client"
	})
	_, err = retire(w, rotation.RetireDisable)
	fakes.Failed(t, err, failure.SecretRefused, "does not accept the secret that stays")
	if !v.Accepts(initial) {
		t.Error("the old secret is off")
	}
}
