package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/secret"
)

// SlotOptions choose what a vendor without secret ids can do.
type SlotOptions struct {
	// Hidden: the vendor does not show its secrets, and keeps any number of previous ones.
	Hidden bool
	// TakesNoValue: Restore is refused.
	TakesNoValue bool
	// ForgetsPrevious: a shift ends the secret that was current, as by a policy that was taken away.
	ForgetsPrevious bool
	// Previous is how long the vendor keeps the previous secret; 0 is for ever.
	Previous time.Duration
	// Single: the registrations have one slot (idp.Setter), else two (idp.PreviousKeeper).
	Single bool
}

// Slots is a vendor whose secrets have no ids. It is safe for concurrent use.
type Slots struct {
	options SlotOptions

	mu      sync.Mutex
	made    int
	clients map[string][]secret.Value // the current one first
	used    time.Time
	faults  map[idptest.Operation]idptest.Fault
	hanging *Vendor // for what it does if a request hangs
	// onRequest is asked before every request what goes wrong.
	onRequest func() idptest.Fault
}

var _ idptest.SlotVendor = (*Slots)(nil)

// NewSlots returns a vendor with the registrations, of which the first has the secret Initial, and any other one that
// nobody knows.
func NewSlots(o SlotOptions, clientIDs ...string) *Slots {
	v := &Slots{options: o, clients: map[string][]secret.Value{}, faults: map[idptest.Operation]idptest.Fault{},
		hanging: New(Options{})}
	for n, id := range clientIDs {
		v.clients[id] = []secret.Value{secret.New(Initial)}
		if n > 0 {
			v.clients[id] = []secret.Value{secret.New("secret-that-nobody-knows-" + id)}
		}
	}
	return v
}

// Initial is the secret in use from the start.
const Initial = "initial-secret-of-the-memory-provider"

// Registration is the near side of one registration.
func (v *Slots) Registration(clientID string) idp.Registration {
	r := registration{v, clientID}
	if v.options.Single {
		return setter{r}
	}
	return shifter{r}
}

// AcceptsFrom reports whether the token endpoint takes a secret from a client id.
func (v *Slots) AcceptsFrom(clientID string, value secret.Value) bool {
	for _, live := range v.Live(clientID) {
		if live.Equal(value) {
			return true
		}
	}
	return false
}

// Live implements idptest.SlotVendor.
func (v *Slots) Live(clientID string) []secret.Value {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]secret.Value{}, v.clients[clientID]...)
}

// Hanging implements idptest.SlotVendor.
func (v *Slots) Hanging() <-chan struct{} { return v.hanging.hanging }

// Break implements idptest.SlotVendor.
func (v *Slots) Break(op idptest.Operation, f idptest.Fault) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.faults[op] = f
}

// OnRequest lets f say before every request what goes wrong.
func (v *Slots) OnRequest(f func() idptest.Fault) { v.onRequest = f }

// Use sets when the previous secret was used last.
func (v *Slots) Use(t time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.used = t
}

// Shift makes a secret as a person at the vendor's console would.
func (v *Slots) Shift(clientID string) secret.Value {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.shift(clientID)
}

// Double leaves the current secret in the slot of the previous one too, as a restore does that is cut off.
func (v *Slots) Double(clientID string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.clients[clientID] = append(v.clients[clientID][:1], v.clients[clientID][0])
}

func (v *Slots) shift(clientID string) secret.Value {
	v.made++
	value := secret.New(fmt.Sprintf("value-made-by-the-memory-provider-%d", v.made))
	kept := v.clients[clientID]
	switch {
	case v.options.ForgetsPrevious:
		kept = nil
	case !v.options.Hidden:
		kept = kept[:1]
	}
	v.clients[clientID] = append([]secret.Value{value}, kept...)
	return value
}

