package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/statemachine"
)

// executionArg is a command that is about an execution: given by ARN or name, or as the client whose running or last
// one is meant.
func (a *app) executionArg(use, short, long string, run func(context.Context, *system.System, string) error,
) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Long: long, Args: cobra.ExactArgs(1),
		ValidArgsFunction: a.completeClients,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			id, err := a.resolve(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			return run(cmd.Context(), s, id)
		}}
}

// resolve finds the execution that is meant by an ARN, an execution's name, or a client's name.
func (a *app) resolve(ctx context.Context, s *system.System, arg string) (string, error) {
	if strings.HasPrefix(arg, "arn:") {
		return arg, nil
	}
	notClient := a.known(ctx, s, arg)
	if notClient != nil && !system.IsUnknown(notClient) {
		return "", notClient
	}
	if notClient == nil {
		return a.lastOf(ctx, s, arg)
	}
	id := s.ID(arg)
	if _, err := s.Execution(ctx, id); err != nil {
		if !system.IsUnknown(err) {
			return "", err
		}
		return "", fmt.Errorf("%w, and no execution of that name", notClient)
	}
	return id, nil
}

// lastOf finds the execution that is meant by a client: the one that has the lock, or else the newest.
func (a *app) lastOf(ctx context.Context, s *system.System, client string) (string, error) {
	r, err := s.Journal(ctx, client)
	if err != nil {
		return "", err
	}
	if r.Adopting() {
		return "", &system.Error{Text: fmt.Sprintf("no execution has the lock of %s, but rotator adopt, for %s: see "+
			"rotator status %s, and rotator history %s for executions", client, span(a.Now().Sub(r.OwnerSince)), client,
			client)}
	}
	if r.Owner != "" {
		return r.Owner, nil
	}
	e, found, err := s.Since(ctx, client, r.LastEnded, a.Now())
	switch {
	case err != nil:
		return "", err
	case found:
		return e.ARN, nil
	case r.LastExecution != "":
		return r.LastExecution, nil
	}
	return "", &system.Error{Text: fmt.Sprintf("client %s was not rotated yet: rotator plan %s", client, client)}
}

func (a *app) watch() *cobra.Command {
	return a.executionArg("watch CLIENT|EXECUTION", "Follow an execution until it ends",
		"Prints what an execution does as it does it. Of a client it is the one that runs, or the last one.",
		func(ctx context.Context, s *system.System, id string) error { return a.follow(ctx, s, id, 0) })
}

// follow prints what an execution does until it has ended, and then how it ended. Of one that was redriven it prints
// what came after the event of that id; until its history says that it goes on, DescribeExecution may still say that
// it failed.
func (a *app) follow(ctx context.Context, s *system.System, id string, after int64) error {
	t := &telling{out: a.Out, last: after, variables: map[string]string{}}
	if !a.forPeople() {
		t.out = a.Err
	}
	a.follows = id
	for failures := 0; ; {
		e, err := s.Execution(ctx, id) // before its history, which then is complete
		var events []types.HistoryEvent
		if err == nil {
			t.began = e.Started
			events, err = s.Events(ctx, id, t.last)
		}
		for _, event := range events {
			t.tell(event)
		}
		switch {
		case err == nil && !e.Running() && (t.last > after || failures >= mostFailures):
			return a.ended(ctx, s, e)
		case err == nil && e.Running():
			failures = 0
		default: // it is not known yet, AWS did not answer, or it is still said to have failed
			first := t.last == after && !system.IsUnknown(err) && err != nil
			if failures++; failures > mostFailures || first || ctx.Err() != nil {
				return err
			}
		}
		if err := a.Sleep(ctx, poll); err != nil {
			return err
		}
	}
}

// telling prints the events of a history.
type telling struct {
	out       io.Writer
	last      int64
	began     time.Time
	variables map[string]string // as JSON
}

func (t *telling) tell(e types.HistoryEvent) {
	t.last = e.Id
	switch {
	case e.StateEnteredEventDetails != nil:
		t.tellEntered(*e.Timestamp, *e.StateEnteredEventDetails.Name)
	case e.StateExitedEventDetails != nil:
		for name, value := range e.StateExitedEventDetails.AssignedVariables {
			t.variables[name] = value
		}
	case e.TaskFailedEventDetails != nil:
		d := e.TaskFailedEventDetails
		t.line(*e.Timestamp, "", "failed: "+aws.ToString(d.Error)+": "+findMessage(aws.ToString(d.Cause)))
	case e.TaskTimedOutEventDetails != nil:
		t.line(*e.Timestamp, "", "failed: "+aws.ToString(e.TaskTimedOutEventDetails.Error))
	case e.TaskSucceededEventDetails != nil:
		t.result(*e.Timestamp, aws.ToString(e.TaskSucceededEventDetails.Output))
	case e.Type == types.HistoryEventTypeExecutionRedriven:
		t.line(*e.Timestamp, "", "redriven")
	}
}

func (t *telling) tellEntered(now time.Time, state string) {
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
func (t *telling) result(now time.Time, output string) {
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
			span(now.Sub(t.began))))
	}
	if answer.Payload.Notice != "" {
		t.line(now, "", answer.Payload.Notice)
	}
}

func (t *telling) line(now time.Time, state, says string) {
	_, _ = fmt.Fprintf(t.out, "%s  %-20s  %s\n", now.UTC().Format("15:04:05"), oneLine(state), oneLine(says))
}

// findMessage returns the message of a function's error, from the cause that Lambda gives.
func findMessage(cause string) string {
	var answer struct{ ErrorMessage string }
	if json.Unmarshal([]byte(cause), &answer) == nil && answer.ErrorMessage != "" {
		return answer.ErrorMessage
	}
	return cause
}
