package smoketest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/smoketest"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

const (
	older    = fakes.Old
	newer    = "version-new"
	value    = fakes.Mark + "-value-of-version-new"
	password = fakes.Mark + "-password"
)

// newWorld is a client whose new secret is current, with a redirect and a login test.
func newWorld(t *testing.T, o memory.Options) (*fakes.World, *memory.Vendor) {
	t.Helper()
	v := memory.New(o)
	_, current := v.Current()
	w := fakes.New(t, v, current.Reveal())
	v.Add(secret.New(value))
	w.Secrets.Add(newer, value, "AWSCURRENT")
	w.Secrets.AddOther(fakes.UserARN, `{"username":"synthetic","password":"`+password+`"}`)
	w.Client.SmokeTests.Login = []config.LoginTest{{URL: w.App.URL("/"), UserSecretARN: fakes.UserARN,
		ExpectText: "welcome"}}
	return w, v
}

func run(w *fakes.World, checks ...rotation.Check) (rotation.SmokeOutput, error) {
	return runOn(w, nil, checks...)
}

func runOn(w *fakes.World, targets []rotation.Target, checks ...rotation.Check) (rotation.SmokeOutput, error) {
	out, err := fakes.Call(w, smoketest.Handler{Deps: w.Deps()}.Handle, rotation.SmokeInput{Common: w.Common(),
		Checks: checks,
		From:   rotation.Ref{VersionID: older}, To: rotation.Ref{VersionID: newer}, Targets: targets})
	return out, err
}

// disable switches the old secret off at the vendor.
func disable(t *testing.T, v *memory.Vendor) {
	t.Helper()
	if err := v.Provider().(idp.Disabler).Disable(t.Context(), "mem-1"); err != nil {
		t.Fatal(err)
	}
}

var switchable = memory.Options{CanDisable: true}

func TestTheChecksRunInTheOrderGivenAndGiveEvidence(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, switchable)
	disable(t, v)
	for _, checks := range [][]rotation.Check{
		{rotation.CheckCredential, rotation.CheckRefused, rotation.CheckRedirect, rotation.CheckLogin,
			rotation.CheckMetrics},
		{rotation.CheckMetrics, rotation.CheckLogin, rotation.CheckRedirect, rotation.CheckRefused,
			rotation.CheckCredential},
	} {
		out, err := run(w, checks...)
		if err != nil {
			t.Fatal(err)
		}
		var got []rotation.Check
		for _, e := range out.Evidence {
			got = append(got, e.Check)
			if !e.OK || e.Subject == "" || e.Detail == "" {
				t.Errorf("the evidence is %+v", e)
			}
		}
		if !slices.Equal(got, checks) {
			t.Errorf("the checks were %q, want %q", got, checks)
		}
	}
	if got := w.Writes(); len(got) != 0 {
		t.Errorf("the smoke test wrote %q", got)
	}
	for _, line := range []string{`"check":"redirect"`, `"LoginLatency"`} {
		if !strings.Contains(w.Output(), line) {
			t.Errorf("the log lacks %s", line)
		}
	}
}

func TestNoChecksGiveNoEvidence(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	out, err := run(w)
	if err != nil || out.Evidence == nil || len(out.Evidence) != 0 {
		t.Errorf("got %+v (%v)", out, err)
	}
}

func TestTheFirstCheckThatFailsEndsIt(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	w.App.Fail(500)
	_, err := run(w, rotation.CheckRedirect, rotation.CheckLogin, rotation.CheckMetrics)
	fakes.Failed(t, err, failure.SmokeTestFailed, "redirect test of "+w.App.URL("/")+" at 127.0.0.1:")
	if n := w.App.Visits(); n != 1 || !w.Errors.Since.IsZero() {
		t.Errorf("after the failure there were %d visits, and the metrics were read since %s", n, w.Errors.Since)
	}
	if !strings.Contains(w.Output(), `"ok":false`) {
		t.Error("the failed check is not in the log")
	}
}

func TestALoginThatFailsIsASmokeTestThatFailed(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	w.Client.SmokeTests.Login[0].ExpectText = "good bye"
	_, err := run(w, rotation.CheckLogin)
	fakes.Failed(t, err, failure.SmokeTestFailed, "does not contain the expected text")
	if strings.Contains(w.Output(), "LoginLatency") {
		t.Error("the latency of a failed login is measured")
	}
}

