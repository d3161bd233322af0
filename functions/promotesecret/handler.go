// Package promotesecret moves the labels: AWSCURRENT to the new version, or, for a rollback, everything back.
package promotesecret

import (
	"cmp"
	"context"
	"time"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/versions"
)

// Handler is the function.
type Handler struct{ Deps invocation.Deps }

// Handle promotes in.To, or undoes that; a repeat finds the labels where they should be, and answers with the same end
// of the grace period. It moves nothing if AWSCURRENT is a third version, moves labels only to versions that a rotation
// has in hand, and AWSCURRENT only to a secret that the identity provider accepted not long ago.
func (h Handler) Handle(ctx context.Context, in rotation.PromoteInput) (rotation.PromoteOutput, error) {
	s, err := h.Deps.Open(ctx, in.Common)
	if err != nil {
		return rotation.PromoteOutput{}, err
	}
	if in.From.VersionID == "" || in.To.VersionID == "" || in.From.VersionID == in.To.VersionID {
		return rotation.PromoteOutput{}, failure.New(failure.InvalidInput,
			"from.versionId and to.versionId must be given and differ")
	}
	j, err := s.Own(ctx)
	if err != nil {
		return rotation.PromoteOutput{}, err
	}
	stands, _, err := s.ResolveCurrent(ctx, in.From.VersionID, in.To.VersionID)
	if err != nil {
		return rotation.PromoteOutput{}, err
	}
	for _, version := range []string{in.From.VersionID, in.To.VersionID} {
		if version == stands || in.Undo && version == in.To.VersionID { // what is undone may never have come to be
			continue
		}
		if err := s.MustBeInHand(ctx, version); err != nil {
			return rotation.PromoteOutput{}, err
		}
	}
	next := in.To
	if in.Undo {
		next = in.From
	}
	if stands != next.VersionID { // else AWSCURRENT is there, and whoever reads it has it
		if err := s.MustBeProven(ctx, next.VersionID, in.Proven,
			"the secret that is to become AWSCURRENT"); err != nil {
			return rotation.PromoteOutput{}, err
		}
		if !in.Undo { // what AWSCURRENT was, Plan has looked at, and no other is there to go back to
			if err := s.MustHaveItsClientID(ctx, next.VersionID,
				"the secret that is to become AWSCURRENT"); err != nil {
				return rotation.PromoteOutput{}, err
			}
		}
	}
	out := rotation.PromoteOutput{}
	if in.Undo {
		err = undo(ctx, s, j, in)
	} else {
		out, err = promote(ctx, s, j, in)
	}
	out.Moved = err == nil && stands != next.VersionID
	return out, err
}

func promote(ctx context.Context, s *invocation.Invocation, j *journal.Journal,
	in rotation.PromoteInput) (rotation.PromoteOutput, error) {
	from, to, labels, err := storedAs(ctx, s, in)
	if err != nil {
		return rotation.PromoteOutput{}, err
	}
	p := j.Promotion
	if p == nil || p.From != in.From.VersionID || p.To != in.To.VersionID || p.Repair != in.Repair {
		p = &journal.Promotion{From: in.From.VersionID, To: in.To.VersionID, PreviousBefore: labels.Previous,
			Repair: in.Repair}
		j.Promotion = p
		j.Use(p.To)
		if err := s.Journal.Save(ctx, j); err != nil {
			return rotation.PromoteOutput{}, err
		}
	}
	if err := s.Store.Promote(ctx, labels, from, to); err != nil {
		return rotation.PromoteOutput{}, beginAgain(ctx, s, err)
	}
	if p.GraceUntil.IsZero() {
		p.At = s.Now()
		p.GraceUntil = p.At.Add(gracePeriod(s, in))
		j.Current = nil // a delay that was configured before this promotion does not count any more
		if delay := s.Config.FollowersDelay(); j.Follow(to, delay, p.At) {
			p.GraceUntil = rotation.Later(p.GraceUntil, j.FollowedAt(to, delay))
		}
		if err := s.Journal.Save(ctx, j); err != nil {
			return rotation.PromoteOutput{}, err
		}
	}
	return rotation.PromoteOutput{GraceUntil: rotation.Timestamp(p.GraceUntil)}, nil
}

// gracePeriod returns that of the call, but never more than the configured one: a caller of the function must not keep
// an old secret valid for years. What followers need is a floor for both.
func gracePeriod(s *invocation.Invocation, in rotation.PromoteInput) time.Duration {
	return time.Duration(min(max(in.GracePeriodSeconds, 0), s.Config.GracePeriod())) * time.Second
}

// undo puts the labels back. The journal keeps the promotion until then: if undo dies halfway, the next execution sees
// that a rollback was under way.
func undo(ctx context.Context, s *invocation.Invocation, j *journal.Journal, in rotation.PromoteInput) error {
	from, to, labels, err := storedAs(ctx, s, in)
	if err != nil {
		return err
	}
	delay, err := s.FollowersDelay(ctx, !j.Secrets[in.To.VersionID].Unused)
	if err != nil {
		return err
	}
	var was []string
	// if it is, or was, AWSCURRENT by a person, the journal does not know yet that others may have it
	if labels.Current == to || labels.Previous == to && j.Secrets[in.To.VersionID].Unused {
		if labels.Current == in.To.VersionID { // Plan knows it as that; once AWSCURRENT has left, nothing else tells
			if was, err = s.TakePlace(ctx); err != nil {
				return err
			}
		}
		used, follows := j.Use(in.To.VersionID), j.Follow(to, delay, s.Now())
		if used || follows || len(was) > 0 {
			if err := s.Journal.Save(ctx, j); err != nil {
				return err
			}
		}
	}
	previous := labels.Previous
	if p := j.Promotion; p != nil && p.To == in.To.VersionID {
		previous = p.PreviousBefore
	}
	if previous == in.To.VersionID || previous == in.From.VersionID || previous == to || previous == from {
		previous = ""
	}
	former := append(was, in.From.VersionID, in.To.VersionID)
	if err := s.Store.Restore(ctx, labels, from, to, previous, former...); err != nil {
		return beginAgain(ctx, s, err)
	}
	ends := j.Promotion != nil && j.Promotion.To == in.To.VersionID
	if ends {
		j.Promotion = nil
	}
	if follows := j.Follow(from, delay, s.Now()); ends || follows {
		return s.Journal.Save(ctx, j)
	}
	return nil
}

// beginAgain makes a refusal to move the labels one that is tried again, if AWSCURRENT has moved since ResolveCurrent
// read it. The next try finds out what that means.
func beginAgain(ctx context.Context, s *invocation.Invocation, err error) error {
	if !failure.Is(err, failure.Precondition) {
		return err
	}
	return cmp.Or(s.LookAgain(ctx), err)
}

// storedAs returns the versions between which the labels move. If somebody stored one of the two secrets again
// meanwhile, AWSCURRENT is on that version, or AWSPREVIOUS once the other was promoted.
func storedAs(ctx context.Context, s *invocation.Invocation, in rotation.PromoteInput) (from, to string,
	l versions.Labels, err error) {
	if l, err = s.Labels(ctx); err != nil {
		return "", "", l, err
	}
	if to = in.To.VersionID; l.Current != in.From.VersionID { // else it is From, though To may hold the same secret
		if to, err = s.StoredAs(ctx, to, l.Current); err != nil {
			return "", "", l, err
		}
	}
	at := l.Current
	if at == to {
		at = l.Previous
	}
	from, err = s.StoredAs(ctx, in.From.VersionID, at)
	return from, to, l, err
}
