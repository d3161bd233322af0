// Package inprocess runs the six functions inside the process of the local stack, so that tests can run whole rotations
// on a virtual clock. It is the same code as in the binaries, from the edge inwards.
package inprocess

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"alboidc.internal/functions/createsecret"
	"alboidc.internal/functions/edge"
	"alboidc.internal/functions/plan"
	"alboidc.internal/functions/promotesecret"
	"alboidc.internal/functions/retiresecret"
	"alboidc.internal/functions/session"
	"alboidc.internal/functions/smoketest"
	"alboidc.internal/functions/updatealb"
	"alboidc.internal/local/awsapi"
	"alboidc.internal/local/lambda"
	"alboidc.internal/local/orders"
	"alboidc.internal/local/stack"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/probe/metrics"
	"alboidc.internal/shared/telemetry"
	"alboidc.internal/shared/versions"
	"alboidc.internal/statemachine"
)

// Register makes the functions callable in s and returns their ARNs by name. logs gets what they write.
func Register(s *stack.Stack, logs io.Writer) (map[string]string, error) {
	d, err := deps(s, logs)
	if err != nil {
		return nil, err
	}
	handlers := map[string]func(context.Context, json.RawMessage) (any, error){
		"plan":          edge.Handler("plan", d, plan.Handler{Deps: d}.Handle),
		"createsecret":  edge.Handler("createsecret", d, createsecret.Handler{Deps: d}.Handle),
		"updatealb":     edge.Handler("updatealb", d, updatealb.Handler{Deps: d}.Handle),
		"promotesecret": edge.Handler("promotesecret", d, promotesecret.Handler{Deps: d}.Handle),
		"smoketest":     edge.Handler("smoketest", d, smoketest.Handler{Deps: d}.Handle),
		"retiresecret":  edge.Handler("retiresecret", d, retiresecret.Handler{Deps: d}.Handle),
	}
	arns := map[string]string{}
	for _, f := range statemachine.Functions() {
		s.Lambda.RegisterInProcess(f.Name, f.Timeout, answer(handlers[f.Name]))
		arns[f.Name] = fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", orders.Home, awsapi.AccountID, f.Name)
	}
	return arns, nil
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

// deps is what internal/lambdaboot makes from a function's environment, here from the stack.
func deps(s *stack.Stack, logs io.Writer) (session.Deps, error) {
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
	return session.Deps{
		AWS:     config,
		Secrets: func(r string) versions.API { return secretsmanager.NewFromConfig(config(r)) },
		Journal: journal.New(dynamodb.NewFromConfig(config(orders.Home)), orders.JournalTable),
		Log:     telemetry.New(logs, telemetry.Options{Function: "in process"}),
		Metrics: telemetry.NewMetrics(logs, s.Clock.Now), Now: s.Clock.Now, Sleep: s.Clock.Sleep,
		Registrations: session.Registry(client), Capabilities: session.Capabilities,
		Prober:     probe.New(probe.Options{RootCAs: s.Authority.Pool(), AllowLoopback: true, Now: s.Clock.Now}),
		Balancers:  alb.New(func(r string) alb.API { return elasticloadbalancingv2.NewFromConfig(config(r)) }, s.Clock.Sleep),
		AuthErrors: metrics.New(func(r string) metrics.CloudWatch { return cloudwatch.NewFromConfig(config(r)) }, s.Clock.Now).AuthErrors,
	}, nil
}
