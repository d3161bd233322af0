package invocation

import (
	"context"
	"errors"
	"maps"
	"slices"

	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/versions"
)

// matchCurrent finds out whether AWSCURRENT, if the journal does not know that version, holds a secret that the journal
// knows by another: somebody stored it again, with another member of the JSON object changed, or in another form. It is
// one secret at the identity provider, so its entry moves to AWSCURRENT, and the next save of the journal writes that
// down; otherwise the secret would seem unused and be removed. s.unreadable gets the versions that cannot be compared.
func (s *Invocation) matchCurrent(ctx context.Context) error {
	s.unreadable = nil
	live := slices.DeleteFunc(slices.Sorted(maps.Keys(s.journal.Secrets)),
		func(v string) bool { return s.journal.Secrets[v].State != journal.Live })
	if len(live) == 0 {
		return nil
	}
	labels, err := s.Labels(ctx)
	if err != nil || labels.Current == "" {
		return err
	}
	if _, known := s.journal.Secrets[labels.Current]; known {
		return nil
	}
	current, err := s.Store.Text(ctx, labels.Current)
	if err != nil {
		return err
	}
	held := s.readings(labels.Current, current)
	for _, version := range live {
		t, err := s.Store.Text(ctx, version)
		if err != nil && !errors.Is(err, versions.ErrNotFound) {
			return err
		}
		switch its := s.readings(version, t); {
		case versions.Same(its, held) && version == s.From:
			return nil
		case versions.Same(its, held):
			s.rename(version, labels.Current)
			s.note(labels.Current, current, its)
			return nil
		case len(its) == 0: // gone, or no text
			s.unreadable = append(s.unreadable, version)
		}
	}
	return nil
}

// TakePlace is matchCurrent for a function that does not manage the registration, before AWSCURRENT leaves its version.
// It returns the version whose place in the journal AWSCURRENT has taken; none if it took none.
func (s *Invocation) TakePlace(ctx context.Context) (of []string, err error) {
	if err := s.matchCurrent(ctx); err != nil || s.renamed == "" {
		return nil, err
	}
	return []string{s.renamed}, nil
}

// rename lets AWSCURRENT take the place of another version in the journal.
func (s *Invocation) rename(version, current string) {
	s.journal.Rename(version, current)
	s.renamed, s.successor, s.unreadable = version, current, nil
}

// note writes down the form in which a version holds a secret, the configured one if it fits.
func (s *Invocation) note(version string, t versions.Text, held []secret.Value) {
	e := s.journal.Secrets[version]
	e.JSONKey = nil
	for _, key := range append([]string{s.Config.Secret.JSONKey, ""}, t.Keys()...) {
		if t.Fits(key) && versions.Same(readBy(t, key), held) {
			e.JSONKey = &key
			break
		}
	}
	s.journal.Secrets[version] = e
}

// Unreadable returns the live versions whose texts are gone or cannot be read, if the journal does not know AWSCURRENT:
// any of them may have its secret.
func (s *Invocation) Unreadable() []string { return s.unreadable }

// Successor returns the version that took a version's place in the journal; the version itself if none did.
func (s *Invocation) Successor(version string) string {
	if version != "" && version == s.renamed {
		return s.successor
	}
	return version
}

// StoredAs returns labelled, a version with a label, if it holds the secret of version stored again; else version
// itself.
func (s *Invocation) StoredAs(ctx context.Context, version, labelled string) (string, error) {
	if version == "" || labelled == "" || version == labelled {
		return version, nil
	}
	if _, known := s.journal.Secrets[labelled]; known { // as another secret
		return version, nil
	}
	same, _, err := s.Same(ctx, version, labelled)
	if err != nil || !same {
		return version, err
	}
	return labelled, nil
}
