package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/journal"
)

// Conditions of a client.
const (
	ready    = "Ready"    // nothing has to be done
	rotating = "Rotating" // an execution has the lock and runs
	degraded = "Degraded" // a person has to look
)

// Status is how a client is.
type Status struct {
	Client    string `json:"client"`
	Provider  string `json:"provider"`
	Condition string `json:"condition"`
	// Reason says why in words.
	Reason string `json:"reason"`
	// LastRotated is since when the secret in use is in use; zero if it was never rotated here.
	LastRotated time.Time        `json:"lastRotated,omitzero"`
	Schedule    *system.Schedule `json:"schedule,omitempty"`
	// Execution is the one that has the lock, or the last one.
	Execution   string    `json:"execution,omitempty"`
	LastOutcome string    `json:"lastOutcome,omitempty"`
	LastEnded   time.Time `json:"lastEnded,omitzero"`
}

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
			for _, name := range args {
				if err := a.known(cmd.Context(), s, name); err != nil {
					return err
				}
			}
			all, err := a.statuses(cmd.Context(), s, args)
			if err != nil {
				return err
			}
			return a.printStatuses(s, all)
		}}
	return c
}

// statuses reads how clients are; all if none is named.
func (a *app) statuses(ctx context.Context, s *system.System, names []string) ([]Status, error) {
	clients, err := s.Clients(ctx)
	if err != nil {
		return nil, err
	}
	if len(clients) == 0 {
		return nil, errNoClients(s) // a wrong name, Region or account more likely than a stack that does nothing
	}
	if len(names) > 0 {
		clients = slices.DeleteFunc(clients, func(c config.Client) bool { return !slices.Contains(names, c.Name) })
	}
	return system.Each(clients, func(c config.Client) (Status, error) { return a.statusOf(ctx, s, c) })
}

func (a *app) statusOf(ctx context.Context, s *system.System, c config.Client) (Status, error) {
	st := Status{Client: c.Name, Provider: c.IdentityProvider.Type}
	var err error
	if st.Schedule, err = s.Schedule(ctx, c.Name, a.Now()); err != nil {
		return st, err
	}
	r, err := s.Journal(ctx, c.Name)
	if err != nil {
		return st, err
	}
	st.LastRotated, st.LastOutcome, st.LastEnded, st.Execution = r.LastRotated, r.LastOutcome, r.LastEnded,
		r.LastExecution
	var owner system.Execution
	if r.Owner != "" && !r.Adopting() {
		st.Execution = r.Owner
		if owner, err = s.Execution(ctx, r.Owner); err != nil && !system.IsUnknown(err) {
			return st, err
		}
	}
	st.Condition, st.Reason = condition(c, r, owner, a.Now())
	return st, nil
}

// condition judges a client by its journal and by the execution that has its lock.
func condition(c config.Client, r journal.Record, owner system.Execution, now time.Time) (is, why string) {
	switch {
	case r.Adopting() && now.Sub(r.OwnerSince) < time.Minute:
		return rotating, "rotator adopt stores a secret, for " + span(now.Sub(r.OwnerSince))
	case r.Adopting():
		return degraded, "a rotator adopt that was killed has left the lock, which the next rotation takes over"
	case r.Owner != "" && owner.Running():
		kind := "a rotation"
		if r.OwnerKind == "emergency" {
			kind = "an emergency"
		} else if r.OwnerKind == "repair" {
			kind = "a repair"
		}
		return rotating, fmt.Sprintf("%s runs, for %s", kind, span(now.Sub(owner.Started)))
	case r.Owner != "" && owner.Status == "" && now.Sub(r.OwnerSince) < time.Minute:
		return rotating, "an execution has just begun" // DescribeExecution is eventually consistent
	case r.Owner != "" && owner.Status == "": // it ended more than 90 days ago, and nothing has run since
		return degraded, "an execution that Step Functions does not know any more has left the lock"
	case r.Owner != "":
		end := owner.Error
		if end == "" {
			end = owner.Status
		}
		return degraded, "an execution ended as " + end + " and has left the lock"
	case c.Issuer == "":
		return degraded, "this release refuses its configuration"
	case r.LastOutcome == "rolledBack":
		return degraded, "the last rotation was rolled back: the old secret is in use"
	case r.LastOutcome == "refused":
		return degraded, "the last rotation was refused: no new secret was made"
	case r.LastOutcome == "superseded":
		return degraded, "somebody else changed AWSCURRENT, and nothing was put right since"
	case r.LastOutcome == "":
		return ready, "not rotated yet"
	}
	return ready, "rotated " + span(now.Sub(r.LastRotated)) + " ago"
}

func (a *app) printStatuses(s *system.System, all []Status) error {
	if !a.forPeople() {
		if err := a.write(all); err != nil {
			return err
		}
	} else {
		var rows [][]string
		for _, st := range all {
			rows = append(rows, []string{st.Client, st.Provider, st.Condition, at(st.LastRotated), starts(st.Schedule),
				st.Reason})
		}
		if err := a.table([]string{"CLIENT", "PROVIDER", "CONDITION", "LAST ROTATED", "NEXT START",
			"REASON"}, rows); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(all, func(st Status) bool { return st.Condition == degraded }) {
		return errNotWell
	}
	return nil
}

// starts says when a schedule starts a rotation next.
func starts(s *system.Schedule) string {
	switch {
	case s == nil:
		return "no schedule"
	case s.Paused:
		return "paused"
	case s.Next.IsZero():
		return s.Expression
	}
	return at(s.Next)
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
				rows = append(rows, []string{at(e.Started), kind(e), ending(e, a.Now()), orDash(e.Request.Reason),
					name(e.ARN)})
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

// kind is what an execution was to do.
func kind(e system.Execution) string {
	switch r := e.Request; {
	case r.Measure:
		return "measurement"
	case r.DryRun:
		return "plan"
	case r.Emergency:
		return "emergency"
	case r.Heals():
		return "healing"
	case r.Repair:
		return "repair"
	}
	return "rotation"
}

// ending says how an execution ended, and after how long.
func ending(e system.Execution, now time.Time) string {
	if e.Running() {
		return "runs, for " + span(now.Sub(e.Started))
	}
	how := e.Error
	if how == "" {
		how = e.Status
	}
	return how + ", after " + span(e.Ended.Sub(e.Started))
}

// name is the execution's own part of its ARN, which commands take, too.
func name(id string) string { return id[strings.LastIndex(id, ":")+1:] }

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
				return &system.Error{Text: fmt.Sprintf("%s does not run: it ended as %s", id, ending(e, a.Now()))}
			}
			if !yes {
				return &system.Error{Text: fmt.Sprintf("this stops %s, which runs for %s: confirm with --yes", id,
					span(a.Now().Sub(e.Started)))}
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
