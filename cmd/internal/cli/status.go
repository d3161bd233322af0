package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/words"
)

func (a *app) status() *cobra.Command {
	c := &cobra.Command{Use: "status [CLIENT…]", Short: "Show how the clients are",
		Long: "Shows each client's provider, when its secret was last rotated, the next start, its " +
			"condition and why.\n" +
			"Exit code 1: one is Degraded.",
		ValidArgsFunction: a.completeClients,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			clients, err := a.named(cmd.Context(), s, args)
			if err != nil {
				return err
			}
			type read struct {
				words.Status
				err error
			}
			found, _ := system.Each(clients, func(c system.Parameter) (read, error) {
				st, err := words.StatusOf(cmd.Context(), s, c.Client, a.Now())
				return read{st, err}, nil
			})
			var all []words.Status
			var unread []error
			for _, r := range found {
				if all = append(all, r.Status); r.err != nil {
					unread = append(unread, r.err)
				}
			}
			ended := a.printStatuses(s, all)
			if len(unread) > 1 {
				return fmt.Errorf("%w (and %d more that could not be read)", unread[0], len(unread)-1)
			}
			return cmp.Or(errors.Join(unread...), ended)
		}}
	return c
}

func (a *app) printStatuses(s *system.System, all []words.Status) error {
	if !a.forPeople() {
		if err := a.write(all); err != nil {
			return err
		}
	} else {
		var rows [][]string
		for _, st := range all {
			rows = append(rows, []string{st.Client, st.Provider, st.Condition, words.At(st.LastRotated),
				words.Starts(st.Schedule),
				st.Reason})
		}
		if err := a.table([]string{"CLIENT", "PROVIDER", "CONDITION", "LAST ROTATED", "NEXT START",
			"REASON"}, rows); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(all, func(st words.Status) bool { return st.Condition == words.Degraded }) {
		return errNotWell
	}
	return nil
}

func (a *app) history() *cobra.Command {
	var most int
	c := a.clientArg("history CLIENT", "List the last executions of a client", "",
		func(ctx context.Context, s *system.System, client string) error {
			if most < 1 {
				return &system.Error{Text: "--max must be 1 or more"}
			}
			found, complete, err := s.Executions(ctx, client, most)
			if err != nil {
				return err
			}
			if !a.forPeople() {
				return a.write(found)
			}
			var rows [][]string
			for _, e := range found {
				rows = append(rows, []string{words.At(e.Started), words.KindOf(e), words.Ending(e, a.Now()),
					words.OrDash(words.Why(e.Request.Reason, e.Request.Fleet)), words.Name(e.ARN)})
			}
			if err := a.table([]string{"STARTED", "KIND", "END", "REASON", "EXECUTION"}, rows); err != nil {
				return err
			}
			if !complete && len(found) < most {
				_, _ = fmt.Fprintln(a.Err, "older executions were not looked through")
			}
			return nil
		})
	c.Flags().IntVar(&most, "max", 20, "how many")
	return c
}

func (a *app) stop() *cobra.Command {
	var yes bool
	var reason string
	c := a.executionArg("stop CLIENT|EXECUTION", "Stop an execution",
		"Nothing is lost: an execution that is started for it puts right what it left (a healing execution).\n"+
			"After a leak do not stop anything: rotator leak takes over.",
		func(ctx context.Context, s *system.System, id string) error {
			e, err := s.Execution(ctx, id)
			if err != nil {
				return err
			}
			if !e.Running() {
				return &system.Error{Text: fmt.Sprintf("%s does not run: it ended as %s", id, words.Ending(e, a.Now()))}
			}
			if !yes {
				return &system.Error{Text: fmt.Sprintf("this stops %s, which runs for %s: confirm with --yes", id,
					words.Span(a.Now().Sub(e.Started)))}
			}
			if err := s.Stop(ctx, id, reason); err != nil {
				return err
			}
			if !a.forPeople() {
				return a.write(map[string]string{"stopped": id})
			}
			a.print("stopped %s", id)
			return nil
		})
	c.Flags().BoolVar(&yes, "yes", false, "confirm")
	c.Flags().StringVar(&reason, "reason", "stopped by rotator", "why, for the execution's history")
	return c
}

func (a *app) redrive() *cobra.Command {
	var watch bool
	c := a.executionArg("redrive CLIENT|EXECUTION", "Let an execution go on at the state that failed",
		"It is for executions that failed at a task, and for stopped ones that should go on, within 14 days "+
			"of their end.",
		func(ctx context.Context, s *system.System, id string) error {
			before, err := s.LastEvent(ctx, id)
			if err != nil {
				return err
			}
			if err := s.Redrive(ctx, id); err != nil {
				return err
			}
			if watch {
				return a.follow(ctx, s, id, before)
			}
			return a.started(s, id)
		})
	c.Flags().BoolVar(&watch, "watch", false, "follow it until it ends")
	return c
}
