package conformance

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

// SlotVendor is the vendor's side of registrations whose secrets have no ids.
type SlotVendor interface {
	// Live are the secrets that the token endpoint accepts from a client id.
	Live(clientID string) []secret.Value
	// Break and Hanging are those of Backend.
	Break(op Operation, f Fault)
	Hanging() <-chan struct{}
}

// Versions stand for what a rotation stores: the client's versions and which of them is in use. It is a Backend and a
// Keeper.
type Versions struct {
	SlotVendor
	clientIDs []string

	mu       sync.Mutex
	current  string
	versions []withoutids.Version
	known    withoutids.Known
	initial  secret.Value
}

var (
	_ Backend = (*Versions)(nil)
	_ Keeper  = (*Versions)(nil)
)

// initialVersion is the version of the secret that exists from the start.
const initialVersion = "version-initial"

// NewVersions stands for what is stored of a vendor's registrations, of which the first client id is the one in use. It
// must have exactly one secret.
func NewVersions(v SlotVendor, clientIDs []string) (*Versions, error) {
	live := v.Live(clientIDs[0])
	if len(live) != 1 {
		return nil, fmt.Errorf("the vendor has %d secrets for %s, want 1", len(live), clientIDs[0])
	}
	b := &Versions{SlotVendor: v, clientIDs: clientIDs, current: initialVersion, initial: live[0],
		versions: []withoutids.Version{{ID: initialVersion, ClientID: clientIDs[0], Value: live[0]}}}
	b.fillIn()
	return b, nil
}

// Env is what a provider of package withoutids goes by.
func (b *Versions) Env() withoutids.Env { return withoutids.Env{Known: &b.known, Accepts: b.accepts} }

// InOneSlot are the exceptions of a registration whose only slot is overwritten while it is in use.
func InOneSlot() map[string]string {
	out := NeedsNoRequest(Remove, "to enable the old secret after a failed remove is to end the new one")
	delete(out, fmt.Sprintf(lostReply, article[Remove]))
	maps.Copy(out, NeedsNoRequest(List, "the token endpoint is asked which value the slot has"))
	maps.Copy(out, NeedsNoRequest(Disable, "the new secret has ended the old one"))
	out[RuleEnable] = "to enable the old secret is to end the new one"
	out[RuleDisableAbsent] = "a removed secret is still stored, and can be put back"
	return out
}

// fillIn fills in what the provider goes by. b.mu is held.
func (b *Versions) fillIn() {
	var k withoutids.Known
	passed := false
	for _, v := range b.versions {
		v.After = passed
		if v.ID == b.current {
			k.Current, passed = v, true
			continue
		}
		k.Others = append(k.Others, v)
	}
	b.known = k
}

func (b *Versions) accepts(_ context.Context, clientID string, v secret.Value) (bool, error) {
	return b.has(clientID, v), nil
}

func (b *Versions) has(clientID string, v secret.Value) bool {
	for _, live := range b.Live(clientID) {
		if live.Equal(v) {
			return true
		}
	}
	return false
}

// Current implements Backend.
func (b *Versions) Current() (string, secret.Value) { return initialVersion, b.initial }

// IDs implements Backend. A secret of no known version counts too.
func (b *Versions) IDs() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []string{}
	for _, clientID := range b.clientIDs {
		for n, live := range b.Live(clientID) {
			id := fmt.Sprintf("unknown %s %d", clientID, n)
			for _, v := range b.versions {
				if v.Value.Equal(live) {
					id = v.ID
				}
			}
			out = append(out, id)
		}
	}
	return out
}

// Accepts implements Backend.
func (b *Versions) Accepts(v secret.Value) bool {
	for _, clientID := range b.clientIDs {
		if b.has(clientID, v) {
			return true
		}
	}
	return false
}

// Store implements Keeper. A version that is made belongs to the registration that is not in use, if there are two.
func (b *Versions) Store(version string, v secret.Value) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.fillIn()
	clientID := b.clientIDs[len(b.clientIDs)-1]
	for i, known := range b.versions {
		if known.ID == version {
			b.versions[i].Value = v
			return
		}
		if known.ID == b.current && known.ClientID == clientID {
			clientID = b.clientIDs[0]
		}
	}
	b.versions = append(b.versions, withoutids.Version{ID: version, ClientID: clientID, Value: v})
}

// Promote implements Keeper.
func (b *Versions) Promote(version string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.current = version
	b.fillIn()
}
