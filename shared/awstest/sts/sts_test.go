package sts_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/sts"
	"alboidc.internal/shared/clock"
)

func newClient(t *testing.T) *awssts.Client {
	t.Helper()
	srv := httptest.NewServer(awsapi.NewServer(clock.Real{}, nil, sts.New(clock.Real{})))
	t.Cleanup(srv.Close)
	return awssts.New(awssts.Options{Region: "eu-central-1", BaseEndpoint: &srv.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
}

func TestOtherOperationsAreRefusedByName(t *testing.T) {
	t.Parallel()
	_, err := newClient(t).GetAccessKeyInfo(context.Background(),
		&awssts.GetAccessKeyInfoInput{AccessKeyId: aws.String("AKIAIOSFODNN7EXAMPLE")})
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "NotImplemented" ||
		api.ErrorMessage() != "the local stack does not implement sts:GetAccessKeyInfo" {
		t.Fatalf("got %v", err)
	}
}

func TestAWebIdentityTokenIsRefusedOutsideTheDocumentedLimits(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	good := awssts.GetWebIdentityTokenInput{Audience: []string{"api://AzureADTokenExchange"},
		SigningAlgorithm: aws.String("RS256")}
	if _, err := c.GetWebIdentityToken(context.Background(), &good); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*awssts.GetWebIdentityTokenInput)
		code   string
	}{
		"no audience": {func(in *awssts.GetWebIdentityTokenInput) { in.Audience = []string{} }, "ValidationError"},
		"an unknown algorithm": {func(in *awssts.GetWebIdentityTokenInput) {
			in.SigningAlgorithm = aws.String("HS256")
		}, "ValidationError"},
		"the other algorithm": {func(in *awssts.GetWebIdentityTokenInput) {
			in.SigningAlgorithm = aws.String("ES384")
		}, "NotImplemented"},
		"too short": {func(in *awssts.GetWebIdentityTokenInput) { in.DurationSeconds = aws.Int32(59) },
			"ValidationError"},
		"too long": {func(in *awssts.GetWebIdentityTokenInput) { in.DurationSeconds = aws.Int32(3601) },
			"ValidationError"},
	} {
		in := good
		tt.change(&in)
		_, err := c.GetWebIdentityToken(context.Background(), &in)
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != tt.code {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}
}
