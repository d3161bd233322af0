// Package stack puts the local stack together: the AWS endpoint with its services, the identity provider, and the load
// balancers' data plane, in one process on loopback.
package stack

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/middleware"

	"alboidc.internal/local/account"
	"alboidc.internal/local/cloudwatch"
	"alboidc.internal/local/dataplane"
	"alboidc.internal/local/eventbridge"
	"alboidc.internal/local/idp"
	"alboidc.internal/local/lambda"
	"alboidc.internal/local/localca"
	"alboidc.internal/local/scheduler"
	"alboidc.internal/local/sns"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/shared/awsconn"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/dynamodb"
	"alboidc.internal/shared/awstest/elbv2"
	"alboidc.internal/shared/awstest/kms"
	"alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/awstest/ssm"
	"alboidc.internal/shared/awstest/sts"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/lambda/lambdatest"
)

// Options choose what a stack is like. The zero value is one for tests: free ports and real time.
type Options struct {
	// Clock is the time of waits, schedules, spreads and secrets; nil is real time.
	Clock clock.Clock
	// Authority signs the certificates of the stack's servers; nil is a new one.
	Authority *localca.Authority
	// Address is where the AWS endpoint listens, on loopback; 127.0.0.1:0 by default.
	Address string
	// Spread is how long a changed action takes to reach each node of a load balancer; its length is how many nodes.
	Spread []time.Duration
	// Apart gives every node of a load balancer an address of its own, where the machine can (Linux); otherwise they
	// are different ports of 127.0.0.1.
	Apart bool
	// Vendor is the type of identity provider that it looks like; okta by default.
	Vendor string
	// AccessTokenLifetime is how soon sessions are refreshed.
	AccessTokenLifetime time.Duration
	// FunctionEnv is added to every function's environment.
	FunctionEnv map[string]string
	// FunctionLogs gets every line that a function writes.
	FunctionLogs io.Writer
	// Accounts are further accounts with load balancers.
	Accounts []string
	// OnAuth hears of every login and refresh at a load balancer.
	OnAuth func(dataplane.Event)
	// OnEvent hears of every history event of every execution.
	OnEvent func(executionARN string, e stepfunctions.Event)
	// Random chooses the jitter of retries, from 0 to 1; nil is a source that is never the same twice.
	Random func() float64
}

// Stack is a running local stack.
type Stack struct {
	// URL of the AWS endpoint.
	URL string
	// Vendor is Options.Vendor or its default.
	Vendor string

	Clock          clock.Clock
	Faults         *fault.Injector
	Authority      *localca.Authority
	SecretsManager *secretsmanager.Service
	ELB            *elbv2.Service
	Lambda         *lambda.Service
	StepFunctions  *stepfunctions.Service
	SNS            *sns.Service
	EventBridge    *eventbridge.Service
	Scheduler      *scheduler.Service
	CloudWatch     *cloudwatch.Service
	STS            *sts.Service
	IAM            *account.IAM
	KMS            *kms.Service
	CloudTrail     *account.CloudTrail
	IdP            *idp.Provider
	Plane          *dataplane.Plane
	// Others are what there is in further accounts, by account.
	Others map[string]Account

	counter counter
	server  *http.Server
	client  *awshttp.BuildableClient // of all SDK clients, which then share their connections
	ctx     context.Context
	cancel  context.CancelFunc
}

// Account is what there is in a further account.
type Account struct {
	ELB        *elbv2.Service
	CloudWatch *cloudwatch.Service
	Plane      *dataplane.Plane
}

