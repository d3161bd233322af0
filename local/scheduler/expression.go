package scheduler

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// expression says when a schedule is due.
type expression interface {
	// next is the first instant after t at which the schedule is due; zero if there is none. anchor is the instant
	// from which rates count.
	next(t, anchor time.Time) time.Time
}

var (
	rateForm = regexp.MustCompile(`^rate\(([1-9]\d{0,8}) (minute|minutes|hour|hours|day|days)\)$`)
	atForm   = regexp.MustCompile(`^at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)$`)
	cronForm = regexp.MustCompile(`^cron\(([^()]+)\)$`)
)

// parseExpression reads rate(…), at(…) and cron(…); ok is false if it is none of them. at and cron are in the time
// zone (EventBridge Scheduler user guide, "Schedule types on EventBridge Scheduler").
func parseExpression(text string, zone *time.Location) (e expression, ok bool) {
	if m := rateForm.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, false
		}
		unit := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[m[2][0]]
		if time.Duration(n) > (1<<62)/unit {
			return nil, false
		}
		return rate(time.Duration(n) * unit), true
	}
	if m := atForm.FindStringSubmatch(text); m != nil {
		t, err := time.ParseInLocation("2006-01-02T15:04:05", m[1], zone)
		return at(t), err == nil
	}
	if m := cronForm.FindStringSubmatch(text); m != nil {
		return parseCron(strings.Fields(m[1]), zone)
	}
	return nil, false
}

// at is due once. One that lies in the past is accepted and never due.
type at time.Time

func (a at) next(t, _ time.Time) time.Time {
	if time.Time(a).After(t) {
		return time.Time(a).UTC()
	}
	return time.Time{}
}

// rate is due at its anchor and then at every multiple of the rate.
type rate time.Duration

func (r rate) next(t, anchor time.Time) time.Time {
	if t.Before(anchor) {
		return anchor
	}
	return anchor.Add((t.Sub(anchor)/time.Duration(r) + 1) * time.Duration(r))
}
