package withoutids

import (
	"context"
	"errors"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

// What a slot is called whose value belongs to no known version.
const (
	unknownCurrent  = "current-made-by-somebody-else"
	unknownPrevious = "previous-made-by-somebody-else"
)

// shifting is a registration with a current and a previous slot. Making a secret pushes out what is in the previous
// slot, so it is done only while the secret in use is the current one and the previous slot is empty; removing the new
// secret makes the one in use the current one again.
type shifting struct {
	idp.PreviousKeeper
	byValue
}

var (
	_ idp.Provider    = (*shifting)(nil)
	_ idp.Finder      = (*shifting)(nil)
	_ idp.UseReporter = (*shifting)(nil)
	_ idp.Reviewer    = (*shifting)(nil)
)

// EndPrevious ends a PreviousKeeper's Restore: it makes sure that a value that was set is the current secret, and drops
// the previous one. Unavailable if another is the current one.
func EndPrevious(ctx context.Context, r idp.PreviousDropper, v secret.Value) error {
	s, err := r.Slots(ctx)
	switch {
	case err != nil:
		return err
	case !s.Current.Equal(v):
		return failure.New(failure.Unavailable, "the identity provider's current secret is not the one that was set")
	case !s.Previous.IsZero():
		return r.DropPrevious(ctx)
	}
	return nil
}

// CurrentPrevious returns the provider of a registration with a current and a previous slot.
func CurrentPrevious(r idp.PreviousKeeper, b Env) idp.Provider { return &shifting{r, byValue{b}} }

// Capabilities implements idp.Provider.
func (p *shifting) Capabilities() idp.Capabilities {
	return Capabilities(p.PreviousKeeper.Capabilities(), idp.CurrentPrevious)
}

// Review implements idp.Reviewer.
func (p *shifting) Review(ctx context.Context) (idp.Review, error) {
	if x, ok := p.PreviousKeeper.(idp.ShiftReviewer); ok {
		return review(ctx, p.PreviousKeeper, x.ReviewShift)
	}
	return review(ctx, p.PreviousKeeper)
}

// look reads the slots, to compare them with the versions.
func (p *shifting) look(ctx context.Context) (idp.Slots, Known, error) {
	k, err := p.known()
	if err != nil {
		return idp.Slots{}, Known{}, err
	}
	s, err := p.Slots(ctx)
	if !s.Previous.IsZero() && s.Previous.Equal(s.Current) {
		// a Restore was cut off before it dropped the previous one: that is no secret of its own
		s.Previous, s.PreviousUntil, s.PreviousUsed = secret.Value{}, time.Time{}, time.Time{}
	}
	return s, k, err
}

// List implements idp.Provider. Where the provider does not show its secrets, only known ones can be listed.
func (p *shifting) List(ctx context.Context) ([]idp.Secret, error) {
	s, k, err := p.look(ctx)
	if err != nil {
		return nil, err
	}
	if !s.Readable {
		accepted, err := p.findAccepted(ctx, k, func(v Version) string { return v.ClientID })
		return list(k, accepted), err
	}
	var out []idp.Secret
	for _, slot := range []struct {
		value   secret.Value
		unknown string
		until   time.Time
	}{{s.Current, unknownCurrent, s.CurrentUntil}, {s.Previous, unknownPrevious, s.PreviousUntil}} {
		if slot.value.IsZero() {
			continue
		}
		id := slot.unknown
		if v, ok := k.withValue(slot.value); ok {
			id = v.ID
		}
		out = append(out, idp.Secret{ID: id, Status: idp.Active, Until: slot.until})
	}
	return out, nil
}

// Create implements idp.Provider.
func (p *shifting) Create(ctx context.Context, r idp.CreateRequest) (idp.Created, error) {
	if !r.Value.IsZero() {
		return idp.Created{}, failure.New(failure.Internal,
			"this identity provider makes the values of secrets; it takes none")
	}
	s, k, err := p.look(ctx)
	if err != nil {
		return idp.Created{}, err
	}
	if s.Readable {
		if p.canAdopt(s, k, r) {
			return idp.Created{ID: r.Tag, Value: s.Current, Ended: k.gone(s)}, nil
		}
		if inUse := k.Current.Value; r.Asked && !k.Ended && !inUse.Equal(s.Current) && !inUse.Equal(s.Previous) {
			// the earlier request ended it, and died before it could put it back
			return idp.Created{}, p.putBack(ctx, inUse)
		}
		check := checkInUseAlone
		if k.Ended {
			check = checkPushesOutNobodys
		}
		if err := check(s, k); err != nil {
			return idp.Created{}, err
		}
	}
	shift := p.Shift
	if x, ok := p.PreviousKeeper.(idp.EndedShifter); ok && k.Ended {
		shift = x.ShiftEnded
	}
	made, err := shift(ctx)
	if err != nil {
		return idp.Created{}, err
	}
	if k.Ended {
		return idp.Created{ID: r.Tag, Value: made,
			Ended: k.gone(idp.Slots{Readable: s.Readable, Current: made, Previous: s.Current})}, nil
	}
	if err := p.mustHaveKept(ctx, k.Current, made); err != nil {
		return idp.Created{}, err
	}
	return idp.Created{ID: r.Tag, Value: made}, nil
}

// gone returns the known versions, other than AWSCURRENT, whose secret is in neither slot; none where those are not
// shown.
func (k Known) gone(s idp.Slots) (ids []string) {
	for _, v := range k.Others {
		if s.Readable && !v.Value.IsZero() && !v.Value.Equal(s.Current) && !v.Value.Equal(s.Previous) {
			ids = append(ids, v.ID)
		}
	}
	return ids
}

// canAdopt reports whether the current slot already holds a secret of ours that nothing uses, beside the one in use.
func (p *shifting) canAdopt(s idp.Slots, k Known, r idp.CreateRequest) bool {
	if !k.Ended && (s.Previous.IsZero() || !s.Previous.Equal(k.Current.Value)) {
		return false
	}
	v, known := k.withValue(s.Current)
	return known && v.Kept && !k.Ended || !known && r.Adopt && !s.Current.IsZero()
}

// checkInUseAlone fails unless the secret in use is the current one and there is no previous.
func checkInUseAlone(s idp.Slots, k Known) error {
	switch {
	case !s.Current.Equal(k.Current.Value):
		return failure.New(failure.Precondition,
			"the identity provider's current secret is not the one stored as AWSCURRENT; making another would end the "+
				"one in use: somebody made a new one there, store it as AWSCURRENT once the load balancers use it")
	case !s.Previous.IsZero():
		return failure.New(failure.Precondition, "the identity provider still keeps a previous secret, and making "+
			"another would end it: remove it there, or wait until it ends by itself")
	}
	return nil
}

// checkPushesOutNobodys fails if making a secret would end one of somebody else. What is the current one stays, as the
// previous.
func checkPushesOutNobodys(s idp.Slots, k Known) error {
	if _, known := k.withValue(s.Previous); !known && !s.Previous.IsZero() {
		return failure.New(failure.Precondition,
			"the identity provider keeps a previous secret that is not known here, "+
				"and making another would end it: remove it there if nothing uses it")
	}
	return nil
}

// mustHaveKept fails if a shift has ended the secret in use after all. It first makes that the current one again,
// because load balancers need it.
func (p *shifting) mustHaveKept(ctx context.Context, inUse Version, made secret.Value) error {
	kept, err := p.hasKept(ctx, inUse, made)
	switch {
	case err != nil: // any other kind would say that nothing happened
		return failure.Wrap(failure.Unavailable, err,
			"the identity provider made a new secret, and whether it kept the one in use cannot be told")
	case kept:
		return nil
	}
	return p.putBack(ctx, inUse.Value)
}

// putBack makes the secret in use, which a shift has ended, the current one again. It always fails: there is no new
// secret.
func (p *shifting) putBack(ctx context.Context, inUse secret.Value) error {
	if err := p.Restore(ctx, inUse); err != nil {
		kind := failure.KindOf(err)
		if kind.Transient() { // Throttled would say that nothing happened
			kind = failure.Unavailable
		}
		return failure.Wrap(kind, err,
			"the identity provider made a new secret but did not keep the one in use, and that could not be put back")
	}
	return failure.New(failure.Precondition,
		"the identity provider made a new secret but did not keep the one in use as the previous; the latter "+
			"was put back at once: see to it that the provider keeps previous secrets")
}

// hasKept reports whether the secret in use is now a previous one: the provider shows it, or, if it shows none, accepts
// it. A refusal must be seen several times, at first twice in a row (probe.Refusal says why), and each time while the
// new secret is accepted.
func (p *shifting) hasKept(ctx context.Context, inUse Version, made secret.Value) (bool, error) {
	after, err := p.Slots(ctx)
	if err != nil || after.Readable {
		return after.Previous.Equal(inUse.Value), err
	}
	for n := range 4 {
		if kept, err := p.askOnce(ctx, inUse.ClientID, inUse.Value); err != nil || kept {
			return kept, err
		}
		if n == 0 {
			continue
		}
		switch ended, err := p.askOnce(ctx, inUse.ClientID, made); {
		case err != nil:
			return false, err
		case !ended:
			return false, failure.New(failure.Unavailable, "the identity provider made a new secret and accepts "+
				"neither that nor the one in use: it does not answer rightly now")
		}
	}
	return false, nil
}

// FindLost implements idp.Finder. A stored value came from the provider, so the secret is there, or gone since. One
// that was asked for and never came back is in the current slot if that holds no known value while the secret in use is
// the previous one. Where secrets are not shown it may always be there: removing it is harmless.
func (p *shifting) FindLost(ctx context.Context, version string, asked time.Time) (string, error) {
	s, k, err := p.look(ctx)
	if err != nil {
		return "", err
	}
	v, _ := k.find(version)
	switch {
	case !v.Value.IsZero() && s.Readable:
		if v.Value.Equal(s.Current) || v.Value.Equal(s.Previous) {
			return version, nil
		}
		return "", nil
	case !v.Value.IsZero():
		return version, nil
	case asked.IsZero():
		return "", nil
	case !s.Readable:
		return version, nil
	}
	if _, known := k.withValue(s.Current); !known && s.Previous.Equal(k.Current.Value) {
		return version, nil
	}
	return "", nil
}

// Remove implements idp.Provider. It never removes the secret in use, and removes nothing unless the slots are as they
// were left. That a newer one is gone is no success while a current secret that nobody knows has taken its place: a
// restore may have been cut off, or somebody was there.
func (p *shifting) Remove(ctx context.Context, id string) error {
	s, k, err := p.look(ctx)
	if err != nil {
		return err
	}
	v, known := k.find(id)
	if !known {
		return nil
	}
	if v.ID == k.Current.ID {
		return failure.New(failure.Precondition, "version %s is AWSCURRENT; its secret is not removed", id)
	}
	if !s.Readable { // whichever is the current one, this leaves the one in use alone
		return p.restore(ctx, k)
	}
	_, currentKnown := k.withValue(s.Current)
	switch {
	case !v.Value.IsZero() && v.Value.Equal(s.Previous):
		if !s.Current.Equal(k.Current.Value) {
			return failure.New(failure.Precondition, "the identity provider's current secret is not the one stored "+
				"as AWSCURRENT, so its previous one is not removed: somebody made a new one there")
		}
		d, ok := p.PreviousKeeper.(idp.PreviousDropper)
		if !ok {
			return failure.New(failure.Internal,
				"this identity provider shows its secrets, but cannot end the previous one")
		}
		return d.DropPrevious(ctx)
	case !v.Value.IsZero() && v.Value.Equal(s.Current), v.Value.IsZero() && !currentKnown:
		if !s.Previous.Equal(k.Current.Value) {
			return failure.New(failure.Precondition, "the identity provider does not have the secret stored as "+
				"AWSCURRENT any more; its current one is not removed")
		}
		return p.restore(ctx, k)
	case v.After && !currentKnown && s.Previous.Equal(k.Current.Value):
		return failure.New(failure.Precondition, "the identity provider's current secret is not known here, and the "+
			"one stored as AWSCURRENT is only its previous one, which ends by itself%s: store the current one as "+
			"AWSCURRENT once the load balancers use it", until(s))
	}
	return nil
}

// until says when the previous secret ends, if the provider tells.
func until(s idp.Slots) string {
	if s.PreviousUntil.IsZero() {
		return ""
	}
	return " at " + s.PreviousUntil.UTC().Format(time.RFC3339)
}

// restore makes the secret in use the current one again.
func (p *shifting) restore(ctx context.Context, k Known) error {
	err := p.Restore(ctx, k.Current.Value)
	if !errors.Is(err, idp.ErrKept) {
		return err
	}
	s, readErr := p.Slots(ctx)
	if readErr != nil {
		return readErr
	}
	ends := until(s)
	if ends != "" {
		ends = ", which ends" + ends
	}
	return failure.Wrap(failure.Precondition, err,
		"the new secret stays the identity provider's current one, and the secret in use its previous one%s: "+
			"start a rotation before then, it goes on with the new secret", ends)
}

// LastUsed implements idp.UseReporter.
func (p *shifting) LastUsed(ctx context.Context, id string) (time.Time, error) {
	s, k, err := p.look(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if v, ok := k.find(id); ok && !v.Value.IsZero() && v.Value.Equal(s.Previous) {
		return s.PreviousUsed, nil
	}
	return time.Time{}, nil
}
