package smoketest_test

import (
	"strings"
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/smoketest"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

// noisy is a client whose load balancer counts more errors than usual.
func noisy(t *testing.T) *fakes.World {
	t.Helper()
	w, _ := newWorld(t, switchable)
	w.Errors.Count = 4
	return w
}

func TestErrorsCountOnlyWhereLoginsHaveStopped(t *testing.T) {
	t.Parallel()
	both := []rotation.Check{rotation.CheckLogin, rotation.CheckMetrics}
	alone := both[1:]
	for name, c := range map[string]struct {
		checks  []rotation.Check
		address string
		stopped bool
		notice  string // part of it; "": the test fails
	}{
		"a login test passed through every node": {both, "127.0.0.1", true,
			"a login test passed through every node"},
		"the load balancer has a node that was not": {both, "127.0.0.2", true, ""},
		"its addresses are not known":               {both, "", true, ""},
		"no login test, logins have stopped":        {alone, "127.0.0.1", true, ""},
		"no login test, logins go on":               {alone, "127.0.0.1", false, "none has had its logins stop"},
		"logins go on where a node was not tested":  {both, "127.0.0.2", false, "(orders-alb)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := noisy(t)
			w.ALB.Address = c.address
			if c.stopped {
				w.Errors.Stopped = []string{fakes.LoadBalancer}
			}
			out, err := run(w, c.checks...)
			if c.notice == "" {
				fakes.Failed(t, err, failure.SmokeTestFailed, "no login has succeeded since the switch on orders-alb")
				return
			}
			if err != nil || !strings.Contains(out.Notice, c.notice) || !strings.Contains(out.Notice,
				"Anybody can raise this metric") {
				t.Errorf("the notice is %q (%v)", out.Notice, err)
			}
			if e := out.Evidence[len(out.Evidence)-1]; !e.OK || !strings.Contains(e.Detail, "4 errors; ") {
				t.Errorf("the evidence is %+v", e)
			}
		})
	}
}

func TestInAnEmergencyErrorsAreAWarning(t *testing.T) {
	t.Parallel()
	w := noisy(t)
	w.Errors.Stopped = []string{fakes.LoadBalancer}
	out, err := fakes.Call(w, smoketest.Handler{Deps: w.Deps()}.Handle, rotation.SmokeInput{Common: w.Common(),
		Emergency: true,
		Checks:    []rotation.Check{rotation.CheckMetrics}, From: rotation.Ref{VersionID: older},
		To: rotation.Ref{VersionID: newer}})
	if err != nil || !strings.Contains(out.Notice, "they do not hold up an emergency") {
		t.Errorf("the notice is %q (%v)", out.Notice, err)
	}
}

func TestUsualErrorsAreNoNotice(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	out, err := run(w, rotation.CheckLogin, rotation.CheckMetrics)
	if err != nil || out.Notice != "" || w.Errors.Asked != nil {
		t.Errorf("the notice is %q, logins on %v were counted (%v)", out.Notice, w.Errors.Asked, err)
	}
}

func TestLoginsAreCountedFromTheSwitchOn(t *testing.T) {
	t.Parallel()
	w := noisy(t)
	made, switched := w.Now.Add(-2*time.Hour), w.Now.Add(-time.Hour)
	// without a grace period nodes have a minute from the promotion on
	for end, want := range map[time.Time]time.Time{switched.Add(time.Hour): switched,
		switched: switched.Add(time.Minute)} {
		w.Journal.Set(journal.Journal{Promotion: &journal.Promotion{From: older, To: newer, At: switched,
			GraceUntil: end}, Secrets: map[string]journal.Entry{newer: {At: made}}})
		if _, err := run(w, rotation.CheckMetrics); err != nil || !w.Errors.Made.Equal(made) ||
			!w.Errors.Switched.Equal(want) {
			t.Errorf("made %s, switched %s (%v)", w.Errors.Made, w.Errors.Switched, err)
		}
	}
}

func TestARehearsalSaysWhereAnybodyCanHoldARotationUp(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	w.ALB.Address = "127.0.0.2"
	out, err := rehearse(w)
	if err != nil || !strings.Contains(out.Summary,
		"pass with the secret in use; no login test is seen to pass through every node of orders-alb") {
		t.Errorf("the summary is %q (%v)", out.Summary, err)
	}
}
