package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/words"
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

// resolve finds the execution that is meant by an ARN, the name of an execution or a fleet, or a client's name.
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
	for _, id := range []string{s.ID(arg), s.FleetID(arg)} {
		if _, err := s.Execution(ctx, id); err == nil {
			return id, nil
		} else if !system.IsUnknown(err) {
			return "", err
		}
	}
	return "", fmt.Errorf("%w, and no execution or fleet of that name", notClient)
}

// lastOf finds the execution that is meant by a client: the one that has the lock, or else the newest.
func (a *app) lastOf(ctx context.Context, s *system.System, client string) (string, error) {
	r, err := s.Journal(ctx, client)
	if err != nil {
		return "", err
	}
	if r.Adopting() {
		return "", &system.Error{Text: fmt.Sprintf("no execution has the lock of %s, but rotator adopt, for %s: see "+
			"rotator status %s, and rotator history %s for executions", client, words.Span(a.Now().Sub(r.OwnerSince)),
			client,
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
	tell, every, fleet := a.tellSteps(after), poll, s.IsFleet(id)
	if fleet {
		tell, every = a.tellWave, fleetPoll
	}
	a.follows = id
	last := after
	for failures := 0; ; {
		e, err := s.Execution(ctx, id) // before its history, which then is complete
		var events []types.HistoryEvent
		if err == nil {
			events, err = s.Events(ctx, id, last)
		}
		for _, event := range events {
			last = event.Id
			tell(e, event)
		}
		switch {
		case err == nil && !e.Running() && (last > after || failures >= mostFailures):
			return a.ended(ctx, s, e)
		case err == nil && e.Running():
			failures = 0
		default: // it is not known yet, AWS did not answer, or it is still said to have failed
			first := last == after && !system.IsUnknown(err) && err != nil && !fleet // which has begun for many
			if failures++; failures > mostFailures || first || ctx.Err() != nil {
				return err
			}
		}
		if err := a.Sleep(ctx, every); err != nil {
			return err
		}
	}
}

// tellSteps tells of each step of a rotation, after the event of that id.
func (a *app) tellSteps(after int64) func(system.Execution, types.HistoryEvent) {
	t, out := &words.Telling{Last: after}, a.Out
	if !a.forPeople() {
		out = a.Err
	}
	return func(e system.Execution, event types.HistoryEvent) {
		t.Began = e.Started
		for _, l := range t.Tell(event) {
			_, _ = fmt.Fprintln(out, l)
		}
	}
}
