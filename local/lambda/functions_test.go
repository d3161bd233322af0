package lambda_test

import (
	"archive/zip"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alboidc.internal/local/lambda"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestNewFunctionIsActiveWithLambdasDefaults(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", func(in *sdk.CreateFunctionInput) { in.Timeout = nil; in.Tags = map[string]string{"team": "sso"} })
	out, err := s.client.GetFunction(context.Background(), &sdk.GetFunctionInput{FunctionName: aws.String("plan")})
	if err != nil {
		t.Fatal(err)
	}
	c := out.Configuration
	if c.State != types.StateActive || c.LastUpdateStatus != types.LastUpdateStatusSuccessful || *c.Timeout != 3 || *c.MemorySize != 128 ||
		*c.Version != "$LATEST" || c.Runtime != types.RuntimeProvidedal2023 || *c.CodeSha256 == "" || c.CodeSize == 0 || out.Tags["team"] != "sso" {
		t.Errorf("configuration %+v, tags %v", *c, out.Tags)
	}
}

func TestFunctionOfAZipFileRuns(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	program, err := os.ReadFile(filepath.Join(bootstrap(t), "bootstrap"))
	if err != nil {
		t.Fatal(err)
	}
	s.create("plan", func(in *sdk.CreateFunctionInput) {
		in.Code = &types.FunctionCode{ZipFile: zipOf(t, "bootstrap", program)}
	})
	if a := s.answered(s.invoke("plan", "echo", "zipped")); a.Text != "zipped" {
		t.Errorf("answer %+v", a)
	}
}

func TestZipFileThatReachesOutsideItsFolderIsRefused(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	_, err := s.client.CreateFunction(context.Background(), &sdk.CreateFunctionInput{FunctionName: aws.String("plan"), Runtime: types.RuntimeProvidedal2023,
		Handler: aws.String("bootstrap"), Role: aws.String(role), Code: &types.FunctionCode{ZipFile: zipOf(t, "../bootstrap", []byte("x"))}})
	wantCode(t, err, "InvalidParameterValueException")
}

func zipOf(t *testing.T, name string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCreateFunctionRefuses(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("taken", nil)
	cases := map[string]struct {
		edit func(*sdk.CreateFunctionInput)
		code string
	}{
		"a name that exists":          {func(in *sdk.CreateFunctionInput) { in.FunctionName = aws.String("taken") }, "ResourceConflictException"},
		"a runtime other than al2023": {func(in *sdk.CreateFunctionInput) { in.Runtime = types.RuntimePython312 }, "InvalidParameterValueException"},
		"a missing handler":           {func(in *sdk.CreateFunctionInput) { in.Handler = nil }, "InvalidParameterValueException"},
		"a timeout over 900 seconds":  {func(in *sdk.CreateFunctionInput) { in.Timeout = aws.Int32(901) }, "InvalidParameterValueException"},
		"memory under 128 MB":         {func(in *sdk.CreateFunctionInput) { in.MemorySize = aws.Int32(64) }, "InvalidParameterValueException"},
		"code that is not there":      {func(in *sdk.CreateFunctionInput) { in.Code.S3Key = aws.String("/nowhere/at/all") }, "InvalidParameterValueException"},
		"a bucket other than local":   {func(in *sdk.CreateFunctionInput) { in.Code.S3Bucket = aws.String("artifacts") }, "InvalidParameterValueException"},
		"a reserved variable": {func(in *sdk.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"AWS_REGION": "x"}}
		}, "InvalidParameterValueException"},
		"a parameter it does not honour": {func(in *sdk.CreateFunctionInput) { in.Layers = []string{"arn:aws:lambda:eu-central-1:1:layer:x:1"} }, "NotImplemented"},
	}
	for name, c := range cases {
		in := &sdk.CreateFunctionInput{FunctionName: aws.String("fresh"), Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Role: aws.String(role),
			Code: &types.FunctionCode{S3Bucket: aws.String("local"), S3Key: aws.String(bootstrap(t))}}
		c.edit(in)
		_, err := s.client.CreateFunction(context.Background(), in)
		t.Run(name, func(t *testing.T) { wantCode(t, err, c.code) })
	}
}

