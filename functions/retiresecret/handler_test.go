package retiresecret_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	"alboidc.internal/shared/versions"
)

const (
	older   = fakes.Old
	newer   = "version-new"
	oldID   = "mem-1"
	newID   = "mem-2"
	value   = fakes.Mark + "-value-of-version-new"
	foreign = fakes.Mark + "-made-by-a-person"
)

var switchable = memory.Options{MaxSecrets: 3, CanDisable: true}

// pending is a client whose new secret is made and stored, and not yet current.
func pending(t *testing.T, o memory.Options) (*fakes.World, *memory.Vendor) {
	t.Helper()
	v := memory.New(o)
	_, current := v.Current()
	w := fakes.New(t, v, current.Reveal())
	v.Add(secret.New(value))
	w.Secrets.Add(newer, value, "AWSPENDING")
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		older: {State: journal.Live, IdPSecretID: oldID, Imported: true, At: w.Now},
		newer: {State: journal.Live, IdPSecretID: newID, Before: []string{oldID}, At: w.Now},
	}})
	return w, v
}

// promoted is a client whose new secret is current and whose grace period has begun.
func promoted(t *testing.T, o memory.Options) (*fakes.World, *memory.Vendor) {
	t.Helper()
	w, v := pending(t, o)
	w.Secrets.SetLabel("AWSCURRENT", newer)
	w.Secrets.SetLabel("AWSPREVIOUS", older)
	j := w.Journal.Get()
	j.Promotion = &journal.Promotion{From: older, To: newer, At: w.Now, GraceUntil: w.Now}
	w.Journal.Set(j)
	return w, v
}

// retire acts on the old secret; the new one stays.
func retire(w *fakes.World, action rotation.RetireAction) (string, error) {
	return call(w, action, older, newer)
}

func call(w *fakes.World, action rotation.RetireAction, version, keep string) (string, error) {
	out, err := fakes.Call(w, retiresecret.Handler{Deps: w.Deps()}.Handle, rotation.RetireInput{Common: w.Common(),
		Action: action,
		Retire: rotation.Ref{VersionID: version}, Keep: rotation.Ref{VersionID: keep}})
	return out.Result, err
}

// answers fails unless the call was a success with this result.
func answers(t *testing.T, got string, err error, want string) {
	t.Helper()
	if err != nil || got != want {
		t.Errorf("the answer is %q (%v), want %q", got, err, want)
	}
}

// wrote fails unless exactly these writes took effect.
func wrote(t *testing.T, w *fakes.World, want ...string) {
	t.Helper()
	if got := w.Writes(); !slices.Equal(got, want) {
		t.Errorf("the writes were %q, want %q", got, want)
	}
}

// has fails unless the vendor has exactly these secrets.
func has(t *testing.T, v *memory.Vendor, want ...string) {
	t.Helper()
	if got := v.IDs(); !slices.Equal(got, want) {
		t.Errorf("the vendor has %q, want %q", got, want)
	}
}

// edit changes the journal.
func edit(w *fakes.World, change func(*journal.Journal)) {
	j := w.Journal.Get()
	change(&j)
	w.Journal.Set(j)
}

// finished fails unless the rotation is over: one secret, no promotion, nothing pending.
func finished(t *testing.T, w *fakes.World, v *memory.Vendor) {
	t.Helper()
	has(t, v, newID)
	w.LabelsAre(t, versions.Labels{Current: newer, Previous: older})
	j := w.Journal.Get()
	if j.Promotion != nil || j.Secrets[older].State != journal.Removed || j.Secrets[newer].State != journal.Live {
		t.Errorf("the journal is %+v", j)
	}
}

func TestDeletingTheOldSecretEndsTheRotation(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, switchable)
	got, err := retire(w, rotation.RetireDelete)
	answers(t, got, err, "deleted")
	wrote(t, w, "Remove mem-1", "AWSPENDING version-new>", "journal version-new:live version-old:removed")
	finished(t, w, v)
	if !strings.Contains(w.Output(), `"outcome":"rotated"`) {
		t.Error("the end of the rotation is not counted")
	}
}

