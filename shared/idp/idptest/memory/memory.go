// Package memory is an identity provider in memory, for tests: a named set of secrets whose capabilities and faults the
// test chooses. Production code cannot import it; a test of package idptest sees to that.
package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/secret"
)

// Options choose what the vendor can do.
type Options struct {
	// MaxSecrets is the limit, disabled secrets included; 0 is none.
	MaxSecrets int
	// CanDisable: secrets can be switched off and on.
	CanDisable bool
	// MakesValues: the vendor makes the values; else the caller must.
	MakesValues bool
	// KeepsTag: tags are listed.
	KeepsTag bool
	// ShowsValues: values are listed.
	ShowsValues bool
	// UniqueIDs: no two registrations have the same client id.
	UniqueIDs bool
	// Now is the time of creation; nil leaves it out, as some vendors do.
	Now func() time.Time
}

// Vendor is the far side: one client's secrets. It is safe for concurrent use.
type Vendor struct {
	options Options

	mu      sync.Mutex
	made    int
	secrets []stored
	faults  map[idptest.Operation]idptest.Fault
	hanging chan struct{}
	hang    func() // closes hanging
}

type stored struct {
	idp.Secret
	value secret.Value
}

var _ idptest.Backend = (*Vendor)(nil)

// New returns a vendor whose client has one active secret.
func New(o Options) *Vendor {
	hanging := make(chan struct{})
	v := &Vendor{options: o, faults: map[idptest.Operation]idptest.Fault{}, hanging: hanging,
		hang: sync.OnceFunc(func() { close(hanging) })}
	v.add("", secret.New("initial-secret-of-the-memory-provider"))
	return v
}

// Provider is the near side. Each call returns another one, as each call of a function does.
func (v *Vendor) Provider() idp.Provider {
	if v.options.CanDisable {
		return disabler{provider{v}}
	}
	return provider{v}
}

// Registration is Provider, for a vendor that has only one client.
func (v *Vendor) Registration(string) idp.Registration { return v.Provider() }

// AcceptsFrom is Accepts, for a vendor that has only one client.
func (v *Vendor) AcceptsFrom(_ string, value secret.Value) bool { return v.Accepts(value) }

// Current implements idptest.Backend: the oldest secret that is left.
func (v *Vendor) Current() (string, secret.Value) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.secrets) == 0 {
		return "", secret.Value{}
	}
	return v.secrets[0].ID, v.secrets[0].value
}

// IDs implements idptest.Backend.
func (v *Vendor) IDs() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	ids := make([]string, 0, len(v.secrets))
	for _, s := range v.secrets {
		ids = append(ids, s.ID)
	}
	return ids
}

// Accepts implements idptest.Backend.
func (v *Vendor) Accepts(value secret.Value) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.ContainsFunc(v.secrets, func(s stored) bool { return s.Status == idp.Active && s.value.Equal(value) })
}

// Hanging implements idptest.Backend.
func (v *Vendor) Hanging() <-chan struct{} { return v.hanging }

// Break implements idptest.Backend.
func (v *Vendor) Break(op idptest.Operation, f idptest.Fault) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.faults[op] = f
}

// Add makes a secret as a person at the vendor's console would, without a tag, and returns its id.
func (v *Vendor) Add(value secret.Value) string { return v.AddTagged("", value) }

// AddTagged makes a secret with a tag, as a request would whose answer got lost, and returns its id.
func (v *Vendor) AddTagged(tag string, value secret.Value) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.add(tag, value)
}

// Hide takes a secret out of the list, as a list does that lags behind.
func (v *Vendor) Hide(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := v.at(id)
	v.secrets = slices.Delete(v.secrets, i, i+1)
}

// add must be called with the lock held.
func (v *Vendor) add(tag string, value secret.Value) string {
	v.made++
	s := idp.Secret{ID: fmt.Sprintf("mem-%d", v.made), Status: idp.Active}
	if v.options.Now != nil {
		s.Created = v.options.Now()
	}
	if v.options.KeepsTag {
		s.Tag = tag
	}
	if v.options.ShowsValues {
		s.Value = value
	}
	v.secrets = append(v.secrets, stored{s, value})
	return s.ID
}

// carryOut runs one operation under the fault in force for it. effect is called with the lock held.
func (v *Vendor) carryOut(ctx context.Context, op idptest.Operation, effect func() error) error {
	if ctx.Err() != nil {
		return failure.Wrap(failure.Unavailable, ctx.Err(), "memory: %s", op)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch fault := v.faults[op]; fault {
	case "", idptest.None:
		return effect()
	case idptest.Throttle, idptest.Lock:
		return failure.New(failure.Throttled, "memory: %s was throttled", op)
	case idptest.Forbid:
		return failure.New(failure.IdPRejected, "memory: %s is forbidden", op)
	case idptest.Break, idptest.Garble, idptest.Misshape, idptest.Doubt, idptest.Block, idptest.Portal:
		return failure.New(failure.Unavailable, "memory: %s failed", op)
	case idptest.Hang:
		v.hang()
		v.mu.Unlock()
		<-ctx.Done()
		v.mu.Lock()
		return failure.Wrap(failure.Unavailable, ctx.Err(), "memory: %s had no answer", op)
	case idptest.LoseReply:
		if err := effect(); err != nil {
			return err
		}
		return failure.Wrap(failure.Unavailable, errors.New("the connection failed"),
			"memory: the reply to %s was lost", op)
	default:
		return failure.New(failure.Internal, "memory: there is no fault %q", fault)
	}
}

// at is the index of a secret, or -1. It must be called with the lock held.
func (v *Vendor) at(id string) int {
	return slices.IndexFunc(v.secrets, func(s stored) bool { return s.ID == id })
}
