// Package conformance is the contract of package idp as rules: what every provider must do, on good days and bad ones.
// Package idptest runs them as tests, and rotator runs them against the function of a user's (type lambda).
//
// Nothing is skipped. What a vendor cannot do, its Capabilities say, and the rules then demand that it indeed does not.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

// Backend is the vendor's side of a client, past the provider under test.
type Backend interface {
	// Current is the secret that the client has from the start.
	Current() (id string, value secret.Value)
	// IDs are the ids of the client's secrets, disabled ones included, in any order.
	IDs() []string
	// Accepts reports whether the token endpoint would take the value.
	Accepts(value secret.Value) bool
	// Break makes every further request that carries out the operation fail; None ends it.
	Break(op Operation, f Fault)
	// Hanging is closed once a request hangs.
	Hanging() <-chan struct{}
}

// Keeper is a Backend whose provider knows secrets only by the versions that are stored (package withoutids).
type Keeper interface {
	// Store keeps the value of a version, as createsecret does.
	Store(version string, v secret.Value)
	// Promote makes a version the one in use.
	Promote(version string)
}

// Operation is a method of a provider. Where one makes several requests, Break concerns the last, which has the effect.
type Operation string

// The operations.
const (
	Check   Operation = "Check"
	List    Operation = "List"
	Create  Operation = "Create"
	Remove  Operation = "Remove"
	Disable Operation = "Disable"
	Enable  Operation = "Enable"
)

// Fault is a way to fail. Wherever the vendor's answer has a body, it must hold Canary.
type Fault string

// The faults. A vendor that has nothing like the last four does what is nearest.
const (
	None      Fault = "none"
	Throttle  Fault = "throttle"   // 429 before any effect
	Break     Fault = "break"      // 5xx before any effect
	Forbid    Fault = "forbid"     // 403, or the vendor's way to say it
	LoseReply Fault = "lose reply" // carried out, but the connection breaks before the answer
	Hang      Fault = "hang"       // no effect and no answer, until the caller gives up
	Garble    Fault = "garble"     // no effect, and a 200 with something that is not JSON
	Misshape  Fault = "misshape"   // no effect, and a 200 with JSON that is not the documented answer
	Lock      Fault = "lock"       // 423 before any effect
	Doubt     Fault = "doubt"      // 424, without effect, which nobody knows
	Block     Fault = "block"      // a firewall's page with 403
	Portal    Fault = "portal"     // a proxy's page with 200
)

// Canary is a text that must never appear in an error.
const Canary = "canary-in-a-response-body" // as that of package fault, which is for tests

// Rule is one sentence of the contract.
type Rule struct {
	Name string
	// Caller: it is about what a caller makes of an answer, whichever provider that is of.
	Caller bool
	// check returns why the provider does not keep it.
	check func(ctx context.Context, c *client) error
}

// Judge applies the rule to a fresh client. exception is the declared reason to break it, if any.
func (r Rule) Judge(ctx context.Context, p idp.Provider, b Backend, exception string) error {
	c := &client{provider: p, backend: b, tag: clientcredentials.NewUUID()}
	c.id, c.value = b.Current()
	c.values = append(c.values, c.value)
	err := r.check(ctx, c)
	if leak := c.leak(); leak != nil {
		return leak
	}
	switch {
	case exception == "":
		return err
	case err == nil:
		return fmt.Errorf("the exception is not needed: the provider keeps this rule; delete it (%s)", exception)
	default:
		return nil
	}
}

// client is one client under test: the provider's methods, with every error and every value remembered.
type client struct {
	provider idp.Provider
	backend  Backend
	id       string // of the secret that was there from the start
	value    secret.Value
	values   []secret.Value
	errs     []error
	// tag is what the first secret made is called, in the form of a version's id. No other client has the same: a
	// vendor may remember it.
	tag  string
	made int // how many creates were asked for
}

func (c *client) capabilities() idp.Capabilities { return c.provider.Capabilities() }

func (c *client) note(err error) error {
	if err != nil {
		c.errs = append(c.errs, err)
	}
	return err
}

func (c *client) check(ctx context.Context) error { return c.note(c.provider.Check(ctx)) }

func (c *client) list(ctx context.Context) ([]idp.Secret, error) {
	l, err := c.provider.List(ctx)
	return l, c.note(err)
}

func (c *client) create(ctx context.Context) (idp.Created, error) {
	r := idp.CreateRequest{Tag: c.tag}
	if c.made++; c.made > 1 {
		r.Tag = fmt.Sprintf("%s-%d", c.tag, c.made)
	}
	keeper, keeps := c.backend.(Keeper)
	if c.capabilities().AcceptsValue {
		v, err := secret.Generate(nil)
		if err != nil {
			return idp.Created{}, err
		}
		r.Value = v
		c.values = append(c.values, v)
	}
	if keeps {
		keeper.Store(r.Tag, r.Value)
	}
	made, err := c.provider.Create(ctx, r)
	if err == nil {
		c.values = append(c.values, made.Value)
		if keeps {
			keeper.Store(r.Tag, made.Value)
		}
	}
	return made, c.note(err)
}

// promote makes a secret the one in use, where that matters to the provider.
func (c *client) promote(id string) {
	if k, ok := c.backend.(Keeper); ok {
		k.Promote(id)
	}
}

func (c *client) remove(ctx context.Context, id string) error {
	return c.note(c.provider.Remove(ctx, id))
}

func (c *client) disable(ctx context.Context, id string) error {
	d, ok := c.provider.(idp.Disabler)
	if !ok {
		return errors.New("the provider says CanDisable but is no Disabler")
	}
	return c.note(d.Disable(ctx, id))
}

func (c *client) enable(ctx context.Context, id string) error {
	d, ok := c.provider.(idp.Disabler)
	if !ok {
		return errors.New("the provider says CanDisable but is no Disabler")
	}
	return c.note(d.Enable(ctx, id))
}

// snapshot is the vendor's side at one moment: which secrets there are, and which of the values known then it accepts.
type snapshot struct {
	values []secret.Value
	text   string
}

func (c *client) snapshot() snapshot { return c.look(c.values) }

func (c *client) look(values []secret.Value) snapshot {
	ids := slices.Sorted(slices.Values(c.backend.IDs()))
	accepted := make([]bool, 0, len(values))
	for _, v := range values {
		accepted = append(accepted, c.backend.Accepts(v))
	}
	return snapshot{slices.Clone(values), fmt.Sprint(ids, accepted)}
}

// unchanged fails if anything has changed at the vendor since before.
func (c *client) unchanged(before snapshot) error {
	if after := c.look(before.values); after.text != before.text {
		return fmt.Errorf("something has changed at the vendor: %s, before %s", after.text, before.text)
	}
	return nil
}

// leak reports an error text that shows a body or a secret.
func (c *client) leak() error {
	for _, err := range c.errs {
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
			if strings.Contains(text, Canary) {
				return errors.New("an error shows the body of an answer")
			}
			for _, v := range c.values {
				if !v.IsZero() && strings.Contains(text, v.Reveal()) {
					return errors.New("an error shows a secret")
				}
			}
		}
	}
	return nil
}
