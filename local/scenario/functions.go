package scenario

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"alboidc.internal/local/stack"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/statemachine"
)

// CreateFunctions deploys the binaries below dir (NAME/bootstrap) and returns their ARNs by name. timeout is for the
// functions that change something, smokeTimeout for the one that tests.
func CreateFunctions(ctx context.Context, s *stack.Stack, dir string, timeout,
	smokeTimeout time.Duration) (map[string]string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	api := lambda.NewFromConfig(s.AWS(Home))
	arns := map[string]string{}
	for _, f := range statemachine.Functions() {
		t := timeout
		if f.Name == "smoketest" {
			t = smokeTimeout
		}
		out, err := api.CreateFunction(ctx, &lambda.CreateFunctionInput{FunctionName: aws.String(MachineName + "-" +
			f.Name),
			Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Architectures: []types.Architecture{
				architecture()},
			Role: aws.String("arn:aws:iam::" + awsapi.AccountID + ":role/" + MachineName + "-" +
				f.Name), Timeout: aws.Int32(int32(t / time.Second)), MemorySize: aws.Int32(256),
			Code: &types.FunctionCode{S3Bucket: aws.String("local"), S3Key: aws.String(filepath.Join(dir, f.Name))}})
		if err != nil {
			return nil, fmt.Errorf("deploying function %s: %w", f.Name, err)
		}
		arns[f.Name] = *out.FunctionArn
	}
	return arns, nil
}

// architecture is this machine's: the local stack runs the binaries here.
func architecture() types.Architecture {
	if runtime.GOARCH == "arm64" {
		return types.ArchitectureArm64
	}
	return types.ArchitectureX8664
}
