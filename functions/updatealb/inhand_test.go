package updatealb_test

import (
	"testing"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/updatealb"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

// Who may invoke the function could otherwise put a secret on the targets that is dead for years.
func TestOnlyASecretThatARotationHasInHandIsPutOnTargets(t *testing.T) {
	t.Parallel()
	const dead, made = "version-dead", "version-made"
	for name, c := range map[string]struct {
		version string
		journal journal.Journal
		allowed bool
	}{
		"AWSCURRENT":    {fakes.Old, journal.Journal{}, true},
		"AWSPENDING":    {newer, journal.Journal{}, true},
		"promoted from": {made, journal.Journal{Promotion: &journal.Promotion{From: made, To: fakes.Old}}, true},
		"promoted to":   {made, journal.Journal{Promotion: &journal.Promotion{From: fakes.Old, To: made}}, true},
		"intended": {made, journal.Journal{Secrets: map[string]journal.Entry{made: {State: journal.Intended}}},
			true},
		"live": {made, journal.Journal{Secrets: map[string]journal.Entry{made: {State: journal.Live,
			IdPSecretID: "mem-7"}}}, true},
		"removed": {dead,
			journal.Journal{Secrets: map[string]journal.Entry{dead: {State: journal.Removed}}}, false},
		"kept": {dead,
			journal.Journal{Secrets: map[string]journal.Entry{dead: {State: journal.Kept}}}, false},
		"nobody knows":             {dead, journal.Journal{}, false},
		"AWSPREVIOUS of long ago":  {"version-previous", journal.Journal{}, false},
		"one that does not exist":  {"version-x", journal.Journal{}, false},
		"of another's other label": {"version-labelled", journal.Journal{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, v := range []string{dead, made} {
				w.Secrets.Add(v, fakes.Mark+v)
			}
			w.Secrets.Add("version-previous", fakes.Mark+"previous", "AWSPREVIOUS")
			w.Secrets.Add("version-labelled", fakes.Mark+"labelled", "blue")
			w.Journal.Set(c.journal)
			_, err := update(w, c.version)
			if c.allowed {
				if err != nil {
					t.Error(err)
				}
				return
			}
			fakes.Failed(t, err, failure.Precondition, "no rotation has it in hand")
			if got := w.Writes(); len(got) != 0 {
				t.Errorf("the writes were %q", got)
			}
		})
	}
}

func TestATargetThatWasTakenOutMayRefuseTheChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		left bool
		err  failure.Kind
		want failure.Kind
	}{
		"taken out, no rights":        {true, failure.AccessDenied, ""},
		"taken out, throttled":        {true, failure.Throttled, failure.Throttled},
		"in the configuration":        {false, failure.AccessDenied, failure.AccessDenied},
		"taken out, with the rights":  {true, "", ""},
		"in the configuration, right": {false, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if c.err != "" {
				w.Fail("ModifyListener", failure.New(c.err, "not now"))
			}
			of := target
			of.Left = c.left
			got, err := fakes.Call(w, updatealb.Handler{Deps: w.Deps()}.Handle,
				rotation.UpdateInput{Common: w.Common(), Targets: []rotation.Target{of},
					To:     rotation.Ref{VersionID: newer},
					Proven: rotation.Timestamp(w.Now)})
			if c.want != "" {
				fakes.Failed(t, err, c.want, "not now")
				return
			}
			if want := map[bool]string{true: "left", false: "updated"}[c.err != ""]; err != nil ||
				got.Targets[0].Result != want {
				t.Errorf("the answer is %+v (%v), want %s", got, err, want)
			}
		})
	}
}
