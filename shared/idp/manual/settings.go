package manual

import (
	"encoding/json"
	"regexp"
	"slices"

	"alboidc.internal/shared/strictjson"
)

// path of the settings in the client's configuration.
const path = "identityProvider.settings"

// Settings are the provider's part of a client's configuration. All may be left out.
type Settings struct {
	// AcceptedErrors and RejectedErrors are the error codes of the token endpoint for an invented code: with a secret that is
	// accepted (default invalid_grant), and with one that is not (default invalid_client; RFC 6749, section 5.2).
	AcceptedErrors []string `json:"acceptedErrors,omitempty"`
	RejectedErrors []string `json:"rejectedErrors,omitempty"`
}

var codePattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)

func parseSettings(raw json.RawMessage) (Settings, error) {
	var s Settings
	ps := strictjson.Decode(raw, &s, path)
	if len(ps) == 0 {
		s.setDefaults()
		s.check(&ps)
	}
	if err := ps.Err("the client configuration"); err != nil {
		return Settings{}, err
	}
	return s, nil
}

func (s *Settings) setDefaults() {
	if len(s.AcceptedErrors) == 0 {
		s.AcceptedErrors = []string{"invalid_grant"}
	}
	if len(s.RejectedErrors) == 0 {
		s.RejectedErrors = []string{"invalid_client"}
	}
}

func (s Settings) check(ps *strictjson.Problems) {
	for _, list := range []struct {
		field string
		codes []string
	}{{"acceptedErrors", s.AcceptedErrors}, {"rejectedErrors", s.RejectedErrors}} {
		for _, code := range list.codes {
			if !codePattern.MatchString(code) {
				ps.Add(path+"."+list.field, "must hold error codes of the token endpoint, such as invalid_grant")
			}
		}
	}
	for _, code := range s.AcceptedErrors {
		if slices.Contains(s.RejectedErrors, code) {
			ps.Add(path+".rejectedErrors", "must not hold %s, which is among acceptedErrors: a code that both a right and a wrong secret get belongs in neither", code)
		}
	}
}
