// Package lambdaboot starts a function on AWS Lambda. It is the only place that reads the environment.
//
// A function names the parts it needs beside Secrets Manager, the journal and the clients' parameters; what no function names is not linked into
// its binary.
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
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"alboidc.internal/functions/edge"
	"alboidc.internal/functions/session"
	"alboidc.internal/functions/webidentity"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/parameters"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/telemetry"
	"alboidc.internal/shared/versions"
)

// The environment of a function, besides what Lambda itself sets.
const (
	// EnvJournalTable is the name of the journal's DynamoDB table. Required.
	EnvJournalTable = "JOURNAL_TABLE"
	// EnvParameterPrefix is what the names of the clients' SSM parameters begin with; the client's name follows. Required.
	EnvParameterPrefix = "PARAMETER_PREFIX"
	// EnvLogLevel is debug, info (default), warn or error.
	EnvLogLevel = "LOG_LEVEL"
	// EnvExtraCAFile is a PEM file of further trusted authorities, for load balancers or identity providers with a
	// private one.
	EnvExtraCAFile = "EXTRA_CA_FILE"
	// EnvAllowLoopback lets smoke tests connect to loopback addresses: only the local stack sets it.
	EnvAllowLoopback = "ALLOW_LOOPBACK"
	// EnvInVPC says that the function runs in a VPC, which may lead nowhere: its failures say so.
	EnvInVPC = "IN_VPC"
)

// environment is what a function is told by its deployment.
type environment struct {
	journalTable  string
	parameters    string // what the names of the clients' parameters begin with
	version       string // the function's published version, which Lambda tells; on every log line
	logLevel      slog.Level
	roots         *x509.CertPool // nil: the system's
	extraCAs      []byte
	allowLoopback bool
	inVPC         bool
	aws           aws.Config
}

// readEnvironment checks every variable; each problem names its variable.
func readEnvironment(get func(string) string) (environment, error) {
	e := environment{journalTable: get(EnvJournalTable), parameters: get(EnvParameterPrefix), version: get("AWS_LAMBDA_FUNCTION_VERSION"), aws: awsConfig(get)}
	var problems []error
	if e.journalTable == "" {
		problems = append(problems, fmt.Errorf("%s is missing: the name of the journal's table", EnvJournalTable))
	}
	if e.parameters == "" {
		problems = append(problems, fmt.Errorf("%s is missing: what the names of the clients' parameters begin with", EnvParameterPrefix))
	}
	if e.aws.Region == "" {
		problems = append(problems, errors.New("AWS_REGION is missing: Lambda sets it"))
	}
	if l := get(EnvLogLevel); l != "" {
		if err := e.logLevel.UnmarshalText([]byte(l)); err != nil {
			problems = append(problems, fmt.Errorf("%s must be debug, info, warn or error", EnvLogLevel))
		}
	}
	if f := get(EnvExtraCAFile); f != "" {
		var err error
		if e.extraCAs, err = os.ReadFile(f); err == nil {
			e.roots, err = httpclient.Roots(e.extraCAs)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", EnvExtraCAFile, err))
		}
	}
	for name, to := range map[string]*bool{EnvAllowLoopback: &e.allowLoopback, EnvInVPC: &e.inVPC} {
		switch get(name) {
		case "", "false":
		case "true":
			*to = true
		default:
			problems = append(problems, fmt.Errorf("%s must be true or false", name))
		}
	}
	return e, errors.Join(problems...)
}

// awsConfig reads what Lambda puts into every function's environment. The SDK's config package would read the same and
// adds 1.6 MB of ways to log in (SSO, profiles, web identity) that a function never uses.
func awsConfig(get func(string) string) aws.Config {
	cfg := aws.Config{Region: get("AWS_REGION"), RetryMode: aws.RetryModeStandard,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			c := aws.Credentials{AccessKeyID: get("AWS_ACCESS_KEY_ID"), SecretAccessKey: get("AWS_SECRET_ACCESS_KEY"),
				SessionToken: get("AWS_SESSION_TOKEN"), Source: "environment"}
			if c.AccessKeyID == "" || c.SecretAccessKey == "" {
				return aws.Credentials{}, errors.New("the environment holds no AWS credentials")
			}
			return c, nil
		})}
	if endpoint := get("AWS_ENDPOINT_URL"); endpoint != "" {
		cfg.BaseEndpoint = &endpoint
	}
	return cfg
}

// Part adds something that not every function needs.
type Part func(environment, *session.Deps) error

// Balancers adds the load balancers.
func Balancers(e environment, d *session.Deps) error {
	d.Balancers = alb.New(ByRegion(func(r string) alb.API { return elasticloadbalancingv2.NewFromConfig(e.in(r)) }), httpclient.Sleep)
	return nil
}

// IdentityProvider adds the client's identity provider and the probes of its secrets.
func IdentityProvider(e environment, d *session.Deps) error {
	client, err := httpclient.New(httpclient.Options{RootCAs: e.extraCAs})
	if err != nil {
		return err
	}
	d.Registrations = session.Registry(client)
	return Probes(e, d)
}

// Probes adds the probes of the client's secrets and load balancers, for functions that only test.
func Probes(e environment, d *session.Deps) error {
	d.Capabilities, d.InVPC = session.Capabilities, e.inVPC
	d.Prober = probe.New(probe.Options{RootCAs: e.roots, AllowLoopback: e.allowLoopback})
	return nil
}

// WebIdentity adds tokens of the function's role for identity providers that trust them. Functions that change nothing at
// the identity provider, and do not list its secrets, go without: their roles need no right to such tokens.
func WebIdentity(e environment, d *session.Deps) error {
	client, err := httpclient.New(httpclient.Options{RootCAs: e.extraCAs})
	if err != nil {
		return err
	}
	d.WebIdentity = webidentity.Source{AWS: e.aws, HTTP: client, Now: time.Now}.Token
	return nil
}

// Start runs a function for as long as the process lives. handle builds the handler from what the function needs.
func Start[In edge.Input, Out any](name string, handle func(session.Deps) func(context.Context, In) (Out, error), parts ...Part) {
	e, err := readEnvironment(os.Getenv)
	if err != nil {
		exit(err)
	}
	d := session.Deps{
		AWS:     e.in,
		Secrets: ByRegion(func(r string) versions.API { return secretsmanager.NewFromConfig(e.in(r)) }),
		Journal: journal.New(dynamodb.NewFromConfig(e.aws), e.journalTable),
		Clients: parameters.New(ssm.NewFromConfig(e.aws), e.parameters, httpclient.Sleep),
		Log:     telemetry.New(os.Stdout, telemetry.Options{Level: e.logLevel, Function: name, Version: e.version}),
		Metrics: telemetry.NewMetrics(os.Stdout, time.Now), Now: time.Now, Sleep: httpclient.Sleep, Rand: rand.Reader,
	}
	for _, add := range parts {
		if err := add(e, &d); err != nil {
			exit(err)
		}
	}
	lambda.Start(edge.Handler(name, d, handle(d)))
}

func exit(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// in is the AWS configuration for a Region.
func (e environment) in(region string) aws.Config {
	c := e.aws.Copy()
	if region != "" {
		c.Region = region
	}
	return c
}

// ByRegion keeps one client per Region. A function handles one call at a time, so it needs no lock.
func ByRegion[C any](make func(region string) C) func(string) C {
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
