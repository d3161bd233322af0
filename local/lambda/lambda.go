// Package lambda is the local stack's AWS Lambda: it keeps functions, their versions and aliases, and runs their real
// bootstrap binaries (runtime provided.al2023) over the Lambda Runtime API. A test may register a Go function instead
// of a binary and so run a handler on a virtual clock.
package lambda

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
)

// Options are the parts of the service that the stack chooses.
type Options struct {
	// Clock is the time of functions registered in process; nil is real time. Real processes always run, and time out,
	// in real time.
	Clock clock.Clock
	// ExtraEnv is added to the environment of every process, e.g. AWS_ENDPOINT_URL. A function's own variables win.
	ExtraEnv map[string]string
	// Logs, if set, gets every line that a process writes, with the function's name before it.
	Logs io.Writer
}

// Service is AWS Lambda.
type Service struct {
	options Options
	clock   clock.Clock
	ctx     context.Context // ends on Close
	close   context.CancelFunc
	work    sync.WaitGroup // invocations under way on processes
	logs    logs

	mu        sync.Mutex
	closed    bool
	functions map[string]map[string]*function // by Region and name
	inProcess map[string]*inProcess           // by name
	processes map[*process]struct{}           // every process that runs, idle or not
}

var (
	_ awsapi.Service = (*Service)(nil)
	_ awsapi.Router  = (*Service)(nil)
)

// New returns a service without functions. Close it, or its processes stay.
func New(o Options) *Service {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Logs == nil {
		o.Logs = io.Discard
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Service{options: o, clock: o.Clock, ctx: ctx, close: cancel, logs: logs{out: o.Logs},
		functions: map[string]map[string]*function{}, inProcess: map[string]*inProcess{},
		processes: map[*process]struct{}{}}
}

// SigningName implements awsapi.Service.
func (s *Service) SigningName() string { return "lambda" }

// Protocol implements awsapi.Service.
func (s *Service) Protocol() awsapi.Protocol { return awsapi.REST }

var inputs = awsapi.InputsOf(sdk.CreateFunctionInput{}, sdk.PublishVersionInput{}, sdk.CreateAliasInput{},
	sdk.GetFunctionConfigurationInput{}, sdk.InvokeInput{})

// Inputs implements awsapi.Modelled.
func (*Service) Inputs() awsapi.Inputs { return inputs }

// Handle implements awsapi.Service.
func (s *Service) Handle(ctx context.Context, call *awsapi.Call) (any, error) {
	switch call.Operation {
	case "CreateFunction":
		return s.createFunction(call)
	case "PublishVersion":
		return s.publishVersion(call)
	case "CreateAlias":
		return s.createAlias(call)
	case "GetFunctionConfiguration":
		return s.getFunctionConfiguration(call)
	case "Invoke":
		return s.invoke(ctx, call)
	default:
		return nil, awsapi.NotImplemented(call)
	}
}

// Close kills every process, and waits for the invocations on them to end. Functions registered in process see their
// context end.
func (s *Service) Close() {
	s.close()
	s.mu.Lock()
	s.closed = true
	var all []*process
	for p := range s.processes {
		all = append(all, p)
	}
	s.mu.Unlock()
	for _, p := range all {
		p.kill()
	}
	s.work.Wait()
	for _, p := range all {
		<-p.gone
	}
}

// userError is an error in Lambda's shape: its bodies carry Type besides the message.
func userError(status int, code, format string, args ...any) *awsapi.Error {
	return &awsapi.Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...),
		Fields: map[string]any{"Type": "User"}}
}

func invalidParameter(format string, args ...any) *awsapi.Error {
	return userError(http.StatusBadRequest, "InvalidParameterValueException", format, args...)
}
