package cron_test

import (
	"testing"
	"time"

	"alboidc.internal/shared/cron"
)

// An expression means the same in its canonical form, which has no other; starts come in order, after the instant, at
// the minute and hour that the expression names.
func FuzzSchedule(f *testing.F) {
	for _, seed := range []string{"cron(0 3 1 * ? *)", "cron(00 03\t01-07/02 jan,Jul ? 2026)", "cron(30 2 ? * 6L *)",
		"cron(0 8 LW * ? *)", "cron(0 8 1W * ? *)", "cron(0 0 ? * 2#1 2030/120)", "cron(59 23 30-2 NOV-FEB ? *)",
		"cron(0 3 * * * *)", "cron()", "rate(030 days)", "rate(1 day)", "rate(99999 minutes)", "at(2031-12-31)", ""} {
		f.Add(seed, int64(1_772_000_000), "Europe/Berlin")
		f.Add(seed, int64(4_102_444_800), "America/New_York")
	}
	f.Fuzz(func(t *testing.T, expression string, after int64, zoneName string) {
		zone, err := time.LoadLocation(zoneName)
		if err != nil || zoneName == "Local" {
			zone = time.UTC
		}
		canonical := cron.Canonical(expression)
		if again := cron.Canonical(canonical); again != canonical {
			t.Errorf("%q becomes %q, and that %q", expression, canonical, again)
		}
		interval, rate := cron.Rate(expression)
		if same, also := cron.Rate(canonical); also != rate || same != interval {
			t.Errorf("%q has the rate %v, %q has %v", expression, interval, canonical, same)
		}
		if rate && (interval <= 0 || cron.Problem(expression) == "") {
			t.Errorf("%q is a rate of %v, and a cron expression: %q", expression, interval, cron.Problem(expression))
		}
		if a, b := cron.Problem(expression), cron.Problem(canonical); a != b {
			t.Fatalf("%q: %q, but %q: %q", expression, a, canonical, b)
		}
		// the years that an expression can name
		from := time.Unix(after%7_258_118_400, 0)
		first, other := starts(expression, zone, from), starts(canonical, zone, from)
		if len(first) != len(other) || cron.Problem(expression) != "" && len(first) > 0 {
			t.Fatalf("%q starts %v, %q %v", expression, first, canonical, other)
		}
		last, minute := from, -1
		for i, start := range first {
			if !start.Equal(other[i]) || !start.After(last) || start.In(zone).Second() != 0 || start.Year() > 2200 {
				t.Errorf("%q starts at %v after %v, %q at %v", expression, start, last, canonical, other[i])
			}
			if of := start.In(zone).Hour()*60 + start.In(zone).Minute(); minute >= 0 && of != minute {
				t.Errorf("%q starts at minute %d and at minute %d of a day", expression, minute, of)
			} else {
				minute = of
			}
			last = start
		}
	})
}

// starts are the first few after an instant.
func starts(expression string, zone *time.Location, from time.Time) []time.Time {
	var out []time.Time
	for start := range cron.Starts(expression, zone, from) {
		if out = append(out, start); len(out) == 4 {
			break
		}
	}
	return out
}
