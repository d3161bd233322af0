package journal_test

import (
	"testing"
	"time"

	"alboidc.internal/shared/journal"
)

func TestWhenFollowersHaveAWSCURRENT(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	note := func(version string, since time.Duration, delay time.Duration) *journal.Current {
		return &journal.Current{Version: version, Since: at(since), DelaySeconds: int(delay / time.Second)}
	}
	for name, c := range map[string]struct {
		j       journal.Journal
		delay   time.Duration
		before  time.Time // what is known before it is noted at noon
		after   time.Time // and after that
		changed bool
	}{
		"no followers":            {journal.Journal{}, 0, time.Time{}, time.Time{}, false},
		"seen for the first time": {journal.Journal{}, hour, time.Time{}, at(hour), true},
		"as noted":                {journal.Journal{Current: note("v", -hour, hour)}, hour, noon, noon, false},
		"another version by a hand": {journal.Journal{Current: note("w", -9*hour, hour)}, hour, time.Time{},
			at(hour), true},
		"a longer delay, deployed": {journal.Journal{Current: note("v", -hour, hour)}, 3 * hour, at(2 * hour),
			at(2 * hour), true},
		"a shorter delay, deployed": {journal.Journal{Current: note("v", -hour, 3*hour)}, hour, at(2 * hour),
			at(2 * hour), false},
		"followers that were taken": {journal.Journal{Current: note("v", -hour, 3*hour)}, 0, at(2 * hour),
			at(2 * hour), false},
		"back, with the longer one": {journal.Journal{Current: note("w", -hour, 3*hour)}, hour, time.Time{},
			at(3 * hour), true},
		"in fractions of a second": {journal.Journal{Current: &journal.Current{Version: "v", Since: noon.Add(1),
			DelaySeconds: 60}}, 0, at(61 * time.Second), at(61 * time.Second), false},
		"followers that came later": {journal.Journal{Promotion: &journal.Promotion{To: "v", At: at(-hour)}}, 3 * hour,
			at(2 * hour), at(2 * hour), true},
		"an unfinished promotion": {journal.Journal{Promotion: &journal.Promotion{To: "v"}}, hour, time.Time{},
			at(hour), true},
		"another version's": {journal.Journal{Promotion: &journal.Promotion{To: "w", At: noon}}, hour,
			time.Time{}, at(hour), true},
		"a clock that went backward": {journal.Journal{Current: note("v", hour, hour)}, hour, at(2 * hour),
			at(2 * hour), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.j.FollowedAt("v", c.delay); !got.Equal(c.before) {
				t.Errorf("before: %s, want %s", got, c.before)
			}
			if changed := c.j.Follow("v", c.delay, noon); changed != c.changed {
				t.Errorf("there is something to save: %t", changed)
			}
			if got := c.j.FollowedAt("v", c.delay); !got.Equal(c.after) {
				t.Errorf("after: %s, want %s", got, c.after)
			}
		})
	}
}

func TestASecretThatIsStoredAgainIsFollowedAsBefore(t *testing.T) {
	t.Parallel()
	j := journal.Journal{Secrets: map[string]journal.Entry{"v": {State: journal.Live, Unused: true}},
		Current: &journal.Current{Version: "v", Since: noon, DelaySeconds: 60}}
	j.Rename("v", "again")
	if got := j.FollowedAt("again", 0); !got.Equal(noon.Add(time.Minute)) {
		t.Errorf("it is followed at %s", got)
	}
	if j.Secrets["again"].Unused {
		t.Error("what is AWSCURRENT counts as a secret that no follower has")
	}
}
