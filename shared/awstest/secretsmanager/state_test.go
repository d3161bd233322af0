package secretsmanager_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"alboidc.internal/shared/awstest/secretsmanager"
)

func TestAReplicaFollowsItsPrimaryAndIsNotWritten(t *testing.T) {
	s := newStack(t)
	arn, ctx := s.create("orders"), context.Background()
	replica, err := s.service.Replicate(region, "orders", "eu-west-1")
	if want := strings.Replace(arn, region, "eu-west-1", 1); err != nil || replica != want {
		t.Fatalf("the replica is %s (%v), want %s", replica, err, want)
	}
	there := s.in("eu-west-1")
	if _, err := s.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &arn, SecretString: aws.String("value 2"),
		ClientRequestToken: aws.String(token(2))}); err != nil {
		t.Fatal(err)
	}
	got, err := there.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &replica})
	if err != nil || *got.SecretString != "value 2" || *got.ARN != replica {
		t.Errorf("the replica has %+v (%v)", got, err)
	}
	for _, c := range []*sm.Client{s.Client, there} {
		out, err := c.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: aws.String("orders")})
		if err != nil || aws.ToString(out.PrimaryRegion) != region {
			t.Errorf("the primary is in %q (%v)", aws.ToString(out.PrimaryRegion), err)
		}
	}
	_, err = there.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &replica, SecretString: aws.String("value 3"),
		ClientRequestToken: aws.String(token(3))})
	wantError(t, err, "InvalidParameterException", "Operation not permitted on a replica secret")
	_, err = there.UpdateSecretVersionStage(ctx, &sm.UpdateSecretVersionStageInput{SecretId: &replica,
		VersionStage:    aws.String("AWSCURRENT"),
		MoveToVersionId: aws.String(token(1)), RemoveFromVersionId: aws.String(token(2))})
	wantError(t, err, "InvalidParameterException", "Operation not permitted on a replica secret")
}

func TestWhoKeepsASecretIsTold(t *testing.T) {
	s := newStack(t)
	arn, ctx := s.create("orders"), context.Background()
	out, err := s.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &arn})
	if err != nil || out.RotationEnabled != nil || out.OwningService != nil || out.PrimaryRegion != nil {
		t.Errorf("a secret of one's own is described as %+v (%v)", out, err)
	}
	if err := s.service.Change(region, arn, secretsmanager.Rotated(true), secretsmanager.Owned("okta")); err != nil {
		t.Fatal(err)
	}
	out, err = s.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &arn})
	if err != nil || !aws.ToBool(out.RotationEnabled) || aws.ToString(out.OwningService) != "okta" {
		t.Errorf("it is described as %+v (%v)", out, err)
	}
	_, err = s.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &arn, SecretString: aws.String("value 2"),
		ClientRequestToken: aws.String(token(2))})
	wantError(t, err, "InvalidRequestException", "managed by another service")
}

func TestATestLeavesAnyStateOfASecret(t *testing.T) {
	s := newStack(t)
	const arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:orders-AbCdEf"
	for n := range 3 {
		s.service.Store(arn, token(n+1), "stored", "AWSCURRENT")
	}
	s.wantLabels(arn, "3[AWSCURRENT]") // no label follows another
	at := s.clock.Now().Add(-time.Hour)
	if err := s.service.Change(region, arn, secretsmanager.Label("AWSCURRENT", token(1)),
		secretsmanager.Label("AWSPREVIOUS", token(2)),
		secretsmanager.Label("AWSPREVIOUS", ""), secretsmanager.Drop(token(3)),
		secretsmanager.Backdate(at)); err != nil {
		t.Fatal(err)
	}
	s.wantLabels("orders", "1[AWSCURRENT]")
	out, err := s.GetSecretValue(context.Background(), &sm.GetSecretValueInput{SecretId: aws.String(arn)})
	if err != nil || *out.SecretString != "stored" || !out.CreatedDate.Equal(at) {
		t.Errorf("read %+v (%v)", out, err)
	}
	_, err = s.GetSecretValue(context.Background(), &sm.GetSecretValueInput{SecretId: aws.String(arn),
		VersionId: aws.String(token(3))})
	wantError(t, err, "ResourceNotFoundException", token(3))
}

func TestASecretMarkedForDeletionIsOnlyDescribed(t *testing.T) {
	s := newStack(t)
	ctx := context.Background()
	s.create("orders")
	if err := s.service.Change(region, "orders", secretsmanager.Deleted(s.clock.Now())); err != nil {
		t.Fatal(err)
	}
	_, err := s.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: aws.String("orders")})
	wantError(t, err, "InvalidRequestException", "it was marked for deletion")
	wantError(t, s.move("orders", "BLUE", 0, 1), "InvalidRequestException", "it was marked for deletion")
	_, err = s.CreateSecret(ctx, &sm.CreateSecretInput{Name: aws.String("orders")})
	wantError(t, err, "InvalidRequestException", "already scheduled for deletion")
	d, err := s.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: aws.String("orders")})
	if err != nil || d.DeletedDate == nil {
		t.Errorf("described as %+v (%v)", d, err)
	}
}
