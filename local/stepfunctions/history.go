package stepfunctions

import (
	"context"
	"slices"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/awstest/awsapi"
)

var statuses = []asl.Status{asl.Running, asl.Succeeded, asl.Failed, asl.TimedOut, asl.Aborted, pendingRedrive}

// listExecutions shows the newest first.
func (s *Service) listExecutions(_ context.Context, call *awsapi.Call) (any, error) {
	var in struct {
		StateMachineARN string     `json:"stateMachineArn"`
		StatusFilter    asl.Status `json:"statusFilter"`
		paging
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	var c awsapi.Constraints
	c.Required("stateMachineArn", in.StateMachineARN, longestARN)
	if in.StatusFilter != "" && !slices.Contains(statuses, in.StatusFilter) {
		c.Break("'"+string(in.StatusFilter)+"'", "statusFilter",
			"Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]")
	}
	in.check(&c)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if err := checkARN(in.StateMachineARN, "stateMachine"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, _, version := s.findQualified(in.StateMachineARN)
	aliasARN := ""
	if m == nil {
		var a *alias
		if m, a, _ = s.alias(in.StateMachineARN); m == nil {
			return nil, noMachine(in.StateMachineARN)
		}
		aliasARN = a.arn
	}
	rows := []executionView{}
	for _, e := range slices.Backward(s.order) {
		if e.machine == m && (version == nil || e.version == version) && (aliasARN == "" || e.aliasARN == aliasARN) &&
			(in.StatusFilter == "" || e.visibleStatus() == in.StatusFilter) {
			rows = append(rows, e.view())
		}
	}
	part, next, err := page(in.paging, rows)
	return answer("executions", part, next), err
}

// history is GetExecutionHistory.
func (s *Service) history(_ context.Context, call *awsapi.Call) (any, error) {
	var in struct {
		ExecutionARN string `json:"executionArn"`
		ReverseOrder bool   `json:"reverseOrder"`
		paging
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	var c awsapi.Constraints
	c.Required("executionArn", in.ExecutionARN, longestARN)
	in.check(&c)
	if err := c.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	e, err := s.execution(in.ExecutionARN)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	events := e.run.Events()
	if in.ReverseOrder {
		events = slices.Clone(events)
		slices.Reverse(events)
	}
	part, next, err := page(in.paging, events)
	return answer("events", part, next), err
}
