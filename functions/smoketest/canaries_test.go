package smoketest_test

import (
	"strings"
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/smoketest"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
)

func testCanaries(w *fakes.World) (rotation.SmokeOutput, error) {
	return fakes.Call(w, smoketest.Handler{Deps: w.Deps()}.Handle, rotation.SmokeInput{Common: w.Common(),
		Canaries: true,
		Checks:   []rotation.Check{rotation.CheckRedirect, rotation.CheckLogin},
		From:     rotation.Ref{VersionID: older}, To: rotation.Ref{VersionID: newer},
		Targets: []rotation.Target{{LoadBalancerARN: fakes.LoadBalancer, ListenerARN: fakes.Listener, Canary: true},
			{LoadBalancerARN: strings.Replace(fakes.LoadBalancer, "app/", "app/no-canary-", 1)}}})
}

func TestCanariesAreTestedByTheirTestsWhenTheyHaveTheSecret(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	if out, err := testCanaries(w); err != nil || len(out.Evidence) != 2 {
		t.Errorf("without marked tests %d are run, want both (%v)", len(out.Evidence), err)
	}
	tests := &w.Client.SmokeTests
	tests.Login = append(tests.Login, tests.Login[0])
	tests.Login[1].Canary = true
	if out, err := testCanaries(w); err != nil || len(out.Evidence) != 1 ||
		out.Evidence[0].Check != rotation.CheckLogin {
		t.Errorf("the tests are %+v, want the marked one (%v)", out.Evidence, err)
	}
	w.Journal.SetLastWrite(w.Now)
	began := w.Now
	if _, err := testCanaries(w); err != nil && !failure.Is(err, failure.Unavailable) ||
		w.Now.Sub(began) < 30*time.Second {
		t.Errorf("nodes that still serve the old secret are tested after %s (%v)", w.Now.Sub(began), err)
	}
}

func TestCanariesThatNoLoginReachesAreTold(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, switchable)
	for address, tested := range map[string]bool{"127.0.0.1": true, "192.0.2.7": false} {
		w.ALB.Address = address
		out, err := testCanaries(w)
		if told := strings.Contains(out.Notice, "so the canaries there do not count as tested"); err != nil ||
			told == tested || told == (out.Notice == "") {
			t.Errorf("people hear of load balancers without canaries, or not of canaries: at %s told is %q (%v)",
				address,
				out.Notice, err)
		}
	}
	w.Client.SmokeTests.Login = nil
	if _, err := testCanaries(w); !failure.Is(err, failure.Precondition) {
		t.Errorf("canaries that no login tests count as tested: %v", err)
	}
}
