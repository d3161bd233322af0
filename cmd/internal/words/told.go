package words

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/shared/rotation"
)

// Told is what people are told of an execution, in the words of the notification.
type Told struct {
	system.Execution
	// State is where it is, or where it failed.
	State string `json:"state,omitempty"`
	// Subject, Users, What, Todo, Command and Notice are the notification's parts.
	Subject string `json:"subject,omitempty"`
	Users   string `json:"users,omitempty"`
	What    string `json:"what,omitempty"`
	Todo    string `json:"todo,omitempty"`
	Command string `json:"command,omitempty"`
	Notice  string `json:"notice,omitempty"`
	// Entry is the one of the runbook.
	Entry string `json:"entry,omitempty"`
	URL   string `json:"url,omitempty"`
}

// isFinal reports whether what was told is how the execution ended. One that ended in its rollback has told only that
// it rolls back.
func (t Told) isFinal() bool {
	return t.Subject != "" && (t.Status == "SUCCEEDED" || strings.EqualFold(t.Entry, t.Error))
}

// Headline says in a line how the execution is, or how it ended.
func (t Told) Headline(now time.Time) string {
	who := t.Request.Client
	if who == "" {
		who = "an execution for no client"
	}
	if t.Running() {
		return fmt.Sprintf("%s is running, for %s, in %s", who, Span(now.Sub(t.Started)), OrDash(t.State))
	}
	end := t.Status
	if t.Error != "" {
		end = t.Error
	}
	return fmt.Sprintf("%s ended as %s after %s", who, end, Span(t.Ended.Sub(t.Started)))
}

// Part is one of the things that people are told.
type Part struct{ Name, Text string }

// Parts are what else people are told.
func (t Told) Parts() []Part {
	all := []Part{{"users", t.Users}, {"what", t.What}, {"what to do", t.Todo}, {"command", asOurs(t)},
		{"notice", t.Notice}}
	if t.Entry != "" {
		all = append(all, Part{"runbook", "docs/runbook.md#" + t.Entry})
	}
	return slices.DeleteFunc(append(all, Part{"execution", t.ARN}), func(p Part) bool { return p.Text == "" })
}

// started finds the input in a notification's command, which is of the AWS CLI.
var started = regexp.MustCompile(`^aws stepfunctions start-execution .*--input '(\{.*\})'$`)

// asOurs is the notification's command as one of this program; as it is, if there is none like it.
func asOurs(t Told) string {
	if strings.HasPrefix(t.Command, "aws stepfunctions redrive-execution ") {
		return "rotator redrive " + t.ARN
	}
	found := started.FindStringSubmatch(t.Command)
	if found == nil {
		return t.Command
	}
	r, err := rotation.ParseRequest(json.RawMessage(found[1]))
	switch {
	case err != nil || r.GracePeriodSeconds != nil:
		return t.Command
	case r.Emergency:
		return "rotator leak " + r.Client + " --reason …"
	case r.Repair:
		return "rotator repair " + r.Client + " --reason …"
	case r.DryRun:
		return "rotator plan " + r.Client
	}
	return "rotator start " + r.Client
}

// Tell reads what the execution's own notification says. One that could not tell any more (it failed at a task, was
// stopped or timed out) is told of by what the runbook says about such an end.
func Tell(ctx context.Context, s *system.System, e system.Execution) (Told, error) {
	events, err := s.Events(ctx, e.ARN, 0)
	if err != nil {
		return Told{Execution: e, URL: s.ConsoleURL(e.ARN)}, err
	}
	return TellFrom(s, e, events)
}

// TellFrom does so from the execution's whole history, or from those of its events that Tells picks.
func TellFrom(s *system.System, e system.Execution, events []types.HistoryEvent) (Told, error) {
	t := Told{Execution: e, URL: s.ConsoleURL(e.ARN)}
	for _, event := range slices.Backward(events) {
		if d := event.StateEnteredEventDetails; d != nil && t.State == "" {
			t.State = *d.Name
		}
		if told := toldBy(event); told != "" {
			if err := json.Unmarshal([]byte(told), &t); err != nil {
				return t, fmt.Errorf("the notification of %s cannot be read: %w", e.ARN, err)
			}
			break
		}
		if event.Type == types.HistoryEventTypeExecutionRedriven {
			break // what it told before counts no more
		}
	}
	if !e.Running() && !t.isFinal() {
		t = Told{Execution: e, URL: t.URL, State: t.State}
		t.fillIn()
	}
	return t, nil
}

// Tells reports whether TellFrom reads an event.
func Tells(e types.HistoryEvent) bool {
	return e.StateEnteredEventDetails != nil || toldBy(e) != "" || e.Type == types.HistoryEventTypeExecutionRedriven
}

// toldBy is the notification that was noted when a state was left, as JSON; "" if none was.
func toldBy(e types.HistoryEvent) string {
	if e.StateExitedEventDetails == nil {
		return ""
	}
	return e.StateExitedEventDetails.AssignedVariables["told"]
}
