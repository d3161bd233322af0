package fakes

import (
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/memory"
)

// ByHand is a vendor without an API.
type ByHand struct{ *memory.Slots }

// Registration implements Vendor.
func (d ByHand) Registration(clientID string) idp.Registration {
	return byHand{d.Slots.Registration(clientID)}
}

type byHand struct{ idp.Registration }

// Capabilities implements idp.Registration.
func (b byHand) Capabilities() idp.Capabilities {
	return idp.Capabilities{Model: idp.ByHand, Probe: b.Registration.Capabilities().Probe}
}
