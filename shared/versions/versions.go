// Package versions keeps the client secret in AWS Secrets Manager: it reads and stores versions and moves their staging
// labels. Every method may be repeated from any state that an earlier, interrupted call left behind.
//
// It moves labels by compare-and-swap only: UpdateSecretVersionStage with RemoveFromVersionId fails if the label is not
// where the caller thinks it is (Secrets Manager API reference, UpdateSecretVersionStage). So one of two writers wins,
// and the other gets an error.
package versions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/secret"
)

// API is the part of Secrets Manager that is used.
type API interface {
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput,
		...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput,
		...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput,
		...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	UpdateSecretVersionStage(context.Context, *secretsmanager.UpdateSecretVersionStageInput,
		...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
}

var _ API = (*secretsmanager.Client)(nil)

// ErrNotFound means that a version does not exist, or has no value.
var ErrNotFound = errors.New("no such version")

// ErrExists means that a version already exists with another value. A version's value never changes.
var ErrExists = errors.New("the version exists with another value")

// The staging labels of Secrets Manager.
const (
	current  = "AWSCURRENT"
	pending  = "AWSPENDING"
	previous = "AWSPREVIOUS"
)

// pauses between repeated reads: what was written a moment ago may be missing from an answer.
var pauses = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}

// Store is one client's secret. It is not for concurrent use.
type Store struct {
	api     API
	arn     string
	jsonKey string
	sleep   func(context.Context, time.Duration) error
	texts   map[string]Text // by version: what a version holds never changes
}

// New returns the store of the secret secretARN. If jsonKey is not "", the stored value is a JSON object, and the
// client secret is its member of that name. sleep must return early, with the context's error, if the context ends.
func New(api API, secretARN, jsonKey string, sleep func(context.Context, time.Duration) error) *Store {
	return &Store{api: api, arn: secretARN, jsonKey: jsonKey, sleep: sleep, texts: map[string]Text{}}
}

// Labels says which version has which label; "" if the label is nowhere.
type Labels struct{ Current, Pending, Previous string }

// at returns the version that has the label.
func (l Labels) at(label string) string {
	switch label {
	case current:
		return l.Current
	case pending:
		return l.Pending
	default:
		return l.Previous
	}
}

// Labels reads the labels and changes nothing. A secret that does not exist, or is marked for deletion, is
// Precondition.
func (s *Store) Labels(ctx context.Context) (Labels, error) {
	l, _, err := s.Describe(ctx)
	return l, err
}

// Describe reads the labels, as Labels does, and who else writes the secret.
func (s *Store) Describe(ctx context.Context) (l Labels, k Keeper, err error) {
	out, err := s.api.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &s.arn})
	if err != nil {
		return l, k, wrap(err, "reading the labels of %s", s.arn)
	}
	if out.DeletedDate != nil {
		return l, k, failure.New(failure.Precondition, "the secret %s is marked for deletion: restore it first", s.arn)
	}
	k = Keeper{Rotated: aws.ToBool(out.RotationEnabled), Service: aws.ToString(out.OwningService)}
	// a secret that has replicas names its own Region
	if here, err := arn.Parse(s.arn); err == nil && aws.ToString(out.PrimaryRegion) != here.Region {
		k.Primary = aws.ToString(out.PrimaryRegion)
	}
	for id, labels := range out.VersionIdsToStages {
		if slices.Contains(labels, current) {
			l.Current = id
		}
		if slices.Contains(labels, pending) {
			l.Pending = id
		}
		if slices.Contains(labels, previous) {
			l.Previous = id
		}
	}
	return l, k, nil
}

// Exists reports whether a version can be read by its id at this moment, with or without a label. It changes nothing.
func (s *Store) Exists(ctx context.Context, versionID string) (bool, error) {
	out, err := s.peek(ctx, versionID)
	return out != nil, err
}

// IsCurrent reads a version by its id, and reports whether it has AWSCURRENT at this moment, which the answer tells
// (Secrets Manager API reference, GetSecretValue, VersionStages). A version that is not there has not. It changes
// nothing, and Text need not read the version again.
func (s *Store) IsCurrent(ctx context.Context, versionID string) (bool, error) {
	out, err := s.peek(ctx, versionID)
	if err != nil || out == nil {
		return false, err
	}
	s.keep(versionID, out)
	return slices.Contains(out.VersionStages, current), nil
}

// peek reads a version once; nil if it is not there.
func (s *Store) peek(ctx context.Context, versionID string) (*secretsmanager.GetSecretValueOutput, error) {
	out, err := s.api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.arn, VersionId: &versionID})
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		return nil, nil
	case err != nil:
		return nil, wrap(err, "looking for version %s of %s", versionID, s.arn)
	}
	return out, nil
}

// Keeper says who else writes the secret.
type Keeper struct {
	// Primary is the Region of the primary secret, if this one is a replica; otherwise "".
	Primary string
	// Rotated: Secrets Manager rotates it by itself.
	Rotated bool
	// Service is the AWS service that owns it, "" if none does.
	Service string
}

