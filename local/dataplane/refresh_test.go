package dataplane_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"alboidc.internal/local/dataplane"
)

// refreshWith are the secrets of the refresh requests so far.
func (r *rig) refreshedWith() []string {
	var out []string
	for _, q := range r.idp.requests() {
		if q.grant == "refresh_token" {
			out = append(out, q.secret)
		}
	}
	return out
}

func TestAnExpiredAccessTokenIsRefreshedOnce(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.mustOpen(0)
	r.pass(61 * time.Second)
	r.idp.profile = map[string]any{"sub": "user-1", "email": "new@example.test"}
	for node := range 2 {
		if res := b.step("https://" + r.address(node) + "/app/page"); res.StatusCode != http.StatusOK {
			t.Errorf("node %d answered %d", node, res.StatusCode)
		}
	}
	if got := r.refreshedWith(); !slices.Equal(got, []string{"s1"}) || r.metric("ELBAuthRefreshTokenSuccess") != 1 ||
		r.metric("ELBAuthSuccess") != 1 {
		t.Errorf("refreshed with %v, counted %v", got, r.metric("ELBAuthRefreshTokenSuccess"))
	}
	if e := r.lastEvent(); e.Kind != dataplane.Refresh || !e.OK || e.Rule != r.rule {
		t.Errorf("the event is %+v", e)
	}
}

func TestARefreshUsesTheSecretThatHasReachedTheNode(t *testing.T) {
	r := newRig(t)
	r.idp.accept("s1", "s2")
	users := [2]*browser{r.browser(), r.browser()}
	for _, b := range users {
		b.mustOpen(0)
	}
	r.setActions(r.login("s2", nil), r.forward())
	r.clock.Advance(time.Second) // node 0 has the change, node 1 not yet
	r.pass(61 * time.Second)
	users[0].mustOpen(0)
	users[1].mustOpen(1)
	r.clock.Advance(time.Second)
	r.pass(61 * time.Second)
	users[1].mustOpen(1)
	if got := r.refreshedWith(); !slices.Equal(got, []string{"s2", "s1", "s2"}) {
		t.Errorf("refreshed with %v", got)
	}
}

func TestALoginFailsOnlyAtTheNodeThatStillServesARemovedSecret(t *testing.T) {
	r := newRig(t)
	r.setActions(r.login("s2", nil), r.forward())
	r.idp.accept("s2")
	r.clock.Advance(time.Second)
	r.browser().mustOpen(0)
	if status, _ := r.browser().open(1); status != 561 || r.lastEvent().Node != 1 {
		t.Errorf("the later node answered %d", status)
	}
	r.clock.Advance(time.Second)
	r.browser().mustOpen(1)
}

func TestAFailedRefreshSendsTheUserToLogInAgainAndIsCounted(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.mustOpen(0)
	r.pass(61 * time.Second)
	r.idp.accept("another")
	url := "https://" + r.address(0) + "/app/page"
	if res := b.step(url); res.StatusCode != http.StatusFound {
		t.Errorf("got %d", res.StatusCode)
	}
	if e := r.lastEvent(); e.Kind != dataplane.Refresh || e.OK || e.Reason != string(dataplane.TokenRequestFailed) ||
		r.metric("ELBAuthError") != 1 {
		t.Errorf("the event is %+v, errors %v", e, r.metric("ELBAuthError"))
	}
	r.idp.accept("s1")
	if res := b.step(url); res.StatusCode != http.StatusFound || len(r.refreshedWith()) != 1 {
		t.Errorf("a session whose refresh has failed goes on: %d", res.StatusCode)
	}
	b.mustOpen(0) // by logging in
}

func TestConcurrentRequestsOfASessionShareOneRefresh(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.mustOpen(0)
	r.pass(61 * time.Second)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if res := b.step("https://" + r.address(i%2) + "/app/page"); res.StatusCode != http.StatusOK {
				t.Errorf("node %d answered %d", i%2, res.StatusCode)
			}
		})
	}
	wg.Wait()
	if got := r.refreshedWith(); len(got) != 1 {
		t.Errorf("refreshed %d times", len(got))
	}
}
