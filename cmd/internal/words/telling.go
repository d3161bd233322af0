package words

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"alboidc.internal/shared/rotation"
	"alboidc.internal/statemachine"
)

// Line is what is said of an event of a history. State is "" for what happened within the state before.
type Line struct {
	At          time.Time
	State, Says string
}

// String is the line for a terminal.
func (l Line) String() string {
	return fmt.Sprintf("%s  %-20s  %s", l.At.Format("15:04:05"), OneLine(l.State), OneLine(l.Says))
}

// Telling says what the events of a history mean, in their order.
type Telling struct {
	Began time.Time
	// Last is the id of the event that was told of last.
	Last      int64
	variables map[string]string // as JSON
	lines     []Line
}

// Tell takes the next event, and returns what is said of it.
func (t *Telling) Tell(e types.HistoryEvent) []Line {
	t.Last, t.lines = e.Id, nil
	switch {
	case e.StateEnteredEventDetails != nil:
		t.tellEntered(*e.Timestamp, *e.StateEnteredEventDetails.Name)
	case e.StateExitedEventDetails != nil:
		if t.variables == nil {
			t.variables = map[string]string{}
		}
		for name, value := range e.StateExitedEventDetails.AssignedVariables {
			t.variables[name] = value
		}
	case e.TaskFailedEventDetails != nil:
		d := e.TaskFailedEventDetails
		t.line(*e.Timestamp, "", "failed: "+aws.ToString(d.Error)+": "+FindMessage(aws.ToString(d.Cause)))
	case e.TaskTimedOutEventDetails != nil:
		t.line(*e.Timestamp, "", "failed: "+aws.ToString(e.TaskTimedOutEventDetails.Error))
	case e.TaskSucceededEventDetails != nil:
		t.result(*e.Timestamp, aws.ToString(e.TaskSucceededEventDetails.Output))
	case e.Type == types.HistoryEventTypeExecutionRedriven:
		t.line(*e.Timestamp, "", "redriven")
	}
	return t.lines
}

func (t *Telling) tellEntered(now time.Time, state string) {
	says := statemachine.Sentence(state)
	if says == "" {
		return // plumbing
	}
	var until string
	if state == "GracePeriod" && json.Unmarshal([]byte(t.variables["graceUntil"]), &until) == nil && until != "" {
		says += " until " + until
	}
	t.line(now, state, says)
}

// result tells of targets one by one, which take the most of a rotation's calls, and when a secret is refused.
func (t *Telling) result(now time.Time, output string) {
	var answer struct {
		Payload struct {
			Targets []rotation.Updated
			// of an earlier definition, whose calls have one target each
			Target, Result, Notice string
		}
	}
	if json.Unmarshal([]byte(output), &answer) != nil {
		return // of a service that is no function of ours
	}
	for _, u := range answer.Payload.Targets {
		if u.Target != "" { // those of a plan have no result
			t.line(now, "", u.Target+": "+u.Result)
		}
	}
	switch p := answer.Payload; {
	case p.Target != "":
		t.line(now, "", p.Target+": "+p.Result)
	case p.Result == "disabled" || p.Result == "deleted":
		t.line(now, "", fmt.Sprintf("the secret is %s: the identity provider refuses it, %s after the start", p.Result,
			Span(now.Sub(t.Began))))
	}
	if answer.Payload.Notice != "" {
		t.line(now, "", answer.Payload.Notice)
	}
}

func (t *Telling) line(now time.Time, state, says string) {
	t.lines = append(t.lines, Line{At: now.UTC(), State: state, Says: says})
}

// FindMessage returns the message of a function's error, from the cause that Lambda gives.
func FindMessage(cause string) string {
	var answer struct{ ErrorMessage string }
	if json.Unmarshal([]byte(cause), &answer) == nil && answer.ErrorMessage != "" {
		return answer.ErrorMessage
	}
	return cause
}