// read reads a version, and tries again if it is not there yet.
func (s *Store) read(ctx context.Context, versionID string) (*secretsmanager.GetSecretValueOutput, error) {
	if versionID == "" {
		return nil, failure.New(failure.Internal, "reading %s: no version id", s.arn)
	}
	for try := 0; ; try++ {
		out, err := s.api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.arn,
			VersionId: &versionID})
		var missing *types.ResourceNotFoundException
		switch {
		case err == nil:
			return out, nil
		case !errors.As(err, &missing):
			return nil, wrap(err, "reading version %s of %s", versionID, s.arn)
		case try == len(pauses):
			return nil, failure.Wrap(failure.Precondition, ErrNotFound, "reading version %s of %s", versionID, s.arn)
		}
		if err := s.sleep(ctx, pauses[try]); err != nil {
			return nil, fmt.Errorf("waiting to read version %s again: %w", versionID, err)
		}
	}
}

// Current reads the whole AWSCURRENT value of a secret that is not rotated here: an admin credential, a synthetic user.
// It changes nothing. A secret that is missing, binary or empty is Precondition.
func Current(ctx context.Context, api API, secretARN string) (secret.Value, error) {
	out, err := api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &secretARN})
	if err != nil {
		return secret.Value{}, wrap(err, "reading %s", secretARN)
	}
	if aws.ToString(out.SecretString) == "" {
		return secret.Value{}, failure.New(failure.Precondition, "%s holds no text", secretARN)
	}
	return secret.New(*out.SecretString), nil
}

// PutPending stores v as version versionID and gives it AWSPENDING. That takes the label off the version that had it,
// so callers look at the labels first. With a JSON key, the other members come from version template, but for those
// that are given.
//
// The version id is the request's token. A repeat with the same value is success and changes nothing; if the version
// exists with another value, the error is ErrExists (Secrets Manager API reference, PutSecretValue,
// ClientRequestToken). A version that exists but has lost AWSPENDING to another one is Precondition.
func (s *Store) PutPending(ctx context.Context, versionID string, v secret.Value, template string,
	given ...Member) error {
	if err := s.storable(versionID, v); err != nil {
		return err
	}
	whole, err := s.fillTemplate(ctx, v, template, given)
	if err != nil {
		return err
	}
	// without stages Secrets Manager makes the new version AWSCURRENT at once
	stages, err := s.put(ctx, versionID, whole, pending)
	if err != nil || slices.Contains(stages, pending) {
		return err
	}
	return s.checkLabelled(ctx, versionID)
}

// PutCurrent stores v as version versionID and makes it AWSCURRENT, on which Secrets Manager moves AWSPREVIOUS to the
// version that was. With a JSON key, the other members come from version template, but for those that are given; with
// "" there are no others. A repeat with the same value is success.
func (s *Store) PutCurrent(ctx context.Context, versionID string, v secret.Value, template string,
	given ...Member) error {
	if err := s.storable(versionID, v); err != nil {
		return err
	}
	var whole secret.Value
	var err error
	if s.jsonKey != "" && template == "" {
		whole, err = withMembers(secret.New("{}"), s.jsonKey, v, given)
	} else {
		whole, err = s.fillTemplate(ctx, v, template, given)
	}
	if err == nil {
		_, err = s.put(ctx, versionID, whole, current)
	}
	return err
}

func (s *Store) storable(versionID string, v secret.Value) error {
	if v.IsZero() || versionID == "" {
		return failure.New(failure.Internal, "storing a version of %s: no value or no version id", s.arn)
	}
	return nil
}

// put stores a version with a label, and returns the labels that it has then.
func (s *Store) put(ctx context.Context, versionID string, whole secret.Value, label string) ([]string, error) {
	out, err := s.api.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &s.arn,
		ClientRequestToken: &versionID, SecretString: aws.String(whole.Reveal()), VersionStages: []string{label}})
	var exists *types.ResourceExistsException
	switch {
	case errors.As(err, &exists):
		return nil, failure.Wrap(failure.Precondition, ErrExists, "storing version %s of %s", versionID, s.arn)
	case err != nil:
		return nil, wrap(err, "storing version %s of %s", versionID, s.arn)
	}
	return out.VersionStages, nil
}

// fillTemplate returns the value to store.
func (s *Store) fillTemplate(ctx context.Context, v secret.Value, template string,
	given []Member) (secret.Value, error) {
	if s.jsonKey == "" {
		return v, nil
	}
	t, err := s.Text(ctx, template)
	if err == nil && t.binary {
		_, err = t.Secret("")
	}
	if err != nil {
		return secret.Value{}, fmt.Errorf("carrying the other members over: %w", err)
	}
	whole, err := withMembers(t.whole, s.jsonKey, v, given)
	if err != nil {
		return secret.Value{}, failure.Wrap(failure.Precondition, err,
			"carrying the other members of version %s over", template)
	}
	return whole, nil
}

// checkLabelled refuses a version that was stored earlier and no longer has a label of the rotation.
func (s *Store) checkLabelled(ctx context.Context, versionID string) error {
	l, err := s.Labels(ctx)
	if err != nil {
		return err
	}
	if l.Pending == versionID || l.Current == versionID {
		return nil
	}
	return failure.New(failure.Precondition,
		"version %s of %s was stored before but is not AWSPENDING any more (that is %q): "+
			"something else moves the labels of this secret", versionID, s.arn, l.Pending)
}

// wrap makes the two codes that mean "not with this secret" Precondition, and leaves all others to awserr.Wrap.
func wrap(err error, format string, args ...any) error {
	var missing *types.ResourceNotFoundException
	var invalid *types.InvalidRequestException
	if errors.As(err, &missing) || errors.As(err, &invalid) {
		return awserr.As(failure.Precondition, err, format, args...)
	}
	return awserr.Wrap(err, format, args...)
}
