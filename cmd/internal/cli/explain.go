package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/system"
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

func (a *app) explain() *cobra.Command {
	return a.executionArg("explain CLIENT|EXECUTION", "Say what an execution means, and what to do",
		"Says whether users are affected, the cause, the remedy with the command, and the entry of the runbook.\n"+
			"Of a client it is the execution that runs or has the lock, or the last one.",
		func(ctx context.Context, s *system.System, id string) error {
			e, err := s.Execution(ctx, id)
			if err != nil {
				return err
			}
			return a.ended(ctx, s, e)
		})
}

// ended tells how an execution ended, or where it is. One that did not end well is an error.
func (a *app) ended(ctx context.Context, s *system.System, e system.Execution) error {
	t, err := a.tell(ctx, s, e)
	if err != nil {
		return err
	}
	if !a.forPeople() {
		err = a.write(t)
	} else {
		a.printTold(t)
	}
	if err == nil && !e.Running() && e.Status != "SUCCEEDED" {
		return errNotWell
	}
	return err
}

// isFinal reports whether what was told is how the execution ended. One that ended in its rollback has told only that
// it rolls back.
func (t Told) isFinal() bool {
	return t.Subject != "" && (t.Status == "SUCCEEDED" || strings.EqualFold(t.Entry, t.Error))
}

func (a *app) printTold(t Told) {
	who := oneLine(t.Request.Client)
	if who == "" {
		who = "an execution for no client"
	}
	switch {
	case t.Running():
		a.print("%s is running, for %s, in %s", who, span(a.Now().Sub(t.Started)), orDash(t.State))
	default:
		end := t.Status
		if t.Error != "" {
			end = t.Error
		}
		a.print("%s ended as %s after %s", who, oneLine(end), span(t.Ended.Sub(t.Started)))
	}
	for _, p := range []struct{ name, text string }{{"users", t.Users}, {"what", t.What}, {"what to do", t.Todo},
		{"command", t.Command}, {"notice", t.Notice}} {
		if p.text != "" {
			a.print("  %-11s %s", p.name, oneLine(p.text))
		}
	}
	if t.Entry != "" {
		a.print("  %-11s docs/runbook.md#%s", "runbook", t.Entry)
	}
	a.print("  %-11s %s", "execution", t.ARN)
}

// tell reads what the execution's own notification says. One that could not tell any more (it failed at a task, was
// stopped or timed out) is told of by what the runbook says about such an end.
func (a *app) tell(ctx context.Context, s *system.System, e system.Execution) (Told, error) {
	t := Told{Execution: e, URL: s.ConsoleURL(e.ARN)}
	events, err := s.Events(ctx, e.ARN, 0)
	if err != nil {
		return t, err
	}
	for _, event := range slices.Backward(events) {
		if d := event.StateEnteredEventDetails; d != nil && t.State == "" {
			t.State = *d.Name
		}
		if d := event.StateExitedEventDetails; d != nil && d.AssignedVariables["told"] != "" {
			if err := json.Unmarshal([]byte(d.AssignedVariables["told"]), &t); err != nil {
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
