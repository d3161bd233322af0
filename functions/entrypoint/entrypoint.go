// Package entrypoint builds the seven functions from their environment, for AWS Lambda and for the local stack alike;
// nothing else reads the environment. It decodes the state machine's input strictly, logs what happened, and turns a
// failure into the error name that Retry and Catch match.
package entrypoint

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"alboidc.internal/functions/createsecret"
	"alboidc.internal/functions/invocation"
	"alboidc.internal/functions/plan"
	"alboidc.internal/functions/promotesecret"
	"alboidc.internal/functions/record"
	"alboidc.internal/functions/retiresecret"
	"alboidc.internal/functions/smoketest"
	"alboidc.internal/functions/updatealb"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/evidence"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/parameters"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/probe/metrics"
	"alboidc.internal/shared/telemetry"
	"alboidc.internal/shared/versions"
)

// Function is what Lambda calls.
type Function func(context.Context, json.RawMessage) (any, error)

// entry is one of the functions. It gets only the parts that its role has rights for.
type entry struct {
	build func(name string, d invocation.Deps) Function
	parts []part
}

// entries returns the functions by the names of their folders.
func entries() map[string]entry {
	return map[string]entry{
		"plan":          define(plan.Handler.Handle, loadBalancers, registrations, otherAccounts),
		"createsecret":  define(createsecret.Handler.Handle, registrations),
		"updatealb":     define(updatealb.Handler.Handle, loadBalancers, otherAccounts),
		"promotesecret": define(promotesecret.Handler.Handle),
		"smoketest":     define(smoketest.Handler.Handle, loadBalancers, loadBalancerMetrics, otherAccounts),
		"retiresecret":  define(retiresecret.Handler.Handle, registrations),
		"record":        {recorder, []part{executions}},
	}
}

// define makes the entry of a function whose handler needs only its dependencies.
func define[H ~struct{ Deps invocation.Deps }, In Input, Out any](
	handle func(H, context.Context, In) (Out, error), parts ...part) entry {
	return entry{func(name string, d invocation.Deps) Function {
		return Handler(name, d, func(ctx context.Context, in In) (Out, error) { return handle(H{d}, ctx, in) })
	}, parts}
}

// Machine is what a function runs on, apart from its environment. The zero value is AWS Lambda.
type Machine struct {
	// AWS reaches AWS; nil is what the SDK's config package reads from the process's own environment.
	AWS *aws.Config
	// Now and Sleep are the clock; nil is the machine's.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	// Resolver finds the addresses of load balancers and identity providers; nil is the machine's.
	Resolver probe.Resolver
	// Output gets log lines and metrics; nil is the standard output.
	Output io.Writer

	// own reaches AWS by the function's own role, whose role AWS has. The others are made once.
	own      *aws.Config
	sessions *sessions
	http     func() (*http.Client, error)
}

// New builds a function from its environment. An error names the variable that is wrong.
func New(ctx context.Context, name string, getenv func(string) string, m Machine) (Function, error) {
	f, ok := entries()[name]
	if !ok {
		return nil, fmt.Errorf("no function is called %q", name)
	}
	d, err := deps(ctx, name, f.parts, getenv, m.withDefaults())
	if err != nil {
		return nil, err
	}
	return f.build(name, d), nil
}

