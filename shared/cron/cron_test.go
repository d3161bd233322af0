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
		"a year that is far off": {"cron(0 0 1 1 ? 2199)", time.UTC, "2026-03-01T00:00:00Z", "2199-01-01T00:00:00Z"},
		"spaces, zeros and small letters": {"cron(00  03\t01-07 jan,Jul ? 2026)", time.UTC, "2026-01-07T09:00:00Z",
			"2026-07-01T03:00:00Z"},
		"the last Friday, in small letters": {"cron(0 8 ? * fril *)", time.UTC, "2026-03-01T00:00:00Z",
			"2026-03-27T08:00:00Z"},
		"the weekday nearest to the 01st": {"cron(0 8 01w * ? *)", time.UTC, "2026-07-31T09:00:00Z",
			"2026-08-03T08:00:00Z"},
		"months that go round the year": {"cron(0 8 1 NOV-FEB ? *)", time.UTC, "2026-03-01T00:00:00Z",
			"2026-11-01T08:00:00Z"},
		"dates that go round the month": {"cron(0 8 30-2 * ? *)", time.UTC, "2026-02-02T09:00:00Z",
			"2026-03-01T08:00:00Z"},
		"years by a step that is no century": {"cron(0 0 1 1 ? 2030/120)", time.UTC, "2031-01-01T00:00:00Z",
			"2150-01-01T00:00:00Z"},
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

// The forms are those of the user guide ("Schedule types on EventBridge Scheduler") and of answers of the service.
func TestAnExpressionIsWrittenAsTheGuideDoes(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		"cron(0 3 1 * ? *)":                 "cron(0 3 1 * ? *)",
		"cron(0  3 1\t* ? *)":               "cron(0 3 1 * ? *)",
		"cron(00 03 01-07/02 01,09 ? 2026)": "cron(0 3 1-7/2 1,9 ? 2026)",
		"cron(0 3 ? jan Mon-fri *)":         "cron(0 3 ? JAN MON-FRI *)",
		"cron(0 3 ? * 06l *)":               "cron(0 3 ? * 6L *)",
		"cron(0 3 ? * 2#01 *)":              "cron(0 3 ? * 2#1 *)",
		"cron(0 3 lw * ? *)":                "cron(0 3 LW * ? *)",
		"cron(10 20 30 10 ? 2100)":          "cron(10 20 30 10 ? 2100)",
		"rate(030 days)":                    "rate(30 days)",
		"rate(1 days)":                      "rate(1 days)",
	} {
		if got := cron.Canonical(expression); got != want {
			t.Errorf("%s is %s, want %s", expression, got, want)
		}
		if _, rate := cron.Rate(expression); !rate && cron.Problem(expression) != "" {
			t.Errorf("%s is refused: %s", expression, cron.Problem(expression))
		}
	}
}

func TestWhatEventBridgeRefusesIsRefused(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{"", "cron()", "cron( 0 3 1 * ? * )", "CRON(0 3 1 * ? *)", " cron(0 3 1 * ? *)",
		"cron(0 3 1 * ?)", "cron(0 3 1 * ? * *)", "cron(0 3 * * * *)", "cron(0 3 ? * ? *)", "cron(0 3 0 * ? *)",
		"cron(0 3 32 * ? *)", "cron(0 24 1 * ? *)", "cron(71 8 1 * ? *)", "cron(0 3 1 13 ? *)", "cron(0 3 1 0 ? *)",
		"cron(0 3 ? * 0 *)", "cron(0 3 ? * 8 *)", "cron(0 3 ? * 2#6 *)", "cron(0 3 ? * 2#0 *)",
		"cron(0 3 ? * 3#1,6#3 *)",
		"cron(0 3 1 * ? 1969)", "cron(0 3 1 * ? 2200)", "cron(0 3 1/32 * ? *)", "cron(0 3 1 */13 ? *)",
		"cron(0 3 1,,2 * ? *)", "cron(0 3 1- * ? *)", "cron(7 20 ? * NOT *)", "cron(0 3 32W * ? *)",
		"cron(0 3 L,1 * ? *)",
		"rate( 10 minutes )", "rate(10  minutes)", " rate(10 minutes)", "rate(10 minutess)", "rate(10 seconds)",
		"rate(10 years)", "rate(-10 minutes)", "rate()", "rate(10)", "rate(0 days)", "rate(1.5 days)",
		"rate(100000 days)",
		"at(2021-12-31)", "at(2031-12-31T23:59:59)"} {
		if _, rate := cron.Rate(expression); rate || cron.Problem(expression) == "" {
			t.Errorf("%q is taken", expression)
		}
		if got := cron.Canonical(expression); cron.Problem(got) == "" {
			t.Errorf("%q becomes %q", expression, got)
		}
	}
}