// Start starts a stack; it runs until Close or until ctx ends.
func Start(ctx context.Context, o Options) (*Stack, error) {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Vendor == "" {
		o.Vendor = "okta"
	}
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	if host, _, err := net.SplitHostPort(o.Address); err == nil && !isLoopback(host) {
		return nil, fmt.Errorf("address %s: the local stack takes any access key, so it listens on this machine only: "+
			"127.0.0.1:PORT", o.Address)
	}
	listener, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("starting the AWS endpoint: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Stack{Vendor: o.Vendor, Clock: o.Clock, Faults: &fault.Injector{}, URL: "http://" + listener.Addr().String(),
		client: awshttp.NewBuildableClient().WithTransportOptions(keepConnections), ctx: ctx, cancel: cancel}
	if err := s.start(ctx, o, listener); err != nil {
		_ = listener.Close()
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// keepConnections keeps the connections of many functions at once: a new one costs more than a request.
func keepConnections(t *http.Transport) { t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, 1000 }

// isLoopback reports whether a host is this machine, and nobody else can reach it.
func isLoopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

func (s *Stack) start(ctx context.Context, o Options, listener net.Listener) error {
	var err error
	if s.Authority = o.Authority; s.Authority == nil {
		if s.Authority, err = localca.New(); err != nil {
			return err
		}
	}
	s.SecretsManager = secretsmanager.New(s.Clock)
	s.ELB = elbv2.New(s.Clock, elbv2.Options{Spread: o.Spread})
	s.CloudWatch = cloudwatch.New(s.Clock)
	s.SNS, s.STS = sns.New(s.Clock), sts.New(s.Clock)
	s.IAM, s.KMS, s.CloudTrail = account.NewIAM(), kms.New(), account.NewCloudTrail()
	s.EventBridge = eventbridge.New(s.Clock, s.URL)
	s.Lambda = lambda.New(lambda.Options{Clock: s.Clock, Logs: o.FunctionLogs, ExtraEnv: s.functionEnv(o.FunctionEnv)})
	s.StepFunctions, err = stepfunctions.New(stepfunctions.Options{Clock: s.Clock, Endpoint: s.URL, OnEvent: o.OnEvent,
		OnStatusChange: s.emit, Random: o.Random})
	if err != nil {
		return err
	}
	s.Scheduler = scheduler.New(s.Clock, s.URL)
	s.Scheduler.Start(ctx)
	if s.IdP, err = idp.Start(ctx, idp.Options{Vendor: o.Vendor, Clock: s.Clock, Authority: s.Authority,
		Faults: s.Faults, AccessTokenLifetime: o.AccessTokenLifetime}); err != nil {
		return err
	}
	services := []awsapi.Service{s.SecretsManager, s.ELB, s.CloudWatch, s.SNS, s.EventBridge, s.Lambda, s.StepFunctions,
		s.Scheduler, ssm.New(s.Clock), dynamodb.New(s.Clock), s.STS, s.IAM, s.KMS, s.CloudTrail}
	switch vendor := s.IdP.Vendor().(type) {
	case *lambdatest.Lambda: // whose function is one of the stack's
		s.Lambda.RegisterInProcess(lambdatest.FunctionName, lambdatest.Timeout,
			func(_ context.Context, payload []byte) ([]byte, *lambda.FunctionError) {
				return vendor.Function(payload), nil
			}, lambdatest.Alias)
	case awsapi.Service: // an identity provider that is an AWS service
		services = append(services, vendor)
	}
	api := awsapi.NewServer(s.Clock, s.Faults, services...)
	s.server = &http.Server{Handler: s.routes(api), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }()
	var address func(elbv2.Listener, int) string
	if o.Apart {
		address = chooseAddresses()
	}
	plane := func(balancers *elbv2.Service, metrics *cloudwatch.Service) (*dataplane.Plane, error) {
		return dataplane.Start(ctx, balancers, dataplane.Options{Address: address, Clock: s.Clock,
			Authority: s.Authority, Metrics: metrics, Now: s.Clock.Now, OnAuth: func(e dataplane.Event) {
				s.counter.count(e, s.Clock.Now())
				if o.OnAuth != nil {
					o.OnAuth(e)
				}
			}})
	}
	s.Others = map[string]Account{}
	for _, id := range o.Accounts {
		a := Account{ELB: elbv2.New(s.Clock, elbv2.Options{Spread: o.Spread, Account: id}),
			CloudWatch: cloudwatch.New(s.Clock)}
		api.Add(id, a.ELB, a.CloudWatch)
		if a.Plane, err = plane(a.ELB, a.CloudWatch); err != nil {
			return err
		}
		s.Others[id] = a
	}
	s.Plane, err = plane(s.ELB, s.CloudWatch)
	return err
}

// accounts are all accounts with load balancers, the stack's own first.
func (s *Stack) accounts() []Account {
	return append([]Account{{ELB: s.ELB, CloudWatch: s.CloudWatch, Plane: s.Plane}},
		slices.Collect(maps.Values(s.Others))...)
}

// SecretsInUse are those of the nodes of all accounts' load balancers.
func (s *Stack) SecretsInUse(from, until time.Time) []elbv2.SecretInUse {
	var out []elbv2.SecretInUse
	for _, a := range s.accounts() {
		out = append(out, a.ELB.SecretsInUse(from, until)...)
	}
	return out
}

// EffectiveSecrets are those of the nodes of all accounts' load balancers at an instant.
func (s *Stack) EffectiveSecrets(at time.Time) []elbv2.SecretInUse {
	var out []elbv2.SecretInUse
	for _, a := range s.accounts() {
		out = append(out, a.ELB.EffectiveSecrets(at)...)
	}
	return out
}

// emit puts a change of an execution's status on the event bus, as Step Functions does. The event's id follows from
// what it tells, so that what is named after it has the same name in every run.
func (s *Stack) emit(c stepfunctions.StatusChange) {
	detail, err := json.Marshal(c.Detail)
	if err != nil {
		return // a struct of strings and numbers
	}
	id := sha256.Sum256(detail)
	s.EventBridge.Emit(c.Region, eventbridge.Event{Source: "aws.states",
		ID:         fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16]),
		DetailType: "Step Functions Execution Status Change",
		Time:       c.Time, Resources: c.Resources, Detail: detail})
}

func (s *Stack) functionEnv(more map[string]string) map[string]string {
	env := map[string]string{"AWS_ENDPOINT_URL": s.URL}
	for k, v := range more {
		env[k] = v
	}
	return env
}

// Context ends when the stack is closed.
func (s *Stack) Context() context.Context { return s.ctx }

// AWS is the configuration of an SDK client for this stack.
func (s *Stack) AWS(region string) aws.Config {
	return aws.Config{Region: region, BaseEndpoint: &s.URL,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""), HTTPClient: s.client,
		APIOptions: []func(*middleware.Stack) error{awsconn.KeepOpen}}
}

// AWSOf is AWS for a further account.
func (s *Stack) AWSOf(account, region string) aws.Config {
	c := s.AWS(region)
	c.Credentials = credentials.NewStaticCredentialsProvider(account, "local", "")
	return c
}

// Close stops everything and waits for the functions' processes to end.
func (s *Stack) Close() error {
	s.cancel()
	var errs []error
	if s.StepFunctions != nil {
		s.StepFunctions.Close()
	}
	if s.EventBridge != nil {
		s.EventBridge.Close()
	}
	if s.Lambda != nil {
		s.Lambda.Close()
	}
	if s.Plane != nil {
		s.Plane.Close()
	}
	for _, a := range s.Others {
		a.Plane.Close()
	}
	if s.IdP != nil {
		errs = append(errs, s.IdP.Close())
	}
	if s.server != nil {
		errs = append(errs, s.server.Close())
	}
	return errors.Join(errs...)
}