func TestDeletingTheNewSecretEndsARollback(t *testing.T) {
	t.Parallel()
	w, v := pending(t, switchable)
	edit(w, func(j *journal.Journal) { j.Promotion = &journal.Promotion{From: older, To: newer} })
	got, err := call(w, rotation.RetireDelete, newer, older)
	answers(t, got, err, "deleted")
	has(t, v, oldID)
	w.LabelsAre(t, versions.Labels{Current: older, Pending: newer}) // promotesecret takes that label off
	j := w.Journal.Get()
	if e := j.Secrets[newer]; j.Promotion != nil || e.State != journal.Removed || e.IdPSecretID != newID ||
		e.Before != nil {
		t.Errorf("the journal is %+v", j)
	}
	if !strings.Contains(w.Output(), `"outcome":"rolled-back"`) {
		t.Error("the end of the rollback is not counted")
	}
}

func TestThePromotionOfOtherVersionsStays(t *testing.T) {
	t.Parallel()
	w, _ := promoted(t, switchable)
	w.Secrets.Add("version-left", fakes.Mark+"-left")
	edit(w, func(j *journal.Journal) {
		j.Secrets["version-left"] = journal.Entry{State: journal.Live, IdPSecretID: "mem-9"}
	})
	got, err := call(w, rotation.RetireDelete, "version-left", newer)
	answers(t, got, err, "absent")
	if w.Journal.Get().Promotion == nil {
		t.Error("the promotion is forgotten")
	}
}

func TestADeletionCutAtAnyWriteIsCompletedByARepeat(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 3; n++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, after its effect: %v", n, after), func(t *testing.T) {
				t.Parallel()
				w, v := promoted(t, switchable)
				w.Cut(n, after)
				if _, err := retire(w, rotation.RetireDelete); !failure.Is(err, failure.Unavailable) || !w.Mend() {
					t.Fatalf("the call was not cut: %v", err)
				}
				if _, err := retire(w, rotation.RetireDelete); err != nil {
					t.Fatal(err)
				}
				finished(t, w, v)
			})
		}
	}
}

func TestARepeatedDeletionChangesNothingAndCountsOnce(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, switchable)
	w.Now = w.Now.Add(25 * time.Hour) // since the new secret was intended
	got, err := retire(w, rotation.RetireDelete)
	answers(t, got, err, "deleted")
	writes := w.Writes()
	got, err = retire(w, rotation.RetireDelete)
	answers(t, got, err, "absent")
	wrote(t, w, writes...)
	finished(t, w, v)
	for _, once := range []string{`"outcome":"rotated"`, `"RotationDuration":90001,`} {
		if n := strings.Count(w.Output(), once); n != 1 {
			t.Errorf("%s was written %d times", once, n)
		}
	}
}

func TestDisablingAndEnablingAreIdempotent(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, switchable)
	_, initial := v.Current()
	for range 2 {
		got, err := retire(w, rotation.RetireDisable)
		answers(t, got, err, "disabled")
		if v.Accepts(initial) {
			t.Error("the disabled secret is accepted")
		}
	}
	for range 2 {
		got, err := retire(w, rotation.RetireEnable)
		answers(t, got, err, "enabled")
		if !v.Accepts(initial) {
			t.Error("the enabled secret is refused")
		}
	}
	wrote(t, w, "Disable mem-1", "Enable mem-1")
}

func TestAProviderThatCannotDisableIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, action := range []rotation.RetireAction{rotation.RetireDisable, rotation.RetireEnable} {
		w, v := promoted(t, memory.Options{MaxSecrets: 2})
		got, err := retire(w, action)
		answers(t, got, err, "unsupported")
		wrote(t, w)
		has(t, v, oldID, newID)
	}
}

