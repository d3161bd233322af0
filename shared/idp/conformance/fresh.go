package conformance

import (
	"cmp"
	"context"
	"slices"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

// Renew makes a secret, and removes all others; one stays until then, and at the limit one makes room.
func Renew(ctx context.Context, p idp.Provider, tag string) (idp.Created, error) {
	before, err := p.List(ctx)
	if err != nil {
		return idp.Created{}, err
	}
	// the one that stays until there is another must be active: some vendors demand that
	slices.SortStableFunc(before, func(a, b idp.Secret) int { return cmp.Compare(a.Status, b.Status) })
	for _, s := range before[min(1, len(before)):] {
		if err := p.Remove(ctx, s.ID); err != nil {
			return idp.Created{}, err
		}
	}
	r := idp.CreateRequest{Tag: tag}
	if p.Capabilities().AcceptsValue {
		if r.Value, err = secret.Generate(nil); err != nil {
			return idp.Created{}, err
		}
	}
	made, err := p.Create(ctx, r)
	if err != nil || len(before) == 0 {
		return made, err
	}
	return made, p.Remove(ctx, before[0].ID)
}

// Set makes a new value the secret.
func Set(ctx context.Context, s idp.Setter) (secret.Value, error) {
	v, err := secret.Generate(nil)
	if err != nil {
		return v, err
	}
	return v, s.Set(ctx, v)
}
