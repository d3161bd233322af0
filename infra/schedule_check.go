package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"alboidc.internal/shared/strictjson"
)

func (c *Client) checkSchedule(ps *strictjson.Problems, path string) {
	rate, interval := c.Schedule.rate()
	if !rate {
		if problem := cronProblem(c.Schedule.Expression); problem != "" {
			ps.Add(path+".schedule.expression", "%s", problem)
		}
	}
	if rate && interval < 24*time.Hour {
		ps.Add(path+".schedule.expression", "must be a day or more: each rotation makes a version, and Secrets Manager keeps them for 24 hours")
	}
	if rate && interval <= time.Duration(c.GracePeriod())*time.Second {
		ps.Add(path+".schedule.expression", "must be longer than the grace period of %d s: a rotation ends only after it", c.GracePeriod())
	}
	if _, err := time.LoadLocation(c.Schedule.TimeZone); err != nil {
		ps.Add(path+".schedule.timeZone", "is not a time zone, e.g. Europe/Berlin")
	}
	if w := c.Schedule.FlexibleWindowMinutes; w != nil && (*w < 0 || *w > 1440) {
		ps.Add(path+".schedule.flexibleWindowMinutes", "must be 0 to 1440, not %d", *w)
	}
	switch d := c.MaxSecretAgeDays; {
	case d == nil && !rate:
		ps.Add(path+".maxSecretAgeDays", "is missing: with a cron expression, the age in days that raises an alarm")
	case d != nil && *d < 1:
		ps.Add(path+".maxSecretAgeDays", "must be 1 or more, not %d", *d)
	}
}

// cronFields are what each field of a cron expression can be, in order (EventBridge Scheduler user guide, "Cron-based
// schedules"). Minutes and hours are one number each: anything else starts more than once a day.
var cronFields = []struct {
	name, text string
	pattern    *regexp.Regexp
}{
	{"minutes", "one number of 0 to 59", regexp.MustCompile(`^[0-5]?\d$`)},
	{"hours", "one number of 0 to 23: a rotation makes a version, and Secrets Manager keeps them for 24 hours", regexp.MustCompile(`^([01]?\d|2[0-3])$`)},
	{"day of month", "?, *, L, LW, a number with W, or numbers of 1 to 31 with , - /", cronList(`([1-9]|[12]\d|3[01])`, `\?|L|LW|([1-9]|[12]\d|3[01])W`)},
	{"month", "*, or 1 to 12 or JAN to DEC with , - /", cronList(`([1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)`, ``)},
	{"day of week", "?, *, L, a day with L or #1 to #5, or 1 to 7 or SUN to SAT with , - /", cronList(cronDay, `\?|L|`+cronDay+`(L|#[1-5])`)},
	{"year", "*, or years with , - /", cronList(`(19[7-9]\d|20\d\d|21\d\d)`, ``)},
}

const cronDay = `([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)`

// cronList is a field of values, ranges and steps, or one of the others.
func cronList(value, others string) *regexp.Regexp {
	item := `(\*|` + value + `(-` + value + `)?)(/\d{1,2})?`
	pattern := item + `(,` + item + `)*`
	if others != "" {
		pattern += `|` + others
	}
	return regexp.MustCompile(`^(` + pattern + `)$`)
}

var ratePattern = regexp.MustCompile(`^rate\((\d+) (minute|hour|day)s?\)$`)

var cronPattern = regexp.MustCompile(`^cron\((.*)\)$`)

// cronProblem says what of a cron expression EventBridge Scheduler would refuse, or would start too often.
func cronProblem(expression string) string {
	m := cronPattern.FindStringSubmatch(expression)
	if m == nil {
		return "must be like rate(30 days) or cron(0 3 1 * ? *)"
	}
	fields := strings.Split(m[1], " ")
	if len(fields) != len(cronFields) {
		return fmt.Sprintf("must have %d fields: minutes, hours, day of month, month, day of week, year", len(cronFields))
	}
	for i, f := range cronFields {
		if !f.pattern.MatchString(fields[i]) {
			return fmt.Sprintf("has the %s %q, which must be %s", f.name, fields[i], f.text)
		}
	}
	if (fields[2] == "?") == (fields[4] == "?") {
		return "must have ? as day of month or as day of week, and not as both"
	}
	return ""
}

// reaction is how long somebody has between the alarm on a secret's age and its end.
const reaction = 7 * 24 * time.Hour

// checkLifetime: a secret that ends by itself must still be valid when the alarm on its age rings, and for long enough to
// do something about it.
func (c *Client) checkLifetime(ps *strictjson.Problems, path string) {
	var settings struct{ SecretLifetimeDays *int }
	if c.IdentityProvider.Type != "entra" || json.Unmarshal(c.IdentityProvider.Settings, &settings) != nil {
		return
	}
	days := entraLifetimeDays
	if settings.SecretLifetimeDays != nil {
		days = *settings.SecretLifetimeDays
	}
	if needed := c.maxAge() + reaction; time.Duration(days)*24*time.Hour < needed {
		ps.Add(path+".identityProvider.settings.secretLifetimeDays", "is %d, but an alarm rings only when a secret is %d days old (maxSecretAgeDays): "+
			"must be %d or more", days, ceilDays(c.maxAge()), ceilDays(needed))
	}
}

// entraLifetimeDays is the default of that provider's setting.
const entraLifetimeDays = 180

func ceilDays(d time.Duration) int { return int((d + 24*time.Hour - 1) / (24 * time.Hour)) }

// rate is the interval of a rate expression.
func (s Schedule) rate() (ok bool, interval time.Duration) {
	m := ratePattern.FindStringSubmatch(s.Expression)
	if m == nil {
		return false, 0
	}
	n, err := strconv.Atoi(m[1])
	unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[m[2]]
	return err == nil && n > 0 && n < 100_000, time.Duration(n) * unit
}

// maxAge is the age of a secret that raises an alarm.
func (c Client) maxAge() time.Duration {
	if c.MaxSecretAgeDays != nil {
		return time.Duration(*c.MaxSecretAgeDays) * 24 * time.Hour
	}
	_, interval := c.Schedule.rate()
	return interval + time.Duration(c.GracePeriod())*time.Second + 48*time.Hour
}