// A load balancer, or a name, whose test is not run breaks without anybody seeing it.
func TestEveryConfiguredTestIsRun(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	tests := &w.Client.SmokeTests
	tests.Login = append(tests.Login, tests.Login[0], tests.Login[0])
	tests.Redirect = append(tests.Redirect, tests.Redirect[0], tests.Redirect[0])
	for check, want := range map[rotation.Check]int{rotation.CheckLogin: len(tests.Login),
		rotation.CheckRedirect: len(tests.Redirect)} {
		if out, err := run(w, check); err != nil || len(out.Evidence) != want {
			t.Errorf("%d of %d %s tests are run (%v)", len(out.Evidence), want, check, err)
		}
	}
	tests.Login[2].ExpectText = "good bye"
	_, err := run(w, rotation.CheckLogin)
	fakes.Failed(t, err, failure.SmokeTestFailed, "does not contain the expected text")
}

func TestFollowersAreTestedWhenTheyMustHaveTheSecret(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	w.Client.Followers = &config.Followers{MaxDelaySeconds: 3600}
	tests := &w.Client.SmokeTests
	tests.Redirect = append(tests.Redirect, tests.Redirect[0])
	tests.Redirect[1].Follower, tests.Login[0].Follower = true, true
	if out, err := rehearse(w); err != nil || len(out.Evidence) != 3 {
		t.Errorf("with the secret in use %d tests are run, want 3 (%v)", len(out.Evidence), err)
	}
	both := func(want int, when string) {
		t.Helper()
		if out, err := run(w, rotation.CheckRedirect, rotation.CheckLogin); err != nil || len(out.Evidence) != want {
			t.Errorf("%s %d tests are run, want %d (%v)", when, len(out.Evidence), want, err)
		}
	}
	both(1, "before AWSCURRENT is noted")
	j := w.Journal.Get()
	j.Follow(newer, time.Hour, w.Now)
	w.Journal.Set(j)
	w.Now = w.Now.Add(time.Hour - time.Second)
	both(1, "before followers must have the new secret")
	w.Now = w.Now.Add(time.Second)
	both(3, "when followers must have the new secret")
}

// rehearse runs the tests with the secret in use, before anything is changed.
func rehearse(w *fakes.World) (rotation.SmokeOutput, error) {
	return fakes.Call(w, smoketest.Handler{Deps: w.Deps()}.Handle, rotation.SmokeInput{Common: w.Common(),
		Rehearse: true,
		Checks:   []rotation.Check{rotation.CheckRedirect, rotation.CheckLogin}, From: rotation.Ref{VersionID: older},
		To: rotation.Ref{VersionID: older}})
}

func TestARehearsalSaysHowTheTestsGo(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	out, err := rehearse(w)
	if err != nil || out.Summary != "all 2 redirect and login tests pass with the secret in use" {
		t.Errorf("got %q (%v)", out.Summary, err)
	}
	if out, err := run(w, rotation.CheckRedirect); err != nil || out.Summary != "" {
		t.Errorf("a test of the new secret has the summary %q (%v)", out.Summary, err)
	}
}

func TestARehearsalFailsForWhatNoSecretMends(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	w.Client.SmokeTests.Login[0].ExpectText = "good bye"
	_, err := rehearse(w)
	fakes.Failed(t, err, failure.SmokeTestFailed, "does not contain the expected text")
	w.App.Fail(404)
	_, err = rehearse(w)
	fakes.Failed(t, err, failure.SmokeTestFailed, "redirect test of "+w.App.URL("/"))
}

func TestARehearsalPassesOverLoginsThatFailAsWithAWrongSecret(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	w.App.Refuse()
	w.Client.SmokeTests.Login = append(w.Client.SmokeTests.Login, w.Client.SmokeTests.Login[0])
	out, err := rehearse(w)
	if err != nil || !strings.HasPrefix(out.Summary, "a login fails as with a wrong client secret") ||
		!strings.Contains(out.Summary, "login test of "+w.App.URL("/")+" at 127.0.0.1:") {
		t.Errorf("got %q (%v)", out.Summary, err)
	}
	if len(out.Evidence) != 2 {
		t.Errorf("after the first such login it goes on, and load balancers count each: %+v", out.Evidence)
	}
	_, err = run(w, rotation.CheckLogin) // with the new secret there is no excuse
	fakes.Failed(t, err, failure.SmokeTestFailed, "HTTP 561")
}

func TestASyntheticUserThatCannotBeReadIsTold(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	w.Secrets.AddOther(fakes.UserARN, `{"username":"synthetic","passwort":"`+password+`"}`)
	_, err := run(w, rotation.CheckLogin)
	fakes.Failed(t, err, failure.InvalidInput, `"password"`)
	w.Secrets.DropOther(fakes.UserARN)
	_, err = run(w, rotation.CheckLogin)
	fakes.Failed(t, err, failure.Precondition, fakes.UserARN)
}

