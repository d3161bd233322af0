package scheduler

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// lastYear is the last year that a cron expression can name.
const lastYear = 2199

// cron is a cron expression of six fields: minutes, hours, day of month, month, day of week, year.
type cron struct {
	zone                         *time.Location
	minutes, hours, months, year func(int) bool
	day                          func(date time.Time) bool
}

var (
	monthNames = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	dayNames   = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

func parseCron(fields []string, zone *time.Location) (expression, bool) {
	if len(fields) != 6 {
		return nil, false
	}
	c := cron{zone: zone}
	var ok [5]bool
	c.minutes, ok[0] = parseField(fields[0], 0, 59, nil)
	c.hours, ok[1] = parseField(fields[1], 0, 23, nil)
	c.months, ok[2] = parseField(fields[3], 1, 12, monthNames)
	c.year, ok[3] = parseField(fields[5], 1970, lastYear, nil)
	// Exactly one of the two day fields is "?": they cannot both be given.
	switch {
	case fields[4] == "?" && fields[2] != "?":
		c.day, ok[4] = parseDayOfMonth(fields[2])
	case fields[2] == "?" && fields[4] != "?":
		c.day, ok[4] = parseDayOfWeek(fields[4])
	}
	return c, !slices.Contains(ok[:], false)
}

// parseField reads a list of values, ranges and steps: "*", "5", "1-5", "*/15", "0/15", "MON-FRI,SUN".
func parseField(text string, low, high int, names []string) (func(int) bool, bool) {
	set := map[int]bool{}
	for _, part := range strings.Split(text, ",") {
		values, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			var err error
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
				return nil, false
			}
		}
		from, to, ok := parseRange(values, low, high, names)
		if !ok {
			return nil, false
		}
		if stepped && from == to {
			to = high
		}
		for n := from; n <= to; n += step {
			set[n] = true
		}
	}
	return func(n int) bool { return set[n] }, true
}

func parseRange(text string, low, high int, names []string) (from, to int, ok bool) {
	if text == "*" {
		return low, high, true
	}
	a, b, ranged := strings.Cut(text, "-")
	if !ranged {
		b = a
	}
	from, okFrom := parseValue(a, low, names)
	to, okTo := parseValue(b, low, names)
	return from, to, okFrom && okTo && low <= from && from <= to && to <= high
}

func parseValue(text string, low int, names []string) (int, bool) {
	if i := slices.Index(names, strings.ToUpper(text)); i >= 0 {
		return low + i, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// parseDayOfMonth reads values and "L" (the last day), "LW" (the last weekday), "nW" (the weekday nearest to n).
func parseDayOfMonth(text string) (func(time.Time) bool, bool) {
	if text == "L" {
		return func(d time.Time) bool { return d.Day() == daysIn(d) }, true
	}
	if day, ok := strings.CutSuffix(text, "W"); ok {
		n, err := strconv.Atoi(day)
		if day != "L" && (err != nil || n < 1 || n > 31) {
			return nil, false
		}
		return func(d time.Time) bool {
			want := n
			if day == "L" {
				want = daysIn(d)
			}
			return want <= daysIn(d) && d.Day() == nearestWeekday(d, want)
		}, true
	}
	set, ok := parseField(text, 1, 31, nil)
	return func(d time.Time) bool { return set(d.Day()) }, ok
}

// nearestWeekday is the day from Monday to Friday nearest to day n, within d's month.
func nearestWeekday(d time.Time, n int) int {
	switch time.Date(d.Year(), d.Month(), n, 0, 0, 0, 0, time.UTC).Weekday() {
	case time.Saturday:
		if n == 1 {
			return 3
		}
		return n - 1
	case time.Sunday:
		if n == daysIn(d) {
			return n - 2
		}
		return n + 1
	default:
		return n
	}
}

// parseDayOfWeek reads values (1 is Sunday), "nL" (the last such day of the month) and "n#k" (the k-th).
func parseDayOfWeek(text string) (func(time.Time) bool, bool) {
	if text == "L" {
		text = "SAT"
	}
	if day, ok := strings.CutSuffix(text, "L"); ok {
		n, ok := parseValue(day, 1, dayNames)
		return func(d time.Time) bool { return weekday(d) == n && d.Day()+7 > daysIn(d) }, ok && n >= 1 && n <= 7
	}
	if day, which, ok := strings.Cut(text, "#"); ok {
		n, ok := parseValue(day, 1, dayNames)
		k, err := strconv.Atoi(which)
		return func(d time.Time) bool { return weekday(d) == n && (d.Day()-1)/7+1 == k }, ok && err == nil && n >= 1 && n <= 7 && k >= 1 && k <= 5
	}
	set, ok := parseField(text, 1, 7, dayNames)
	return func(d time.Time) bool { return set(weekday(d)) }, ok
}

func weekday(d time.Time) int { return int(d.Weekday()) + 1 }

func daysIn(d time.Time) int {
	return time.Date(d.Year(), d.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// next implements expression. A local time that a change of the clocks leaves out is skipped; one that it repeats is
// due once (EventBridge Scheduler user guide, "Daylight savings time on EventBridge Scheduler").
func (c cron) next(t, _ time.Time) time.Time {
	local := t.In(c.zone)
	for date := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC); date.Year() <= lastYear; date = date.AddDate(0, 0, 1) {
		if !c.year(date.Year()) || !c.months(int(date.Month())) || !c.day(date) {
			continue
		}
		for hour := range 24 {
			if !c.hours(hour) {
				continue
			}
			for minute := range 60 {
				if !c.minutes(minute) {
					continue
				}
				due := time.Date(date.Year(), date.Month(), date.Day(), hour, minute, 0, 0, c.zone)
				if due.Hour() == hour && due.Minute() == minute && due.After(t) {
					return due.UTC()
				}
			}
		}
	}
	return time.Time{}
}
