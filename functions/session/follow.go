package session

import (
	"context"
	"errors"
	"maps"
	"slices"

	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/versions"
)

// follow looks whether AWSCURRENT, if the journal does not know that version, holds a secret that it knows by another: somebody
// stored the same secret again, with another member of the JSON object changed for instance. It is one secret at the identity
// provider, so its entry goes over to AWSCURRENT; otherwise it would be taken for one that nothing uses, and be removed. Whoever
// saves the journal next writes that down.
func (s *Session) follow(ctx context.Context) error {
	live := slices.DeleteFunc(slices.Sorted(maps.Keys(s.journal.Secrets)), func(v string) bool { return s.journal.Secrets[v].State != journal.Live })
	if len(live) == 0 {
		return nil
	}
	labels, err := s.Store.Labels(ctx)
	if err != nil || labels.Current == "" {
		return err
	}
	if _, known := s.journal.Secrets[labels.Current]; known {
		return nil
	}
	current, err := s.Store.Value(ctx, labels.Current)
	if err != nil {
		return err
	}
	for _, version := range live {
		v, err := s.Store.Value(ctx, version)
		switch {
		case errors.Is(err, versions.ErrNotFound):
		case err != nil:
			return err
		case v.Equal(current):
			s.rename(version, labels.Current)
			return nil
		}
	}
	return nil
}

// rename lets a version take the place of another in the journal.
func (s *Session) rename(from, to string) {
	e := s.journal.Secrets[from]
	if e.IdPSecretID == from { // the provider has no ids
		e.IdPSecretID = to
	}
	s.journal.Secrets[to] = e
	delete(s.journal.Secrets, from)
	if p := s.journal.Promotion; p != nil {
		for _, v := range []*string{&p.From, &p.To, &p.PreviousBefore} {
			if *v == from {
				*v = to
			}
		}
	}
	s.renamed, s.follower = from, to
}

// Follower is the version that took the place of another in the journal; the version itself if none did.
func (s *Session) Follower(version string) string {
	if version != "" && version == s.renamed {
		return s.follower
	}
	return version
}
