// Package stepfunctions is the Step Functions API of the local stack, for Standard workflows in JSONata. Package asl
// runs the executions; package integrations carries out their tasks.
//
// Source of the API's shapes and rules: the Step Functions API reference and developer guide; of its texts, answers
// of the service.
package stepfunctions

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/jsonata"
	"alboidc.internal/local/stepfunctions/integrations"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	sdk "github.com/aws/aws-sdk-go-v2/service/sfn"
)

// Event is an entry of an execution's history.
type Event = asl.Event

// Options choose what the service runs on.
type Options struct {
	// Clock is the time of executions; nil is real time.
	Clock clock.Clock
	// Endpoint is the URL of the AWS endpoint that tasks call.
	Endpoint string
	// Tasks carries out Task states in place of requests to Endpoint; nil is those.
	Tasks asl.Tasks
	// OnStatusChange, if not nil, hears of every status that an execution takes on. It is called in order for each
	// execution, in a goroutine of the clock, before anyone who waits for the execution goes on.
	OnStatusChange func(StatusChange)
	// OnEvent, if not nil, hears of every event of every history, in order for each execution. It must not call back.
	OnEvent func(executionARN string, e Event)
	// Random chooses the jitter of retries, from 0 to 1; nil is a source that is never the same twice.
	Random func() float64
}

// Service is Step Functions.
type Service struct {
	options     Options
	engine      *asl.Engine
	expressions *jsonata.Engine
	ctx         context.Context
	close       context.CancelFunc

	mu         sync.Mutex
	machines   map[string]*machine   // by ARN
	executions map[string]*execution // by ARN
	order      []*execution          // in the order of their start
	readLag    time.Duration         // of DescribeExecution
	redriveLag time.Duration         // until a redrive begins
}

var _ awsapi.Service = (*Service)(nil)

// New returns a service without state machines.
func New(o Options) (*Service, error) {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	library, err := jsonata.Find()
	if err != nil {
		return nil, err
	}
	expressions, err := jsonata.Load(library, jsonata.Options{Now: o.Clock.Now})
	if err != nil {
		return nil, err
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Tasks == nil {
		if o.Endpoint == "" {
			return nil, errors.New("step functions need the URL of the AWS endpoint")
		}
		// without a timeout of its own, because functions take their time; with connections for many executions at once
		o.Tasks = &integrations.Client{Endpoint: o.Endpoint,
			HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}, Clock: o.Clock}
	}
	s := &Service{options: o, expressions: expressions, machines: map[string]*machine{},
		executions: map[string]*execution{}}
	s.engine = &asl.Engine{Clock: o.Clock, Expressions: expressions, Tasks: o.Tasks, Random: o.Random}
	s.ctx, s.close = context.WithCancel(context.Background())
	return s, nil
}

// Close aborts all executions. It does not wait for tasks that are on their way.
func (s *Service) Close() { s.close() }

// SigningName implements awsapi.Service.
func (*Service) SigningName() string { return "states" }

// Protocol implements awsapi.Service.
func (*Service) Protocol() awsapi.Protocol { return awsapi.JSON10 }

// operations are the API operations that this service has.
var operations = map[string]func(*Service, context.Context, *awsapi.Call) (any, error){
	"CreateStateMachine":      (*Service).createStateMachine,
	"UpdateStateMachine":      (*Service).updateStateMachine,
	"DescribeStateMachine":    (*Service).describeStateMachine,
	"CreateStateMachineAlias": (*Service).createAlias,
	"StartExecution":          (*Service).startExecution,
	"DescribeExecution":       (*Service).describeExecution,
	"ListExecutions":          (*Service).listExecutions,
	"StopExecution":           (*Service).stopExecution,
	"RedriveExecution":        (*Service).redriveExecution,
	"GetExecutionHistory":     (*Service).history,
}

var inputs = awsapi.InputsOf(sdk.CreateStateMachineInput{}, sdk.UpdateStateMachineInput{},
	sdk.DescribeStateMachineInput{}, sdk.CreateStateMachineAliasInput{}, sdk.StartExecutionInput{},
	sdk.DescribeExecutionInput{}, sdk.ListExecutionsInput{}, sdk.StopExecutionInput{},
	sdk.RedriveExecutionInput{}, sdk.GetExecutionHistoryInput{})

// Inputs implements awsapi.Modelled.
func (*Service) Inputs() awsapi.Inputs { return inputs }

// Handle implements awsapi.Service.
func (s *Service) Handle(ctx context.Context, call *awsapi.Call) (any, error) {
	f, ok := operations[call.Operation]
	if !ok {
		return nil, awsapi.NotImplemented(call)
	}
	return f(s, ctx, call)
}

// Wait blocks until an execution is not running and returns how it ended. A caller that was started with the clock's
// Go calls it inside Idle.
func (s *Service) Wait(ctx context.Context, executionARN string) (asl.Result, error) {
	s.mu.Lock()
	e := s.executions[executionARN]
	if e == nil {
		s.mu.Unlock()
		return asl.Result{}, noExecution(executionARN)
	}
	done := e.done
	s.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
		return asl.Result{}, fmt.Errorf("waiting for %s: %w", executionARN, ctx.Err())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.result, nil
}

// Transitions is how many state transitions AWS would charge for an execution so far: states entered, and retries.
func (s *Service) Transitions(executionARN string) (int, error) {
	run, err := s.runOf(executionARN)
	if err != nil {
		return 0, err
	}
	return run.Transitions(), nil
}

// History is an execution's history so far.
func (s *Service) History(executionARN string) ([]Event, error) {
	run, err := s.runOf(executionARN)
	if err != nil {
		return nil, err
	}
	return run.Events(), nil
}

func (s *Service) runOf(executionARN string) (*asl.Execution, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.executions[executionARN]; e != nil {
		return e.run, nil
	}
	return nil, noExecution(executionARN)
}

func (s *Service) now() time.Time { return s.options.Clock.Now() }
