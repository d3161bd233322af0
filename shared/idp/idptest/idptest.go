// Package idptest is the contract of package idp as tests: what every provider must do, on good days and bad ones. A
// provider runs it in a few lines against a server, or a store, that stands for the vendor:
//
//	func TestConformance(t *testing.T) {
//		idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
//			backend := newFakeVendor(t)
//			return newProvider(backend.URL), backend
//		}})
//	}
//
// Nothing is skipped. What a vendor cannot do, its Capabilities say, and the rules then demand that it indeed does not.
// What is left is declared in Subject.Exceptions, and the suite fails when an exception is no longer needed.
package idptest

import (
	"testing"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/conformance"
	"alboidc.internal/shared/idp/withoutids"
)

// What tests say is in package conformance.
type (
	Backend    = conformance.Backend
	Keeper     = conformance.Keeper
	SlotVendor = conformance.SlotVendor
	Versions   = conformance.Versions
	Operation  = conformance.Operation
	Fault      = conformance.Fault
)

// The operations.
const (
	Check   = conformance.Check
	List    = conformance.List
	Create  = conformance.Create
	Remove  = conformance.Remove
	Disable = conformance.Disable
	Enable  = conformance.Enable
)

// The faults.
const (
	None      = conformance.None
	Throttle  = conformance.Throttle
	Break     = conformance.Break
	Forbid    = conformance.Forbid
	LoseReply = conformance.LoseReply
	Hang      = conformance.Hang
	Garble    = conformance.Garble
	Misshape  = conformance.Misshape
	Lock      = conformance.Lock
	Doubt     = conformance.Doubt
	Block     = conformance.Block
	Portal    = conformance.Portal
)

// Canary, and the names of rules that some vendors cannot keep.
const (
	Canary         = conformance.Canary
	RuleRemoveOld  = conformance.RuleRemoveOld
	RuleRemoveNew  = conformance.RuleRemoveNew
	RuleLostCreate = conformance.RuleLostCreate
)

// NeedsNoRequest is that of package conformance.
func NeedsNoRequest(op Operation, reason string) map[string]string {
	return conformance.NeedsNoRequest(op, reason)
}

// InOneSlot is that of package conformance.
func InOneSlot() map[string]string { return conformance.InOneSlot() }

// Subject is a provider under test.
type Subject struct {
	// New returns a fresh client with one active secret, and the provider for it. The provider must not really sleep
	// between tries.
	New func(t *testing.T) (idp.Provider, Backend)
	// Serial: the rules have one client after another, because there is only one, which New makes as fresh.
	Serial bool
	// Exceptions maps the name of a rule that the provider breaks to the vendor's rule that forces it to. The suite
	// fails if the provider keeps the rule after all.
	Exceptions map[string]string
}

// Run checks every rule, each on a fresh client.
func Run(t *testing.T, s Subject) {
	t.Helper()
	known := map[string]bool{}
	for _, r := range conformance.Rules() {
		known[r.Name] = true
		t.Run(r.Name, func(t *testing.T) {
			if !s.Serial {
				t.Parallel()
			}
			p, b := s.New(t)
			if err := r.Judge(t.Context(), p, b, s.Exceptions[r.Name]); err != nil {
				t.Error(err)
			}
		})
	}
	for name, reason := range s.Exceptions {
		if !known[name] || reason == "" {
			t.Errorf("exception %q must have the name of a rule, and a reason", name)
		}
	}
}

// WithSlots returns the provider that make builds of a vendor's registrations, and its backend. The first client id is
// the one in use; it must have exactly one secret.
func WithSlots(t *testing.T, v SlotVendor, clientIDs []string, make func(withoutids.Env) idp.Provider) (idp.Provider,
	*Versions) {
	t.Helper()
	b, err := conformance.NewVersions(v, clientIDs)
	if err != nil {
		t.Fatal(err)
	}
	return make(b.Env()), b
}
