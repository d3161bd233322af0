package lambda_test

import (
	"context"
	"strings"
	"testing"

	"alboidc.internal/local/lambda"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestCreateFunctionRefuses(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("taken", nil)
	cases := map[string]struct {
		edit func(*sdk.CreateFunctionInput)
		code string
	}{
		"a name that exists": {func(in *sdk.CreateFunctionInput) { in.FunctionName = aws.String("taken") },
			"ResourceConflictException"},
		"a runtime other than al2023": {func(in *sdk.CreateFunctionInput) { in.Runtime = types.RuntimePython312 },
			"InvalidParameterValueException"},
		"a missing handler": {func(in *sdk.CreateFunctionInput) { in.Handler = nil }, "InvalidParameterValueException"},
		"a timeout over 900 seconds": {func(in *sdk.CreateFunctionInput) { in.Timeout = aws.Int32(901) },
			"ValidationException"},
		"memory under 128 MB": {func(in *sdk.CreateFunctionInput) { in.MemorySize = aws.Int32(64) },
			"ValidationException"},
		"two architectures": {func(in *sdk.CreateFunctionInput) {
			in.Architectures = []types.Architecture{"x86_64", "arm64"}
		}, "ValidationException"},
		"an architecture that there is not": {func(in *sdk.CreateFunctionInput) {
			in.Architectures = []types.Architecture{"X86_64"}
		}, "ValidationException"},
		"a role that is none": {func(in *sdk.CreateFunctionInput) { in.Role = aws.String("r1") },
			"ValidationException"},
		"a name that is none": {func(in *sdk.CreateFunctionInput) { in.FunctionName = aws.String("a b") },
			"ValidationException"},
		"code that is not there": {func(in *sdk.CreateFunctionInput) {
			in.Code.S3Key = aws.String("/nowhere/at/all")
		}, "InvalidParameterValueException"},
		"a bucket other than local": {func(in *sdk.CreateFunctionInput) {
			in.Code.S3Bucket = aws.String("artifacts")
		}, "InvalidParameterValueException"},
		"a reserved variable": {func(in *sdk.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"AWS_REGION": "x"}}
		}, "InvalidParameterValueException"},
		"a program in the request": {func(in *sdk.CreateFunctionInput) { in.Code.ZipFile = []byte("x") },
			"NotImplemented"},
		"a program that AWS would take": {func(in *sdk.CreateFunctionInput) {
			in.Code.ZipFile = make([]byte, 9<<20)
		}, "NotImplemented"},
		"a parameter it does not honour": {func(in *sdk.CreateFunctionInput) {
			in.Layers = []string{"arn:aws:lambda:eu-central-1:1:layer:x:1"}
		}, "NotImplemented"},
	}
	for name, c := range cases {
		in := &sdk.CreateFunctionInput{FunctionName: aws.String("fresh"), Runtime: types.RuntimeProvidedal2023,
			Handler: aws.String("bootstrap"), Role: aws.String(role),
			Code: &types.FunctionCode{S3Bucket: aws.String("local"), S3Key: aws.String(bootstrap(t))}}
		c.edit(in)
		_, err := s.client.CreateFunction(context.Background(), in)
		t.Run(name, func(t *testing.T) { wantCode(t, err, c.code) })
	}
}

func TestFunctionThatDoesNotExistIsNotFound(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", nil)
	for _, ref := range []string{"other", "plan:7", "plan:dead",
		"arn:aws:lambda:us-east-1:111122223333:function:plan"} {
		_, err := s.try(ref, "echo", "")
		wantCode(t, err, "ResourceNotFoundException")
	}
}

func TestOperationAndParameterThatAreNotThereAreRefusedByName(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", nil)
	ctx := context.Background()
	_, err := s.client.ListVersionsByFunction(ctx, &sdk.ListVersionsByFunctionInput{FunctionName: aws.String("plan")})
	if err == nil || !strings.Contains(err.Error(), "/2015-03-31/functions/plan/versions") {
		t.Errorf("error %v", err)
	}
	wantCode(t, err, "NotImplemented")
	for _, in := range []sdk.InvokeInput{{ClientContext: aws.String("e30=")},
		{InvocationType: types.InvocationTypeEvent}, {LogType: types.LogTypeTail}} {
		in.FunctionName = aws.String("plan")
		_, err = s.client.Invoke(ctx, &in)
		wantCode(t, err, "NotImplemented")
	}
	_, err = s.client.Invoke(ctx, &sdk.InvokeInput{FunctionName: aws.String("plan"), Payload: []byte("not json")})
	wantCode(t, err, "InvalidRequestContentException")
}

func TestVersionsAndAliasesAreTheFunction(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	ctx, name := context.Background(), aws.String("plan")
	s.create("plan", nil)
	for range 2 { // publishing again without a change gives the same version
		v, err := s.client.PublishVersion(ctx, &sdk.PublishVersionInput{FunctionName: name})
		if err != nil || *v.Version != "1" || !strings.HasSuffix(*v.FunctionArn, ":plan:1") {
			t.Fatalf("%+v %v", v, err)
		}
	}
	alias := &sdk.CreateAliasInput{FunctionName: name, Name: aws.String("live"), FunctionVersion: aws.String("1")}
	if a, err := s.client.CreateAlias(ctx, alias); err != nil || !strings.HasSuffix(*a.AliasArn, ":plan:live") {
		t.Fatalf("%+v %v", a, err)
	}
	_, err := s.client.CreateAlias(ctx, alias)
	wantCode(t, err, "ResourceConflictException")
	for ref, version := range map[string]string{"plan": "$LATEST", "plan:$LATEST": "$LATEST", "plan:1": "1",
		"plan:live": "1"} {
		out := s.invoke(ref, "env", "")
		got := s.answered(out)
		if !strings.HasSuffix(got.ARN, ":"+ref) || *out.ExecutedVersion != version ||
			got.Env["AWS_LAMBDA_FUNCTION_VERSION"] != version {
			t.Errorf("%s ran as %s, version %s", ref, got.ARN, *out.ExecutedVersion)
		}
	}
}