// How often and how slowly the provider needs it counts before a target has the secret, also where a person made it.
// Later that would hold up every test of an emergency.
func TestOneWrongSecretIsTriedHoweverOftenTheRightOneIs(t *testing.T) {
	t.Parallel()
	ours, theirs := &journal.Entry{State: journal.Live}, &journal.Entry{State: journal.Live, Imported: true}
	for _, c := range []struct {
		wait         bool
		rewrite      bool           // it is about to be written on targets
		entry        *journal.Entry // what the journal has of it
		times, apart int            // as configured
		right        int
		took         time.Duration
	}{
		{true, false, ours, 10, 6, 10, 54 * time.Second},
		{false, false, ours, 10, 6, 3, 2 * time.Second},
		{false, false, nil, 10, 6, 3, 2 * time.Second},
		{false, false, ours, 2, 0, 2, 0},
		{false, true, ours, 10, 6, 3, 2 * time.Second},
		{false, true, nil, 10, 6, 10, 54 * time.Second},
		{false, true, theirs, 10, 6, 10, 54 * time.Second},
	} {
		w, _ := newWorld(t, switchable)
		if c.entry != nil {
			w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{newer: *c.entry}})
		}
		w.Client.SmokeTests.Credential = config.CredentialTest{SuccessesInARow: &c.times, IntervalSeconds: &c.apart}
		w.Sleeps = c.right
		began := w.Now
		out, err := fakes.Call(w, smoketest.Handler{Deps: w.Deps()}.Handle, rotation.SmokeInput{Common: w.Common(),
			Wait: c.wait, MustBeCurrent: c.rewrite, Checks: []rotation.Check{rotation.CheckCredential},
			From: rotation.Ref{VersionID: older}, To: rotation.Ref{VersionID: newer}})
		if err != nil || len(out.Evidence) != 1 || !strings.Contains(out.Evidence[0].Detail,
			fmt.Sprintf("accepted %d times in a row", c.right)) {
			t.Errorf("got %+v (%v)", out, err)
		}
		if all, wrong := w.Tokens.Asked(); all != c.right+1 || wrong != 1 || w.Now.Sub(began) != c.took {
			t.Errorf("%+v: %d secrets were tried, %d of them wrong, in %s", c, all, wrong, w.Now.Sub(began))
		}
	}
}

func TestAnUnevenProviderIsAskedUntilItAcceptsInARow(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	tries := 0
	w.Tokens.Judge(func(_ secret.Value, accepted bool) (int, string) {
		if accepted {
			tries++
		}
		if accepted && tries != 3 { // the third try meets a server that knows nothing yet
			return 400, "invalid_grant"
		}
		return 401, "invalid_client"
	})
	if _, err := run(w, rotation.CheckCredential); err != nil {
		t.Fatal(err)
	}
	if all, _ := w.Tokens.Asked(); all != 1+2+1+3+1 { // the last is the control, the old secret
		t.Errorf("%d secrets were tried", all)
	}
}

// One answer that is no verdict must not undo a rotation, whichever request it meets.
func TestAnAnswerThatIsNoVerdictIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for nth := 1; nth <= 3; nth++ { // the first request presents the wrong secret
		for _, wait := range []bool{false, true} {
			w, _ := newWorld(t, switchable)
			asked := 0
			w.Tokens.Judge(func(_ secret.Value, accepted bool) (int, string) {
				if asked++; asked == nth {
					return 400, "temporarily_unavailable"
				}
				if accepted {
					return 400, "invalid_grant"
				}
				return 401, "invalid_client"
			})
			if _, err := fakes.Call(w, smoketest.Handler{Deps: w.Deps()}.Handle, rotation.SmokeInput{Common: w.Common(),
				Wait:   wait,
				Checks: []rotation.Check{rotation.CheckCredential}, From: rotation.Ref{VersionID: older},
				To: rotation.Ref{VersionID: newer}}); err != nil {
				t.Errorf("answer %d: %v", nth, err)
			}
		}
	}
}

func TestAnEndpointThatNeverGivesAVerdictIsUnavailable(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	w.Sleeps = 4
	w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 400, "temporarily_unavailable" })
	_, err := run(w, rotation.CheckCredential)
	fakes.Failed(t, err, failure.Unavailable, "cannot answer now: HTTP 400 temporarily_unavailable")
}

