package stack_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"

	"alboidc.internal/local/stack"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/imitations"
)

func start(t *testing.T) *stack.Stack {
	t.Helper()
	s, err := stack.Start(t.Context(),
		stack.Options{Clock: clock.NewVirtual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// call sends a request to the stack's own API.
func call(t *testing.T, s *stack.Stack, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(got))
}

func TestEveryServiceAnswersAtOneAddress(t *testing.T) {
	t.Parallel()
	s := start(t)
	region := s.AWS("eu-central-1")
	_, noParameter := ssm.NewFromConfig(region).GetParameter(t.Context(),
		&ssm.GetParameterInput{Name: aws.String("/none")})
	_, noExecution := sfn.NewFromConfig(region).DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{
		ExecutionArn: aws.String("arn:aws:states:eu-central-1:111122223333:execution:x:y")})
	_, noTopic := sns.NewFromConfig(region).Publish(t.Context(), &sns.PublishInput{Message: aws.String("x"),
		TopicArn: aws.String("arn:aws:sns:eu-central-1:111122223333:x")})
	for code, err := range map[string]error{"ParameterNotFound": noParameter, "ExecutionDoesNotExist": noExecution,
		"NotFound": noTopic} {
		if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
	if code, body := call(t, s, http.MethodGet, "/", ""); code != http.StatusForbidden || !strings.Contains(body,
		"no AWS signature") {
		t.Errorf("an unsigned request: %d %s", code, body)
	}
}

func TestFaultBeginsAndEndsThroughTheStacksOwnAPI(t *testing.T) {
	t.Parallel()
	s := start(t)
	api := ssm.NewFromConfig(s.AWS("eu-central-1"), func(o *ssm.Options) { o.RetryMaxAttempts = 1 })
	code := func() string {
		_, err := api.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/none")})
		var e smithy.APIError
		if !errors.As(err, &e) {
			t.Fatalf("got %v", err)
		}
		return e.ErrorCode()
	}
	rule := `{"service":"ssm","operation":"GetParameter","mode":"refuse","status":400,"code":"ThrottlingException"}`
	for range 2 {
		if status, body := call(t, s, http.MethodPost, "/_local/faults", rule); status != http.StatusOK ||
			!strings.HasPrefix(body, `{"id":`) {
			t.Fatalf("%d %s", status, body)
		}
	}
	if got := code(); got != "ThrottlingException" {
		t.Errorf("with the fault: %s", got)
	}
	if status, body := call(t, s, http.MethodGet, "/_local/faults", ""); status != http.StatusOK ||
		!strings.Contains(body, `"id":2,"seen":1,"service":"ssm"`) {
		t.Errorf("listed %d %s", status, body)
	}
	if status, body := call(t, s, http.MethodDelete, "/_local/faults/1", ""); status != http.StatusOK {
		t.Errorf("ended %d %s", status, body)
	}
	if got := code(); got != "ThrottlingException" {
		t.Errorf("with the second fault: %s", got)
	}
	if status, _ := call(t, s, http.MethodDelete, "/_local/faults", ""); status != http.StatusOK {
		t.Errorf("ended all: %d", status)
	}
	if got := code(); got != "ParameterNotFound" {
		t.Errorf("after all ended: %s", got)
	}
}

func TestFaultThatCannotHitAnythingIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/_local/faults", ``, "not valid: EOF"},
		{"POST", "/_local/faults", `{"servce":"ssm"}`, `unknown field "servce"`},
		{"POST", "/_local/faults", `{"service":"ssm","operation":"*","mode":"lose"} and more`,
			"text after the JSON value"},
		{"POST", "/_local/faults", `{"service":"elbv2","operation":"*","mode":"lose"}`,
			`service "elbv2" is not one of`},
		{"POST", "/_local/faults", `{"service":"ssm","operation":"GetParameters","mode":"lose"}`,
			`operation "GetParameters" of ssm is not one of DeleteParameter, GetParameter, `},
		{"POST", "/_local/faults", `{"service":"lambda","operation":"invoke","mode":"lose"}`,
			`operation "invoke" of lambda is not one of CreateAlias, CreateFunction, GetFunctionConfiguration, Invoke, PublishVersion`},
		{"POST", "/_local/faults", `{"service":"idp","operation":"okta.makeSecret","mode":"lose"}`,
			`operation "okta.makeSecret" of idp is not one of authorize, discovery, keys, login, okta.`},
		{"POST", "/_local/faults", `{"operation":"*","mode":"lose"}`, "service and operation must be given"},
		{"POST", "/_local/faults", `{"service":"ssm","operation":"*","mode":"delay"}`, "needs latencyNanos"},
		{"DELETE", "/_local/faults/7", ``, "no such fault"},
		{"DELETE", "/_local/faults/x", ``, "no such fault"},
		{"PATCH", "/_local/faults", ``, "the local stack's own API is"},
		{"GET", "/_local/nothing", ``, "the local stack's own API is"},
	} {
		if status, body := call(t, s, c.method, c.path, c.body); status/100 != 4 || !strings.Contains(body, c.want) {
			t.Errorf("%s %s %s: %d %s, want %s", c.method, c.path, c.body, status, body, c.want)
		}
	}
	if _, body := call(t, s, http.MethodGet, "/_local/faults", ""); body != "[]" {
		t.Errorf("in force: %s", body)
	}
}

func TestAFaultAtAnyChangeOfAnyProviderIsTaken(t *testing.T) {
	t.Parallel()
	for vendor, im := range imitations.All {
		s, err := stack.Start(t.Context(), stack.Options{Vendor: vendor})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		for _, change := range append(im.Changes, "idp:token", "idp:login", "idp:userinfo") {
			service, operation, _ := strings.Cut(change, ":")
			rule := fault.Rule{Service: service, Operation: operation, Mode: fault.Lose}
			if _, err := s.Faults.Add(rule); err != nil {
				t.Errorf("%s: %v", vendor, err)
			}
		}
	}
}

func TestAStackThatOthersCouldReachIsRefused(t *testing.T) {
	t.Parallel()
	for address, allowed := range map[string]bool{"127.0.0.1:0": true, "localhost:0": true, "0.0.0.0:0": false,
		":0": false, "[::]:0": false, "192.0.2.1:0": false, "example.com:0": false} {
		s, err := stack.Start(t.Context(), stack.Options{Address: address})
		if err == nil {
			_ = s.Close()
		}
		if allowed && err != nil || !allowed && (err == nil || !strings.Contains(err.Error(), "this machine only")) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestSecondStackAtTheSameAddressIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	second, err := stack.Start(t.Context(), stack.Options{Address: strings.TrimPrefix(s.URL, "http://")})
	if err == nil {
		_ = second.Close()
		t.Fatal("two stacks at one address")
	}
	if !strings.Contains(err.Error(), "starting the AWS endpoint") {
		t.Errorf("got %v", err)
	}
}

func TestClosedStackAnswersNobodyAndEndsItsContext(t *testing.T) {
	t.Parallel()
	s, err := stack.Start(t.Context(), stack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	<-s.Context().Done()
	if res, err := http.Get(s.URL); err == nil {
		_ = res.Body.Close()
		t.Errorf("answered %d", res.StatusCode)
	}
	res, err := s.Authority.Client(time.Second).Get(s.IdP.URL())
	if err == nil {
		_ = res.Body.Close()
		t.Errorf("the identity provider answered %d", res.StatusCode)
	}
}