// Start runs a function on AWS Lambda for as long as the process lives.
func Start(name string) {
	f, err := New(context.Background(), name, os.Getenv, Machine{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lambda.Start(f)
}

func (m Machine) withDefaults() Machine {
	if m.Now == nil {
		m.Now = time.Now
	}
	if m.Sleep == nil {
		m.Sleep = httpclient.Sleep
	}
	if m.Output == nil {
		m.Output = os.Stdout
	}
	return m
}

// deps makes what every function has, and adds the parts.
func deps(ctx context.Context, name string, parts []part, getenv func(string) string, m Machine) (invocation.Deps,
	error) {
	e, err := readEnvironment(getenv)
	if err != nil {
		return invocation.Deps{}, err
	}
	if m.AWS == nil {
		loaded, err := e.loadAWS(ctx)
		if err != nil {
			return invocation.Deps{}, fmt.Errorf("the environment of the AWS SDK: %w", err)
		}
		m.AWS = &loaded
	}
	m.own = m.AWS
	m.sessions = &sessions{sts: sts.NewFromConfig(*m.own), now: m.Now, known: map[session]aws.Credentials{}}
	m.http = sync.OnceValues(func() (*http.Client, error) {
		return httpclient.New(httpclient.Options{RootCAs: e.extraCAs})
	})
	log := telemetry.Options{Level: e.logLevel, Function: name, Version: e.version}
	d := invocation.Deps{
		Journal: journal.New(dynamodb.NewFromConfig(*m.AWS), e.journalTable),
		Clients: parameters.New(ssm.NewFromConfig(*m.AWS), e.parameterPrefix, m.Sleep),
		Log:     telemetry.New(m.Output, log), Metrics: telemetry.NewMetrics(m.Output, m.Now),
		Now: m.Now, Sleep: m.Sleep, Rand: rand.Reader,
		Capabilities: invocation.Capabilities, InVPC: e.inVPC,
		Prober: probe.New(probe.Options{RootCAs: e.roots, AllowLoopback: e.allowLoopback, Resolver: m.Resolver,
			Now: m.Now, Sleep: m.Sleep}),
	}
	byRole := func(m Machine, d invocation.Deps) (invocation.Deps, error) {
		d.Secrets = byRegion(m, func(c aws.Config) versions.API { return secretsmanager.NewFromConfig(c) })
		for _, add := range parts {
			if err := add(e, m, &d); err != nil {
				return invocation.Deps{}, err
			}
		}
		return d, nil
	}
	if e.placeRoles != "" {
		base := d
		d.At = func(place int, name string) (invocation.Deps, error) {
			role := config.Role{RoleARN: e.placeRoles + strconv.Itoa(place)}
			return byRole(m.withCredentials(assumed{m.sessions, session{role, name, place}}), base)
		}
	}
	return byRole(m, d)
}

// part adds a dependency for which not every function has the rights.
type part func(environment, Machine, *invocation.Deps) error

// loadBalancers adds what finds and changes the client's targets.
func loadBalancers(_ environment, m Machine, d *invocation.Deps) error {
	d.Balancers = alb.New(byRegion(m, balancing), m.Now, m.Sleep)
	return nil
}

// registrations adds what manages the client at its identity provider, with the admin credential or a token of the
// function's role.
func registrations(_ environment, m Machine, d *invocation.Deps) error {
	client, err := m.http()
	if err != nil {
		return err
	}
	d.Registrations = invocation.Registrations(idp.Deps{HTTP: client, Secret: d.ReadSecret, AWS: m.in,
		WebIdentity: webIdentity{sts.NewFromConfig(*m.own)}.token, Now: m.Now, Sleep: m.Sleep})
	return nil
}

// executions adds what reads the executions of the rotation's state machine and writes their evidence.
func executions(e environment, m Machine, d *invocation.Deps) error {
	if e.evidenceTable == "" || e.machine == "" || e.evidenceYears == 0 {
		return fmt.Errorf("%s, %s and %s must be given: the name of the evidence table, the ARN of the rotation's "+
			"state machine, and for how many years evidence is kept", EnvEvidenceTable, EnvStateMachine,
			EnvEvidenceYears)
	}
	d.Recorder = &record.Recorder{Executions: sfn.NewFromConfig(*m.AWS), Machine: e.machine, Now: m.Now, Log: d.Log,
		Table: evidence.New(dynamodb.NewFromConfig(*m.AWS), e.evidenceTable, e.evidenceYears)}
	return nil
}

// recorder makes function record, which no execution of a rotation calls: it has no client, and no lock to look at.
func recorder(_ string, d invocation.Deps) Function {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		out, err := d.Recorder.Handle(ctx, raw)
		if err != nil {
			d.Log.ErrorContext(ctx, "evidence not written", telemetry.Err(err))
			return nil, Name(err)
		}
		d.Log.InfoContext(ctx, "evidence written", "runs", out.Runs)
		return out, nil
	}
}

// loadBalancerMetrics adds what reads the load balancers' authentication metrics.
func loadBalancerMetrics(_ environment, m Machine, d *invocation.Deps) error {
	reader := metrics.New(byRegion(m, cloudWatch), m.Now)
	d.AuthErrors, d.LoginsStopped, d.LastLogin = reader.AuthErrors, reader.LoginsStopped, reader.LastLogin
	return nil
}

// in returns the AWS configuration for a Region; "" is the function's own.
func (m Machine) in(region string) aws.Config {
	c := m.AWS.Copy()
	if region != "" {
		c.Region = region
	}
	return c
}

// byRegion keeps one client for each Region.
func byRegion[C any](m Machine, client func(aws.Config) C) func(region string) C {
	var mu sync.Mutex
	clients := map[string]C{}
	return func(region string) C {
		mu.Lock()
		defer mu.Unlock()
		c, ok := clients[region]
		if !ok {
			c = client(m.in(region))
			clients[region] = c
		}
		return c
	}
}
