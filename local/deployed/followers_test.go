package deployed_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/follower"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/clock"
)

// withFollowers is what the template has otherwise for a client with followers; the tests of infra keep it up to date.
const withFollowers = "../../infra/testdata/followers.golden.json"

// follow makes a follower that lives while an execution runs: otherwise the clock would run away.
func (w *world) follow(t *testing.T, every, lag time.Duration, rules ...string) *follower.Follower {
	t.Helper()
	f, err := follower.New(t.Context(), follower.Options{Clock: w.Stack.Clock, Region: scenario.Home,
		SecretARN: w.SecretARN, Every: every, Lag: lag, Rules: rules, AWS: w.Stack.AWS})
	if err != nil {
		t.Fatal(err)
	}
	before := w.ran
	ctx, stop := context.WithCancel(context.Background())
	w.ran = func(begins bool) {
		if before != nil {
			before(begins)
		}
		if begins {
			w.Stack.Clock.Go(func() { f.Run(ctx) })
		} else {
			stop()
		}
	}
	return f
}

// A controller owns the first load balancer's default action, and something that is served an old copy writes it on a
// rule of the rotation's each minute.
func TestFollowersAsTheTemplateDeploysThem(t *testing.T) {
	t.Parallel()
	const delay = time.Hour // as the template's client says
	for name, fails := range map[string]string{"a rotation": "", "a rollback": "TestSecret"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tpl, _ := readTemplateWith(t, withFollowers)
			w := newWorld(t, tpl)
			listener := w.Stack.ELB.Current(w.Site.LoadBalancers[0]).Listeners[0]
			ours := ""
			for _, r := range listener.Rules {
				if r.OIDC() != nil && !r.Default {
					ours = r.ARN
				}
			}
			controller := w.follow(t, 40*time.Minute, 20*time.Minute, listener.ARN)
			if err := controller.Own(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.follow(t, time.Minute, delay-time.Minute, ours)
			w.watch()
			seen, refused := w.Stack.Clock.Now(), 0
			w.Stack.Clock.(*clock.Virtual).OnMove(func(now time.Time) {
				for _, u := range w.Stack.SecretsInUse(seen, now) {
					if !w.Stack.IdP.Store().Accepts(u.ClientID, u.Secret, now) {
						refused++
					}
				}
				seen = now
			})
			if fails != "" {
				w.refuse(t, fails)
			}
			begun := w.Stack.Clock.Now()
			r := w.run(t, started, `{"client": "orders-web", "emergency": true, "reason": "a leak"}`)
			if (r.Status == asl.Succeeded) != (fails == "") || fails != "" && *r.Error != "RolledBack" {
				t.Fatalf("ended as %+v: %s", r, aws.ToString(r.Cause))
			}
			if took := w.Stack.Clock.Now().Sub(begun); took < delay || refused > 0 {
				t.Errorf("it took %s; secrets that the identity provider refuses were in use %d times", took, refused)
			}
			for _, q := range w.requests {
				if q.resource == listener.ARN {
					t.Errorf("%s, which is the controller's", q)
				}
			}
			checkCalls(t, w)
			if live := w.Stack.IdP.Store().Secrets(w.ClientID); len(live) != 1 ||
				(live[0].ID == w.FirstSecretID) != (fails != "") {
				t.Errorf("the identity provider holds %+v", live)
			}
		})
	}
}
