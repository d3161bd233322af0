package updatealb_test

import (
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/updatealb"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

// updateProven calls the function as it is deployed, which cannot manage the registration.
func updateProven(w *fakes.World, version, proven string) error {
	d := w.Deps()
	d.Registrations = nil
	_, err := fakes.Call(w, updatealb.Handler{Deps: d}.Handle, rotation.UpdateInput{Common: w.Common(),
		Targets: []rotation.Target{target},
		From:    rotation.Ref{VersionID: fakes.Old}, To: rotation.Ref{VersionID: version}, Proven: proven})
	return err
}

// accepts makes the token endpoint accept the old secret, the new one, both or neither.
func accepts(w *fakes.World, older, newer bool) {
	w.Tokens.Judge(func(v secret.Value, old bool) (int, string) {
		if old && older || v.Equal(secret.New(value)) && newer {
			return 400, "invalid_grant"
		}
		return 401, "invalid_client"
	})
}

func TestASecretWhoseProofHasAgedIsProvenAgain(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) func(time.Time) string {
		return func(now time.Time) string { return rotation.Timestamp(now.Add(-d)) }
	}
	untold := func(time.Time) string { return "" }
	for name, c := range map[string]struct {
		proven       func(now time.Time) string
		older, newer bool
		asks         bool
		kind         failure.Kind
	}{
		"proven just now":                 {ago(0), true, false, false, ""},
		"proven 14 minutes ago":           {ago(14 * time.Minute), true, false, false, ""},
		"proven by a clock that is ahead": {ago(-30 * time.Second), true, false, false, ""},
		"days ago, accepted still":        {ago(72 * time.Hour), true, true, true, ""},
		"15 minutes ago, refused":         {ago(15 * time.Minute), true, false, true, failure.SecretRefused},
		"days ago, refused":               {ago(72 * time.Hour), true, false, true, failure.SecretRefused},
		"days ago, everything is refused": {ago(72 * time.Hour), false, false, true, failure.Unavailable},
		"not told, accepted":              {untold, true, true, true, ""},
		"not told, refused":               {untold, true, false, true, failure.SecretRefused},
		"in the future, refused":          {ago(-time.Hour), true, false, true, failure.SecretRefused},
		"at no time, refused": {func(time.Time) string { return "soon" }, true, false, true,
			failure.SecretRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			accepts(w, c.older, c.newer)
			err := updateProven(w, newer, c.proven(w.Now))
			if asked, _ := w.Tokens.Asked(); (asked > 0) != c.asks {
				t.Errorf("%d questions", asked)
			}
			if c.kind == "" {
				if err != nil || w.ALB.Secret() != value {
					t.Errorf("the target did not get the secret: %v", err)
				}
				return
			}
			fakes.Failed(t, err, c.kind, newer)
			if got := w.Writes(); len(got) != 0 {
				t.Errorf("the writes were %q", got)
			}
		})
	}
}

// Each proof shows the provider a wrong secret: a redrive with hundreds of targets must not look like an attack.
func TestOneProofServesAllTargetsForAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	accepts(w, true, true)
	stale := rotation.Timestamp(w.Now.Add(-72 * time.Hour))
	for _, c := range []struct {
		version string
		pass    time.Duration
		asks    bool
	}{{newer, 0, true}, {newer, time.Minute, false}, {newer, 13 * time.Minute, false}, {newer, time.Minute, true},
		{newer, 0, false}, {fakes.Old, 0, true}, {newer, 0, true}} {
		w.Now = w.Now.Add(c.pass)
		if err := updateProven(w, c.version, stale); err != nil {
			t.Fatal(err)
		}
		if asked, _ := w.Tokens.Asked(); (asked > 0) != c.asks {
			t.Errorf("%s after %s: %d questions", c.version, c.pass, asked)
		}
	}
}

func TestAProofThatIsRepeatedNeedsTheLock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	accepts(w, true, true)
	w.Before("proof", func() { w.Journal.SetOwner(fakes.Other) })
	fakes.Failed(t, updateProven(w, newer, ""), failure.LockLost, "stops here")
	if got := w.Writes(); len(got) != 0 {
		t.Errorf("the writes were %q", got)
	}
}

// A proof takes its time. If somebody stores another secret as AWSCURRENT meanwhile, the target keeps what it has.
func TestAWriteAfterALongProofLooksAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Tokens.Judge(func(v secret.Value, old bool) (int, string) {
		w.Secrets.Add("by-hand", fakes.Mark+"-by-hand", "AWSCURRENT")
		if old || v.Equal(secret.New(value)) {
			return 400, "invalid_grant"
		}
		return 401, "invalid_client"
	})
	err := updateProven(w, newer, rotation.Timestamp(w.Now.Add(-72*time.Hour)))
	fakes.Failed(t, err, failure.Unavailable, "in the middle of this call")
	if got := w.Writes(); len(got) != 0 {
		t.Errorf("the writes were %q", got)
	}
}