func TestWhatIsRefusedRemovesAndDisablesNothing(t *testing.T) {
	t.Parallel()
	reject := func(bad string) func(*fakes.World) {
		return func(w *fakes.World) {
			w.Tokens.Judge(func(v secret.Value, accepted bool) (int, string) {
				if accepted && !v.Equal(secret.New(bad)) {
					return 400, "invalid_grant"
				}
				return 401, "invalid_client"
			})
		}
	}
	for name, c := range map[string]struct {
		world         func(*fakes.World)
		version, keep string
		kind          failure.Kind
		says          string
	}{
		"the secret that is current": {func(*fakes.World) {}, newer, older, failure.Precondition,
			"AWSCURRENT is on version version-new"},
		"anything while the label is elsewhere": {func(w *fakes.World) {
			w.Secrets.Add("version-x", fakes.Mark+"-x", "AWSCURRENT")
		},
			older, newer, failure.Superseded, "AWSCURRENT is version version-x"},
		"while the secret that stays is not accepted": {reject(value), older, newer, failure.SecretRefused,
			"does not accept the secret that stays"},
		"while that cannot be told": {func(w *fakes.World) {
			w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 400, "invalid_grant" })
		}, older, newer, failure.Unavailable, "cannot be told"},
		"two versions that hold the same secret": {func(w *fakes.World) { w.Secrets.Add(older, value) }, older, newer,
			failure.Precondition, "hold the same secret"},
		"one and the same version": {func(*fakes.World) {}, newer, newer, failure.InvalidInput,
			"must be given and differ"},
		"without the client's lock": {func(w *fakes.World) { w.Journal.SetOwner(fakes.Other) }, older,
			newer, failure.LockLost, fakes.Other},
	} {
		for _, action := range []rotation.RetireAction{rotation.RetireDisable, rotation.RetireDelete} {
			t.Run(string(action)+": "+name, func(t *testing.T) {
				t.Parallel()
				w, v := promoted(t, switchable)
				c.world(w)
				_, err := call(w, action, c.version, c.keep)
				fakes.Failed(t, err, c.kind, c.says)
				wrote(t, w)
				has(t, v, oldID, newID)
			})
		}
	}
}

func TestTheSecretThatIsNoLongerCurrentCanBeEnabledForARollback(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, switchable)
	_, initial := v.Current()
	if _, err := retire(w, rotation.RetireDisable); err != nil {
		t.Fatal(err)
	}
	w.Secrets.SetLabel("AWSCURRENT", older) // a rollback that stopped after it moved the labels
	got, err := retire(w, rotation.RetireEnable)
	answers(t, got, err, "enabled")
	if !v.Accepts(initial) {
		t.Error("the secret to go back to is not accepted")
	}
}

func TestARollbackDoesNotGoOnToASecretThatIsGone(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]memory.Options{"the provider can disable": switchable,
		"the provider cannot disable": {MaxSecrets: 3}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := promoted(t, o)
			if err := v.Provider().Remove(t.Context(), oldID); err != nil {
				t.Fatal(err)
			}
			_, err := retire(w, rotation.RetireEnable)
			fakes.Failed(t, err, failure.SecretRefused, "does not accept the secret to go back to")
			wrote(t, w)
		})
	}
}

// Who may invoke the function could otherwise have any secret of the client removed: by its id.
func TestOnlyTheJournalSaysWhichSecretIsAVersions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		retire rotation.Ref
		result map[rotation.RetireAction]string
		gone   string
	}{
		"a version that the journal does not know": {rotation.Ref{VersionID: "version-x"}, nil, ""},
		"the same, with the id of a stranger's": {rotation.Ref{VersionID: "version-x", IdPSecretID: "mem-3"}, nil,
			""},
		"the same, with that of the one in use": {rotation.Ref{VersionID: "version-x", IdPSecretID: newID}, nil, ""},
		"one that it knows, with another's id": {rotation.Ref{VersionID: older, IdPSecretID: "mem-3"},
			map[rotation.RetireAction]string{rotation.RetireDisable: "disabled", rotation.RetireEnable: "enabled",
				rotation.RetireDelete: "deleted"}, oldID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := promoted(t, memory.Options{CanDisable: true})
			left := []string{oldID, newID, v.Add(secret.New(foreign))}
			w.Secrets.Add("version-x", foreign, "AWSPENDING")
			if c.result == nil {
				w.Fail("List", failure.New(failure.Internal, "the provider was asked"))
			}
			for _, action := range []rotation.RetireAction{rotation.RetireDisable, rotation.RetireEnable,
				rotation.RetireDelete} {
				out, err := fakes.Call(w, retiresecret.Handler{Deps: w.Deps()}.Handle,
					rotation.RetireInput{Common: w.Common(), Action: action, Retire: c.retire,
						Keep: rotation.Ref{VersionID: newer, IdPSecretID: oldID}})
				answers(t, out.Result, err, cmp.Or(c.result[action], "absent"))
			}
			has(t, v, slices.DeleteFunc(left, func(id string) bool { return id == c.gone })...)
			if !v.Accepts(secret.New(foreign)) || !v.Accepts(secret.New(value)) {
				t.Error("a secret that is not the version's is switched off")
			}
			if c.gone == "" {
				wrote(t, w)
			}
		})
	}
}

