package retiresecret_test

import (
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/retiresecret"
	"alboidc.internal/shared/config"
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

// Followers need an hour, and their nodes the spread of 60 s. The call does not wait: the state machine does.
func TestNothingGoesThatFollowersMayHave(t *testing.T) {
	t.Parallel()
	const due = time.Hour + time.Minute
	for name, c := range map[string]struct {
		action       rotation.RetireAction
		retire, keep string
		unused       bool          // the one that goes was never AWSCURRENT
		unknown      bool          // the journal has no note about AWSCURRENT
		taken        bool          // the followers have left the configuration
		late         bool          // they came into it since this execution last read it
		wait         time.Duration // from the move of the label, or from the first call
	}{
		"the old one, disabled": {action: rotation.RetireDisable, retire: older, keep: newer, wait: due},
		"the old one, deleted":  {action: rotation.RetireDelete, retire: older, keep: newer, wait: due},
		"without its followers any more": {action: rotation.RetireDelete, retire: older, keep: newer, taken: true,
			wait: due},
		"declared since the search": {action: rotation.RetireDelete, retire: older, keep: newer, unknown: true,
			late: true, wait: due},
		"moved by a person": {action: rotation.RetireDelete, retire: older, keep: newer, unknown: true,
			wait: due},
		"the new one, that was AWSCURRENT":   {action: rotation.RetireDelete, retire: newer, keep: older, wait: due},
		"the new one, that never was":        {action: rotation.RetireDelete, retire: newer, keep: older, unused: true},
		"the old one, enabled in a rollback": {action: rotation.RetireEnable, retire: older, keep: newer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := promoted(t, memory.Options{CanDisable: true})
			w.Secrets.SetLabel("AWSCURRENT", c.keep)
			j := w.Journal.Get()
			j.Promotion = nil
			if !c.unknown {
				j.Follow(c.keep, time.Hour, w.Now)
			}
			e := j.Secrets[c.retire]
			e.Unused = c.unused
			j.Secrets[c.retire] = e
			w.Journal.Set(j)
			declared := &config.Followers{MaxDelaySeconds: 3600}
			if !c.taken && !c.late {
				w.Client.Followers = declared
			}
			retire := func() error {
				in := rotation.RetireInput{Common: w.Common(), Action: c.action,
					Retire: rotation.Ref{VersionID: c.retire}, Keep: rotation.Ref{VersionID: c.keep}}
				if c.late {
					newest := w.Client
					newest.Followers = declared
					w.Params.Put(newest)
				}
				_, err := fakes.Call(w, retiresecret.Handler{Deps: w.Deps()}.Handle, in)
				return err
			}
			began := w.Now
			for c.wait > 0 && w.Now.Before(began.Add(c.wait-time.Second)) {
				fakes.Failed(t, retire(), failure.Outdated, "followers may use the secret of version "+c.retire)
				w.Now = began.Add(min(w.Now.Sub(began)+30*time.Minute, c.wait-time.Second))
			}
			w.Now = w.Now.Add(2 * time.Second) // the note is in whole seconds
			if err := retire(); err != nil {
				t.Errorf("after %s: %v", w.Now.Sub(began), err)
			}
		})
	}
}
