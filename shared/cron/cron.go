// Package cron reads EventBridge Scheduler's rates, and its cron expressions that start at most once a day. The
// deployment checks and measures schedules with it, and the local stack's Scheduler follows them.
package cron

import (
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fieldForms says what each field of a cron expression can be, in order (EventBridge Scheduler user guide, "Cron-based
// schedules"). Minutes and hours are one number each: anything else starts more than once a day.
var fieldForms = []struct {
	name, text string
	pattern    *regexp.Regexp
}{
	{"minutes", "one number of 0 to 59", regexp.MustCompile(`^[1-5]?\d$`)},
	{"hours", "one number of 0 to 23: a rotation makes a version, and Secrets Manager keeps them for 24 hours",
		regexp.MustCompile(`^(1?\d|2[0-3])$`)},
	{"day of month", "?, *, L, LW, a number with W, or numbers of 1 to 31 with , - /",
		list(`([1-9]|[12]\d|3[01])`, `(/([1-9]|[12]\d|3[01]))?`, `\?|L|LW|([1-9]|[12]\d|3[01])W`)},
	{"month", "*, or 1 to 12 or JAN to DEC with , - /",
		list(`([1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)`, `(/([1-9]|1[0-2]))?`, ``)},
	{"day of week", "?, *, L, a day with L or #1 to #5, or 1 to 7 or SUN to SAT with , -",
		list(weekday, ``, `\?|L|`+weekday+`(L|#[1-5])`)},
	{"year", "*, or years with , - /", list(`(19[7-9]\d|20\d\d|21\d\d)`, `(/[1-9]\d{0,2})?`, ``)},
}

const weekday = `([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)`

// list matches a field of values, ranges and steps, or one of the others.
func list(value, step, others string) *regexp.Regexp {
	item := `(\*|` + value + `(-` + value + `)?)` + step
	pattern := item + `(,` + item + `)*`
	if others != "" {
		pattern += `|` + others
	}
	return regexp.MustCompile(`^(` + pattern + `)$`)
}

var (
	form         = regexp.MustCompile(`^cron\((\S(?:.*\S)?)\)$`)
	rateForm     = regexp.MustCompile(`^rate\(0*([1-9]\d{0,4}) (minute|hour|day)s?\)$`)
	leadingZeros = regexp.MustCompile(`\b0+(\d)`)
)

// Rate returns the interval of a rate expression.
func Rate(expression string) (interval time.Duration, ok bool) {
	m := rateForm.FindStringSubmatch(expression)
	if m == nil {
		return 0, false
	}
	n, _ := strconv.Atoi(m[1]) // five digits
	unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[m[2]]
	return time.Duration(n) * unit, true
}

// Canonical writes an expression as the user guide does: a rate without leading zeros, and a cron expression with one
// space between fields, names in capitals and no leading zeros; anything else stays as it is. EventBridge accepts other
// forms, too, but documents only this one.
func Canonical(expression string) string {
	if m := rateForm.FindStringSubmatch(expression); m != nil {
		return "rate(" + m[1] + " " + expression[strings.Index(expression, " ")+1:]
	}
	if fields, ok := fieldsOf(expression); ok {
		return "cron(" + strings.Join(fields, " ") + ")"
	}
	return expression
}

// fieldsOf splits a cron expression. White space separates the fields (user guide, "Cron-based schedules"), but must
// not stand at either end inside the brackets, as with rates.
func fieldsOf(expression string) (fields []string, ok bool) {
	m := form.FindStringSubmatch(expression)
	if m == nil {
		return nil, false
	}
	return strings.Fields(leadingZeros.ReplaceAllString(strings.ToUpper(m[1]), "$1")), true
}

// Problem says what is wrong with a cron expression that EventBridge Scheduler would refuse, or that starts too often;
// "" if nothing.
func Problem(expression string) string {
	fields, ok := fieldsOf(expression)
	if !ok {
		return "must be like rate(30 days) or cron(0 3 1 * ? *)"
	}
	if len(fields) != len(fieldForms) {
		return fmt.Sprintf("must have %d fields: minutes, hours, day of month, month, day of week, year",
			len(fieldForms))
	}
	for i, f := range fieldForms {
		if !f.pattern.MatchString(fields[i]) {
			return fmt.Sprintf("has the %s %q, which must be %s", f.name, fields[i], f.text)
		}
	}
	if (fields[2] == "?") == (fields[4] == "?") {
		return "must have ? as day of month or as day of week, and not as both"
	}
	for item := range strings.SplitSeq(fields[5], ",") { // months and days go round, years do not
		span, _, _ := strings.Cut(item, "/")
		if first, last, ok := strings.Cut(span, "-"); ok && last < first {
			return fmt.Sprintf("has the years %q, which end before they begin", item)
		}
	}
	return ""
}

// Starts yields the starts after an instant, in order; none if the expression is not valid. It skips a time that a
// clock change skips, and yields one that it repeats once (EventBridge Scheduler user guide, "Daylight savings time").
func Starts(expression string, zone *time.Location, after time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		if Problem(expression) != "" {
			return
		}
		fields, _ := fieldsOf(expression)
		minute, _ := strconv.Atoi(fields[0]) // the patterns have let them through
		hour, _ := strconv.Atoi(fields[1])
		onDate, month := dayOfMonth(fields[2]), values(fields[3], 1, 12, monthNames)
		onWeekday, year := dayOfWeek(fields[4]), values(fields[5], 1970, lastYear, nil)
		from := after.In(zone)
		day := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, time.UTC)
		for ; day.Year() <= lastYear; day = day.AddDate(0, 0, 1) {
			if !year[day.Year()] || !month[int(day.Month())] {
				day = endOfMonth(day)
				continue
			}
			if !onDate(day) || !onWeekday(day) {
				continue
			}
			start := time.Date(day.Year(), day.Month(), day.Day(), hour, minute, 0, 0, zone)
			if start.Hour() == hour && start.Minute() == minute && start.After(after) && !yield(start.UTC()) {
				return
			}
		}
	}
}

