package stepfunctions

import (
	"time"

	"alboidc.internal/local/asl"
)

// StatusChange is an EventBridge event of source aws.states and type "Step Functions Execution Status Change"
// (developer guide, "Automating Step Functions event delivery with EventBridge").
type StatusChange struct {
	Region string
	Time   time.Time
	// Resources is the execution's ARN.
	Resources []string
	Detail    StatusDetail
}

// StatusDetail is the event's detail. Times are milliseconds since 1970; what does not apply is null.
type StatusDetail struct {
	ExecutionARN           string          `json:"executionArn"`
	StateMachineARN        string          `json:"stateMachineArn"`
	StateMachineVersionARN *string         `json:"stateMachineVersionArn"`
	StateMachineAliasARN   *string         `json:"stateMachineAliasArn"`
	Name                   string          `json:"name"`
	Status                 asl.Status      `json:"status"`
	StartDate              int64           `json:"startDate"`
	StopDate               *int64          `json:"stopDate"`
	Input                  string          `json:"input"`
	InputDetails           *payloadDetails `json:"inputDetails"`
	Output                 *string         `json:"output"`
	OutputDetails          *payloadDetails `json:"outputDetails"`
	Error                  *string         `json:"error"`
	Cause                  *string         `json:"cause"`
	RedriveCount           int             `json:"redriveCount"`
	RedriveDate            *int64          `json:"redriveDate"`
	RedriveStatus          string          `json:"redriveStatus"`
	RedriveStatusReason    *string         `json:"redriveStatusReason"`
}

// change describes the status that an execution has now. s.mu is held.
func (s *Service) change(e *execution) StatusChange {
	v := e.view()
	d := StatusDetail{ExecutionARN: v.ExecutionARN, StateMachineARN: v.StateMachineARN,
		StateMachineVersionARN: some(v.StateMachineVersionARN),
		StateMachineAliasARN:   some(v.StateMachineAliasARN), Name: v.Name, Status: v.Status,
		StartDate: e.started.UnixMilli(), StopDate: millis(e.stopped),
		Input: e.input, InputDetails: &payloadDetails{Included: true}, Error: e.result.Error, Cause: e.result.Cause,
		RedriveCount: e.redrives, RedriveDate: millis(e.redriven), RedriveStatus: "REDRIVABLE"}
	if e.status == asl.Succeeded {
		d.Output, d.OutputDetails = some(string(e.result.Output)), &payloadDetails{Included: true}
	}
	if reason := s.notRedrivable(e); reason != "" {
		d.RedriveStatus, d.RedriveStatusReason = "NOT_REDRIVABLE", &reason
	}
	return StatusChange{Region: e.region, Time: s.now(), Resources: []string{e.arn}, Detail: d}
}

func (s *Service) tell(c StatusChange) {
	if s.options.OnStatusChange != nil {
		s.options.OnStatusChange(c)
	}
}

func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	n := t.UnixMilli()
	return &n
}
