// Package inprocess runs the six functions inside the process of the local stack, so that tests can run whole rotations
// on a virtual clock. It is the same code as in the binaries, from the edge inwards.
package inprocess

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"alboidc.internal/functions/createsecret"
	"alboidc.internal/functions/edge"
	"alboidc.internal/functions/plan"
	"alboidc.internal/functions/promotesecret"
	"alboidc.internal/functions/retiresecret"
	"alboidc.internal/functions/session"
	"alboidc.internal/functions/smoketest"
	"alboidc.internal/functions/updatealb"
	"alboidc.internal/local/lambda"
	"alboidc.internal/local/orders"
	"alboidc.internal/local/stack"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/parameters"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/probe/metrics"
	"alboidc.internal/shared/telemetry"
	"alboidc.internal/shared/versions"
	"alboidc.internal/statemachine"
)

// Deployed is how a function is deployed.
type Deployed struct {
	Name string
	// Environment is what internal/lambdaboot would read, without what Lambda itself sets.
	Environment map[string]string
}

// Register makes the functions callable in s as orders expects them, and returns their ARNs by name. logs gets what they
// write.
func Register(s *stack.Stack, logs io.Writer) (map[string]string, error) {
	as := map[string]Deployed{}
	for _, f := range statemachine.Functions() {
		as[f.Name] = Deployed{Name: f.Name, Environment: map[string]string{journalTable: orders.JournalTable, parameterPrefix: orders.ParameterPrefix}}
	}
	return RegisterAs(s, logs, as)
}

// RegisterAs is Register for functions that are deployed as it is said, by their names in statemachine.Functions.
func RegisterAs(s *stack.Stack, logs io.Writer, as map[string]Deployed) (map[string]string, error) {
	arns := map[string]string{}
	for _, f := range statemachine.Functions() {
		d, err := deps(s, logs, as[f.Name].Environment)
		if err != nil {
			return nil, fmt.Errorf("function %s: %w", f.Name, err)
		}
		if !manages[f.Name] {
			d.Registrations = nil
		}
		s.Lambda.RegisterInProcess(as[f.Name].Name, f.Timeout, answer(handler(f.Name, d)))
		arns[f.Name] = fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", orders.Home, awsapi.AccountID, as[f.Name].Name)
	}
	return arns, nil
}

// manages are the functions whose bootstrap gives them the registration at the identity provider (lambdaboot.IdentityProvider). Only
// they need the rights for that.
var manages = map[string]bool{"plan": true, "createsecret": true, "retiresecret": true}

// handler is a function from the edge inwards.
func handler(name string, d session.Deps) func(context.Context, json.RawMessage) (any, error) {
	switch name {
	case "plan":
		return edge.Handler(name, d, plan.Handler{Deps: d}.Handle)
	case "createsecret":
		return edge.Handler(name, d, createsecret.Handler{Deps: d}.Handle)
	case "updatealb":
		return edge.Handler(name, d, updatealb.Handler{Deps: d}.Handle)
	case "promotesecret":
		return edge.Handler(name, d, promotesecret.Handler{Deps: d}.Handle)
	case "smoketest":
		return edge.Handler(name, d, smoketest.Handler{Deps: d}.Handle)
	case "retiresecret":
		return edge.Handler(name, d, retiresecret.Handler{Deps: d}.Handle)
	}
	panic("no function is called " + name)
}

// answer is what the Lambda runtime makes of a handler's result.
func answer(handle func(context.Context, json.RawMessage) (any, error)) func(context.Context, []byte) ([]byte, *lambda.FunctionError) {
	return func(ctx context.Context, payload []byte) ([]byte, *lambda.FunctionError) {
		out, err := handle(ctx, payload)
		if err != nil {
			var named messages.InvokeResponse_Error
			if errors.As(err, &named) {
				return nil, &lambda.FunctionError{Type: named.Type, Message: named.Message}
			}
			return nil, &lambda.FunctionError{Type: "errorString", Message: err.Error()}
		}
		b, err := json.Marshal(out)
		if err != nil {
			return nil, &lambda.FunctionError{Type: "MarshalerError", Message: err.Error()}
		}
		return b, nil
	}
}

// The variables that deployments set; those for private authorities and loopback come from the stack.
const (
	journalTable    = "JOURNAL_TABLE"
	parameterPrefix = "PARAMETER_PREFIX"
	logLevel        = "LOG_LEVEL"
	inVPC           = "IN_VPC"
)

// deps is what internal/lambdaboot makes from a function's environment, here from that and the stack. A variable that it
// would not read is refused.
func deps(s *stack.Stack, logs io.Writer, environment map[string]string) (session.Deps, error) {
	var level slog.Level
	for name, value := range environment {
		switch {
		case name == logLevel && level.UnmarshalText([]byte(value)) == nil, (name == journalTable || name == parameterPrefix) && value != "", name == inVPC && value == "true":
		default:
			return session.Deps{}, fmt.Errorf("the functions cannot read %s=%s", name, value)
		}
	}
	for _, name := range []string{journalTable, parameterPrefix} {
		if environment[name] == "" {
			return session.Deps{}, errors.New(name + " is missing")
		}
	}
	once := func(c *aws.Config) { c.RetryMaxAttempts = 1 } // the state machine's retries are what is tested
	config := func(region string) aws.Config {
		c := s.AWS(region)
		once(&c)
		return c
	}
	client, err := httpclient.New(httpclient.Options{RootCAs: s.Authority.PEM()})
	if err != nil {
		return session.Deps{}, err
	}
	reader := metrics.New(func(r string) metrics.CloudWatch { return cloudwatch.NewFromConfig(config(r)) }, s.Clock.Now)
	return session.Deps{
		InVPC:   environment[inVPC] == "true",
		AWS:     config,
		Secrets: func(r string) versions.API { return secretsmanager.NewFromConfig(config(r)) },
		Journal: journal.New(dynamodb.NewFromConfig(config(orders.Home)), environment[journalTable]),
		Clients: parameters.New(ssm.NewFromConfig(config(orders.Home)), environment[parameterPrefix], s.Clock.Sleep),
		Log:     telemetry.New(logs, telemetry.Options{Level: level, Function: "in process"}),
		Metrics: telemetry.NewMetrics(logs, s.Clock.Now), Now: s.Clock.Now, Sleep: s.Clock.Sleep,
		Registrations: session.Registry(client), Capabilities: session.Capabilities,
		Prober:     probe.New(probe.Options{RootCAs: s.Authority.Pool(), AllowLoopback: true, Resolver: s, Now: s.Clock.Now}),
		Balancers:  alb.New(func(r string) alb.API { return elasticloadbalancingv2.NewFromConfig(config(r)) }, s.Clock.Sleep),
		AuthErrors: reader.AuthErrors, LoginsStopped: reader.LoginsStopped,
	}, nil
}