func TestUpdatedConfigurationReachesTheNextInvocation(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", nil)
	before := s.answered(s.invoke("plan", "env", ""))
	ctx, name := context.Background(), aws.String("plan")
	out, err := s.client.UpdateFunctionConfiguration(ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: name,
		Environment: &types.Environment{Variables: map[string]string{"COLOUR": "green"}}})
	if err != nil || *out.Timeout != 20 {
		t.Fatalf("%+v %v", out, err)
	}
	if after := s.answered(s.invoke("plan", "env", "")); after.Env["COLOUR"] != "green" || after.PID == before.PID {
		t.Errorf("COLOUR=%q in process %d, before %d", after.Env["COLOUR"], after.PID, before.PID)
	}
	_, err = s.client.UpdateFunctionConfiguration(ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: name, RevisionId: aws.String("old"), Timeout: aws.Int32(5)})
	wantCode(t, err, "PreconditionFailedException")
}

func TestVersionsAndAliasesStayWhatTheyWere(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	ctx, name := context.Background(), aws.String("plan")
	s.create("plan", func(in *sdk.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"COLOUR": "red"}}
	})
	for range 2 { // publishing again without a change gives the same version
		v, err := s.client.PublishVersion(ctx, &sdk.PublishVersionInput{FunctionName: name})
		if err != nil || *v.Version != "1" || !strings.HasSuffix(*v.FunctionArn, ":plan:1") {
			t.Fatalf("%+v %v", v, err)
		}
	}
	if _, err := s.client.CreateAlias(ctx, &sdk.CreateAliasInput{FunctionName: name, Name: aws.String("live"), FunctionVersion: aws.String("1")}); err != nil {
		t.Fatal(err)
	}
	a, err := s.client.GetAlias(ctx, &sdk.GetAliasInput{FunctionName: name, Name: aws.String("live")})
	if err != nil || *a.FunctionVersion != "1" {
		t.Fatalf("%+v %v", a, err)
	}
	if _, err := s.client.UpdateFunctionConfiguration(ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: name,
		Environment: &types.Environment{Variables: map[string]string{"COLOUR": "blue"}}}); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{"plan": "blue", "plan:$LATEST": "blue", "plan:1": "red", "plan:live": "red"} {
		out := s.invoke(ref, "env", "")
		got := s.answered(out)
		if got.Env["COLOUR"] != want || !strings.HasSuffix(got.ARN, ":"+ref) || got.Env["AWS_LAMBDA_FUNCTION_VERSION"] != *out.ExecutedVersion {
			t.Errorf("%s: COLOUR=%s as %s, version %s", ref, got.Env["COLOUR"], got.ARN, *out.ExecutedVersion)
		}
	}
}

func TestFunctionThatDoesNotExistIsNotFound(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", nil)
	for _, ref := range []string{"other", "plan:7", "plan:dead", "arn:aws:lambda:us-east-1:111122223333:function:plan"} {
		_, err := s.try(ref, "echo", "")
		wantCode(t, err, "ResourceNotFoundException")
	}
	ctx, name := context.Background(), aws.String("plan")
	if _, err := s.client.DeleteFunction(ctx, &sdk.DeleteFunctionInput{FunctionName: name}); err != nil {
		t.Fatal(err)
	}
	_, err := s.client.GetFunctionConfiguration(ctx, &sdk.GetFunctionConfigurationInput{FunctionName: name})
	wantCode(t, err, "ResourceNotFoundException")
}

func TestListFunctionsGoesPageByPageInTheOrderOfNames(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	for _, name := range []string{"c", "a", "b"} {
		s.create(name, nil)
	}
	var got []string
	pages := sdk.NewListFunctionsPaginator(s.client, &sdk.ListFunctionsInput{MaxItems: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Functions {
			got = append(got, *f.FunctionName)
		}
	}
	if strings.Join(got, "") != "abc" {
		t.Errorf("listed %v", got)
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
	_, err = s.client.Invoke(ctx, &sdk.InvokeInput{FunctionName: aws.String("plan"), ClientContext: aws.String("e30=")})
	wantCode(t, err, "NotImplemented")
	_, err = s.client.Invoke(ctx, &sdk.InvokeInput{FunctionName: aws.String("plan"), Payload: []byte("not json")})
	wantCode(t, err, "InvalidRequestContentException")
}
