package memory

import (
	"context"
	"fmt"
	"slices"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/secret"
)

// provider is the near side of a vendor.
type provider struct{ v *Vendor }

// disabler is a provider whose vendor can switch secrets off.
type disabler struct{ provider }

var (
	_ idp.Provider = provider{}
	_ idp.Disabler = disabler{}
)

// Capabilities implements idp.Provider.
func (p provider) Capabilities() idp.Capabilities {
	o := p.v.options
	return idp.Capabilities{
		Model:        idp.NamedSet,
		MaxSecrets:   o.MaxSecrets,
		AcceptsValue: !o.MakesValues,
		KeepsTag:     o.KeepsTag,
		UniqueIDs:    o.UniqueIDs,
		CanDisable:   o.CanDisable,
		Probe: idp.ProbeSpec{
			Grant:    idp.AuthorizationCode,
			Accepted: []string{"invalid_grant"},
			Rejected: []string{"invalid_client"},
		},
	}
}

// Check implements idp.Provider.
func (p provider) Check(ctx context.Context) error {
	return p.v.carryOut(ctx, idptest.Check, func() error { return nil })
}

// List implements idp.Provider.
func (p provider) List(ctx context.Context) ([]idp.Secret, error) {
	var out []idp.Secret
	err := p.v.carryOut(ctx, idptest.List, func() error {
		for _, s := range p.v.secrets {
			out = append(out, s.Secret)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Create implements idp.Provider.
func (p provider) Create(ctx context.Context, r idp.CreateRequest) (idp.Created, error) {
	var out idp.Created
	err := p.v.carryOut(ctx, idptest.Create, func() error {
		if limit := p.v.options.MaxSecrets; limit > 0 && len(p.v.secrets) >= limit {
			return failure.New(failure.IdPRejected,
				"memory: the client has %d secrets already, which is the limit", limit)
		}
		value := r.Value
		if p.v.options.MakesValues {
			value = secret.New(fmt.Sprintf("value-made-by-the-memory-provider-%d", p.v.made+1))
		}
		if value.IsZero() || p.v.options.MakesValues != r.Value.IsZero() {
			return failure.New(failure.Internal,
				"memory: a value must come from the caller, or from the vendor, as the capabilities say")
		}
		out = idp.Created{ID: p.v.add(r.Tag, value), Value: value}
		return nil
	})
	if err != nil {
		return idp.Created{}, err
	}
	return out, nil
}

// Remove implements idp.Provider.
func (p provider) Remove(ctx context.Context, id string) error {
	return p.v.carryOut(ctx, idptest.Remove, func() error {
		if i := p.v.at(id); i >= 0 {
			p.v.secrets = slices.Delete(p.v.secrets, i, i+1)
		}
		return nil
	})
}

// Disable implements idp.Disabler.
func (d disabler) Disable(ctx context.Context, id string) error {
	return d.set(ctx, idptest.Disable, id, idp.Disabled)
}

// Enable implements idp.Disabler.
func (d disabler) Enable(ctx context.Context, id string) error {
	return d.set(ctx, idptest.Enable, id, idp.Active)
}

func (d disabler) set(ctx context.Context, op idptest.Operation, id string, to idp.Status) error {
	return d.v.carryOut(ctx, op, func() error {
		i := d.v.at(id)
		if i < 0 {
			return failure.New(failure.Precondition, "memory: there is no secret %s", id)
		}
		d.v.secrets[i].Status = to
		return nil
	})
}
