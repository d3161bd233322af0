package idp

import (
	"testing"
	"time"

	"alboidc.internal/shared/clock"
)

func TestSessionsForgetWhatHasExpired(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	s := newSessions(Options{Clock: c, AccessTokenLifetime: time.Second})
	a := authorization{clientID: "orders-web", scopes: []string{"openid", "offline_access"}}
	count := func() int { return len(s.logins) + len(s.codes) + len(s.tokens) + len(s.refresh) }
	fill := func() {
		s.begin(a)
		id, _ := s.begin(a)
		if _, _, err := s.complete(id, "alice"); err != nil {
			t.Fatal(err)
		}
		s.grant(a, true)
	}
	fill()
	if got := count(); got != 4 { // a login, a code, an access token and a refresh token
		t.Fatalf("%d entries", got)
	}
	c.Advance(refreshIdle)
	fill()
	if got := count(); got != 4 {
		t.Fatalf("%d entries are kept, the new ones are 4", got)
	}
}
