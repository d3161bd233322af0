package secretsmanager_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

func TestAReplicaFollowsItsPrimaryAndIsNotWritten(t *testing.T) {
	s := newStack(t)
	arn, ctx := s.create("orders"), context.Background()
	replica, err := s.service.Replicate(region, "orders", "eu-west-1")
	if want := strings.Replace(arn, region, "eu-west-1", 1); err != nil || replica != want {
		t.Fatalf("the replica is %s (%v), want %s", replica, err, want)
	}
	there := client(s.url, "eu-west-1")
	if _, err := s.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &arn, SecretString: aws.String("value 2"), ClientRequestToken: aws.String(token(2))}); err != nil {
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
	_, err = there.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &replica, SecretString: aws.String("value 3"), ClientRequestToken: aws.String(token(3))})
	wantError(t, err, "InvalidParameterException", "Operation not permitted on a replica secret")
	_, err = there.UpdateSecretVersionStage(ctx, &sm.UpdateSecretVersionStageInput{SecretId: &replica, VersionStage: aws.String("AWSCURRENT"),
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
	if err := s.service.Manage(region, arn, true, "okta"); err != nil {
		t.Fatal(err)
	}
	out, err = s.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &arn})
	if err != nil || !aws.ToBool(out.RotationEnabled) || aws.ToString(out.OwningService) != "okta" {
		t.Errorf("it is described as %+v (%v)", out, err)
	}
	_, err = s.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &arn, SecretString: aws.String("value 2"), ClientRequestToken: aws.String(token(2))})
	wantError(t, err, "InvalidRequestException", "managed by another service")
}