func TestASecretThatIsNeverAcceptedIsNotYetActive(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	w.Secrets.Add(newer, fakes.Mark+"-wrong")
	w.Sleeps = 4
	_, err := fakes.Call(w, smoketest.Handler{Deps: w.Deps()}.Handle, rotation.SmokeInput{Common: w.Common(),
		Wait:   true,
		Checks: []rotation.Check{rotation.CheckCredential}, From: rotation.Ref{VersionID: older},
		To: rotation.Ref{VersionID: newer}})
	fakes.Failed(t, err, failure.NotYetActive, "not accepted everywhere yet")
}

func TestASecretInUseThatIsRefusedFailsTheTestWithinHalfAMinute(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	w.Secrets.Add(newer, fakes.Mark+"-wrong\n")
	began := w.Now
	second := 1
	w.Client.SmokeTests.Credential.IntervalSeconds, w.Sleeps = &second, 60
	_, err := run(w, rotation.CheckCredential)
	fakes.Failed(t, err, failure.SmokeTestFailed, "refuses the secret of version "+newer+", which is in use, for 20s")
	fakes.Failed(t, err, failure.SmokeTestFailed, "; the stored value ends with a line break")
	if took := w.Now.Sub(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestASecretInUseThatIsRefusedForAMomentPassesTheTest(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	second := 1
	w.Client.SmokeTests.Credential.IntervalSeconds, w.Sleeps = &second, 60
	began := w.Now
	w.Tokens.Judge(func(_ secret.Value, accepted bool) (int, string) {
		if accepted && w.Now.Sub(began) >= 10*time.Second {
			return 400, "invalid_grant"
		}
		return 401, "invalid_client"
	})
	if _, err := run(w, rotation.CheckCredential); err != nil {
		t.Error(err)
	}
}

func TestATokenEndpointThatAcceptsAnythingProvesNothing(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 400, "invalid_grant" })
	_, err := run(w, rotation.CheckCredential)
	fakes.Failed(t, err, failure.Precondition, "prove nothing about a secret")
}

func TestASecretThatIsSwitchedOffMustBeRefused(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, switchable)
	_, err := run(w, rotation.CheckRefused)
	fakes.Failed(t, err, failure.StillAccepted, "version "+older)
	disable(t, v)
	w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 400, "invalid_request" })
	_, err = run(w, rotation.CheckRefused)
	fakes.Failed(t, err, failure.Unavailable, "cannot be told")
	w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 429, "" })
	_, err = run(w, rotation.CheckRefused)
	fakes.Failed(t, err, failure.Throttled, "429")
	w.Tokens.Judge(nil)
	out, err := run(w, rotation.CheckRefused)
	if err != nil || len(out.Evidence) != 1 || !out.Evidence[0].OK {
		t.Errorf("got %+v (%v)", out, err)
	}
}

func TestARefusalIsNotTestedWhereTheProviderCannotDisable(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, memory.Options{})
	out, err := run(w, rotation.CheckRefused)
	if err != nil || len(out.Evidence) != 0 {
		t.Errorf("got %+v (%v)", out, err)
	}
	if all, _ := w.Tokens.Asked(); all != 0 {
		t.Errorf("%d secrets were tried", all)
	}
}

func TestErrorsAreCountedSinceTheNewSecretWasMade(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	grace := 7200
	w.Client.GracePeriodSeconds = &grace
	switched := w.Now.Add(-10 * time.Minute)
	for _, c := range []struct {
		promotion *journal.Promotion
		made      time.Time
		want      time.Time
	}{
		{nil, time.Time{}, w.Now.Add(-2 * time.Hour)},
		{&journal.Promotion{From: older, To: newer}, time.Time{}, w.Now.Add(-2 * time.Hour)}, // written down, not made
		{&journal.Promotion{From: older, To: newer, At: switched}, time.Time{}, switched},
		{&journal.Promotion{From: older, To: newer, At: switched}, switched.Add(-5 * time.Minute),
			switched.Add(-5 * time.Minute)},
	} {
		w.Journal.Set(journal.Journal{Promotion: c.promotion, Secrets: map[string]journal.Entry{newer: {At: c.made}}})
		if _, err := run(w, rotation.CheckMetrics); err != nil || !w.Errors.Since.Equal(c.want) {
			t.Errorf("%+v: errors are counted since %s (%v), want %s", c.promotion, w.Errors.Since, err, c.want)
		}
	}
}

func TestMoreErrorsThanAllowedFail(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	allowed := 2
	w.Client.SmokeTests.MaxAuthErrors = &allowed
	w.Errors.Count = 2
	if _, err := run(w, rotation.CheckMetrics); err != nil {
		t.Error(err)
	}
	w.Errors.Count, w.Errors.Stopped = 3, []string{fakes.LoadBalancer}
	_, err := run(w, rotation.CheckMetrics)
	fakes.Failed(t, err, failure.SmokeTestFailed, "metrics test of ELBAuthError failed")
}

