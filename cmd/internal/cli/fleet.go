package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/words"
	"alboidc.internal/shared/clientsfile"
)

// fleet lists fleets, and holds the commands that are about them.
func (a *app) fleet() *cobra.Command {
	c := &cobra.Command{Use: "fleet", Short: "Rotate many clients; without a command, list the last fleets",
		Long: "Lists the last fleets. To rotate many clients: rotator fleet start; after a breach of the identity " +
			"provider:\nrotator leak --all. A fleet's name or ARN is taken by rotator watch, explain, stop " +
			"and redrive, " +
			"too. One that is\nstopped starts no more rotations; those that it has started go on by themselves.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			all, err := s.Fleets(cmd.Context(), 20)
			if err != nil {
				return err
			}
			if !a.forPeople() {
				return a.write(all)
			}
			var rows [][]string
			for _, e := range all {
				rows = append(rows, []string{words.At(e.Started), words.FleetEnd(e), words.OrDash(words.FleetReason(e)),
					words.Name(e.ARN)})
			}
			return a.table([]string{"STARTED", "END", "REASON", "FLEET"}, rows)
		}}
	c.AddCommand(a.fleetStart(), a.fleetShow())
	return c
}

// limits are the options that fleets have in common.
func limits(c *cobra.Command) func(*system.FleetRequest) {
	per := c.Flags().Int("per-tenant", 0,
		"how many clients of one tenant are rotated at once (default 10, after a leak 50)")
	most := c.Flags().Int("max-failures", 0, "how many failures do not stop it (default 2, after a leak any number)")
	reason := c.Flags().String("reason", "", "why, for logs and notifications; no secrets")
	return func(r *system.FleetRequest) {
		r.Reason = *reason
		if c.Flags().Changed("per-tenant") {
			r.PerTenant = per
		}
		if c.Flags().Changed("max-failures") {
			r.MaxFailures = most
		}
	}
}

func (a *app) fleetStart() *cobra.Command {
	var r system.FleetRequest
	var watch, yes bool
	c := &cobra.Command{Use: "start [CLIENT…] --reason TEXT", Short: "Rotate many clients in waves",
		Long: "Rotates the named clients, those of a provider or a tenant, or all. One goes first; if that is not " +
			"rotated, nothing\nelse is. Too many failures stop it. Rotations that have begun go on by themselves.",
		ValidArgsFunction: a.completeClients}
	set := limits(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		r.Clients = args
		set(&r)
		if err := checkFleet(r); err != nil {
			return err
		}
		r.Tenant = strings.ToLower(r.Tenant) // as config.Client.Tenant is
		s, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		return a.beginFleet(cmd.Context(), s, r, yes || r.DryRun, watch)
	}
	c.Flags().BoolVar(&r.All, "all", false, "all clients of the stack")
	c.Flags().StringVar(&r.Provider, "provider", "", "those of a type of identity provider, e.g. okta")
	c.Flags().StringVar(&r.Tenant, "tenant", "", "those of a tenant, e.g. acme.okta.com")
	c.Flags().StringVar(&r.Canary, "canary", "", "the client that goes first, alone (default the first of them)")
	c.Flags().BoolVar(&r.DryRun, "dry-run", false, "only plan every rotation")
	c.Flags().BoolVar(&watch, "watch", false, "wait until all rotations have ended, grace periods included")
	c.Flags().BoolVar(&yes, "yes", false, "confirm")
	needsReason(c)
	return c
}

// mostInFleet bounds a fleet's limits, as its state machine does.
const mostInFleet = 1000

// checkFleet refuses what the fleet would end for at once, of which nobody would hear.
func checkFleet(r system.FleetRequest) error {
	ways := 0
	for _, given := range []bool{r.All, len(r.Clients) > 0, r.Provider != "" || r.Tenant != ""} {
		if given {
			ways++
		}
	}
	outside := func(n *int, least int) bool { return n != nil && (*n < least || *n > mostInFleet) }
	switch {
	case ways == 0:
		return &system.Error{Text: "which clients? name them, or give --provider, --tenant or --all"}
	case ways > 1:
		return &system.Error{
			Text: "which clients? names, --all, and --provider or --tenant exclude each other: give one"}
	case outside(r.PerTenant, 1):
		return &system.Error{Text: fmt.Sprintf("--per-tenant must be from 1 to %d", mostInFleet)}
	case outside(r.MaxFailures, 0):
		return &system.Error{Text: fmt.Sprintf("--max-failures must be from 0 to %d", mostInFleet)}
	}
	return nil
}

// warnOfAnother says that a fleet runs already. Two of different clients may.
func (a *app) warnOfAnother(ctx context.Context, s *system.System) {
	last, err := s.Fleets(ctx, 1)
	if err == nil && len(last) > 0 && last[0].Running() {
		_, _ = fmt.Fprintf(a.Err, "%s runs, too: a client that both rotate is locked for one of them, which counts as "+
			"failed there\n", words.Name(last[0].ARN))
	}
}

// beginFleet starts a fleet once somebody has confirmed it.
func (a *app) beginFleet(ctx context.Context, s *system.System, r system.FleetRequest, confirmed, watch bool) error {
	if !confirmed || !r.All || r.Canary != "" { // whoever has confirmed all need not wait until their names are read
		n, of, err := a.chosen(ctx, s, r)
		if err != nil {
			return err
		}
		if !confirmed {
			return &system.Error{Text: fmt.Sprintf("this rotates %d of the %d clients of stack %s: confirm with --yes",
				n, of, s.Stack)}
		}
	}
	if !r.Emergency { // which takes over
		a.warnOfAnother(ctx, s)
	}
	id, err := s.StartFleet(ctx, r, a.Now())
	if err != nil {
		return err
	}
	if watch {
		_, _ = fmt.Fprintln(a.Err, "started", id)
		return a.follow(ctx, s, id, 0)
	}
	if !a.forPeople() {
		return a.write(map[string]string{"execution": id, "url": s.ConsoleURL(id)})
	}
	a.print("started %s", id)
	a.print("follow it: rotator fleet show --watch %s", words.Name(id))
	return nil
}

