package stepfunctions

import (
	"context"
	"fmt"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/awstest/awsapi"
)

const (
	// redrivable is how long after its end an execution can be redriven (API reference, RedriveExecution).
	redrivable = 14 * 24 * time.Hour
	// maxOpen is how long an execution may be open in all.
	maxOpen = 365 * 24 * time.Hour
	// maxHistory: a redrive needs room for its event and at least one other.
	maxHistory = 24999
	// tokenKept and tokensKept bound what a client token is remembered for.
	tokenKept  = 15 * time.Minute
	tokensKept = 10
)

// pendingRedrive is the status of an execution whose redrive was accepted and has not begun (API reference,
// DescribeExecution).
const pendingRedrive asl.Status = "PENDING_REDRIVE"

// SetRedriveLag makes an execution that is redriven wait for d before it goes on.
func (s *Service) SetRedriveLag(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.redriveLag = d
}

// redriveToken makes RedriveExecution idempotent.
type redriveToken struct {
	token string
	at    time.Time
}

// notRedrivable says why an execution cannot be redriven; "" if it can. s.mu is held.
func (s *Service) notRedrivable(e *execution) string {
	switch now := s.now(); {
	case e.status == asl.Running || e.status == asl.Succeeded:
		return fmt.Sprintf("Execution is %s and cannot be redriven", e.status)
	case now.Sub(e.stopped) > redrivable:
		return "Execution has exceeded the redrivable period of 14 days and cannot be redriven"
	case now.Sub(e.started) > maxOpen:
		return "Execution has exceeded the maximum open time of one year and cannot be redriven"
	case len(e.run.Events()) >= maxHistory:
		return "Execution event history limit exceeded; the execution cannot be redriven"
	}
	return ""
}

// redriveExecution goes on with an execution from where it ended. A repeat with the same client token does nothing.
func (s *Service) redriveExecution(_ context.Context, call *awsapi.Call) (any, error) {
	var in struct {
		ExecutionARN string  `json:"executionArn"`
		ClientToken  *string `json:"clientToken"`
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	var c awsapi.Constraints
	c.Required("executionArn", in.ExecutionARN, longestARN)
	c.Length("clientToken", in.ClientToken, longestToken)
	if err := c.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.execution(in.ExecutionARN)
	if err != nil {
		return nil, err
	}
	for _, t := range e.tokens {
		if in.ClientToken != nil && t.token == *in.ClientToken && s.now().Sub(t.at) < tokenKept {
			return map[string]any{"redriveDate": instant(t.at)}, nil
		}
	}
	if reason := s.notRedrivable(e); reason != "" {
		return nil, awsapi.Errorf("ExecutionNotRedrivable", "%s", reason)
	}
	e.redrives++
	e.redriven = s.now()
	if in.ClientToken != nil {
		e.tokens = append(e.tokens, redriveToken{*in.ClientToken, e.redriven})
		e.tokens = e.tokens[max(0, len(e.tokens)-tokensKept):]
	}
	lag := s.redriveLag
	e.waiting = lag > 0
	s.launch(e, func(ctx context.Context) asl.Result {
		if lag > 0 {
			_ = s.options.Clock.Sleep(ctx, lag) // a stop ends it, and then the run
			s.mu.Lock()
			e.waiting = false
			s.mu.Unlock()
		}
		return e.run.Redrive(ctx)
	})
	return map[string]any{"redriveDate": instant(e.redriven)}, nil
}