func TestErrorsAreCountedOnTheLoadBalancersOfTheTargetsToo(t *testing.T) {
	t.Parallel()
	targets := []rotation.Target{{LoadBalancerARN: fakes.LoadBalancer, Name: "one"},
		{LoadBalancerARN: fakes.LoadBalancer, Name: "two"}}
	for _, listed := range [][]string{nil, {fakes.LoadBalancer}} {
		w, _ := newWorld(t, switchable)
		w.Client.LoadBalancers = listed
		w.Client.LoadBalancerSearch = &config.LoadBalancerSearch{Tags: map[string]string{"login": "orders"},
			Regions: []string{"eu-central-1"}}
		w.Errors.Count, w.Errors.Stopped = 3, []string{fakes.LoadBalancer}
		_, err := runOn(w, targets, rotation.CheckMetrics) // the fake looks which load balancers are asked for
		fakes.Failed(t, err, failure.SmokeTestFailed, "metrics test of ELBAuthError failed")
	}
}

func TestWithoutAnyLoadBalancerTheMetricsAreToldToBeUntested(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	w.Client.LoadBalancers = nil
	w.Client.LoadBalancerSearch = &config.LoadBalancerSearch{Tags: map[string]string{"login": "orders"},
		Regions: []string{"eu-central-1"}}
	out, err := run(w, rotation.CheckMetrics)
	if err != nil || len(out.Evidence) != 1 || !strings.HasPrefix(out.Evidence[0].Detail, "not tested") {
		t.Errorf("%+v (%v)", out, err)
	}
}

func TestErrorsThatTheRotationItselfCausesAreOnlyCounted(t *testing.T) {
	t.Parallel()
	w := fakes.New(t, memory.NewSlots(memory.SlotOptions{Single: true}, fakes.ClientID,
		"client-second"), memory.Initial)
	w.Client.IdentityProvider.ClientPair = "client-second"
	w.Errors.Count = 3
	if _, err := run(w, rotation.CheckMetrics); err != nil {
		t.Error(err)
	}
	allowed := 2
	w.Client.SmokeTests.MaxAuthErrors = &allowed
	w.Errors.Stopped = []string{fakes.LoadBalancer}
	_, err := run(w, rotation.CheckMetrics)
	fakes.Failed(t, err, failure.SmokeTestFailed, "metrics test of ELBAuthError failed")
}

func TestWhatCannotBeTestedIsRefused(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	_, err := run(w, "guess")
	fakes.Failed(t, err, failure.InvalidInput, `"guess" is not a check`)
	w.Journal.SetOwner(fakes.Other)
	_, err = run(w, rotation.CheckCredential)
	fakes.Failed(t, err, failure.LockLost, fakes.Other)
	if all, _ := w.Tokens.Asked(); all != 0 {
		t.Errorf("%d secrets were tried", all)
	}
}

func TestWhatFailsIsTold(t *testing.T) {
	t.Parallel()
	for check, tolerated := range map[rotation.Check][]string{
		rotation.CheckCredential: {"token"}, // it is asked again, up to a point
		rotation.CheckRefused:    nil,
		rotation.CheckLogin:      nil,
		rotation.CheckMetrics:    nil,
	} {
		t.Run(string(check), func(t *testing.T) {
			t.Parallel()
			fakes.FailuresAreTold(t, func(t *testing.T) *fakes.World {
				w, v := newWorld(t, switchable)
				disable(t, v)
				return w
			}, func(w *fakes.World) error {
				_, err := run(w, check)
				return err
			}, tolerated...)
		})
	}
}

func TestANodeThatGivesNoAnswerIsUnavailable(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	w.App.Fail(503)
	for _, check := range []rotation.Check{rotation.CheckRedirect, rotation.CheckLogin} {
		_, err := run(w, check)
		fakes.Failed(t, err, failure.Unavailable, "503")
	}
}

func TestAFunctionInAVPCThatLeadsNowhereSaysSo(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	w.App.Fail(503)
	d := w.Deps()
	d.InVPC = true
	_, err := fakes.Call(w, smoketest.Handler{Deps: d}.Handle, rotation.SmokeInput{Common: w.Common(),
		Checks: []rotation.Check{rotation.CheckRedirect},
		From:   rotation.Ref{VersionID: older}, To: rotation.Ref{VersionID: newer}})
	fakes.Failed(t, err, failure.Unavailable, "run in the VPC of stack.smokeTestVpc")
	if _, err := run(w, rotation.CheckRedirect); err == nil || strings.Contains(err.Error(), "VPC") {
		t.Errorf("outside of a VPC: %v", err)
	}
}