// lastYear is the last year that a cron expression can name.
const lastYear = 2199

var (
	monthNames = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	dayNames   = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

// values returns the numbers from low to high that a list of values, ranges and steps names.
func values(list string, low, high int, names []string) map[int]bool {
	number := func(s string) int {
		if i := slices.Index(names, s); i >= 0 {
			return i + 1
		}
		n, _ := strconv.Atoi(s) // the patterns have let it through
		return n
	}
	out := map[int]bool{}
	for item := range strings.SplitSeq(list, ",") {
		span, step, stepped := strings.Cut(item, "/")
		first, last, ranged := strings.Cut(span, "-")
		from, to := number(first), number(first)
		switch {
		case span == "*":
			from, to = low, high
		case ranged:
			to = number(last)
		case stepped:
			to = high
		}
		if to < from { // FRI-MON
			to += high - low + 1
		}
		for n := from; n <= to; n += max(1, number(step)) {
			out[low+(n-low)%(high-low+1)] = true
		}
	}
	return out
}

// dayOfMonth returns a predicate for the days that a field names. A date with W that a month does not have names no day
// of that month.
func dayOfMonth(field string) func(day time.Time) bool {
	switch n, weekday := strings.CutSuffix(field, "W"); {
	case field == "?":
		return func(time.Time) bool { return true }
	case field == "L":
		return func(day time.Time) bool { return day.Equal(endOfMonth(day)) }
	case field == "LW":
		return func(day time.Time) bool { return day.Equal(nearestWeekday(endOfMonth(day))) }
	case weekday:
		date, _ := strconv.Atoi(n)
		return func(day time.Time) bool {
			end := endOfMonth(day)
			return date <= end.Day() && day.Equal(nearestWeekday(end.AddDate(0, 0, date-end.Day())))
		}
	}
	on := values(field, 1, 31, nil)
	return func(day time.Time) bool { return on[day.Day()] }
}

func endOfMonth(day time.Time) time.Time {
	return time.Date(day.Year(), day.Month()+1, 0, 0, 0, 0, 0, time.UTC)
}

// nearestWeekday returns the day from Monday to Friday nearest to a day, in the same month.
func nearestWeekday(day time.Time) time.Time {
	move := 0
	switch first, last := day.Day() == 1, day.AddDate(0, 0, 1).Day() == 1; {
	case day.Weekday() == time.Saturday && first:
		move = 2
	case day.Weekday() == time.Saturday:
		move = -1
	case day.Weekday() == time.Sunday && last:
		move = -2
	case day.Weekday() == time.Sunday:
		move = 1
	}
	return day.AddDate(0, 0, move)
}

// dayOfWeek returns a predicate for the days that a field names.
func dayOfWeek(field string) func(day time.Time) bool {
	on := func(list string) func(time.Time) bool {
		days := values(list, 1, 7, dayNames)
		return func(day time.Time) bool { return days[int(day.Weekday())+1] }
	}
	name, nth, numbered := strings.Cut(field, "#")
	of, isLast := strings.CutSuffix(field, "L")
	switch {
	case field == "?":
		return func(time.Time) bool { return true }
	case field == "L":
		return on("SAT")
	case numbered:
		that := on(name)
		return func(day time.Time) bool { return that(day) && strconv.Itoa((day.Day()+6)/7) == nth }
	case isLast:
		that := on(of)
		return func(day time.Time) bool { return that(day) && day.AddDate(0, 0, 7).Month() != day.Month() }
	}
	return on(field)
}
