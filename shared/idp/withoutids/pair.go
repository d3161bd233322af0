package withoutids

import (
	"context"
	"fmt"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

// pair is two registrations, with one slot each, that take turns. To remove a secret is to overwrite it with a value
// that nobody knows.
type pair struct {
	byValue
	registrations map[string]idp.Setter // by client id
	first, second string
}

var (
	_ idp.Provider = (*pair)(nil)
	_ idp.Finder   = (*pair)(nil)
	_ idp.Reviewer = (*pair)(nil)
)

// Pair returns the provider of two registrations, by their client ids.
func Pair(first string, a idp.Setter, second string, b idp.Setter, env Env) idp.Provider {
	return &pair{byValue{env}, map[string]idp.Setter{first: a, second: b}, first, second}
}

// Capabilities implements idp.Provider.
func (p *pair) Capabilities() idp.Capabilities {
	return Capabilities(p.registrations[p.first].Capabilities(), idp.ClientPair)
}

// Check implements idp.Provider, for both registrations.
func (p *pair) Check(ctx context.Context) error {
	if err := p.registrations[p.first].Check(ctx); err != nil {
		return err
	}
	return p.registrations[p.second].Check(ctx)
}

// Review implements idp.Reviewer: both registrations must be alike.
func (p *pair) Review(ctx context.Context) (idp.Review, error) {
	return reviewPair(ctx, p.registrations[p.first], p.registrations[p.second])
}

// Idle returns the registration of a pair that is not in use: it gets the next secret.
func (k Known) Idle(first, second string) string {
	if k.Current.ClientID == first {
		return second
	}
	return first
}

// clientID returns the registration of a version: the noted one, or the idle one for a version that was about to be
// made.
func (p *pair) clientID(k Known) func(Version) string {
	return func(v Version) string {
		if v.ClientID != "" {
			return v.ClientID
		}
		return k.Idle(p.first, p.second)
	}
}

// List implements idp.Provider. Only known secrets can be listed.
func (p *pair) List(ctx context.Context) ([]idp.Secret, error) {
	k, err := p.listVersions()
	if err != nil {
		return nil, err
	}
	accepted, err := p.findAccepted(ctx, k, p.clientID(k))
	if err != nil {
		return nil, err
	}
	return list(k, accepted), nil
}

// listVersions returns the known versions; the one in use must belong to a registration of the pair.
func (p *pair) listVersions() (Known, error) {
	k, err := p.known()
	if err == nil && p.registrations[k.Current.ClientID] == nil {
		err = failure.New(failure.Precondition, "the secret stored as AWSCURRENT belongs to client id %q, which is "+
			"neither clientId nor identityProvider.clientPair: put it back into the configuration", k.Current.ClientID)
	}
	return k, err
}

// Create implements idp.Provider: the idle registration gets the value.
func (p *pair) Create(ctx context.Context, r idp.CreateRequest) (idp.Created, error) {
	if err := checkHasValue(r); err != nil {
		return idp.Created{}, err
	}
	k, err := p.listVersions()
	if err != nil {
		return idp.Created{}, err
	}
	idle := k.Idle(p.first, p.second)
	if err := p.registrations[idle].Set(ctx, r.Value); err != nil {
		return idp.Created{}, err
	}
	return idp.Created{ID: r.Tag, Value: r.Value, ClientID: idle}, nil
}

// FindLost implements idp.Finder.
func (p *pair) FindLost(ctx context.Context, version string, _ time.Time) (string, error) {
	k, err := p.listVersions()
	if err != nil {
		return "", err
	}
	v, known := k.find(version)
	if !known || v.Value.IsZero() {
		return "", nil
	}
	yes, err := p.has(ctx, p.clientID(k)(v), v.Value)
	if err != nil || !yes {
		return "", err
	}
	return version, nil
}

// has reports whether a registration has a value. A no counts only if the registration can be read, too: one that is
// out of order refuses every secret.
func (p *pair) has(ctx context.Context, clientID string, v secret.Value) (bool, error) {
	yes, err := p.Accepts(ctx, clientID, v)
	if err != nil || yes {
		return yes, err
	}
	return false, p.registrations[clientID].Check(ctx)
}

// Remove implements idp.Provider. It overwrites a registration only if that has the very secret that is to go, and is
// not in use: anything else there is somebody's. It returns ErrKept if nobody knows the value any more. That the
// registration has it, or has not, it asks once: callers prove afterwards that the secret is refused.
func (p *pair) Remove(ctx context.Context, id string) error {
	k, err := p.listVersions()
	if err != nil {
		return err
	}
	v, known := k.find(id)
	if !known {
		return nil
	}
	clientID := p.clientID(k)(v)
	registration := p.registrations[clientID]
	if registration == nil || clientID == k.Current.ClientID {
		return nil // what that registration has is another version's
	}
	if v.Value.IsZero() {
		return fmt.Errorf("it is gone from Secrets Manager, so whether registration %s still has it cannot be told; "+
			"give that a secret that nobody knows (%w until then)", clientID, idp.ErrKept)
	}
	switch yes, err := p.askOnce(ctx, clientID, v.Value); {
	case err != nil:
		return err
	case !yes: // one that is out of order refuses every secret
		return registration.Check(ctx)
	}
	nobodys, err := secret.Generate(p.Rand)
	if err != nil {
		return err
	}
	return registration.Set(ctx, nobodys)
}
