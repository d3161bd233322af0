package stack

import (
	"testing"
	"time"

	"alboidc.internal/local/dataplane"
)

func TestLoginsAreCountedBySecond(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 6, 0, 0, 500, time.UTC)
	var c counter
	for _, e := range []dataplane.Event{{Kind: dataplane.Login, OK: true}, {Kind: dataplane.Login, OK: true},
		{Kind: dataplane.Login, Reason: string(dataplane.InvalidGrant)}, {Kind: dataplane.Refresh, OK: true},
		{Kind: dataplane.Refresh, Reason: string(dataplane.TokenRequestTimeout)}} {
		c.count(e, now)
	}
	want := Second{At: now.Truncate(time.Second), Logins: Outcomes{OK: 2, Failed: 1},
		Refreshes: Outcomes{OK: 1, Late: 1}}
	if len(c.seconds) != 1 || c.seconds[0] != want || c.logins != want.Logins || c.refreshes != want.Refreshes {
		t.Errorf("counted %+v, %+v, %+v", c.seconds, c.logins, c.refreshes)
	}
	for i := range 3 * remembered {
		c.count(dataplane.Event{Kind: dataplane.Login, OK: true}, now.Add(time.Duration(i)*time.Second))
	}
	if n := len(c.seconds); n != remembered ||
		!c.seconds[n-1].At.Equal(now.Truncate(time.Second).Add((3*remembered-1)*time.Second)) {
		t.Errorf("%d seconds are remembered, the last is %s", n, c.seconds[n-1].At)
	}
}
