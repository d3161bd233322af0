package smoketest_test

import (
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/smoketest"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

// refuse makes the token endpoint refuse right secrets for a while: these, or all.
func refuse(w *fakes.World, d time.Duration, values ...string) {
	until := w.Now.Add(d)
	w.Tokens.Judge(func(v secret.Value, accepted bool) (int, string) {
		hit := len(values) == 0
		for _, x := range values {
			hit = hit || v.Equal(secret.New(x))
		}
		if accepted && (!hit || !w.Now.Before(until)) {
			return 400, "invalid_grant"
		}
		return 401, "invalid_client"
	})
}

func everySecond(w *fakes.World, sleeps int) {
	second := 1
	w.Client.SmokeTests.Credential.IntervalSeconds, w.Sleeps = &second, sleeps
}

func TestAnOutageFailsNoTestOfASecretInUse(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	everySecond(w, 280)
	refuse(w, 3*time.Minute)
	if _, err := run(w, rotation.CheckCredential); err != nil {
		t.Error(err)
	}
	refuse(w, 4*time.Minute-time.Second) // it is over, but so is the time
	_, err := run(w, rotation.CheckCredential)
	fakes.Failed(t, err, failure.Unavailable, "the time of one call was not enough")
	refuse(w, time.Hour)
	_, err = run(w, rotation.CheckCredential)
	fakes.Failed(t, err, failure.Unavailable,
		"no other secret is accepted, which would show that the provider answers rightly")
}

func TestASecretThatIsNotYetActiveIsToldFromAnOutage(t *testing.T) {
	t.Parallel()
	wait := func(w *fakes.World) error {
		_, err := fakes.Call(w, smoketest.Handler{Deps: w.Deps()}.Handle, rotation.SmokeInput{Common: w.Common(),
			Wait:   true,
			Checks: []rotation.Check{rotation.CheckCredential}, From: rotation.Ref{VersionID: older},
			To: rotation.Ref{VersionID: newer}})
		return err
	}
	w, _ := newWorld(t, switchable)
	everySecond(w, 60)
	refuse(w, time.Hour, value)
	fakes.Failed(t, wait(w), failure.NotYetActive, "not accepted everywhere yet")
	refuse(w, time.Hour)
	fakes.Failed(t, wait(w), failure.Unavailable, "cannot be told")
}

// The old secret is off, so nothing shows whether the provider is ill. Going back begins with switching it on.
func TestWithoutTheOldSecretLongerRefusalsLeadBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lasts time.Duration
		kind  failure.Kind // "" is success
	}{
		"an outage of 40 s": {40 * time.Second, ""},
		"for good":          {time.Hour, failure.SmokeTestFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t, switchable)
			disable(t, v)
			everySecond(w, 280)
			began := w.Now
			refuse(w, c.lasts)
			_, err := run(w, rotation.CheckCredential, rotation.CheckRefused)
			if c.kind == "" && err != nil {
				t.Error(err)
			}
			if c.kind != "" {
				fakes.Failed(t, err, c.kind, "while no other secret is switched on")
				if took := w.Now.Sub(began); took > 50*time.Second {
					t.Errorf("it took %s", took)
				}
			}
		})
	}
}

func TestADisabledSecretIsProvenRefusedWhileTheOtherIsAccepted(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, switchable)
	disable(t, v)
	refuse(w, time.Hour)
	_, err := run(w, rotation.CheckRefused)
	fakes.Failed(t, err, failure.Unavailable, "refused, but the secret that stays: HTTP 401")
	w.Tokens.Judge(nil)
	w.Tokens.Asked()
	if _, err := run(w, rotation.CheckRefused); err != nil {
		t.Fatal(err)
	}
	if all, wrong := w.Tokens.Asked(); all != 6 || wrong != 3 {
		t.Errorf("%d secrets were tried, %d of them wrong; want 6 and 3", all, wrong)
	}
}

// Behind a load balancer servers take turns, and one of two has lost its database. Both secrets are right.
func TestOneIllServerOfTwoProvesNothing(t *testing.T) {
	t.Parallel()
	for first := range 2 {
		w, _ := newWorld(t, switchable)
		everySecond(w, 40)
		asked := first
		w.Tokens.Judge(func(_ secret.Value, accepted bool) (int, string) {
			if asked++; accepted && asked%2 == 0 {
				return 400, "invalid_grant"
			}
			return 401, "invalid_client"
		})
		if _, err := run(w, rotation.CheckRefused); err == nil || !failure.KindOf(err).Transient() {
			t.Errorf("the old secret, which is accepted, is taken for refused, or not tried again: %v", err)
		}
		if _, err := run(w, rotation.CheckCredential); failure.Is(err, failure.SmokeTestFailed) {
			t.Errorf("the secret in use is taken for refused: %v", err)
		}
	}
}
