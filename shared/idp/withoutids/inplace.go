package withoutids

import (
	"context"
	"slices"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
)

// inPlace is one slot that is overwritten while it is in use. A known value that is not in the slot counts as disabled:
// it can be put back at any time.
type inPlace struct {
	idp.Setter
	byValue
}

var (
	_ idp.Provider = (*inPlace)(nil)
	_ idp.Disabler = (*inPlace)(nil)
	_ idp.Finder   = (*inPlace)(nil)
	_ idp.Reviewer = (*inPlace)(nil)
)

// InPlace returns the provider of a registration whose only slot is overwritten while it is in use.
func InPlace(r idp.Setter, b Env) idp.Provider { return &inPlace{r, byValue{b}} }

// Capabilities implements idp.Provider.
func (p *inPlace) Capabilities() idp.Capabilities {
	return Capabilities(p.Setter.Capabilities(), idp.InPlace)
}

// Review implements idp.Reviewer.
func (p *inPlace) Review(ctx context.Context) (idp.Review, error) {
	r, err := reviewSetter(ctx, p.Setter)
	r.Warnings = append(r.Warnings, "allowInterruption: the only secret is overwritten while it is in use; logins "+
		"and session refreshes fail from then until every load balancer node has the new one")
	return r, err
}

// List implements idp.Provider. It asks once for each secret: if another is in the slot, this one almost certainly is
// not, and nothing rests on that alone.
func (p *inPlace) List(ctx context.Context) ([]idp.Secret, error) {
	k, err := p.known()
	if err != nil {
		return nil, err
	}
	out := []idp.Secret{}
	for _, v := range k.all() {
		if v.Value.IsZero() {
			continue
		}
		s := idp.Secret{ID: v.ID, Status: idp.Disabled}
		yes, err := p.askOnce(ctx, v.ClientID, v.Value)
		if err != nil {
			return nil, err
		}
		if yes {
			s.Status = idp.Active
		}
		out = append(out, s)
	}
	return out, nil
}

// Create implements idp.Provider.
func (p *inPlace) Create(ctx context.Context, r idp.CreateRequest) (idp.Created, error) {
	if err := checkHasValue(r); err != nil {
		return idp.Created{}, err
	}
	return idp.Created{ID: r.Tag, Value: r.Value}, p.Set(ctx, r.Value)
}

// FindLost implements idp.Finder. The value that was asked for may be in the slot, whatever the token endpoint says
// now, and removing it is harmless.
func (p *inPlace) FindLost(ctx context.Context, version string, asked time.Time) (string, error) {
	s, found, err := p.find(ctx, version)
	if err != nil || !found || asked.IsZero() && s.Status != idp.Active {
		return "", err
	}
	return version, nil
}

func (p *inPlace) find(ctx context.Context, id string) (idp.Secret, bool, error) {
	l, err := p.List(ctx)
	if err != nil {
		return idp.Secret{}, false, err
	}
	i := slices.IndexFunc(l, func(s idp.Secret) bool { return s.ID == id })
	if i < 0 {
		return idp.Secret{}, false, nil
	}
	return l[i], true, nil
}

// Remove implements idp.Provider. It sets the secret in use, whatever the token endpoint says about the one that goes;
// if the slot has it already, that changes nothing.
func (p *inPlace) Remove(ctx context.Context, id string) error {
	k, err := p.known()
	if err != nil {
		return err
	}
	if id == k.Current.ID {
		return failure.New(failure.Precondition, "version %s is AWSCURRENT; its secret is not removed", id)
	}
	return p.Set(ctx, k.Current.Value)
}

// Disable implements idp.Disabler. The new secret has ended the old one already.
func (p *inPlace) Disable(ctx context.Context, id string) error {
	s, found, err := p.find(ctx, id)
	switch {
	case err != nil:
		return err
	case !found:
		return errAbsent(id)
	case s.Status == idp.Active:
		return failure.New(failure.Precondition,
			"the identity provider's only secret is that of version %s again: somebody put it back", id)
	}
	return nil
}

// Enable implements idp.Disabler. It puts the value back into the slot, whatever is there. Its caller has just looked:
// a second look would ask the token endpoint about every version, and give a person time to store another secret.
func (p *inPlace) Enable(ctx context.Context, id string) error {
	k, err := p.known()
	if err != nil {
		return err
	}
	v, found := k.find(id)
	if !found || v.Value.IsZero() {
		return errAbsent(id)
	}
	return p.Set(ctx, v.Value)
}

func errAbsent(id string) error {
	return failure.New(failure.Precondition, "version %s has no stored secret that could be put back", id)
}
