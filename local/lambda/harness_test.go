package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"alboidc.internal/local/lambda"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
)

const role = "arn:aws:iam::111122223333:role/rotator"

// programs holds the bootstrap that the tests run; TestMain fills and removes it.
var programs string

func TestMain(m *testing.M) {
	var err error
	if programs, err = os.MkdirTemp("", "lambda-test-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(programs)
	os.Exit(code)
}

// build compiles testdata/bootstrap, once.
var build = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", filepath.Join(programs, "bootstrap"),
		"./testdata/bootstrap").CombinedOutput()
	if err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return programs, nil
})

func bootstrap(t *testing.T) string {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

type stack struct {
	*testing.T
	service *lambda.Service
	client  *sdk.Client
	server  *httptest.Server
}

func newStack(t *testing.T, o lambda.Options) *stack {
	t.Helper()
	service := lambda.New(o)
	c := o.Clock
	if c == nil {
		c = clock.Real{}
	}
	server := httptest.NewServer(awsapi.NewServer(c, nil, service))
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		service.Close()
	})
	client := sdk.New(sdk.Options{Region: "eu-central-1", BaseEndpoint: &server.URL, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", "local", "")})
	return &stack{T: t, service: service, client: client, server: server}
}

// create makes a function of the test program, changed by edit.
func (s *stack) create(name string, edit func(*sdk.CreateFunctionInput)) {
	s.Helper()
	in := &sdk.CreateFunctionInput{FunctionName: &name, Runtime: types.RuntimeProvidedal2023,
		Handler: aws.String("bootstrap"),
		Role:    aws.String(role), Timeout: aws.Int32(20), Code: &types.FunctionCode{S3Bucket: aws.String("local"),
			S3Key: aws.String(bootstrap(s.T))}}
	if edit != nil {
		edit(in)
	}
	if _, err := s.client.CreateFunction(context.Background(), in); err != nil {
		s.Fatal(err)
	}
}

// invoke runs a function and fails the test if the call itself fails.
func (s *stack) invoke(name, do, text string) *sdk.InvokeOutput {
	s.Helper()
	out, err := s.try(name, do, text)
	if err != nil {
		s.Fatal(err)
	}
	return out
}

func (s *stack) try(name, do, text string) (*sdk.InvokeOutput, error) {
	payload, err := json.Marshal(map[string]string{"do": do, "text": text})
	if err != nil {
		return nil, err
	}
	return s.client.Invoke(context.Background(), &sdk.InvokeInput{FunctionName: &name, Payload: payload})
}

type answer struct {
	Text string            `json:"text"`
	PID  int               `json:"pid"`
	Env  map[string]string `json:"env"`
	ARN  string            `json:"arn"`
	ID   string            `json:"id"`
}

// answered reads the answer of an invocation that must have succeeded.
func (s *stack) answered(out *sdk.InvokeOutput) answer {
	s.Helper()
	if out.FunctionError != nil {
		s.Fatalf("the function failed: %s %s", *out.FunctionError, out.Payload)
	}
	var a answer
	if err := json.Unmarshal(out.Payload, &a); err != nil {
		s.Fatalf("the answer %s: %v", out.Payload, err)
	}
	return a
}

// failed checks that an invocation answered 200 with FunctionError Unhandled, and returns its error.
func (s *stack) failed(out *sdk.InvokeOutput) (kind, message string) {
	s.Helper()
	if out.StatusCode != http.StatusOK || aws.ToString(out.FunctionError) != "Unhandled" {
		s.Fatalf("status %d, FunctionError %q, payload %s; want 200, Unhandled", out.StatusCode,
			aws.ToString(out.FunctionError), out.Payload)
	}
	var e struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if err := json.Unmarshal(out.Payload, &e); err != nil {
		s.Fatalf("the payload %s: %v", out.Payload, err)
	}
	return e.Type, e.Message
}

// wantCode checks the error code of an API error.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code {
		t.Errorf("error %v, want code %s", err, code)
	}
}
