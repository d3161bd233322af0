package versions

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/failure"
)

// Promote makes to the current version: it moves AWSCURRENT from from to to, on which Secrets Manager itself moves
// AWSPREVIOUS to from, and takes AWSPENDING off to (AWS says that it may stay there, and it does). A repeat is success;
// AWSCURRENT on a third version is Precondition. The labels are as the caller has read them: if one has moved since,
// the move that goes by it is refused.
func (s *Store) Promote(ctx context.Context, l Labels, from, to string) error {
	if err := s.checkDistinct(from, to); err != nil {
		return err
	}
	switch l.Current {
	case to:
	case from:
		if err := s.move(ctx, current, from, to); err != nil {
			return err
		}
	default:
		return s.errElsewhere(current, l.Current, from, to)
	}
	return s.strip(ctx, l, pending, to)
}

// Restore undoes Promote(from, to), or as much of it as was done: it puts AWSCURRENT back on from, and AWSPREVIOUS back
// on before, the version that had it before Promote ("" if none), and takes AWSPENDING off to.
//
// Moving AWSCURRENT back makes Secrets Manager put AWSPREVIOUS on the bad version, to, where it must not stay. Restore
// removes the label if before was deleted meanwhile (a version without labels may be, at any time) or is from itself:
// AWSPREVIOUS on the current version would mark the secret in use as the one to retire.
//
// Restore takes AWSPENDING away last: as long as it is there, an interrupted Restore is recognised as a rotation to
// roll back. A repeat is success. If a label would have to leave a version that is none of the three, it fails with
// Precondition and changes nothing.
//
// Labels may leave the versions of former as well: they hold the same two secrets, because from or to was stored again.
// l is as in Promote.
func (s *Store) Restore(ctx context.Context, l Labels, from, to, before string, former ...string) error {
	if err := s.checkDistinct(from, to); err != nil {
		return err
	}
	switch l.Current {
	case from:
	case to:
		if l.Previous != "" && !slices.Contains(append([]string{from, to, before}, former...), l.Previous) {
			return s.errElsewhere(previous, l.Previous, from, to)
		}
		if err := s.move(ctx, current, to, from); err != nil {
			return err
		}
		l.Previous = to
	default:
		return s.errElsewhere(current, l.Current, from, to)
	}
	if l.Previous == to || l.Previous != from && slices.Contains(former, l.Previous) {
		if err := s.restorePrevious(ctx, from, l.Previous, before); err != nil {
			return err
		}
	}
	for _, version := range append([]string{to}, former...) {
		if err := s.strip(ctx, l, pending, version); err != nil {
			return err
		}
	}
	return nil
}

// restorePrevious moves AWSPREVIOUS from to to before if that is possible, else removes it.
func (s *Store) restorePrevious(ctx context.Context, from, to, before string) error {
	if before != "" && before != from && before != to {
		err := s.move(ctx, previous, to, before)
		if err == nil || !refused(err) {
			return err
		}
	}
	return s.move(ctx, previous, to, "")
}

// DropPending takes AWSPENDING off a version if l says that it is there. It succeeds if the label has gone since.
func (s *Store) DropPending(ctx context.Context, l Labels, versionID string) error {
	return s.strip(ctx, l, pending, versionID)
}

// strip takes a label off a version if l says that it is there.
func (s *Store) strip(ctx context.Context, l Labels, label, versionID string) error {
	if versionID == "" || l.at(label) != versionID {
		return nil
	}
	return s.move(ctx, label, versionID, "")
}

// move takes a label from one version to another, or away if to is "". A refusal may follow our own success: the SDK
// repeats a request whose answer was lost, and the repeat no longer finds the label where it was. So a refusal counts
// only if, after a few reads, the label is still not where it should go.
func (s *Store) move(ctx context.Context, label, from, to string) error {
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: &s.arn, VersionStage: &label,
		RemoveFromVersionId: &from}
	what := fmt.Sprintf("taking %s off version %s of %s", label, from, s.arn)
	if to != "" {
		in.MoveToVersionId = &to
		what = fmt.Sprintf("moving %s of %s from version %s to %s", label, s.arn, from, to)
	}
	_, err := s.api.UpdateSecretVersionStage(ctx, in)
	if err == nil {
		return nil
	}
	if !refused(err) {
		return awserr.Wrap(err, "%s", what)
	}
	for try := 0; ; try++ {
		l, readErr := s.Labels(ctx)
		if readErr != nil {
			return readErr
		}
		at := l.at(label)
		if at == to || to == "" && at != from {
			return nil
		}
		if try == len(pauses) {
			return awserr.As(failure.Precondition, err, "%s (now on %q)", what, at)
		}
		if err := s.sleep(ctx, pauses[try]); err != nil {
			return fmt.Errorf("waiting to read the labels again: %w", err)
		}
	}
}

// refused reports whether Secrets Manager refused to move a label because of the label or its place.
func refused(err error) bool {
	var parameter *types.InvalidParameterException
	var request *types.InvalidRequestException
	var missing *types.ResourceNotFoundException
	return errors.As(err, &parameter) || errors.As(err, &request) || errors.As(err, &missing)
}

func (s *Store) checkDistinct(from, to string) error {
	if from == "" || to == "" || from == to {
		return failure.New(failure.Internal, "moving labels of %s: from %q and to %q must be two versions", s.arn,
			from, to)
	}
	return nil
}

func (s *Store) errElsewhere(label, at, from, to string) error {
	return failure.New(failure.Precondition,
		"%s of %s is on version %q, neither on %s nor on %s: something else moved it; "+
			"find out what rotates this secret before trying again", label, s.arn, at, from, to)
}