// carryOut runs an operation under the faults of op, and of others that are the same request.
func (v *Slots) carryOut(ctx context.Context, effect func() error, ops ...idptest.Operation) error {
	inner := New(Options{})
	inner.hang = v.hanging.hang
	v.mu.Lock()
	for _, op := range ops {
		if f := v.faults[op]; f != "" && f != idptest.None {
			inner.faults[ops[0]] = f
		}
	}
	v.mu.Unlock()
	if v.onRequest != nil {
		if f := v.onRequest(); f != idptest.None {
			inner.faults[ops[0]] = f
		}
	}
	return inner.carryOut(ctx, ops[0], func() error {
		v.mu.Lock()
		defer v.mu.Unlock()
		return effect()
	})
}

// registration is one registration at the vendor.
type registration struct {
	v        *Slots
	clientID string
}

// Check implements idp.Registration.
func (r registration) Check(ctx context.Context) error {
	return r.v.carryOut(ctx, func() error { return nil }, idptest.Check)
}

func probe() idp.ProbeSpec {
	return idp.ProbeSpec{Grant: idp.AuthorizationCode, Accepted: []string{"invalid_grant"},
		Rejected: []string{"invalid_client"}}
}

// shifter is a registration with two slots.
type shifter struct{ registration }

// setter is a registration with one slot.
type setter struct{ registration }

var (
	_ idp.PreviousDropper = shifter{}
	_ idp.Setter          = setter{}
	_ idp.Reviewer        = shifter{}
)

// Capabilities implements idp.Registration.
func (s shifter) Capabilities() idp.Capabilities {
	c := idp.Capabilities{Model: idp.CurrentPrevious, MaxSecrets: 2, TellsUse: true, Probe: probe()}
	if s.v.options.Hidden {
		c.MaxSecrets, c.TellsUse = 0, false
	}
	return c
}

// Review implements idp.Reviewer.
func (s shifter) Review(context.Context) (idp.Review, error) {
	return idp.Review{MaxGrace: s.v.options.Previous}, nil
}

// Slots implements idp.PreviousKeeper.
func (s shifter) Slots(ctx context.Context) (idp.Slots, error) {
	var out idp.Slots
	err := s.v.carryOut(ctx, func() error {
		if s.v.options.Hidden {
			return nil
		}
		live := s.v.clients[s.clientID]
		out = idp.Slots{Readable: true, Current: live[0], PreviousUsed: s.v.used}
		if len(live) > 1 {
			out.Previous = live[1]
		}
		return nil
	}, idptest.List)
	return out, err
}

// Shift implements idp.PreviousKeeper.
func (s shifter) Shift(ctx context.Context) (secret.Value, error) {
	var out secret.Value
	err := s.v.carryOut(ctx, func() error { out = s.v.shift(s.clientID); return nil }, idptest.Create)
	if err != nil {
		return secret.Value{}, err
	}
	return out, nil
}

// Restore implements idp.PreviousKeeper.
func (s shifter) Restore(ctx context.Context, value secret.Value) error {
	return s.v.carryOut(ctx, func() error {
		if s.v.options.TakesNoValue {
			return failure.Wrap(failure.Precondition, idp.ErrKept, "memory: the vendor takes no values")
		}
		s.v.clients[s.clientID] = []secret.Value{value}
		return nil
	}, idptest.Remove)
}

// DropPrevious implements idp.PreviousDropper.
func (s shifter) DropPrevious(ctx context.Context) error {
	return s.v.carryOut(ctx, func() error {
		s.v.clients[s.clientID] = s.v.clients[s.clientID][:1]
		return nil
	}, idptest.Remove)
}

// Capabilities implements idp.Registration.
func (s setter) Capabilities() idp.Capabilities {
	return idp.Capabilities{Model: idp.SingleSlot, MaxSecrets: 1, Probe: probe()}
}

// Set implements idp.Setter.
func (s setter) Set(ctx context.Context, value secret.Value) error {
	return s.v.carryOut(ctx, func() error {
		s.v.clients[s.clientID] = []secret.Value{value}
		return nil
	}, idptest.Create, idptest.Remove, idptest.Enable)
}
