package system

import (
	"testing"
	"time"
)

func TestNextStart(t *testing.T) {
	t.Parallel()
	set, now := time.Date(2026, 11, 1, 12, 30, 0, 0, time.UTC), time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	for expression, want := range map[string]string{
		"rate(30 days)":               "2026-12-01T12:30:00Z", // counts from when the schedule was set
		"rate(1 day)":                 "2026-11-29T12:30:00Z",
		"rate(12 hours)":              "2026-11-29T12:30:00Z",
		"cron(0 3 1 * ? *)":           "2026-12-01T02:00:00Z", // in the schedule's time zone
		"cron(0 3 1 1 ? 2020)":        "0001-01-01T00:00:00Z", // never again
		"at(2026-12-24T03:00:00)":     "0001-01-01T00:00:00Z", // no deployment's
		"rate(9999999999999999 days)": "0001-01-01T00:00:00Z",
	} {
		t.Run(expression, func(t *testing.T) {
			t.Parallel()
			if got := next(expression, "Europe/Berlin", set, now).Format(time.RFC3339); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
