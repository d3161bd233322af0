package manual

import (
	"regexp"
	"slices"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/strictjson"
)

// Settings are the provider's part of a client's configuration. All may be left out.
type Settings struct {
	// AcceptedErrors and RejectedErrors are the error codes of the token endpoint for an invented code: with a secret
	// that is accepted (default invalid_grant), and with one that is not (default invalid_client; RFC 6749, section
	// 5.2).
	AcceptedErrors []string `json:"acceptedErrors,omitempty"`
	RejectedErrors []string `json:"rejectedErrors,omitempty"`
}

var codePattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)

// check fills in the defaults and reports what is wrong.
func (s *Settings) check(ps *strictjson.Problems) {
	if len(s.AcceptedErrors) == 0 {
		s.AcceptedErrors = []string{"invalid_grant"}
	}
	if len(s.RejectedErrors) == 0 {
		s.RejectedErrors = []string{"invalid_client"}
	}
	for _, list := range []struct {
		field string
		codes []string
	}{{"acceptedErrors", s.AcceptedErrors}, {"rejectedErrors", s.RejectedErrors}} {
		for _, code := range list.codes {
			if !codePattern.MatchString(code) {
				ps.Add(idp.Setting(list.field), "must hold error codes of the token endpoint, such as invalid_grant")
			}
		}
	}
	for _, code := range s.AcceptedErrors {
		if slices.Contains(s.RejectedErrors, code) {
			ps.Add(idp.Setting("rejectedErrors"), "must not hold %s, which is among acceptedErrors: a code that both "+
				"a right and a wrong secret get belongs in neither", code)
		}
	}
}
