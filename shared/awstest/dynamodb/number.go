package dynamodb

import (
	"math/big"
	"regexp"
	"strings"
)

// maxDigits is how many significant digits a number has at most (developer guide, "Supported data types").
const maxDigits = 38

var (
	decimal     = regexp.MustCompile(`^[+-]?(?:\d+\.?\d*|\.\d+)$`)
	exponential = regexp.MustCompile(`^[+-]?(?:\d+\.?\d*|\.\d+)[eE][+-]?\d+$`)
)

// normalNumber checks a number and writes it without leading and trailing zeros, so equal numbers are equal strings.
func normalNumber(s string) (string, error) {
	switch {
	case exponential.MatchString(s):
		return "", errNotImplemented("numbers with an exponent")
	case !decimal.MatchString(s) || len(s) > 500:
		return "", errValidation("The parameter cannot be converted to a numeric value")
	}
	places, _ := ratOf(s).FloatPrec() // decimal fractions, so this is exact
	normal := ratOf(s).FloatString(places)
	digits := strings.Trim(strings.ReplaceAll(strings.TrimPrefix(normal, "-"), ".", ""), "0")
	if len(digits) > maxDigits {
		return "", errValidation("Attempting to store more than 38 significant digits in a Number")
	}
	return normal, nil
}

// ratOf is a decimal number as a fraction.
func ratOf(number string) *big.Rat {
	r, _ := new(big.Rat).SetString(number)
	return r
}
