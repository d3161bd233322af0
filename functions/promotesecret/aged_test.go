package promotesecret_test

import (
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/promotesecret"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

func TestAWSCURRENTMovesOnlyToASecretProvenNotLongAgo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		undo, promoted bool
		ago            time.Duration
		accepts        string // by the token endpoint: the version
		kind           failure.Kind
	}{
		"promoted, proven just now":           {false, false, 0, older, ""},
		"promoted, proven days ago, accepted": {false, false, 72 * time.Hour, newer, ""},
		"promoted, proven days ago, refused":  {false, false, 72 * time.Hour, older, failure.SecretRefused},
		"promoted, no verdict":                {false, false, 72 * time.Hour, "", failure.Unavailable},
		"a repeat moves nothing":              {false, true, 72 * time.Hour, older, ""},
		"undone, proven just now":             {true, true, 0, newer, ""},
		"undone, proven days ago, accepted":   {true, true, 72 * time.Hour, older, ""},
		"undone, proven days ago, refused":    {true, true, 72 * time.Hour, newer, failure.SecretRefused},
		"undone, no verdict":                  {true, true, 72 * time.Hour, "", failure.Unavailable},
		"there is nothing to undo":            {true, false, 72 * time.Hour, newer, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if c.promoted {
				if _, err := promote(w); err != nil {
					t.Fatal(err)
				}
			}
			labels, writes := w.Secrets.Label("AWSCURRENT"), len(w.Writes())
			w.Tokens.Judge(func(v secret.Value, old bool) (int, string) {
				if old && c.accepts == older || c.accepts == newer && v.Equal(secret.New(fakes.Mark+"-new")) {
					return 400, "invalid_grant"
				}
				return 401, "invalid_client"
			})
			d := w.Deps()
			d.Registrations = nil
			_, err := fakes.Call(w, promotesecret.Handler{Deps: d}.Handle, rotation.PromoteInput{Common: w.Common(),
				Undo: c.undo,
				From: rotation.Ref{VersionID: older}, To: rotation.Ref{VersionID: newer},
				Proven: rotation.Timestamp(w.Now.Add(-c.ago))})
			if c.kind == "" {
				if want := map[bool]string{true: older, false: newer}[c.undo]; err != nil ||
					w.Secrets.Label("AWSCURRENT") != want {
					t.Errorf("AWSCURRENT is on %s: %v", w.Secrets.Label("AWSCURRENT"), err)
				}
				return
			}
			fakes.Failed(t, err, c.kind, "the secret that is to become AWSCURRENT")
			if len(w.Writes()) != writes || w.Secrets.Label("AWSCURRENT") != labels {
				t.Errorf("the writes were %q", w.Writes()[writes:])
			}
		})
	}
}
