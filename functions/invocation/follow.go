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

// follow looks whether AWSCURRENT, if the journal does not know that version, holds a secret that it knows by another:
// somebody stored the same secret again, with another member of the JSON object changed, or in another form. It is one
// secret at the identity provider, so its entry goes over to AWSCURRENT; otherwise it would be taken for one that
// nothing uses, and be removed. Whoever saves the journal next writes that down. Versions that cannot be compared are
// noted in s.untold.
func (s *Invocation) follow(ctx context.Context) error {
	s.untold = nil
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
		case versions.Same(its, held):
			s.rename(version, labels.Current)
			s.note(labels.Current, current, its)
			return nil
		case len(its) == 0: // gone, or no text
			s.untold = append(s.untold, version)
		}
	}
	return nil
}

// rename lets AWSCURRENT take the place of another version in the journal.
func (s *Invocation) rename(version, current string) {
	s.journal.Rename(version, current)
	s.renamed, s.successor, s.untold = version, current, nil
}

// note writes down in which form a version holds a secret: as configured, if that is one.
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

// Untold are the versions whose secret at the identity provider may be that of AWSCURRENT, which the journal does not
// know: their texts are gone or cannot be read.
func (s *Invocation) Untold() []string { return s.untold }

// Successor is the version that took the place of another in the journal; the version itself if none did.
func (s *Invocation) Successor(version string) string {
	if version != "" && version == s.renamed {
		return s.successor
	}
	return version
}

// StoredAs is labelled, a version that has a label, if it is a version's secret stored again; else the version itself.
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
