package idp

import (
	"fmt"
	"time"

	"alboidc.internal/shared/strictjson"
)

// CredentialEnd says when the rotator's own credential at a provider ends by itself, as its settings tell. Nobody else
// can: the right to manage the client's secrets need not show the rotator's own registration.
type CredentialEnd struct {
	// Field is where the settings say so; "" where the credential has no end of its own.
	Field string
	// At is zero where they do not.
	At time.Time
}

// CredentialEndOf is that of a credential, from what a field of the settings says.
func CredentialEndOf(field, ends string) CredentialEnd {
	at, err := time.Parse(time.RFC3339, ends)
	if err != nil {
		at = time.Time{}
	}
	return CredentialEnd{Setting(field), at}
}

// CheckCredentialEnd reports an end, in a field of the settings, that is no time; "" is none.
func CheckCredentialEnd(ps *strictjson.Problems, field, ends string) {
	if _, err := time.Parse(time.RFC3339, ends); ends != "" && err != nil {
		ps.Add(Setting(field), "must be a time as the identity provider shows it, such as 2027-01-31T00:00:00Z")
	}
}

// Tell says what happens when it ends and what to do, if that is at most so long from now; "" if it is not.
func (c CredentialEnd) Tell(now time.Time, within time.Duration) string {
	if c.At.IsZero() || c.At.Sub(now) > within {
		return ""
	}
	return fmt.Sprintf("the rotator's own credential at the identity provider ends at %s (%s): from then on no secret "+
		"can be made there, nor removed. Register the next one beside it, and put that, with its end, into "+
		"clients.yaml",
		c.At.UTC().Format(time.RFC3339), c.Field)
}
