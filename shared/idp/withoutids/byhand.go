package withoutids

import (
	"context"
	"fmt"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
)

// byHand is a registration whose secrets a person makes and removes.
type byHand struct {
	idp.Registration
	byValue
}

var (
	_ idp.Provider = (*byHand)(nil)
	_ idp.Finder   = (*byHand)(nil)
	_ idp.Reviewer = (*byHand)(nil)
)

// ByHand returns the provider of a registration whose secrets a person makes and removes.
func ByHand(r idp.Registration, b Env) idp.Provider { return &byHand{r, byValue{b}} }

// Capabilities implements idp.Provider.
func (p *byHand) Capabilities() idp.Capabilities {
	return Capabilities(p.Registration.Capabilities(), idp.ByHand)
}

// Review implements idp.Reviewer.
func (p *byHand) Review(ctx context.Context) (idp.Review, error) { return review(ctx, p.Registration) }

// List implements idp.Provider. Only known secrets can be listed.
func (p *byHand) List(ctx context.Context) ([]idp.Secret, error) {
	k, err := p.known()
	if err != nil {
		return nil, err
	}
	accepted, err := p.findAccepted(ctx, k, func(v Version) string { return v.ClientID })
	if failure.Is(err, failure.SecretRefused) {
		err = failure.Wrap(failure.SecretRefused, err, "nothing but refusals shows it, as this provider is not "+
			"managed: if logins work, it answers wrongly now, start again later")
	}
	if err != nil {
		return nil, err
	}
	return list(k, accepted), nil
}

// Create implements idp.Provider. The person has made it, and stored it as AWSPENDING.
func (p *byHand) Create(_ context.Context, r idp.CreateRequest) (idp.Created, error) {
	if err := checkHasValue(r); err != nil {
		return idp.Created{}, err
	}
	return idp.Created{ID: r.Tag, Value: r.Value}, nil
}

// FindLost implements idp.Finder. A stored value is all that there is to find.
func (p *byHand) FindLost(_ context.Context, version string, _ time.Time) (string, error) {
	k, err := p.known()
	if err != nil {
		return "", err
	}
	if v, known := k.find(version); known && !v.Value.IsZero() {
		return version, nil
	}
	return "", nil
}

// Remove implements idp.Provider: that is the person's to do.
func (p *byHand) Remove(context.Context, string) error {
	return fmt.Errorf("nothing of this system uses it any more; remove it at the identity provider now (%w until then)",
		idp.ErrKept)
}
