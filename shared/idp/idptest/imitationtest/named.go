package imitationtest

import (
	"slices"

	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/secret"
)

// Named is a vendor's client whose secrets have ids of their own. It is an idptest.Backend.
type Named struct {
	*Vendor
	clientID, firstID string
}

var _ idptest.Backend = Named{}

// Named returns one of the vendor's clients. Its first secret must be there still.
func (v *Vendor) Named(clientID string) Named {
	return Named{Vendor: v, clientID: clientID, firstID: v.Store.Secrets(clientID)[0].ID}
}

// Current implements idptest.Backend.
func (n Named) Current() (string, secret.Value) {
	return n.firstID, secret.New("initial-secret-of-" + n.clientID)
}

// IDs implements idptest.Backend.
func (n Named) IDs() []string {
	var ids []string
	for _, s := range n.Store.Secrets(n.clientID) {
		ids = append(ids, s.ID)
	}
	return ids
}

// Accepts implements idptest.Backend.
func (n Named) Accepts(v secret.Value) bool {
	return slices.ContainsFunc(n.Live(n.clientID), v.Equal)
}
