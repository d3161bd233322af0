// Package manual is for identity providers without an API for client secrets, such as Google sign-in: a person makes a
// new secret there and stores it as AWSPENDING, and removes the old one when nothing uses it any more. Nothing is asked
// of such a provider but its token endpoint.
package manual

import (
	"context"
	"encoding/json"

	"alboidc.internal/shared/idp"
)

// Registration is a client at such a provider.
type Registration struct{ settings Settings }

var _ idp.Registration = (*Registration)(nil)

// New returns the registration.
func New(raw json.RawMessage, _ idp.Client, _ idp.Deps) (*Registration, error) {
	s, err := idp.ParseSettings(raw, (*Settings).check)
	if err != nil {
		return nil, err
	}
	return &Registration{s}, nil
}

// Capabilities are those of a registration with these settings.
func Capabilities(raw json.RawMessage, _ idp.Client) (idp.Capabilities, error) {
	s, err := idp.ParseSettings(raw, (*Settings).check)
	if err != nil {
		return idp.Capabilities{}, err
	}
	return (&Registration{s}).Capabilities(), nil
}

// Capabilities implements idp.Registration.
func (r *Registration) Capabilities() idp.Capabilities {
	return idp.Capabilities{Model: idp.ByHand, Probe: idp.ProbeSpec{Grant: idp.AuthorizationCode,
		Accepted: r.settings.AcceptedErrors, Rejected: r.settings.RejectedErrors,
		// Google refuses an unknown client by the code for a wrong secret, too (answers in forum posts)
		Other: []idp.OtherAnswer{{Code: "invalid_client", Text: "The OAuth client was not found",
			Means: "Google knows no client with this client id: check clientId"}}}}
}

// Check implements idp.Registration: there is nothing that could be asked.
func (r *Registration) Check(context.Context) error { return nil }
