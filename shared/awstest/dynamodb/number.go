package dynamodb

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// The limits of a number (developer guide, "Supported data types": 38 digits, 1E-130 to 9.99…E+125).
const (
	maxDigits   = 38
	maxExponent = 125
	minExponent = -130
)

var decimal = regexp.MustCompile(`^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d{1,4}))?$`)

// normalNumber checks a number and writes it without leading and trailing zeros, so equal numbers are equal strings.
func normalNumber(s string) (string, error) {
	m := decimal.FindStringSubmatch(s)
	if m == nil || len(s) > 500 {
		return "", errValidation("The parameter cannot be converted to a numeric value")
	}
	// A larger exponent is refused before big.Rat would write its digits out.
	if e, _ := strconv.Atoi(m[1]); e > 1000 || e < -1000 {
		return "", errMagnitude(e > 0)
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return "", errValidation("The parameter cannot be converted to a numeric value")
	}
	return formatNumber(r)
}

// ratOf is a number in normal form as a fraction.
func ratOf(normal string) *big.Rat {
	r, _ := new(big.Rat).SetString(normal)
	return r
}

// formatNumber writes a finite decimal fraction in normal form.
func formatNumber(r *big.Rat) (string, error) {
	n, _ := r.FloatPrec() // sums of decimal fractions are decimal fractions, so this is exact
	s := r.FloatString(n)
	digits := strings.TrimLeft(strings.ReplaceAll(strings.TrimPrefix(s, "-"), ".", ""), "0")
	if digits == "" {
		return "0", nil
	}
	// The exponent of the first significant digit.
	exponent := len(digits) - 1 - n
	if exponent > maxExponent || exponent < minExponent {
		return "", errMagnitude(exponent > 0)
	}
	if len(strings.TrimRight(digits, "0")) > maxDigits {
		return "", errValidation("Attempting to store more than 38 significant digits in a Number")
	}
	return s, nil
}

func errMagnitude(large bool) error {
	if large {
		return errValidation("Number overflow. Attempting to store a number with magnitude larger than supported range")
	}
	return errValidation("Number underflow. Attempting to store a number with magnitude smaller than supported range")
}
