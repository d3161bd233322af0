package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/plan"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

// reconfigured is a rotation that was promoted, whose new secret was made under the present configuration, which then
// changes.
func reconfigured(t *testing.T, change func(*config.Client)) *fakes.World {
	t.Helper()
	w, _ := newWorld(t)
	w.Common()
	text := w.Params.Reference(fakes.Execution).Text
	w.Secrets.Add(newer, fakes.Mark+"-new")
	w.Secrets.SetLabel("AWSCURRENT", newer)
	w.Secrets.SetLabel("AWSPREVIOUS", older)
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{older: {State: journal.Live, IdPSecretID: "mem-1"},
		newer: {State: journal.Live, IdPSecretID: "mem-2", Config: &text}}, Promotion: &journal.Promotion{From: older,
		To: newer}})
	change(&w.Client)
	return w
}

func rediscover(w *fakes.World, undo bool, targets ...rotation.Target) (rotation.Plan, error) {
	return fakes.Call(w, plan.Handler{Deps: w.Deps()}.Handle, rotation.PlanInput{Common: w.Common(),
		Action: rotation.PlanDiscover, Undo: undo, Targets: targets})
}

var planned = rotation.Target{Region: "eu-central-1", LoadBalancerARN: fakes.LoadBalancer, ListenerARN: fakes.Listener,
	Name: "orders-alb :443 default"}

func TestWhatTheFirstTextNamedIsSearchedUntilTheRotationHasEnded(t *testing.T) {
	t.Parallel()
	takeOut := func(c *config.Client) {
		c.LoadBalancers, c.LoadBalancerSearch = nil, &config.LoadBalancerSearch{
			Tags: map[string]string{"login": "nobody"}, Regions: []string{"eu-central-1"}}
	}
	for name, c := range map[string]struct {
		undo    bool
		targets []rotation.Target
		left    bool
	}{
		"forward, one that has had the new secret": {false, []rotation.Target{planned}, true},
		"forward, one that came since":             {false, nil, false},
		"back":                                     {true, []rotation.Target{planned}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := reconfigured(t, takeOut)
			p, err := rediscover(w, c.undo, c.targets...)
			if err != nil || len(p.Targets) != 1 || p.Targets[0].Left != c.left {
				t.Fatalf("the targets are %+v (%v)", p.Targets, err)
			}
			if told := strings.Contains(p.Notice,
				"Not in the configuration any more, but with the new secret: orders-alb :443 default"); told != c.left {
				t.Errorf("told is %q", p.Notice)
			}
		})
	}
}

// What came into the configuration since a rotation began may have the secret that its rollback is about to remove.
func TestARollbackSearchesWhatTheNewestTextNames(t *testing.T) {
	t.Parallel()
	for _, undo := range []bool{true, false} {
		w, _ := newWorld(t)
		newest := w.Client
		w.Client.LoadBalancers, w.Client.LoadBalancerSearch = nil, &config.LoadBalancerSearch{
			Tags: map[string]string{"login": "nobody"}, Regions: []string{"eu-central-1"}}
		call := w.Common()
		w.Params.Put(newest)
		p, err := fakes.Call(w, plan.Handler{Deps: w.Deps()}.Handle, rotation.PlanInput{Common: call,
			Action: rotation.PlanDiscover, Undo: undo})
		if err != nil || len(p.Targets) == 1 != undo {
			t.Errorf("undo %t: a load balancer that came keeps a secret that goes; the targets are %+v (%v)", undo,
				p.Targets, err)
		}
	}
}

// What the first text said of names and other registrations still holds for targets: stricter rules roll nothing back.
func TestAStricterTextRollsNothingBack(t *testing.T) {
	t.Parallel()
	w := reconfigured(t, func(*config.Client) {})
	first := w.Client
	first.OtherRegistrations = []config.OtherRegistration{{Issuer: "https://other.example",
		TokenEndpoint: "https://other.example/token"}}
	w.Client = first
	w.Common()
	text := w.Params.Reference(fakes.Execution).Text
	j := w.Journal.Get()
	e := j.Secrets[newer]
	e.Config = &text
	j.Secrets[newer] = e
	w.Journal.Set(j)
	w.ALB.Change(func(o *fakes.Login) {
		o.Issuer, o.TokenEndpoint = aws.String("https://other.example"), aws.String("https://other.example/token")
	})
	if _, err := rediscover(w, false); err != nil {
		t.Fatal(err)
	}
	w.Client.OtherRegistrations = nil
	if _, err := rediscover(w, false); err != nil {
		t.Error(err)
	}
	w.Journal.Set(journal.Journal{}) // without the rotation the newest text alone counts
	_, err := rediscover(w, false)
	fakes.Failed(t, err, failure.TargetDrift, "other.example")
}

func TestAThirdVersionEndsADiscovery(t *testing.T) {
	t.Parallel()
	w := reconfigured(t, func(*config.Client) {})
	in := rotation.PlanInput{Common: w.Common(), Action: rotation.PlanDiscover,
		From: rotation.Ref{VersionID: older}, To: rotation.Ref{VersionID: newer}}
	if _, err := fakes.Call(w, plan.Handler{Deps: w.Deps()}.Handle, in); err != nil {
		t.Fatal(err)
	}
	w.Secrets.Add("version-third", fakes.Mark+"-third", "AWSCURRENT")
	_, err := fakes.Call(w, plan.Handler{Deps: w.Deps()}.Handle, in)
	fakes.Failed(t, err, failure.Superseded, "version-third") // else it is overwritten on every target
}

// A call of the execution whose lock was taken over may still write a target: 75 s at most.
func TestNothingIsPlannedWhileAFormerCallMayWrite(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t)
	w.Journal.SetLastWrite(w.Now)
	began, tries := w.Now, 0
	for ; tries < 10; tries++ { // as the state machine's Retry does
		_, err := makePlan(w, plain)
		if err == nil {
			break
		}
		fakes.Failed(t, err, failure.Unavailable, "nothing that cannot be undone is done before")
	}
	if waited := w.Now.Sub(began); waited < 75*time.Second || waited > 85*time.Second || tries == 0 {
		t.Errorf("it was planned after %s and %d tries: a late write comes after what is decided here", waited, tries)
	}
}
