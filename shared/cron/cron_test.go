package cron_test

import (
	"testing"
	"time"

	"alboidc.internal/shared/cron"
)

func TestCronExpressionsAreDueWhenTheirFieldsSay(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text  string
		zone  *time.Location
		after string
		want  string // "" is never
	}{
		"every weekday": {"cron(30 2 ? * MON-FRI *)", time.UTC, "2026-03-06T02:30:00Z",
			"2026-03-09T02:30:00Z"},
		"the last day of the month": {"cron(0 0 L * ? *)", time.UTC, "2026-02-01T00:00:00Z", "2026-02-28T00:00:00Z"},
		"the first Monday of the month": {"cron(0 8 ? * 2#1 *)", time.UTC, "2026-03-02T08:00:00Z",
			"2026-04-06T08:00:00Z"},
		"the last Friday of the month": {"cron(0 8 ? * 6L *)", time.UTC, "2026-03-01T00:00:00Z",
			"2026-03-27T08:00:00Z"},
		"the weekday nearest to the 1st": {"cron(0 8 1W * ? *)", time.UTC, "2026-07-31T09:00:00Z",
			"2026-08-03T08:00:00Z"},
		"the last weekday of the month": {"cron(0 8 LW * ? *)", time.UTC, "2026-05-01T00:00:00Z",
			"2026-05-29T08:00:00Z"},
		"named months":        {"cron(0 0 1 JAN,JUL ? *)", time.UTC, "2026-03-01T00:00:00Z", "2026-07-01T00:00:00Z"},
		"a year that is over": {"cron(0 0 1 1 ? 2025)", time.UTC, "2026-03-01T00:00:00Z", ""},
		"a time the clocks leave out": {"cron(30 2 29,30 3 ? 2026)", berlin, "2026-03-28T12:00:00Z",
			"2026-03-30T00:30:00Z"},
		"a time the clocks repeat": {"cron(30 2 25,26 10 ? 2026)", berlin, "2026-10-25T01:30:00Z",
			"2026-10-26T01:30:00Z"},
		"a day that begins before UTC's": {"cron(30 0 ? * SUN *)", berlin, "2026-03-06T22:00:00Z",
			"2026-03-07T23:30:00Z"},
		"a leap day that is years ahead": {"cron(0 0 29 2 ? *)", time.UTC, "2026-03-01T00:00:00Z",
			"2028-02-29T00:00:00Z"},
		"steps within a range": {"cron(0 8 1-20/5 * ? *)", time.UTC, "2026-03-11T08:00:00Z", "2026-03-16T08:00:00Z"},
		"a step that begins at a value": {"cron(0 20 20/2 * ? *)", time.UTC, "2026-03-20T20:00:00Z",
			"2026-03-22T20:00:00Z"},
		"days that go round the week": {"cron(0 20 ? * SAT-MON *)", time.UTC, "2026-03-02T20:00:00Z",
			"2026-03-07T20:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if problem := cron.Problem(c.text); problem != "" {
				t.Fatalf("%s %s", c.text, problem)
			}
			after, err := time.Parse(time.RFC3339, c.after)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for start := range cron.Starts(c.text, c.zone, after) {
				got = start.Format(time.RFC3339)
				break
			}
			if got != c.want {
				t.Errorf("due %s, want %s", got, c.want)
			}
		})
	}
}
