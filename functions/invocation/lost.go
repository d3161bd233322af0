package invocation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/versions"
)

// FindLost looks for the secret of a version whose creation was journalled but whose id never came back: the reply was
// lost, or the function was cut off. It returns "" if the identity provider made nothing for us.
//
// Only proof counts: our tag, where the provider keeps it; the value that we chose, where the provider shows it;
// otherwise the provider must accept our value and have exactly one object that is new since the intent. Anything less
// is left alone.
func (s *Invocation) FindLost(ctx context.Context, j *journal.Journal, version string, listed []idp.Secret) (string,
	error) {
	entry := j.Secrets[version]
	if f, ok := s.Provider.(idp.Finder); ok {
		return f.FindLost(ctx, version, entry.Asked)
	}
	candidates := newSince(listed, entry, j.KnownIDs())
	if len(candidates) == 0 {
		return "", nil
	}
	if s.Capable.KeepsTag {
		for _, c := range candidates {
			if c.Tag == version {
				return c.ID, nil
			}
		}
		return "", nil
	}
	value, err := s.Value(ctx, version)
	if errors.Is(err, versions.ErrNotFound) {
		return "", nil // the value is stored before the provider is asked, so the provider was never asked
	}
	if err != nil {
		return "", err
	}
	for _, c := range candidates {
		if !c.Value.IsZero() && c.Value.Equal(value) {
			return c.ID, nil
		}
	}
	verdict, err := s.verdict(ctx, Credential{version, s.Config.ClientID, value})
	if err != nil {
		return "", err
	}
	switch {
	case verdict.Outcome == probe.Rejected:
		return "", nil // somebody else made them
	case verdict.Outcome != probe.Accepted:
		return "", failure.New(failure.Unavailable,
			"whether the identity provider made the secret of version %s cannot be told: %s", version, verdict.Reason)
	case len(candidates) > 1:
		return "", failure.New(failure.Precondition, "the identity provider accepts the secret of version %s, but %d "+
			"of its secrets are new and unknown (%s): remove those that are not in use there, then redrive this "+
			"execution",
			version, len(candidates), strings.Join(ids(candidates), ", "))
	}
	return candidates[0].ID, nil
}

// MadeSince reports whether the provider lists anything that is new since a version was intended, and unknown.
func (s *Invocation) MadeSince(j *journal.Journal, version string, listed []idp.Secret) bool {
	return len(newSince(listed, j.Secrets[version], j.KnownIDs())) > 0
}

// newSince returns what the provider lists now, did not list when the secret was intended, and the journal does not
// know.
func newSince(listed []idp.Secret, entry journal.Entry, known map[string]bool) []idp.Secret {
	before := map[string]bool{}
	for _, id := range entry.Before {
		before[id] = true
	}
	var out []idp.Secret
	for _, x := range listed {
		if !before[x.ID] && !known[x.ID] {
			out = append(out, x)
		}
	}
	return out
}

func ids(list []idp.Secret) []string {
	out := make([]string, 0, len(list))
	for _, x := range list {
		out = append(out, fmt.Sprintf("%s (%s)", x.ID, x.Status))
	}
	return out
}
