// Package inprocess runs the functions inside the process of the local stack, so that tests can run whole rotations
// on a virtual clock. They are built as their binaries build them.
package inprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"alboidc.internal/functions/entrypoint"
	"alboidc.internal/local/lambda"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stack"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/statemachine"
)

// Deployed is how a function is deployed.
type Deployed struct {
	Name string
	// Environment is what the deployment sets, without what Lambda itself and the local stack set.
	Environment map[string]string
	// Role is the ARN of its role; "" is the one that every caller of the stack has.
	Role string
}

// Register makes the functions callable in s as scenario expects them, and returns their ARNs by name. logs gets what
// they write.
func Register(s *stack.Stack, logs io.Writer) (map[string]string, error) {
	as := map[string]Deployed{}
	for _, f := range statemachine.Functions() {
		as[f.Name] = Deployed{Name: f.Name, Environment: scenario.Environment()}
	}
	return RegisterAs(s, logs, as)
}

// RegisterAs is Register for functions that are deployed as it is said, by their names in statemachine.Functions. A
// variable that the function does not read is refused.
func RegisterAs(s *stack.Stack, logs io.Writer, as map[string]Deployed) (map[string]string, error) {
	authority, err := writeAuthority(s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(authority) }()
	cfg := s.AWS(scenario.Home)
	cfg.RetryMaxAttempts = 1 // the state machine's retries are what is tested
	cfg.HTTPClient = living{cfg.HTTPClient}
	arns := map[string]string{}
	for _, f := range statemachine.Functions() {
		d := as[f.Name]
		unread := maps.Clone(d.Environment)
		env := map[string]string{"AWS_REGION": scenario.Home, "AWS_ACCESS_KEY_ID": "local",
			"AWS_SECRET_ACCESS_KEY":   "local",
			entrypoint.EnvExtraCAFile: authority, entrypoint.EnvAllowLoopback: "true"}
		maps.Copy(env, d.Environment)
		cfg := cfg.Copy()
		if d.Role != "" {
			key := KeyOf(f.Name)
			s.STS.SetCaller(key, d.Role)
			cfg.Credentials = credentials.NewStaticCredentialsProvider(key, "local", "")
		}
		machine := entrypoint.Machine{AWS: &cfg, Now: s.Clock.Now, Sleep: s.Clock.Sleep, Resolver: s, Output: logs}
		function, err := entrypoint.New(s.Context(), f.Name, func(name string) string {
			delete(unread, name)
			return env[name]
		}, machine)
		if err != nil {
			return nil, fmt.Errorf("function %s: %w", f.Name, err)
		}
		for name := range unread {
			return nil, fmt.Errorf("function %s does not read %s", f.Name, name)
		}
		s.Lambda.RegisterInProcess(d.Name, f.Timeout, answer(awslambda.NewHandler(function)))
		arns[f.Name] = fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", scenario.Home, awsapi.AccountID, d.Name)
	}
	return arns, nil
}

// KeyOf is the access key of a function that has a role.
func KeyOf(function string) string { return "AKIA" + strings.ToUpper(function) }

// writeAuthority writes the authority of the stack's servers to a file, which the functions read when they are built.
func writeAuthority(s *stack.Stack) (string, error) {
	f, err := os.CreateTemp("", "authority-*.pem")
	if err != nil {
		return "", err
	}
	_, err = f.Write(s.Authority.PEM())
	return f.Name(), errors.Join(err, f.Close())
}

// living sends no request of a function that was killed.
type living struct{ client aws.HTTPClient }

// Do implements aws.HTTPClient.
func (l living) Do(r *http.Request) (*http.Response, error) {
	if lambda.Killed(r.Context()) {
		return nil, context.Canceled
	}
	return l.client.Do(r)
}

// answer is what the Lambda runtime makes of a handler's result.
func answer(h awslambda.Handler) func(context.Context, []byte) ([]byte, *lambda.FunctionError) {
	return func(ctx context.Context, payload []byte) ([]byte, *lambda.FunctionError) {
		out, err := h.Invoke(ctx, payload)
		if err == nil {
			return out, nil
		}
		var named messages.InvokeResponse_Error
		if !errors.As(err, &named) {
			named = messages.InvokeResponse_Error{Type: "errorString", Message: err.Error()}
		}
		return nil, &lambda.FunctionError{Type: named.Type, Message: named.Message}
	}
}
