// Package secret holds client secrets in memory. Printing, logging or marshalling a Value gives the word REDACTED.
// Reveal is the only way to the secret, and the linter allows it only where a request body is built.
package secret

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted stands for a value wherever it would be shown.
const redacted = "REDACTED"

// Value is a secret in memory. The zero Value is "no secret". Values are compared with Equal; == does not compile.
type Value struct {
	_ [0]func()
	// v is a pointer because fmt calls no methods on the unexported fields of a struct that it prints, but walks into
	// them; below the top level it prints a pointer as an address.
	v *string
}

// New wraps a secret that was read from a service.
func New(v string) Value { return Value{v: &v} }

// Reveal returns the secret in clear, for the body or header of the one request that needs it.
func (s Value) Reveal() string {
	if s.v == nil {
		return ""
	}
	return *s.v
}

// IsZero reports whether there is no secret.
func (s Value) IsZero() bool { return s.Reveal() == "" }

// Equal compares in constant time.
func (s Value) Equal(o Value) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(o.Reveal())) == 1
}

// String implements fmt.Stringer.
func (s Value) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (s Value) GoString() string { return redacted }

// Format implements fmt.Formatter, for every verb.
func (s Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalJSON implements json.Marshaler.
func (s Value) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler.
func (s Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (s Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// alphabet has only characters that form-encoding leaves as they are, so that HTTP Basic credentials mean the same to
// every client and server (RFC 6749, section 2.3.1, encodes them; not every implementation does).
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// Length of a generated secret, in characters: 48 of 62 are 285 bits. It satisfies Okta (32 at least for
// client_secret_jwt) and Amazon Cognito (24 to 64 of [\w+]).
const Length = 48

// Generate makes a secret of Length characters of [A-Za-z0-9] from random (crypto/rand.Reader, except in tests).
func Generate(random io.Reader) (Value, error) {
	if random == nil {
		random = rand.Reader
	}
	out := make([]byte, 0, Length)
	buf := make([]byte, Length)
	for len(out) < Length {
		if _, err := io.ReadFull(random, buf); err != nil {
			return Value{}, fmt.Errorf("reading random bytes: %w", err)
		}
		for _, b := range buf {
			// 248 is the largest multiple of 62 in a byte: bytes above it would favour the first letters
			if b < 248 && len(out) < Length {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return New(string(out)), nil
}
