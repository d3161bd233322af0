package fakes

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"alboidc.internal/shared/versions"
)

// SecretsManager holds the client's secret, and others that are only read, by the rules of its API reference for
// versions, labels and request tokens.
type SecretsManager struct {
	t    testing.TB
	wire *Wire
	// Values by version id, and Labels to version id, of the client's secret.
	Values, Labels map[string]string
	// Created is when every version was stored.
	Created time.Time
	// PrimaryRegion, RotationEnabled and OwningService are what DescribeSecret tells of the client's secret.
	PrimaryRegion, OwningService string
	RotationEnabled              bool
	// Others are the values of other secrets, by ARN.
	Others map[string]string

	seen    []string // every value that was ever stored
	regions []string
}

var _ versions.API = (*SecretsManager)(nil)

func newSecretsManager(t testing.TB, wire *Wire, current string) *SecretsManager {
	return &SecretsManager{t: t, wire: wire, Values: map[string]string{Old: current}, Labels: map[string]string{"AWSCURRENT": Old},
		Others: map[string]string{}, seen: []string{current}}
}

func (s *SecretsManager) region(name string) versions.API {
	if name != "eu-central-1" && name != "us-east-1" {
		s.t.Errorf("Secrets Manager of Region %q is asked for", name)
	}
	s.regions = append(s.regions, name)
	return s
}

// Regions are those whose Secrets Manager was asked for, in order.
func (s *SecretsManager) Regions() []string { return s.regions }

// Add stores a version as another program, or an earlier rotation, would.
func (s *SecretsManager) Add(version, value string, labels ...string) {
	s.Values[version] = value
	s.seen = append(s.seen, value)
	for _, l := range labels {
		s.Labels[l] = version
	}
}

// DescribeSecret implements versions.API.
func (s *SecretsManager) DescribeSecret(_ context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	out := &secretsmanager.DescribeSecretOutput{VersionIdsToStages: map[string][]string{}}
	return out, s.wire.read("DescribeSecret", func() error {
		s.ours(in.SecretId)
		out.PrimaryRegion, out.OwningService, out.RotationEnabled = &s.PrimaryRegion, &s.OwningService, &s.RotationEnabled
		for label, id := range s.Labels {
			out.VersionIdsToStages[id] = append(out.VersionIdsToStages[id], label)
		}
		return nil
	})
}

// GetSecretValue implements versions.API.
func (s *SecretsManager) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	out := &secretsmanager.GetSecretValueOutput{VersionId: in.VersionId}
	return out, s.wire.read("GetSecretValue", func() error {
		v, ok := s.Others[aws.ToString(in.SecretId)]
		if !ok && aws.ToString(in.SecretId) == SecretARN {
			v, ok = s.Values[aws.ToString(in.VersionId)]
		}
		if !ok {
			return &types.ResourceNotFoundException{}
		}
		out.SecretString, out.CreatedDate = &v, &s.Created
		return nil
	})
}

// PutSecretValue implements versions.API. The request token is the version id; a repeat with the same value changes
// nothing, not even labels.
func (s *SecretsManager) PutSecretValue(_ context.Context, in *secretsmanager.PutSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	id := aws.ToString(in.ClientRequestToken)
	out := &secretsmanager.PutSecretValueOutput{VersionId: &id}
	return out, s.wire.write("PutSecretValue "+id, func() error {
		s.ours(in.SecretId)
		old, exists := s.Values[id]
		if exists && old != aws.ToString(in.SecretString) {
			return &types.ResourceExistsException{}
		}
		if !exists {
			s.Add(id, aws.ToString(in.SecretString), in.VersionStages...)
		}
		for label, at := range s.Labels {
			if at == id {
				out.VersionStages = append(out.VersionStages, label)
			}
		}
		return nil
	})
}

// UpdateSecretVersionStage implements versions.API. A label leaves only the version that it is on, and AWSPREVIOUS
// follows AWSCURRENT.
func (s *SecretsManager) UpdateSecretVersionStage(_ context.Context, in *secretsmanager.UpdateSecretVersionStageInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	label, from, to := aws.ToString(in.VersionStage), aws.ToString(in.RemoveFromVersionId), aws.ToString(in.MoveToVersionId)
	return &secretsmanager.UpdateSecretVersionStageOutput{}, s.wire.write(label+" "+from+">"+to, func() error {
		s.ours(in.SecretId)
		if s.Labels[label] != from {
			return &types.InvalidParameterException{}
		}
		if _, ok := s.Values[to]; to != "" && !ok {
			return &types.ResourceNotFoundException{}
		}
		s.set(label, to)
		if label == "AWSCURRENT" && from != "" {
			s.set("AWSPREVIOUS", from)
		}
		return nil
	})
}

func (s *SecretsManager) set(label, id string) {
	if id == "" {
		delete(s.Labels, label)
		return
	}
	s.Labels[label] = id
}

func (s *SecretsManager) ours(arn *string) {
	if aws.ToString(arn) != SecretARN {
		s.t.Errorf("secret %q is not the client's", aws.ToString(arn))
	}
}