func TestAPromotionFromAnUnknownVersionIsClosed(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, switchable)
	edit(w, func(j *journal.Journal) { delete(j.Secrets, older) })
	got, err := retire(w, rotation.RetireDelete)
	answers(t, got, err, "absent")
	has(t, v, oldID, newID)
	wrote(t, w, "AWSPENDING version-new>", "journal version-new:live")
	if w.Journal.Get().Promotion != nil {
		t.Error("the promotion is still open")
	}
}

func TestARotationOfUnknownBeginningIsNotMeasured(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, switchable)
	edit(w, func(j *journal.Journal) { delete(j.Secrets, newer) })
	got, err := retire(w, rotation.RetireDelete)
	answers(t, got, err, "deleted")
	has(t, v, newID)
	if out := w.Output(); !strings.Contains(out, `"outcome":"rotated"`) || strings.Contains(out, "RotationDuration") {
		t.Errorf("written was %s", out)
	}
}

func TestOnlyTheVersionsOwnSecretIsRemoved(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, memory.Options{MaxSecrets: 4})
	stranger := v.Add(secret.New(foreign))
	got, err := retire(w, rotation.RetireDelete)
	answers(t, got, err, "deleted")
	has(t, v, newID, stranger)
}

func TestTheDisabledSecretIsKept(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, switchable)
	if _, err := retire(w, rotation.RetireDisable); err != nil {
		t.Fatal(err)
	}
	list, err := v.Provider().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]idp.Status{}
	for _, x := range list {
		got[x.ID] = x.Status
	}
	if want := (map[string]idp.Status{oldID: idp.Disabled, newID: idp.Active}); !maps.Equal(got, want) {
		t.Errorf("the vendor has %v, want %v", got, want)
	}
}

// shifted is a client whose provider keeps the old secret as the previous one, in its grace period.
func shifted(t *testing.T, o memory.SlotOptions) (*fakes.World, *memory.Slots) {
	t.Helper()
	v := memory.NewSlots(o, fakes.ClientID)
	w := fakes.New(t, v, memory.Initial)
	var made secret.Value
	if o.Single {
		made = secret.New(value)
		if err := v.Registration(fakes.ClientID).(idp.Setter).Set(t.Context(), made); err != nil {
			t.Fatal(err)
		}
	} else {
		made = v.Shift(fakes.ClientID)
	}
	w.Secrets.Add(newer, made.Reveal(), "AWSCURRENT")
	w.Secrets.SetLabel("AWSPREVIOUS", older)
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		older: {State: journal.Live, IdPSecretID: older, Imported: true, At: w.Now},
		newer: {State: journal.Live, IdPSecretID: newer, At: w.Now.Add(-3 * time.Minute)},
	}, Promotion: &journal.Promotion{From: older, To: newer, At: w.Now}})
	return w, v
}

func TestAnOldSecretThatIsStillUsedIsNotRemoved(t *testing.T) {
	t.Parallel()
	w, v := shifted(t, memory.SlotOptions{})
	w.Now = w.Now.Add(time.Hour)
	v.Use(w.Now.Add(-time.Hour + 2*time.Minute)) // after the switch, and more than clocks differ
	_, err := retire(w, rotation.RetireDisable)
	fakes.Failed(t, err, failure.Precondition, "something else uses it")
	v.Use(w.Now.Add(-time.Hour + 30*time.Second))
	got, err := retire(w, rotation.RetireDisable)
	answers(t, got, err, "unsupported")
}

func TestASecretThatTheProviderCannotRemoveIsKeptAndTold(t *testing.T) {
	t.Parallel()
	w, v := shifted(t, memory.SlotOptions{TakesNoValue: true})
	w.Secrets.SetLabel("AWSCURRENT", older) // a rollback that moved the label back
	w.Secrets.SetLabel("AWSPREVIOUS", "")
	edit(w, func(j *journal.Journal) { j.Promotion = nil })
	out, err := fakes.Call(w, retiresecret.Handler{Deps: w.Deps()}.Handle, rotation.RetireInput{Common: w.Common(),
		Action: rotation.RetireDelete,
		Retire: rotation.Ref{VersionID: newer}, Keep: rotation.Ref{VersionID: older}})
	if err != nil || out.Result != "kept" || !strings.Contains(out.Notice,
		"The secret of version version-new: the new secret stays the identity provider's current one") {
		t.Errorf("the answer is %+v (%v)", out, err)
	}
	if s := w.Journal.Get().Secrets[newer]; s.State != journal.Kept || len(v.Live(fakes.ClientID)) != 2 {
		t.Errorf("the journal says %+v", s)
	}
	out, err = fakes.Call(w, retiresecret.Handler{Deps: w.Deps()}.Handle, rotation.RetireInput{Common: w.Common(),
		Action: rotation.RetireDelete,
		// a retry, whose answer may be the first that arrives
		Retire: rotation.Ref{VersionID: newer}, Keep: rotation.Ref{VersionID: older}})
	if err != nil || out.Result != "kept" || out.Notice == "" {
		t.Errorf("the answer to a repeat is %+v (%v)", out, err)
	}
}

