package asl

import (
	"encoding/json"
	"fmt"
	"time"
)

// Instant is a time that AWS JSON writes as seconds since 1970, with milliseconds after the point.
type Instant struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (i Instant) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%d.%03d", i.Unix(), i.Nanosecond()/int(time.Millisecond)), nil
}

// Event is one entry of an execution's history, as GetExecutionHistory shows it (Step Functions API reference,
// HistoryEvent). At most one of the details is set.
type Event struct {
	Timestamp       Instant `json:"timestamp"`
	Type            string  `json:"type"`
	ID              int64   `json:"id"`
	PreviousEventID int64   `json:"previousEventId"`

	ExecutionStarted   *StartedDetails   `json:"executionStartedEventDetails,omitempty"`
	ExecutionSucceeded *OutputDetails    `json:"executionSucceededEventDetails,omitempty"`
	ExecutionFailed    *ErrorDetails     `json:"executionFailedEventDetails,omitempty"`
	ExecutionAborted   *ErrorDetails     `json:"executionAbortedEventDetails,omitempty"`
	ExecutionTimedOut  *ErrorDetails     `json:"executionTimedOutEventDetails,omitempty"`
	ExecutionRedriven  *RedrivenDetails  `json:"executionRedrivenEventDetails,omitempty"`
	StateEntered       *EnteredDetails   `json:"stateEnteredEventDetails,omitempty"`
	StateExited        *ExitedDetails    `json:"stateExitedEventDetails,omitempty"`
	TaskScheduled      *ScheduledDetails `json:"taskScheduledEventDetails,omitempty"`
	TaskStarted        *TaskDetails      `json:"taskStartedEventDetails,omitempty"`
	TaskSucceeded      *TaskDetails      `json:"taskSucceededEventDetails,omitempty"`
	TaskFailed         *TaskDetails      `json:"taskFailedEventDetails,omitempty"`
	TaskTimedOut       *TaskDetails      `json:"taskTimedOutEventDetails,omitempty"`
	EvaluationFailed   *EvaluationError  `json:"evaluationFailedEventDetails,omitempty"`
	MapStarted         *MapDetails       `json:"mapStateStartedEventDetails,omitempty"`
	MapRunStarted      *MapRunDetails    `json:"mapRunStartedEventDetails,omitempty"`
	IterationStarted   *IterationDetails `json:"mapIterationStartedEventDetails,omitempty"`
	IterationSucceeded *IterationDetails `json:"mapIterationSucceededEventDetails,omitempty"`
	IterationFailed    *IterationDetails `json:"mapIterationFailedEventDetails,omitempty"`
	IterationAborted   *IterationDetails `json:"mapIterationAbortedEventDetails,omitempty"`
}

// Truncated says whether the history cut a payload short; it never does here, because payloads are limited.
type Truncated struct {
	Truncated bool `json:"truncated"`
}

// StartedDetails belong to ExecutionStarted.
type StartedDetails struct {
	Input                  string     `json:"input,omitempty"`
	InputDetails           *Truncated `json:"inputDetails,omitempty"`
	RoleARN                string     `json:"roleArn,omitempty"`
	StateMachineAliasARN   string     `json:"stateMachineAliasArn,omitempty"`
	StateMachineVersionARN string     `json:"stateMachineVersionArn,omitempty"`
}

// OutputDetails belong to ExecutionSucceeded.
type OutputDetails struct {
	Output        string     `json:"output,omitempty"`
	OutputDetails *Truncated `json:"outputDetails,omitempty"`
}

// ErrorDetails belong to the other ends of an execution. What it ended without is null.
type ErrorDetails struct {
	Error *string `json:"error"`
	Cause *string `json:"cause"`
}

// RedrivenDetails belong to ExecutionRedriven.
type RedrivenDetails struct {
	RedriveCount int `json:"redriveCount"`
}

// EnteredDetails belong to every …StateEntered.
type EnteredDetails struct {
	Name         string     `json:"name"`
	Input        string     `json:"input,omitempty"`
	InputDetails *Truncated `json:"inputDetails,omitempty"`
}

// ExitedDetails belong to every …StateExited. AssignedVariables maps names to JSON texts.
type ExitedDetails struct {
	Name                     string            `json:"name"`
	Output                   string            `json:"output,omitempty"`
	OutputDetails            *Truncated        `json:"outputDetails,omitempty"`
	AssignedVariables        map[string]string `json:"assignedVariables,omitempty"`
	AssignedVariablesDetails *Truncated        `json:"assignedVariablesDetails,omitempty"`
}

// ScheduledDetails belong to TaskScheduled.
type ScheduledDetails struct {
	ResourceType     string `json:"resourceType"`
	Resource         string `json:"resource"`
	Region           string `json:"region"`
	Parameters       string `json:"parameters,omitempty"`
	TimeoutInSeconds *int64 `json:"timeoutInSeconds,omitempty"`
}

// TaskDetails belong to the later events of a task.
type TaskDetails struct {
	ResourceType  string     `json:"resourceType"`
	Resource      string     `json:"resource"`
	Output        string     `json:"output,omitempty"`
	OutputDetails *Truncated `json:"outputDetails,omitempty"`
	Error         *string    `json:"error,omitempty"`
	Cause         *string    `json:"cause,omitempty"`
}

// EvaluationError belongs to EvaluationFailed.
type EvaluationError struct {
	Error    string `json:"error"`
	Cause    string `json:"cause,omitempty"`
	Location string `json:"location,omitempty"`
	State    string `json:"state"`
}

// MapDetails belong to MapStateStarted.
type MapDetails struct {
	Length int `json:"length"`
}

// MapRunDetails belong to MapRunStarted.
type MapRunDetails struct {
	MapRunARN string `json:"mapRunArn"`
}

// IterationDetails belong to the events of one iteration of a Map.
type IterationDetails struct {
	Name  string `json:"name"`
	Index int    `json:"index"`
}

// detailsOf keeps the JSON text of a payload and its details together.
func detailsOf(payload json.RawMessage) (string, *Truncated) { return string(payload), &Truncated{} }
