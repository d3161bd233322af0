package invocation

import (
	"cmp"
	"context"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/versions"
)

// provider makes the client's identity provider: as it is if its secrets have ids, else through package withoutids, by
// the model that the configuration asks for.
func (s *Invocation) provider() (idp.Provider, error) {
	all, err := s.Registrations(s.Config)
	if err != nil {
		return nil, err
	}
	r := all[0]
	model, err := s.model(r.Capabilities())
	if err != nil {
		return nil, err
	}
	book := withoutids.Env{Known: &s.known, Accepts: s.accepts, Asks: s.asks, Rand: s.Rand}
	switch model {
	case idp.CurrentPrevious:
		if x, ok := r.(idp.PreviousKeeper); ok {
			return withoutids.CurrentPrevious(x, book), nil
		}
	case idp.ClientPair:
		return s.pair(r, all[1], book)
	case idp.InPlace:
		if x, ok := r.(idp.Setter); ok {
			return withoutids.InPlace(x, book), nil
		}
	case idp.ByHand:
		return withoutids.ByHand(r, book), nil
	default:
		if x, ok := r.(idp.Provider); ok {
			return x, nil
		}
	}
	return nil, failure.New(failure.Internal, "the %s provider cannot do what its capabilities say (%s)",
		s.Config.IdentityProvider.Type, model)
}

// model returns how the client is rotated at a provider with these capabilities.
func (s *Invocation) model(c idp.Capabilities) (idp.Model, error) {
	p := s.Config.IdentityProvider
	return c.Choose(p.ClientPair != "", p.AllowInterruption)
}

// capabilities returns those of the client's provider without making the provider.
func (s *Invocation) capabilities() (idp.Capabilities, error) {
	c, err := s.Capabilities(s.Config)
	if err != nil {
		return c, err
	}
	model, err := s.model(c)
	if err != nil {
		return c, err
	}
	return withoutids.Capabilities(c, model), nil
}

// pair makes the provider of two registrations.
func (s *Invocation) pair(first, second idp.Registration, book withoutids.Env) (idp.Provider, error) {
	a, ok := first.(idp.Setter)
	b, also := second.(idp.Setter)
	if !ok || !also {
		return nil, failure.New(failure.Internal, "the %s provider cannot set the secrets of a pair",
			s.Config.IdentityProvider.Type)
	}
	return withoutids.Pair(s.Config.ClientID, a, s.Config.IdentityProvider.ClientPair, b, book), nil
}

// Ends returns when the identity provider ends the current secret by itself; zero if it does not, does not say, or if
// it is unknown which of several secrets is the current one.
func (s *Invocation) Ends(ctx context.Context) (time.Time, error) {
	if !s.Capable.TellsEnd {
		return time.Time{}, nil
	}
	labels, err := s.Labels(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if err := s.TellProvider(ctx); err != nil {
		return time.Time{}, err
	}
	listed, err := s.Provider.List(ctx)
	if err != nil {
		return time.Time{}, err
	}
	id := rotation.Snapshot{Labels: labels, Journal: s.journal, Listed: listed,
		CurrentSecretID: s.Config.IdentityProvider.CurrentSecretID}.InUse()
	for _, x := range listed {
		if x.ID == id {
			return x.Until, nil
		}
	}
	return time.Time{}, nil
}

// Marks are what earlier calls have noted about targets.
func (s *Invocation) Marks() map[string]journal.Mark { return s.journal.Marks }

func (s *Invocation) entry(version string) journal.Entry {
	if s.journal == nil {
		return journal.Entry{}
	}
	return s.journal.Secrets[version]
}

// ClientID returns the registration that a version belongs to: the only one, or, of a pair, the one that the journal or
// the reference names. The token endpoint tells for a version that neither knows because it was never rotated here.
func (s *Invocation) ClientID(ctx context.Context, r rotation.Ref) (string, error) {
	if !s.Config.IsPair() {
		return s.Config.ClientID, nil
	}
	if e := s.entry(r.VersionID); e.ClientID != "" {
		return e.ClientID, nil
	}
	if id := cmp.Or(r.ClientID, s.owners[r.VersionID]); id != "" {
		return id, nil
	}
	v, err := s.Value(ctx, r.VersionID)
	if err != nil {
		return "", err
	}
	return s.owner(ctx, r.VersionID, v)
}

// NewClientID returns the registration that the next secret belongs to, by what the provider was told last.
func (s *Invocation) NewClientID() string {
	if !s.Config.IsPair() {
		return s.Config.ClientID
	}
	return s.known.Idle(s.Config.ClientID, s.Config.IdentityProvider.ClientPair)
}

// Belongs says which registration of a pair has a version that the journal does not know. A dead secret cannot be
// asked for at the token endpoint.
func (s *Invocation) Belongs(r rotation.Ref) { s.owners = map[string]string{r.VersionID: r.ClientID} }

// owner returns the registration of a pair that accepts a secret. It proves it if neither does.
func (s *Invocation) owner(ctx context.Context, version string, v secret.Value) (id string, err error) {
	ask := func(ctx context.Context) (out probe.Verdict, err error) {
		for _, id = range s.Config.ClientIDs() {
			out, err = s.Prober.Credential().Differential(ctx, s.endpoints(id)[0], v)
			if err != nil || out.Outcome != probe.Rejected {
				return out, err
			}
		}
		return out, nil
	}
	verdict, err := s.askUntilConclusive(ctx, func(ctx context.Context) (probe.Verdict, error) {
		verdict, err := ask(ctx)
		if err == nil && verdict.Outcome == probe.Rejected {
			verdict, err = s.proveRefusalAlone(ctx, ask,
				probe.Verdict{Reason: "no other secret is known that would show that the provider answers rightly"})
		}
		return verdict, err
	})
	switch {
	case err != nil:
		return "", err
	case verdict.Outcome == probe.Accepted:
		return id, nil
	case verdict.Outcome == probe.Rejected:
		return "", failure.New(failure.Precondition, "the identity provider accepts version %s for neither "+
			"registration of the pair (%s), %s: store the client secret that the load balancers use now as "+
			"AWSCURRENT%s", version, s.Config.ClientIDs(), verdict.Reason, versions.Oddities(v))
	}
	return "", failure.New(failure.Unavailable,
		"which registration of the pair version %s belongs to cannot be told: %s", version, verdict.Reason)
}
