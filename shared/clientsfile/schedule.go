package clientsfile

import (
	"encoding/json"
	"math"
	"time"

	"alboidc.internal/shared/cron"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/strictjson"
)

// together is how many clients of one tenant start in one usual window at most.
const together = 10

// stagger gives schedules of one rate, which start together, a longer window by default where there are many of one
// tenant. A window is as long as leaves a rotation its time before the next start. EventBridge Scheduler chooses a
// moment in it for each start (user guide, "Configuring flexible time windows").
func (f *File) stagger() {
	same := map[string]int{}
	key := func(c Client) (string, time.Duration) {
		every, ok := cron.Rate(c.Schedule.Expression)
		if !ok || c.Schedule.FlexibleWindowMinutes != nil {
			return "", 0
		}
		return every.String() + " " + c.IdentityProvider.Type + " " + c.Tenant(), every
	}
	for _, c := range f.Clients {
		k, _ := key(c)
		same[k]++
	}
	for i, c := range f.Clients {
		k, every := key(c)
		room := int((every - time.Duration(c.GracePeriod())*time.Second - time.Hour) / time.Minute)
		usual := c.Schedule.Window()
		if minutes := min(usual*((same[k]+together-1)/together), room, 1440); k != "" && minutes > usual {
			f.Clients[i].Schedule.FlexibleWindowMinutes = &minutes
		}
	}
}

func (c *Client) checkSchedule(ps *strictjson.Problems, path string) {
	_, rate := cron.Rate(c.Schedule.Expression)
	starts, shortest, longest := c.Schedule.Gaps()
	takes := time.Duration(c.GracePeriod())*time.Second + time.Duration(c.Schedule.Window())*time.Minute + time.Hour
	problem := ""
	if !rate {
		problem = cron.Problem(c.Schedule.Expression)
		if problem == "" && starts == 0 {
			problem = "never starts: there is no such date, or its years are over"
		}
	}
	switch {
	case problem != "":
		ps.Add(path+".schedule.expression", "%s", problem)
	// a cron expression starts once a day at most; the day of a clock change has 23 h
	case rate && shortest < 24*time.Hour:
		ps.Add(path+".schedule.expression",
			"must be a day or more: each rotation makes a version, and Secrets Manager keeps them for 24 hours")
	case shortest > 0 && shortest < takes:
		ps.Add(path+".schedule.expression", "starts rotations as close as %g h, but one can take %g h (the grace "+
			"period of %d s, the flexible window, and an hour), and the next would end as LockHeld: start them less "+
			"often, or shorten gracePeriodSeconds",
			shortest.Hours(), takes.Hours(), c.GracePeriod())
	}
	if _, err := time.LoadLocation(c.Schedule.TimeZone); err != nil || c.Schedule.TimeZone == "Local" {
		ps.Add(path+".schedule.timeZone", "is not a time zone, e.g. Europe/Berlin")
	}
	if w := c.Schedule.FlexibleWindowMinutes; w != nil && (*w < 0 || *w > 1440) {
		ps.Add(path+".schedule.flexibleWindowMinutes", "must be 0 to 1440, not %d", *w)
	}
	switch d := c.MaxSecretAgeDays; {
	case d == nil && problem == "" && longest == 0:
		ps.Add(path+".maxSecretAgeDays", "is missing: the age in days that raises an alarm. The schedule starts no "+
			"second rotation to derive it from")
	case d != nil && *d < 1:
		ps.Add(path+".maxSecretAgeDays", "must be 1 or more, not %d", *d)
	}
}

// reaction is how long somebody has between the alarm on a secret's age and its end.
const reaction = 7 * 24 * time.Hour

// checkLifetime: a secret that ends by itself must still be valid when the alarm on its age rings, and for long enough
// to do something about it.
func (c *Client) checkLifetime(ps *strictjson.Problems, path string) {
	var settings struct{ SecretLifetimeDays *int }
	if c.IdentityProvider.Type != "entra" || json.Unmarshal(c.IdentityProvider.Settings, &settings) != nil {
		return
	}
	days := entraLifetimeDays
	if settings.SecretLifetimeDays != nil {
		days = *settings.SecretLifetimeDays
	}
	if needed := c.MaxAge() + reaction; time.Duration(days)*24*time.Hour < needed {
		ps.Add(path+".identityProvider.settings.secretLifetimeDays",
			"is %d, but an alarm rings only when a secret is %d days old (maxSecretAgeDays): "+
				"must be %d or more", days, ceilDays(c.MaxAge()), ceilDays(needed))
	}
}

// entraLifetimeDays is the default of that provider's setting.
const entraLifetimeDays = 180

func ceilDays(d time.Duration) int { return int((d + 24*time.Hour - 1) / (24 * time.Hour)) }

// firstDay is where the starts of a cron expression are looked at from. Weekdays and dates repeat after 28 years; twice
// as many after the first start are looked at, for gaps that are as long, and as many as it takes to find a second.
var firstDay = time.Date(2025, 12, 31, 23, 59, 59, 0, time.UTC)

// Gaps are how many rotations the schedule starts, and the shortest and the longest time between two; zero if the
// expression is not valid. A rate starts them without end.
func (s Schedule) Gaps() (starts int, shortest, longest time.Duration) {
	if interval, ok := cron.Rate(s.Expression); ok {
		return math.MaxInt, interval, interval
	}
	var first, last time.Time
	for start := range cron.Starts(s.Expression, s.zone(), firstDay) {
		if starts > 1 && start.Year() >= first.Year()+57 {
			break
		}
		if starts++; starts == 1 {
			first = start
		} else {
			gap := start.Sub(last)
			longest = max(longest, gap)
			if shortest == 0 || gap < shortest {
				shortest = gap
			}
		}
		last = start
	}
	return starts, shortest, longest
}

// zone is where the expression's times are; UTC if it is not a time zone, which is told elsewhere.
func (s Schedule) zone() *time.Location {
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// MaxAge is the age of a secret that raises an alarm.
func (c Client) MaxAge() time.Duration {
	if c.MaxSecretAgeDays != nil {
		return time.Duration(*c.MaxSecretAgeDays) * 24 * time.Hour
	}
	_, _, longest := c.Schedule.Gaps()
	return longest + time.Duration(c.GracePeriod())*time.Second + 48*time.Hour
}

// slack is how much longer than its grace period a rotation may take: waits, retries and smoke tests.
const slack = 4 * time.Hour

// LongRotation is how long a rotation may be open before an alarm. A rollback at the end of the grace period waits for
// followers a second time.
func (c Client) LongRotation() time.Duration {
	return time.Duration(c.GracePeriod())*time.Second + c.FollowersDelay() + slack
}

// TellsEnd reports whether the client's identity provider says when a secret ends by itself.
func (c Client) TellsEnd() bool {
	capable, err := registry.Capabilities(c.IdentityProvider.Type, c.IdentityProvider.Settings,
		idp.Client{Name: c.Name, Issuer: c.Issuer, ClientID: c.ClientID})
	if err != nil {
		return false
	}
	model, err := capable.Choose(c.IdentityProvider.ClientPair != "", c.IdentityProvider.AllowInterruption)
	return err == nil && withoutids.Capabilities(capable, model).TellsEnd
}
