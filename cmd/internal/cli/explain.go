package cli

import (
	"context"

	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/words"
)

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
	if s.IsFleet(e.ARN) {
		return a.showFleet(ctx, s, e)
	}
	t, err := words.Tell(ctx, s, e)
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

func (a *app) printTold(t words.Told) {
	a.print("%s", words.OneLine(t.Headline(a.Now())))
	for _, p := range t.Parts() {
		a.print("  %-11s %s", p.Name, words.OneLine(p.Text))
	}
}
