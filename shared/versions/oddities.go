package versions

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"alboidc.internal/shared/secret"
)

// Oddities returns, to follow the text about a refused client secret, what is odd about its form and what to do: the
// usual mistakes of storing a secret. It never shows any part of the secret, and is "" if the form looks right. An
// oddity is no reason to refuse a secret that is accepted.
func Oddities(v secret.Value) string {
	odd := findOddities(v)
	if len(odd) == 0 {
		return ""
	}
	return "; the stored value " + strings.Join(odd, ", ") + ": store the secret as the identity provider shows it"
}

func findOddities(v secret.Value) []string {
	s := v.Reveal()
	var found []string
	add := func(yes bool, what string) {
		if yes {
			found = append(found, what)
		}
	}
	if strings.HasPrefix(s, bom) {
		add(true, "begins with a byte order mark")
		s = strings.TrimPrefix(s, bom)
	}
	blank := func(end string) bool { return strings.TrimSpace(end) == "" && end != "" }
	first, last := ends(s)
	add(isBreak(first), "begins with a line break")
	add(blank(first) && !isBreak(first), "begins with white space")
	add(EndsInLineBreak(v), "ends with a line break")
	add(blank(last) && !isBreak(last), "ends with white space")
	inner := strings.TrimSpace(s)
	if object := membersOf(secret.New(inner)); object != nil {
		return append(found, "is a JSON object with "+named(object)+", so secret.jsonKey must name the right one")
	}
	first, last = ends(inner)
	add(len(inner) > 1 && isQuote(first) && isQuote(last), "has quotation marks around it")
	add(escapedBreak.MatchString(inner), "ends with a backslash and a letter, as a line break is written in programs")
	add(assignment.MatchString(inner), "begins with a name before it, as in a file of settings")
	add(strings.ContainsFunc(inner, unicode.IsControl), "holds a control character, e.g. a line break")
	add(strings.ContainsFunc(inner, isForeign), "holds a character outside of printable ASCII (RFC 6749, appendix A.2)")
	return found
}

// Padded reports whether a secret begins or ends with white space or a byte order mark: most often the line break of
// the file that it was read from.
func Padded(v secret.Value) bool {
	s := v.Reveal()
	return s != strings.TrimSpace(strings.TrimPrefix(s, bom))
}

// EndsInLineBreak reports whether a secret ends with a line break. A load balancer cannot send one.
func EndsInLineBreak(v secret.Value) bool {
	_, last := ends(v.Reveal())
	return isBreak(last)
}

// ends returns the first and the last character.
func ends(s string) (first, last string) {
	runes := []rune(s)
	if len(runes) == 0 {
		return "", ""
	}
	return string(runes[0]), string(runes[len(runes)-1])
}

func isBreak(s string) bool { return s != "" && strings.Trim(s, "\r\n\v\f\u0085\u2028\u2029") == "" }

// quotes are the quotation marks of keyboards and of word processors.
const quotes = "\"'`“”„‘’‚«»‹›"

func isQuote(s string) bool { return strings.Contains(quotes, s) }

func isForeign(r rune) bool { return r > '~' && !unicode.IsControl(r) }

var (
	escapedBreak = regexp.MustCompile(`\\[nrt]$`)
	assignment   = regexp.MustCompile(`^(?i)[a-z_-]*(secret|password|passwd)[a-z_-]*\s*[=:]`)
	// plainName matches the names of members that are shown: a generated secret that was stored as a name has digits
	// and is long.
	plainName = regexp.MustCompile(`^([A-Za-z_.$ -]{1,64}|[A-Za-z0-9_.$ -]{1,20})$`)
)

// named lists the names of a JSON object's members, for people.
func named(members map[string]json.RawMessage) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !plainName.MatchString(name) {
			name = "one whose name is not shown"
		} else {
			name = fmt.Sprintf("%q", name)
		}
		if out = append(out, name); len(out) == 10 && len(members) > 10 {
			out = append(out, fmt.Sprintf("and %d more", len(members)-10))
			break
		}
	}
	if len(out) == 0 {
		return "no members"
	}
	return "the members " + strings.Join(out, ", ")
}

// Members lists the names of the JSON object's members, for people; "" if it is no object.
func (t Text) Members() string {
	if members := membersOf(t.whole); members != nil {
		return named(members)
	}
	return ""
}