// chosen returns how many clients a request is for, of how many. One that is for none, or names one that there is not,
// would end at once, and nobody would hear of it.
func (a *app) chosen(ctx context.Context, s *system.System, r system.FleetRequest) (n, of int, err error) {
	clients, err := s.Clients(ctx)
	if err != nil {
		return 0, 0, err
	}
	var names, tenants, chosen []string
	for _, c := range clients {
		names = append(names, c.Name)
		tenants = append(tenants, c.IdentityProvider.Type+" "+c.Tenant())
		if r.All || slices.Contains(r.Clients, c.Name) || len(r.Clients) == 0 &&
			(r.Provider == "" || r.Provider == c.IdentityProvider.Type) && (r.Tenant == "" || r.Tenant == c.Tenant()) {
			chosen = append(chosen, c.Name)
		}
	}
	if err := mustHave(s, names, r.Clients); err != nil {
		return 0, 0, err
	}
	if len(chosen) == 0 {
		slices.Sort(tenants)
		return 0, 0, &system.Error{Text: fmt.Sprintf("stack %s has no client of that; it has those of %s", s.Stack,
			clientsfile.Some(slices.Compact(tenants), mostNamed))}
	}
	if r.Canary != "" && !slices.Contains(chosen, r.Canary) {
		return 0, 0, &system.Error{Text: fmt.Sprintf("--canary: %q is none of the chosen clients: %s", r.Canary,
			clientsfile.Some(chosen, mostNamed))}
	}
	return len(chosen), len(clients), nil
}

func (a *app) fleetShow() *cobra.Command {
	var watch bool
	c := &cobra.Command{Use: "show [FLEET]", Short: "Show how a fleet is, or ended; the last one if none is named",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			s, err := a.open(ctx)
			if err != nil {
				return err
			}
			var id string
			if len(args) > 0 {
				if id = s.FleetID(args[0]); !s.IsFleet(id) {
					return &system.Error{Text: fmt.Sprintf("%s is no fleet of stack %s: rotator explain EXECUTION is "+
						"for rotations", id, s.Stack)}
				}
			} else if last, err := s.Fleets(ctx, 1); err != nil {
				return err
			} else if len(last) == 0 {
				return &system.Error{Text: "no fleet was started yet: rotator fleet start"}
			} else {
				id = last[0].ARN
			}
			e, err := s.Execution(ctx, id)
			if err != nil {
				return err
			}
			if e.Running() && watch {
				return a.follow(ctx, s, id, 0)
			}
			return a.showFleet(ctx, s, e)
		}}
	c.Flags().BoolVar(&watch, "watch", false, "wait until it has ended")
	return c
}

// fleetPoll is how often a fleet is looked at, which may go on for days.
const fleetPoll = 10 * time.Second

// tellWave says what a wave has come to.
func (a *app) tellWave(_ system.Execution, event types.HistoryEvent) {
	d := event.StateExitedEventDetails
	if d == nil || event.Type != types.HistoryEventTypeMapStateExited || aws.ToString(d.Name) != "RotateWave" {
		return
	}
	var results []any
	if json.Unmarshal([]byte(d.AssignedVariables["results"]), &results) != nil {
		return
	}
	_, _ = fmt.Fprintf(a.Err, "%s  wave %s: %d clients so far, %s failed\n", words.At(event.Timestamp.UTC()),
		d.AssignedVariables["wave"], len(results), d.AssignedVariables["failures"])
}

// showFleet shows how a fleet is, or what it reports.
func (a *app) showFleet(ctx context.Context, s *system.System, e system.Execution) error {
	report, known, err := s.FleetReport(ctx, e)
	if err != nil {
		return err
	}
	if !a.forPeople() {
		if known {
			err = a.write(report)
		} else {
			err = a.write(e)
		}
	} else if known {
		a.printReport(report, words.FleetRequest(e).DryRun)
	} else {
		a.print("%s: %s", words.Name(e.ARN), words.FleetEnd(e))
		events, err := s.Events(ctx, e.ARN, 0)
		if err != nil {
			return err
		}
		for _, event := range events {
			a.tellWave(e, event)
		}
		if e.Cause != "" {
			a.print("%s", words.OneLine(e.Cause))
		}
		if e.Redrivable && e.Error != "InvalidInput" {
			a.print("it goes on where it was with: rotator redrive %s", e.ARN)
		}
	}
	if err == nil && !e.Running() && (!known || report.Outcome != "rotated") {
		return errNotWell
	}
	return err
}

func (a *app) printReport(r system.FleetReport, dry bool) {
	if dry {
		a.print("dry run: %d of %d clients can be rotated", r.Rotated, r.Size)
	} else {
		a.print("%d of %d clients were rotated", r.Rotated, r.Size)
	}
	for _, f := range r.Failed {
		a.print("  %s: %s: %s", f.Client, f.Outcome, words.OneLine(f.Cause))
	}
	if len(r.Failed) > 0 {
		a.print("what to do about each: rotator explain CLIENT")
	}
	for i, name := range r.NotStarted {
		if i == 0 {
			a.print("stopped; not started:")
		}
		a.print("  %s", name)
	}
}
