// Package lambdaboot starts a function on AWS Lambda. It is the only place that reads the environment.
package lambdaboot

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"alboidc.internal/functions/edge"
	"alboidc.internal/functions/session"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/telemetry"
	"alboidc.internal/shared/versions"
)

// The environment of a function.
const (
	// EnvJournalTable is the name of the journal's DynamoDB table. Required.
	EnvJournalTable = "JOURNAL_TABLE"
	// EnvLogLevel is debug, info (default), warn or error.
	EnvLogLevel = "LOG_LEVEL"
	// EnvExtraCAFile is a PEM file of further trusted authorities, for load balancers or identity providers with a
	// private one.
	EnvExtraCAFile = "EXTRA_CA_FILE"
	// EnvAllowLoopback lets smoke tests connect to loopback addresses: only the local stack sets it.
	EnvAllowLoopback = "ALLOW_LOOPBACK"
)

// Environment is what a function is told by its deployment.
type Environment struct {
	JournalTable  string
	LogLevel      slog.Level
	ExtraCAs      []byte
	AllowLoopback bool
}

// readEnvironment checks every variable; each problem names its variable.
func readEnvironment(get func(string) string) (Environment, error) {
	e := Environment{JournalTable: get(EnvJournalTable)}
	var problems []error
	if e.JournalTable == "" {
		problems = append(problems, fmt.Errorf("%s is missing: the name of the journal's table", EnvJournalTable))
	}
	if l := get(EnvLogLevel); l != "" {
		if err := e.LogLevel.UnmarshalText([]byte(l)); err != nil {
			problems = append(problems, fmt.Errorf("%s must be debug, info, warn or error", EnvLogLevel))
		}
	}
	if f := get(EnvExtraCAFile); f != "" {
		pem, err := os.ReadFile(f)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s cannot be read: %w", EnvExtraCAFile, err))
		} else if !x509.NewCertPool().AppendCertsFromPEM(pem) {
			problems = append(problems, fmt.Errorf("%s has no certificate in PEM form", EnvExtraCAFile))
		}
		e.ExtraCAs = pem
	}
	switch get(EnvAllowLoopback) {
	case "", "false":
	case "true":
		e.AllowLoopback = true
	default:
		problems = append(problems, fmt.Errorf("%s must be true or false", EnvAllowLoopback))
	}
	return e, errors.Join(problems...)
}

// Start runs a function for as long as the process lives. handle builds the handler from what all functions share.
func Start[In edge.Input, Out any](name string, handle func(session.Deps) func(context.Context, In) (Out, error)) {
	env, err := readEnvironment(os.Getenv)
	if err != nil {
		exit(err)
	}
	log := telemetry.New(os.Stdout, telemetry.Options{Level: env.LogLevel, Function: name})
	deps, err := newDeps(context.Background(), env, log)
	if err != nil {
		exit(err)
	}
	lambda.Start(edge.Handler(name, deps, handle(deps)))
}

func exit(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// newDeps makes the clients of a function. AWS clients keep the SDK's own HTTP client, which honours AWS_CA_BUNDLE.
func newDeps(ctx context.Context, env Environment, log *slog.Logger) (session.Deps, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRetryMode(aws.RetryModeStandard))
	if err != nil {
		return session.Deps{}, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	in := func(region string) aws.Config {
		c := cfg.Copy()
		if region != "" {
			c.Region = region
		}
		return c
	}
	secrets := byRegion(func(r string) versions.API { return secretsmanager.NewFromConfig(in(r)) })
	balancers := byRegion(func(r string) alb.API { return elasticloadbalancingv2.NewFromConfig(in(r)) })
	metrics := byRegion(func(r string) probe.CloudWatch { return cloudwatch.NewFromConfig(in(r)) })
	http, err := httpclient.New(httpclient.Options{ExtraCAs: env.ExtraCAs})
	if err != nil {
		return session.Deps{}, err
	}
	prober, err := probe.New(probe.Options{ExtraCAs: env.ExtraCAs, AllowLoopback: env.AllowLoopback, CloudWatch: metrics, Rand: rand.Reader})
	if err != nil {
		return session.Deps{}, err
	}
	return session.Deps{Secrets: secrets, Balancers: alb.New(balancers, sleep), Journal: journal.New(dynamodb.NewFromConfig(cfg), env.JournalTable),
		Prober: prober, HTTP: http, Log: log, Metrics: telemetry.NewMetrics(os.Stdout, time.Now), Now: time.Now, Sleep: sleep, Rand: rand.Reader}, nil
}

// byRegion keeps one client per Region. A function handles one call at a time, so it needs no lock.
func byRegion[C any](make func(region string) C) func(string) C {
	clients := map[string]C{}
	return func(region string) C {
		c, ok := clients[region]
		if !ok {
			c = make(region)
			clients[region] = c
		}
		return c
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