func TestAnInterruptionIsMeasuredAndTold(t *testing.T) {
	t.Parallel()
	w, _ := shifted(t, memory.SlotOptions{Single: true})
	w.Client.IdentityProvider.AllowInterruption = true
	for most, grace := range map[string]time.Duration{"3m0s": time.Hour, "4m0s": 0} { // nodes take a minute
		j := w.Journal.Get()
		j.Promotion.GraceUntil = j.Promotion.At.Add(grace)
		w.Journal.Set(j)
		out, err := fakes.Call(w, retiresecret.Handler{Deps: w.Deps()}.Handle, rotation.RetireInput{Common: w.Common(),
			Action: rotation.RetireDelete,
			Retire: rotation.Ref{VersionID: older}, Keep: rotation.Ref{VersionID: newer}})
		if err != nil || !strings.Contains(out.Notice,
			"from 2026-11-22T02:57:00Z on, for at most "+most+", logins and session refreshes could fail") {
			t.Errorf("the answer is %+v (%v)", out, err)
		}
		w.Journal.Set(j)
	}
}

// The execution that asked for the secret was stopped before it wrote down which registration got it.
func TestASecretOfAPairThatWasNeverWrittenDownIsProvenRefused(t *testing.T) {
	t.Parallel()
	const second = "client-second"
	v := memory.NewSlots(memory.SlotOptions{Single: true}, fakes.ClientID, second)
	w := fakes.New(t, v, memory.Initial)
	w.Client.IdentityProvider.ClientPair = second
	if err := v.Registration(second).(idp.Setter).Set(t.Context(), secret.New(value)); err != nil {
		t.Fatal(err)
	}
	w.Secrets.Add(newer, value, "AWSPENDING")
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		older: {State: journal.Live, IdPSecretID: older, ClientID: fakes.ClientID, Imported: true, At: w.Now},
		newer: {State: journal.Intended, Asked: w.Now, At: w.Now}}})
	got, err := call(w, rotation.RetireDelete, newer, older)
	answers(t, got, err, "deleted")
	if v.AcceptsFrom(second, secret.New(value)) || !v.AcceptsFrom(fakes.ClientID, secret.New(memory.Initial)) {
		t.Error("the wrong secret was overwritten")
	}
}

func TestNoSecretGoesLongAfterTheSearchForTargets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ago  time.Duration
		text string // instead
		want failure.Kind
	}{
		"an hour ago":                      {ago: time.Hour},
		"twelve hours ago":                 {ago: 12 * time.Hour},
		"by a call that does not say when": {text: "-"},
		"thirteen hours ago":               {ago: 13 * time.Hour, want: failure.Outdated},
		"no time":                          {text: "yesterday", want: failure.InvalidInput},
	} {
		for _, action := range []rotation.RetireAction{rotation.RetireDisable, rotation.RetireDelete} {
			t.Run(name+", "+string(action), func(t *testing.T) {
				t.Parallel()
				w, v := promoted(t, switchable)
				searched := strings.TrimPrefix(c.text, "-")
				if c.text == "" {
					searched = rotation.Timestamp(w.Now.Add(-c.ago))
				}
				_, err := retiresecret.Handler{Deps: w.Deps()}.Handle(t.Context(),
					rotation.RetireInput{Common: w.Common(), Action: action,
						Retire: rotation.Ref{VersionID: older}, Keep: rotation.Ref{VersionID: newer},
						Searched: searched})
				if c.want == "" && err != nil || c.want != "" && !failure.Is(err, c.want) {
					t.Errorf("it ended with %v, want %q", err, c.want)
				}
				if c.want != "" && len(v.IDs()) != 2 {
					t.Error("a secret is gone")
				}
			})
		}
	}
}
