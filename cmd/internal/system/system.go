// Package system is a deployed rotator as its operator sees it: clients, executions, the lock, schedules. It reads no
// secret.
package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/awsconn"
	"alboidc.internal/shared/evidence"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rights"
	"alboidc.internal/statemachine"
)

// DefaultStack is the stack's name unless clients.yaml gives another.
const DefaultStack = "alb-oidc-rotator"

// alias is what deployed executions are started through.
const alias = "live"

// Options say which system is meant.
type Options struct {
	// Stack is the stack's name; "" is DefaultStack.
	Stack string
	// Profile and Region are those of the AWS configuration; "" leaves them to it.
	Profile, Region string
	// Local is the address of a local stack ("127.0.0.1:4566"); "" is AWS, or what AWS_ENDPOINT_URL says.
	Local string
}

// System is a deployed rotator.
type System struct {
	Stack string
	// Region and Account are where it is deployed.
	Region, Account string
	// Caller is who asks, as an ARN.
	Caller string

	// Local is the URL of the local stack; "" is AWS.
	Local string

	aws       aws.Config
	machine   arn.ARN // of the rotation's state machine
	sfn       *sfn.Client
	ssm       *ssm.Client
	scheduler *scheduler.Client
	journal   *journal.Table
	evidence  *evidence.Table
	balancers *alb.Balancers
}

// Open finds the system. It needs AWS credentials, and asks AWS only whose they are.
func Open(ctx context.Context, o Options) (*System, error) {
	c, err := load(ctx, o)
	if err != nil {
		return nil, err
	}
	who, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil && o.Local != "" {
		return nil, Unreachable(err, "no local stack answers at %s: start one with make local", o.Local)
	}
	if err != nil {
		return nil, Unreachable(err, "asking AWS who you are (are there credentials? see --profile)")
	}
	me, err := arn.Parse(*who.Arn)
	if err != nil {
		return nil, fmt.Errorf("AWS says who you are in a form that is not known: %w", err)
	}
	stack := o.Stack
	if stack == "" {
		stack = DefaultStack
	}
	return &System{Stack: stack, Region: c.Region, Account: *who.Account, Caller: *who.Arn, Local: local(c), aws: c,
		machine: arn.ARN{Partition: me.Partition, Service: "states", Region: c.Region, AccountID: *who.Account,
			Resource: "stateMachine:" + stack},
		sfn: sfn.NewFromConfig(c), ssm: ssm.NewFromConfig(c), scheduler: scheduler.NewFromConfig(c),
		journal:   journal.New(dynamodb.NewFromConfig(c), stack+"-journal"),
		evidence:  evidence.New(dynamodb.NewFromConfig(c), stack+"-evidence", 0),
		balancers: balancers(c)}, nil
}

// local is the URL of an endpoint on this machine, where a local stack is; "" otherwise.
func local(c aws.Config) string {
	u, err := url.Parse(aws.ToString(c.BaseEndpoint))
	if err != nil || u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback() {
		return ""
	}
	return u.String()
}

func load(ctx context.Context, o Options) (aws.Config, error) {
	with := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{}),
		config.WithAPIOptions([]func(*middleware.Stack) error{awsconn.KeepOpen})}
	if o.Profile != "" {
		with = append(with, config.WithSharedConfigProfile(o.Profile))
	}
	if o.Region != "" {
		with = append(with, config.WithRegion(o.Region))
	}
	if o.Local != "" {
		with = append(with, config.WithBaseEndpoint("http://"+strings.TrimSuffix(strings.TrimPrefix(o.Local, "http://"),
			"/")), config.WithRetryMaxAttempts(1), config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider("local", "local", "")))
		if o.Region == "" { // whatever Region is set for AWS, the local stack is in this one
			with = append(with, config.WithRegion("eu-central-1"))
		}
	}
	c, err := config.LoadDefaultConfig(ctx, with...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	if c.Region == "" {
		return aws.Config{},
			&Error{Text: "no AWS Region is given: set --region, AWS_REGION, or a region in the profile"}
	}
	return c, nil
}

// Error is one that a person can mend.
type Error struct {
	Text string
	// Unreachable: AWS could not be asked, or refused to answer.
	Unreachable bool
	err         error
}

func (e *Error) Error() string {
	if e.err == nil {
		return e.Text
	}
	return e.Text + ": " + e.err.Error()
}

func (e *Error) Unwrap() error { return e.err }

// Unreachable says what could not be asked of AWS. No request holds a secret, so the service's own words are told.
func Unreachable(err error, format string, args ...any) error {
	return &Error{Text: fmt.Sprintf(format, args...), Unreachable: true, err: err}
}

// IsUnknown reports whether AWS answered, and did not know what was asked for.
func IsUnknown(err error) bool {
	var known *Error
	return errors.As(err, &known) && !known.Unreachable
}

// hasCode reports whether AWS answered with the error code.
func hasCode(err error, code string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && strings.Contains(api.ErrorCode(), code)
}

// AWS is the configuration of a client for a Region.
func (s *System) AWS(region string) aws.Config {
	c := s.aws.Copy()
	c.Region = region
	return c
}

// Rights names what the stack's rights are about.
func (s *System) Rights() rights.Stack {
	return rights.Stack{Partition: s.machine.Partition, Region: s.Region, Account: s.Account, Name: s.Stack}
}

// MachineARN is the rotation's state machine; executions are started through its alias.
func (s *System) MachineARN() string { return s.machine.String() }

// ConsoleURL is where people see an execution; "" where the console of the partition is not known.
func (s *System) ConsoleURL(execution string) string {
	url := statemachine.ExecutionURL(s.Region)
	if !strings.HasPrefix(url, "https://") {
		return ""
	}
	return url + execution
}

// utc is a time of AWS's, or zero.
func utc(t *time.Time) time.Time { return aws.ToTime(t).UTC() }
