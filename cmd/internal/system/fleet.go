package system

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"alboidc.internal/shared/rotation"
	"alboidc.internal/statemachine"
)

// FleetRequest is the input of a fleet's execution.
type FleetRequest struct {
	All         bool     `json:"all,omitempty"`
	Clients     []string `json:"clients,omitempty"`
	Provider    string   `json:"provider,omitempty"`
	Tenant      string   `json:"tenant,omitempty"`
	Emergency   bool     `json:"emergency,omitempty"`
	DryRun      bool     `json:"dryRun,omitempty"`
	Canary      string   `json:"canary,omitempty"`
	PerTenant   *int     `json:"perTenant,omitempty"`
	MaxFailures *int     `json:"maxFailures,omitempty"`
	Reason      string   `json:"reason,omitempty"`
}

// FleetReport is what a fleet ends with.
type FleetReport struct {
	Fleet string `json:"fleet"`
	// Outcome is rotated, incomplete or stopped.
	Outcome    string          `json:"outcome"`
	Size       int             `json:"size"`
	Rotated    int             `json:"rotated"`
	Failed     []FailedInFleet `json:"failed"`
	NotStarted []string        `json:"notStarted"`
	Stopped    bool            `json:"stopped"`
	// Executions is the ARN of each client's execution, with CLIENT for its name.
	Executions string `json:"executions"`
}

// FailedInFleet is a client that a fleet did not rotate.
type FailedInFleet struct {
	Client string `json:"client"`
	// Outcome is refused, locked, rolledBack, superseded, notStarted, stopped, slow or needsAttention.
	Outcome string `json:"outcome"`
	Cause   string `json:"cause,omitempty"`
}

// fleetMachine is the ARN of the state machine that rotates many clients.
func (s *System) fleetMachine() string { return s.MachineARN() + statemachine.FleetSuffix }

// FleetID is the ARN of a fleet's execution that is given as ARN or by its name.
func (s *System) FleetID(nameOrARN string) string {
	return s.executionOf(s.Stack+statemachine.FleetSuffix, nameOrARN)
}

// IsFleet reports whether an execution is a fleet's.
func (s *System) IsFleet(id string) bool { return strings.HasPrefix(id, s.FleetID("")) }

// StartFleet starts a fleet and returns its execution's ARN.
func (s *System) StartFleet(ctx context.Context, r FleetRequest, now time.Time) (string, error) {
	input, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	each := rotation.Request{Client: "any", Reason: r.Reason, Emergency: r.Emergency, DryRun: r.DryRun}
	if text, err := json.Marshal(each); err != nil {
		return "", err
	} else if err := mayStart(each, text); err != nil {
		return "", err
	}
	name := NewName("fleet", now)
	return s.FleetID(name), s.startNamed(ctx, s.fleetMachine(), name, input, "rotator fleet show", s.explainFleet)
}

func (s *System) explainFleet(err error, doing string) error {
	if isAbsent(err) {
		return &Error{
			Text: fmt.Sprintf("stack %s in Region %s of account %s has no fleet: one is deployed where there "+
				"are several clients", s.Stack, s.Region, s.Account)}
	}
	return Unreachable(err, "%s", doing)
}

// Fleets returns the last executions of fleets, newest first.
func (s *System) Fleets(ctx context.Context, most int32) ([]Execution, error) {
	page, err := s.sfn.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: aws.String(s.fleetMachine()),
		MaxResults: most})
	if err != nil {
		return nil, s.explainFleet(err, "listing fleets")
	}
	return Each(page.Executions, func(l types.ExecutionListItem) (Execution, error) { return s.listed(ctx, l) })
}

// FleetReport reads what a fleet that has ended reports; known is false if it did not come to that.
func (s *System) FleetReport(ctx context.Context, e Execution) (r FleetReport, known bool, err error) {
	text := e.Output
	if len(text) == 0 && e.Error == statemachine.FleetTold()[0] { // a Fail state has no output, but an input
		out, err := s.sfn.GetExecutionHistory(ctx, &sfn.GetExecutionHistoryInput{ExecutionArn: &e.ARN,
			ReverseOrder: true, MaxResults: 10})
		if err != nil {
			return r, false, Unreachable(err, "reading the history of %s", e.ARN)
		}
		for _, event := range out.Events {
			if d := event.StateEnteredEventDetails; d != nil && aws.ToString(d.Name) == e.Error {
				text = json.RawMessage(aws.ToString(d.Input))
				break
			}
		}
	}
	if len(text) == 0 {
		return r, false, nil
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, false, fmt.Errorf("the report of %s cannot be read: %w", e.ARN, err)
	}
	return r, true, nil
}
