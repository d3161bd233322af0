package stepfunctions

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/awstest/awsapi"
)

// nameKept is how long a name stays taken (API reference, StartExecution).
const nameKept = 90 * 24 * time.Hour

// maxInput is the largest input: 256 KiB (developer guide, "Service quotas").
const maxInput = 256 << 10

// execution is one execution. Service.mu guards it, but not run, which guards itself.
type execution struct {
	arn, name string
	region    string
	machine   *machine
	with      settings // as they were at the start
	aliasARN  string
	version   *version
	input     string
	run       *asl.Execution

	status           asl.Status
	started, stopped time.Time
	result           asl.Result // of the last run
	redrives         int
	redriven         time.Time
	waiting          bool // for its redrive to begin
	tokens           []redriveToken
	stop             context.CancelCauseFunc // of the present run
	done             chan struct{}           // closed when the present run has ended
}

func (s *Service) startExecution(_ context.Context, call *awsapi.Call) (any, error) {
	var in struct {
		StateMachineARN string  `json:"stateMachineArn"`
		Name            *string `json:"name"`
		Input           *string `json:"input"`
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	name, input := awsapi.NewID(), "{}"
	var c awsapi.Constraints
	c.Required("stateMachineArn", in.StateMachineARN, longestARN)
	c.Length("name", in.Name, longestName)
	if in.Name != nil {
		name = *in.Name
	}
	if in.Input != nil {
		input = *in.Input
	}
	if len(input) > maxInput {
		c.Break("", "input", fmt.Sprintf("Member must have size less than or equal to %d bytes in UTF-8 encoding",
			maxInput))
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	if err := checkARN(in.StateMachineARN, "stateMachine"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.start(call, in.StateMachineARN, name, input)
	if err != nil {
		return nil, err
	}
	return map[string]any{"executionArn": e.arn, "startDate": instant(e.started)}, nil
}

// start begins an execution. Repeating a start with the same name and input is a success while the execution runs; a
// name is otherwise taken for 90 days. s.mu is held.
func (s *Service) start(call *awsapi.Call, machineARN, name, input string) (*execution, error) {
	m, with, v, aliasARN, err := s.findStartable(machineARN)
	if err != nil {
		return nil, err
	}
	if err := checkName(name); err != nil { // the service looks the machine up first
		return nil, err
	}
	if !json.Valid([]byte(input)) {
		return nil, awsapi.Errorf("InvalidExecutionInput",
			"Invalid State Machine Execution Input: 'Invalid execution input.'")
	}
	arn := call.ARN("states", "execution:"+m.name+":"+name)
	if old := s.executions[arn]; old != nil {
		if old.status == asl.Running && old.input == input {
			return old, nil
		}
		if old.status == asl.Running || s.now().Sub(old.stopped) < nameKept {
			return nil, awsapi.Errorf("ExecutionAlreadyExists", "Execution Already Exists: '%s'", arn)
		}
	}
	e := &execution{arn: arn, name: name, region: call.Region, machine: m, with: with, aliasARN: aliasARN, version: v,
		input: input, started: s.now()}
	id := asl.Identity{ARN: arn, Name: name, StateMachineARN: m.arn, StateMachineName: m.name, RoleARN: with.role,
		Region: call.Region,
		Input:  json.RawMessage(input), AliasARN: aliasARN}
	if v != nil {
		id.VersionARN = v.arn
	}
	var onEvent func(asl.Event)
	if s.options.OnEvent != nil {
		onEvent = func(event asl.Event) { s.options.OnEvent(arn, event) }
	}
	e.run = s.engine.New(with.parsed, id, onEvent)
	s.executions[arn] = e
	s.order = append(s.order, e)
	s.launch(e, e.run.Run)
	return e, nil
}

// findStartable finds what to run for the ARN of a machine, a version or an alias. s.mu is held.
func (s *Service) findStartable(arn string) (*machine, settings, *version, string, error) {
	m, with, v := s.findQualified(arn)
	aliasARN := ""
	if m == nil {
		var a *alias
		if m, a, _ = s.alias(arn); m == nil {
			return nil, with, nil, "", noMachine(arn)
		}
		aliasARN, v, with = a.arn, a.version, a.version.settings
	}
	return m, with, v, aliasARN, nil
}

// launch lets a run of an execution begin. s.mu is held.
func (s *Service) launch(e *execution, run func(context.Context) asl.Result) {
	ctx, stop := context.WithCancelCause(s.ctx)
	e.status, e.stopped, e.result = asl.Running, time.Time{}, asl.Result{}
	e.stop, e.done = stop, make(chan struct{})
	began := s.change(e)
	s.options.Clock.Go(func() {
		defer stop(nil)
		s.tell(began)
		result := run(ctx)
		s.mu.Lock()
		e.status, e.result, e.stopped = result.Status, result, result.At
		ended := s.change(e)
		s.mu.Unlock()
		s.tell(ended)
		close(e.done)
	})
}

// execution finds an execution by its ARN. s.mu is held.
func (s *Service) execution(arn string) (*execution, error) {
	if err := checkARN(arn, "execution"); err != nil {
		return nil, err
	}
	e := s.executions[arn]
	if e == nil {
		return nil, noExecution(arn)
	}
	return e, nil
}

// stopExecution answers when the execution has ended. Stopping one that is not running changes nothing.
func (s *Service) stopExecution(ctx context.Context, call *awsapi.Call) (any, error) {
	var in struct {
		ExecutionARN string  `json:"executionArn"`
		Error        *string `json:"error"`
		Cause        *string `json:"cause"`
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	var c awsapi.Constraints
	c.Required("executionArn", in.ExecutionARN, longestARN)
	c.AtMost("error", in.Error, longestError)
	c.AtMost("cause", in.Cause, longestCause)
	if err := c.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	e, err := s.execution(in.ExecutionARN)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	stop, done := e.stop, e.done
	s.mu.Unlock()
	stop(&asl.StopReason{Details: asl.ErrorDetails{Error: in.Error, Cause: in.Cause}})
	select {
	case <-done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return map[string]any{"stopDate": instant(e.stopped)}, nil
}

type payloadDetails struct {
	Included bool `json:"included"`
}

// executionView is DescribeExecution's answer, and with fewer members a row of ListExecutions.
type executionView struct {
	ExecutionARN           string          `json:"executionArn"`
	StateMachineARN        string          `json:"stateMachineArn"`
	StateMachineVersionARN string          `json:"stateMachineVersionArn,omitempty"`
	StateMachineAliasARN   string          `json:"stateMachineAliasArn,omitempty"`
	Name                   string          `json:"name"`
	Status                 asl.Status      `json:"status"`
	StartDate              *asl.Instant    `json:"startDate"`
	StopDate               *asl.Instant    `json:"stopDate,omitempty"`
	RedriveCount           int             `json:"redriveCount"`
	RedriveDate            *asl.Instant    `json:"redriveDate,omitempty"`
	Input                  string          `json:"input,omitempty"`
	InputDetails           *payloadDetails `json:"inputDetails,omitempty"`
	Output                 string          `json:"output,omitempty"`
	OutputDetails          *payloadDetails `json:"outputDetails,omitempty"`
	Error                  *string         `json:"error,omitempty"`
	Cause                  *string         `json:"cause,omitempty"`
	RedriveStatus          string          `json:"redriveStatus,omitempty"`
	RedriveStatusReason    string          `json:"redriveStatusReason,omitempty"`
}

// visibleStatus returns the status that people see. s.mu is held.
func (e *execution) visibleStatus() asl.Status {
	if e.waiting {
		return pendingRedrive
	}
	return e.status
}

// view is what lists show of an execution. s.mu is held.
func (e *execution) view() executionView {
	v := executionView{ExecutionARN: e.arn, StateMachineARN: e.machine.arn, StateMachineAliasARN: e.aliasARN,
		Name: e.name, Status: e.visibleStatus(),
		StartDate: instant(e.started), StopDate: instant(e.stopped), RedriveCount: e.redrives,
		RedriveDate: instant(e.redriven)}
	if e.version != nil {
		v.StateMachineVersionARN = e.version.arn
	}
	return v
}

// SetReadLag makes DescribeExecution answer as it was d ago: an execution that has just started is not known yet, and
// one that has just ended still runs ("eventually consistent", API reference, DescribeExecution).
func (s *Service) SetReadLag(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readLag = d
}

func (s *Service) describeExecution(_ context.Context, call *awsapi.Call) (any, error) {
	var in struct {
		ExecutionARN string `json:"executionArn"`
		IncludedData string `json:"includedData"`
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if in.IncludedData != "" && in.IncludedData != "ALL_DATA" {
		return nil, awsapi.NotImplementedParameter(call, "includedData "+in.IncludedData)
	}
	var c awsapi.Constraints
	c.Required("executionArn", in.ExecutionARN, longestARN)
	if err := c.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.execution(in.ExecutionARN)
	if err != nil {
		return nil, err
	}
	if now := s.now(); now.Sub(e.started) < s.readLag {
		return nil, noExecution(e.arn)
	} else if e.status != asl.Running && now.Sub(e.stopped) < s.readLag {
		v := e.view()
		v.Status, v.StopDate, v.Input, v.InputDetails = asl.Running, nil, e.input, &payloadDetails{Included: true}
		return v, nil
	}
	v := e.view()
	v.Input, v.InputDetails = e.input, &payloadDetails{Included: true}
	if e.status == asl.Succeeded {
		v.Output, v.OutputDetails = string(e.result.Output), &payloadDetails{Included: true}
	}
	v.Error, v.Cause = e.result.Error, e.result.Cause
	v.RedriveStatus = "REDRIVABLE"
	if v.RedriveStatusReason = s.notRedrivable(e); v.RedriveStatusReason != "" {
		v.RedriveStatus = "NOT_REDRIVABLE"
	}
	return v, nil
}
