// Package lambda is the local stack's AWS Lambda: it keeps functions, their versions, aliases and concurrency, and
// runs their real bootstrap binaries (runtime provided.al2023) over the Lambda Runtime API. A test may register a Go
// function instead of a binary and so run a handler on a virtual clock.
package lambda

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
)

// Metrics takes the values that functions write to their logs in the embedded metric format.
type Metrics interface {
	// Add records one value at the present instant.
	Add(region, namespace, metric string, dims map[string]string, value float64)
}

// Options are the parts of the service that the stack chooses.
type Options struct {
	// Clock spaces the retries of asynchronous invocations and the timeouts of functions registered in process; nil
	// is real time. Real processes always run, and time out, in real time.
	Clock clock.Clock
	// ExtraEnv is added to the environment of every process, e.g. AWS_ENDPOINT_URL. A function's own variables win.
	ExtraEnv map[string]string
	// Logs, if set, gets every line a function writes, and Lambda's own START, END and REPORT lines. It may be called
	// from several goroutines, and must not keep line.
	Logs func(function, requestID string, line []byte)
	// Metrics, if set, gets the values of embedded metric format lines.
	Metrics Metrics
}

// Service is AWS Lambda.
type Service struct {
	options Options
	clock   clock.Clock
	ctx     context.Context // ends on Close
	close   context.CancelFunc
	work    sync.WaitGroup // invocations under way on processes

	mu        sync.Mutex
	closed    bool
	unpacked  string                          // the folder of unpacked zip files; made on first use
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
	ctx, cancel := context.WithCancel(context.Background())
	return &Service{options: o, clock: o.Clock, ctx: ctx, close: cancel,
		functions: map[string]map[string]*function{}, inProcess: map[string]*inProcess{}, processes: map[*process]struct{}{}}
}

// SigningName implements awsapi.Service.
func (s *Service) SigningName() string { return "lambda" }

// Protocol implements awsapi.Service.
func (s *Service) Protocol() awsapi.Protocol { return awsapi.REST }

// Handle implements awsapi.Service.
func (s *Service) Handle(ctx context.Context, call *awsapi.Call) (any, error) {
	switch call.Operation {
	case "CreateFunction":
		return s.createFunction(call)
	case "GetFunction":
		return s.getFunction(call)
	case "GetFunctionConfiguration":
		return s.getFunctionConfiguration(call)
	case "ListFunctions":
		return s.listFunctions(call)
	case "UpdateFunctionConfiguration":
		return s.updateFunctionConfiguration(call)
	case "UpdateFunctionCode":
		return s.updateFunctionCode(call)
	case "DeleteFunction":
		return s.deleteFunction(call)
	case "PutFunctionConcurrency":
		return s.putFunctionConcurrency(call)
	case "GetFunctionConcurrency":
		return s.getFunctionConcurrency(call)
	case "DeleteFunctionConcurrency":
		return s.deleteFunctionConcurrency(call)
	case "PublishVersion":
		return s.publishVersion(call)
	case "CreateAlias":
		return s.createAlias(call)
	case "GetAlias":
		return s.getAlias(call)
	case "Invoke":
		return s.invoke(ctx, call)
	default:
		return nil, awsapi.NotImplemented(call)
	}
}

// Close kills every process, waits for the invocations on them to end, and removes unpacked code. Functions
// registered in process see their context end.
func (s *Service) Close() error {
	s.close()
	s.mu.Lock()
	s.closed = true
	var all []*process
	for p := range s.processes {
		all = append(all, p)
	}
	unpacked := s.unpacked
	s.mu.Unlock()
	for _, p := range all {
		p.kill()
	}
	s.work.Wait()
	var errs []error
	for _, p := range all {
		<-p.gone
	}
	if unpacked != "" {
		errs = append(errs, os.RemoveAll(unpacked))
	}
	return errors.Join(errs...)
}

// timestamp is how Lambda writes LastModified.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000+0000") }

// userError is an error in Lambda's shape: its bodies carry Type besides the message.
func userError(status int, code, format string, args ...any) *awsapi.Error {
	return &awsapi.Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...), Fields: map[string]any{"Type": "User"}}
}

func invalidParameter(format string, args ...any) *awsapi.Error {
	return userError(http.StatusBadRequest, "InvalidParameterValueException", format, args...)
}
