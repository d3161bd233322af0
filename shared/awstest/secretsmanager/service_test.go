package secretsmanager_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/clock"
)

const region = "eu-central-1"

// stack is a Secrets Manager behind its real protocol, with one client per test.
type stack struct {
	*sm.Client
	t       *testing.T
	clock   *clock.Virtual
	service *secretsmanager.Service
	api     http.Handler
}

func newStack(t *testing.T) *stack {
	t.Helper()
	t.Parallel()
	c := clock.NewVirtual(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC))
	svc := secretsmanager.New(c)
	s := &stack{t: t, clock: c, service: svc, api: awsapi.NewServer(c, nil, svc)}
	s.Client = s.in(region)
	return s
}

// in is a client of a Region.
func (s *stack) in(region string) *sm.Client { return sm.NewFromConfig(awsapi.Config(s.api, region)) }

// token is a version id for the n-th version: 36 characters, like a UUID.
func token(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// create makes a secret whose first version is token(1) and returns its ARN.
func (s *stack) create(name string) string {
	s.t.Helper()
	out, err := s.CreateSecret(context.Background(), &sm.CreateSecretInput{Name: &name,
		SecretString: aws.String("value 1"), ClientRequestToken: aws.String(token(1))})
	if err != nil {
		s.t.Fatal(err)
	}
	return *out.ARN
}

// put writes version n with the labels given.
func (s *stack) put(secretID string, n int, labels ...string) {
	s.t.Helper()
	_, err := s.PutSecretValue(context.Background(), &sm.PutSecretValueInput{SecretId: &secretID,
		ClientRequestToken: aws.String(token(n)),
		SecretString:       aws.String(fmt.Sprintf("value %d", n)), VersionStages: labels})
	if err != nil {
		s.t.Fatal(err)
	}
}

// move calls UpdateSecretVersionStage; version 0 leaves the parameter out.
func (s *stack) move(secretID, label string, from, to int) error {
	in := &sm.UpdateSecretVersionStageInput{SecretId: &secretID, VersionStage: &label}
	if from > 0 {
		in.RemoveFromVersionId = aws.String(token(from))
	}
	if to > 0 {
		in.MoveToVersionId = aws.String(token(to))
	}
	_, err := s.UpdateSecretVersionStage(context.Background(), in)
	return err
}

// labels shows DescribeSecret's labels as "1[AWSPREVIOUS] 2[AWSCURRENT AWSPENDING]".
func (s *stack) labels(secretID string) string {
	s.t.Helper()
	out, err := s.DescribeSecret(context.Background(), &sm.DescribeSecretInput{SecretId: &secretID})
	if err != nil {
		s.t.Fatal(err)
	}
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(out.VersionIdsToStages)) {
		l := out.VersionIdsToStages[id]
		slices.Sort(l)
		parts = append(parts, strings.TrimLeft(id[24:], "0")+"["+strings.Join(l, " ")+"]")
	}
	return strings.Join(parts, " ")
}

func (s *stack) wantLabels(secretID, want string) {
	s.t.Helper()
	if got := s.labels(secretID); got != want {
		s.t.Errorf("labels are %s, want %s", got, want)
	}
}

// wantError checks an AWS error's code and that its text contains a part.
func wantError(t *testing.T, err error, code, text string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("got %v, want %s", err, code)
	}
	if api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Fatalf("got %s %q, want %s %q", api.ErrorCode(), api.ErrorMessage(), code, text)
	}
}

func TestUnknownOperationsAndParametersAreRefusedByName(t *testing.T) {
	s := newStack(t)
	_, err := s.RotateSecret(context.Background(), &sm.RotateSecretInput{SecretId: aws.String("x")})
	wantError(t, err, "NotImplemented", "RotateSecret")
	_, err = s.PutSecretValue(context.Background(), &sm.PutSecretValueInput{SecretId: aws.String("x"),
		SecretString: aws.String("v"), RotationToken: aws.String(token(9))})
	wantError(t, err, "NotImplemented", "RotationToken")
}

func TestParametersAreCheckedBeforeTheSecretIsLookedUp(t *testing.T) {
	s := newStack(t)
	_, err := s.DescribeSecret(t.Context(), &sm.DescribeSecretInput{SecretId: aws.String("")})
	wantError(t, err, "ValidationException", "1 validation error detected: Value null at 'secretId' failed to satisfy "+
		"constraint: Member must not be null")
	_, err = s.UpdateSecretVersionStage(t.Context(), &sm.UpdateSecretVersionStageInput{SecretId: aws.String("nowhere"),
		VersionStage: aws.String(strings.Repeat("x", 257))})
	wantError(t, err, "ValidationException", "'versionStage' failed to satisfy constraint: Member must have length "+
		"less than or equal to 256")
	_, err = s.PutSecretValue(t.Context(), &sm.PutSecretValueInput{SecretId: aws.String("nowhere"),
		SecretString: aws.String(strings.Repeat("x", 65537))})
	wantError(t, err, "ValidationException", "Value at 'secretString' failed to satisfy constraint: Member must have "+
		"length less than or equal to 65536")
	_, err = s.PutSecretValue(t.Context(), &sm.PutSecretValueInput{SecretId: aws.String("nowhere"),
		SecretString: aws.String("x"), VersionStages: []string{""}})
	wantError(t, err, "ValidationException", "Value at 'versionStages' failed to satisfy constraint: Member must have "+
		"length greater than or equal to 1")
}

func TestRegionsAreSeparate(t *testing.T) {
	s := newStack(t)
	s.create("orders")
	_, err := s.in("us-east-1").DescribeSecret(context.Background(),
		&sm.DescribeSecretInput{SecretId: aws.String("orders")})
	wantError(t, err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

func TestSnapshotShowsLabelsAndValuesOfEveryVersion(t *testing.T) {
	s := newStack(t)
	arn := s.create("orders")
	s.put("orders", 2, "AWSPENDING")
	if err := s.move("orders", "AWSPENDING", 2, 0); err != nil {
		t.Fatal(err)
	}
	labels, values, err := s.service.Snapshot(region, arn)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(labels, map[string]string{"AWSCURRENT": token(1)}) {
		t.Errorf("labels %v", labels)
	}
	if !maps.Equal(values, map[string]string{token(1): "value 1", token(2): "value 2"}) {
		t.Error("the values are not those of both versions")
	}
	if _, _, err := s.service.Snapshot(region, "nobody"); err == nil {
		t.Error("a secret that does not exist has a snapshot")
	}
}
