package config

import (
	"strings"
	"unicode/utf8"
)

// ASCIIHost returns a host name in the form of DNS, in which labels that are not ASCII begin with xn-- (RFC 5890,
// section 2.3.2.1); an ASCII name stays as it is. HTTP clients convert names by themselves, and then no longer
// recognise the name that they were given.
func ASCIIHost(host string) string {
	// RFC 3490, section 3.1
	labels := strings.FieldsFunc(host, func(r rune) bool { return strings.ContainsRune(".。．｡", r) })
	changed := false
	for i, l := range labels {
		if !isASCII(l) {
			labels[i], changed = "xn--"+punycode(strings.ToLower(l)), true
		}
	}
	if isASCII(host) || !changed && len(labels) == 0 {
		return host
	}
	return strings.Join(labels, ".")
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// The parameters of punycode (RFC 3492, section 5).
const (
	base, tMin, tMax  = 36, 1, 26
	skew, damp        = 38, 700
	initialN, initial = 128, 72
)

// punycode encodes a label (RFC 3492, section 6.3).
func punycode(label string) string {
	runes := []rune(label)
	var out []byte
	for _, r := range runes {
		if r < initialN {
			out = append(out, byte(r))
		}
	}
	basic := len(out)
	handled := basic
	if basic > 0 {
		out = append(out, '-')
	}
	n, delta, bias := rune(initialN), 0, initial
	for handled < len(runes) {
		next := rune(utf8.MaxRune)
		for _, r := range runes {
			if r >= n && r < next {
				next = r
			}
		}
		delta += int(next-n) * (handled + 1)
		n = next
		for _, r := range runes {
			if r < n {
				delta++
			}
			if r == n {
				out = appendDigits(out, delta, bias)
				bias = adapt(delta, handled+1, handled == basic)
				delta, handled = 0, handled+1
			}
		}
		delta, n = delta+1, n+1
	}
	return string(out)
}

// appendDigits appends a number, whose digits' weights depend on bias.
func appendDigits(out []byte, q, bias int) []byte {
	for k := base; ; k += base {
		t := min(max(k-bias, tMin), tMax)
		if q < t {
			return append(out, digit(q))
		}
		out = append(out, digit(t+(q-t)%(base-t)))
		q = (q - t) / (base - t)
	}
}

func digit(d int) byte {
	if d < 26 {
		return byte('a' + d)
	}
	return byte('0' + d - 26)
}

// adapt returns the bias for the next number.
func adapt(delta, points int, first bool) int {
	if first {
		delta /= damp
	} else {
		delta /= 2
	}
	delta += delta / points
	k := 0
	for delta > (base-tMin)*tMax/2 {
		delta /= base - tMin
		k += base
	}
	return k + (base-tMin+1)*delta/(delta+skew)
}
