package invocation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/versions"
)

// Labels returns the labels as this call last read them. Use LookAgain right before an act that cannot be undone.
func (s *Invocation) Labels(ctx context.Context) (versions.Labels, error) {
	if s.labels == nil {
		return s.readLabels(ctx)
	}
	return *s.labels, nil
}

func (s *Invocation) readLabels(ctx context.Context) (versions.Labels, error) {
	labels, keeper, err := s.Store.Describe(ctx)
	if err == nil {
		s.labels, s.keeper, s.looked = &labels, keeper, s.Now()
	}
	return labels, err
}

// Keeper returns who else writes the secret, as found when the labels were last read.
func (s *Invocation) Keeper() versions.Keeper { return s.keeper }

// LookAgain reads the labels again, right before an act that cannot be undone, and fails if AWSCURRENT has left the
// version that ResolveCurrent found. Some requests make AWSCURRENT the only secret: that must not be one that somebody
// has just stored.
func (s *Invocation) LookAgain(ctx context.Context) error {
	labels, err := s.readLabels(ctx)
	if err != nil {
		return err
	}
	if s.stays != "" && labels.Current != s.stays {
		return failure.New(failure.Unavailable,
			"AWSCURRENT went from version %s to %s in the middle of this call, which begins again", s.stays,
			labels.Current)
	}
	if s.Provider == nil {
		return nil
	}
	if err := s.matchCurrent(ctx); err != nil { // it may be on another version than at the beginning
		return err
	}
	return s.TellProvider(ctx)
}

// MustStay lets LookAgain fail if AWSCURRENT leaves a version: what this call has proven, it has proven of that.
func (s *Invocation) MustStay(version string) { s.stays = version }

// LookAgainAfter is LookAgain if AWSCURRENT was looked at longer ago than d: a call that writes several times must not
// go by what was there at its beginning.
func (s *Invocation) LookAgainAfter(ctx context.Context, d time.Duration) error {
	if s.Now().Sub(s.looked) < d {
		return nil
	}
	return s.LookAgain(ctx)
}

// TellProvider tells a provider without ids (package withoutids) which versions exist, by the labels as this call last
// read them. It is called before the provider is asked about its secrets.
func (s *Invocation) TellProvider(ctx context.Context) error {
	if s.Capable.HasIDs() {
		return nil
	}
	labels, err := s.Labels(ctx)
	if err != nil {
		return err
	}
	if labels.Current == "" {
		return failure.New(failure.Precondition, "the secret has no AWSCURRENT version")
	}
	name := s.nameCurrent(labels)
	current := s.entry(name)
	k := withoutids.Known{Current: withoutids.Version{ID: name}, Ended: s.CurrentEnded}
	if k.Current.Value, err = s.Value(ctx, labels.Current); err != nil {
		return err
	}
	if k.Current.ClientID, err = s.ClientID(ctx, rotation.Ref{VersionID: name}); err != nil {
		return err
	}
	for _, id := range s.others(name) {
		e := s.entry(id)
		v := withoutids.Version{ID: id, ClientID: e.ClientID, Kept: e.State == journal.Kept,
			After: !e.Imported && (current.Imported || !e.At.Before(current.At))}
		if !s.Config.IsPair() {
			v.ClientID = s.Config.ClientID
		}
		if !s.absent[id] {
			v.Value, err = s.Value(ctx, id)
			s.absent[id] = errors.Is(err, versions.ErrNotFound)
			if err != nil && !s.absent[id] {
				return err
			}
		}
		k.Others = append(k.Others, v)
	}
	s.known = k
	return nil
}

// nameCurrent returns the version by which the journal and the caller know the secret of AWSCURRENT: From, if that was
// stored again.
func (s *Invocation) nameCurrent(l versions.Labels) string {
	if s.From != "" && s.stands == s.From && l.Current == s.stays {
		return s.From
	}
	return l.Current
}

// others returns the versions, other than AWSCURRENT's, whose secrets the provider may have: those that the journal
// holds as intended, live or kept, the kept ones last.
func (s *Invocation) others(current string) []string {
	var wanted, kept []string
	for _, id := range slices.Sorted(maps.Keys(s.journal.Secrets)) {
		switch e := s.journal.Secrets[id]; {
		case id == current || e.State == journal.Removed:
		case e.State == journal.Kept:
			kept = append(kept, id)
		default:
			wanted = append(wanted, id)
		}
	}
	return append(wanted, kept...)
}

// Exists reports whether a version is stored at this moment. TellProvider does not look again for one that is not.
func (s *Invocation) Exists(ctx context.Context, version string) (bool, error) {
	exists, err := s.Store.Exists(ctx, version)
	s.absent[version] = err == nil && !exists
	return exists, err
}
