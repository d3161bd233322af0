package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/words"
	"alboidc.internal/shared/clientsfile"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/rotation"
)

// clientArg is a command that is about one client.
func (a *app) clientArg(use, short, long string, run func(ctx context.Context, s *system.System, client string) error,
) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Long: long, Args: cobra.ExactArgs(1),
		ValidArgsFunction: a.completeClients,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			if err := a.known(cmd.Context(), s, args[0]); err != nil {
				return err
			}
			return run(cmd.Context(), s, args[0])
		}}
}

// known refuses a client that the stack does not have, with the names of those it has.
func (a *app) known(ctx context.Context, s *system.System, client string) error {
	_, err := a.named(ctx, s, []string{client})
	return err
}

// named returns the configurations of the clients named; all if none is. It refuses what the stack does not have.
func (a *app) named(ctx context.Context, s *system.System, names []string) ([]system.Parameter, error) {
	all, err := s.Parameters(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errNoClients(s) // a wrong name, Region or account more likely than a stack that does nothing
	}
	var has []string
	for _, p := range all {
		has = append(has, p.Name)
	}
	if err := mustHave(s, has, names); err != nil {
		return nil, err
	}
	if len(names) > 0 {
		all = slices.DeleteFunc(all, func(p system.Parameter) bool { return !slices.Contains(names, p.Name) })
	}
	return all, nil
}

// mostNamed is how many names a refusal lists of those that there are.
const mostNamed = 20

// mustHave refuses names that the stack's clients have not.
func mustHave(s *system.System, has, names []string) error {
	for _, name := range names {
		if !slices.Contains(has, name) {
			return &system.Error{Text: fmt.Sprintf("stack %s has no client %q; it has %s", s.Stack, name,
				clientsfile.Some(has, mostNamed))}
		}
	}
	return nil
}

func errNoClients(s *system.System) error {
	return &system.Error{Text: fmt.Sprintf("stack %s in Region %s of account %s has no clients", s.Stack, s.Region,
		s.Account)}
}

func (a *app) start() *cobra.Command {
	var r rotation.Request
	var grace time.Duration
	var watch bool
	var c *cobra.Command
	c = a.clientArg("start CLIENT", "Start a rotation", "",
		func(ctx context.Context, s *system.System, client string) error {
			r.Client = client
			if c.Flags().Changed("grace") {
				if grace < 0 || grace%time.Second != 0 {
					return &system.Error{Text: "--grace must be whole seconds, and not negative: 30m, 24h, 0s"}
				}
				seconds := int(grace / time.Second)
				r.GracePeriodSeconds = &seconds
			}
			return a.begin(ctx, s, r, watch)
		})
	c.Flags().StringVar(&r.Reason, "reason", "", "why, for logs and notifications; no secrets")
	c.Flags().DurationVar(&grace, "grace", 0, "shortens the configured grace period, e.g. 30m")
	c.Flags().BoolVar(&watch, "watch", false, "follow it until it ends")
	return c
}

func (a *app) leak() *cobra.Command {
	c := a.urgent("leak CLIENT|--all --reason TEXT",
		"Rotate at once because a secret has leaked, or with --all everything",
		"Starts an emergency rotation: there is no grace period, and an execution that runs is taken over from.\n"+
			"Every test and every wait for the load balancers remains. With --watch it says when each old secret "+
			"was refused.\nWith --all it rotates every client of the stack, in waves, whatever fails, and "+
			"reports when "+
			"all have ended.", &rotation.Request{Emergency: true})
	one := c.RunE
	all := c.Flags().Bool("all", false, "all clients of the stack: the identity provider was breached")
	yes := c.Flags().Bool("yes", false, "confirm --all")
	c.Args = func(cmd *cobra.Command, args []string) error {
		if *all && len(args) > 0 {
			return &system.Error{Text: "--all is for all clients: name none (rotator fleet start rotates some)"}
		}
		if *all {
			return nil
		}
		if len(args) == 0 {
			return &system.Error{Text: "which client? name it, or give --all"}
		}
		return cobra.ExactArgs(1)(cmd, args)
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if !*all {
			return one(cmd, args)
		}
		s, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		reason, _ := cmd.Flags().GetString("reason") // a flag of this command
		watch, _ := cmd.Flags().GetBool("watch")
		return a.beginFleet(cmd.Context(), s, system.FleetRequest{All: true, Emergency: true, Reason: reason},
			*yes, watch)
	}
	return c
}

func (a *app) repair() *cobra.Command {
	r := &rotation.Request{Repair: true}
	c := a.urgent("repair CLIENT --reason TEXT", "Replace a secret that is dead at the identity provider",
		"For an AWSCURRENT that was revoked or has expired, so that logins fail. Another secret takes its place "+
			"only if the\n"+
			"identity provider accepts that and refuses AWSCURRENT, several times in turn; otherwise nothing "+
			"is changed.\n"+
			"A rotation that runs is taken over from. There is no way back to a dead secret.", r)
	c.Flags().BoolVar(&r.DryRun, "dry-run", false, "only prove that the secret is dead, and say what would be done")
	return c
}

// urgent is a command that makes a request for a reason, and follows its execution.
func (a *app) urgent(use, short, long string, r *rotation.Request) *cobra.Command {
	var watch bool
	c := a.clientArg(use, short, long, func(ctx context.Context, s *system.System, client string) error {
		r.Client = client
		return a.begin(ctx, s, *r, watch)
	})
	c.Flags().StringVar(&r.Reason, "reason", "", "why, for logs and notifications; no secrets")
	c.Flags().BoolVar(&watch, "watch", true, "follow it until it ends")
	needsReason(c)
	return c
}

// needsReason makes a command's flag required, and refuses a reason that says nothing.
func needsReason(c *cobra.Command) {
	_ = c.MarkFlagRequired("reason")
	c.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if f := cmd.Flags().Lookup("reason"); f.Changed && strings.TrimSpace(f.Value.String()) == "" {
			return &system.Error{Text: "--reason must say why"}
		}
		return nil
	}
}

// begin starts an execution and, if that is wanted, follows it.
func (a *app) begin(ctx context.Context, s *system.System, r rotation.Request, watch bool) error {
	id, err := s.Start(ctx, r, a.Now())
	if err != nil {
		return err
	}
	a.tellFollowers(ctx, s, r)
	if !watch {
		return a.started(s, id)
	}
	if a.forPeople() {
		a.print("started %s", id)
	} else {
		_, _ = fmt.Fprintln(a.Err, "started", id)
	}
	return a.follow(ctx, s, id, 0)
}

// tellFollowers says how long the old secret lives because of followers, where less was asked for.
func (a *app) tellFollowers(ctx context.Context, s *system.System, r rotation.Request) {
	clients, err := s.Clients(ctx)
	i := slices.IndexFunc(clients, func(c config.Client) bool { return c.Name == r.Client })
	if err != nil || i < 0 || r.Shorten() == nil || *r.Shorten() >= clients[i].FollowersDelay() {
		return
	}
	_, _ = fmt.Fprintf(a.Err, "followers need up to %s after AWSCURRENT has moved: the old secret, also one that has "+
		"leaked, lives until after %s\n", words.Span(clients[i].FollowersDelay()),
		rotation.Timestamp(a.Now().Add(clients[i].FollowersDelay())))
}

// started tells which execution was started, or goes on.
func (a *app) started(s *system.System, id string) error {
	if !a.forPeople() {
		return a.write(map[string]string{"execution": id, "url": s.ConsoleURL(id)})
	}
	a.print("started %s", id)
	if url := s.ConsoleURL(id); url != "" {
		a.print("%s", url)
	}
	a.print("follow it: rotator watch %s", id)
	return nil
}

func (a *app) measure() *cobra.Command {
	return a.clientArg("measure CLIENT", "Measure how a client is, without changing anything", "",
		func(ctx context.Context, s *system.System, client string) error {
			e, err := a.startAndAwait(ctx, s, rotation.Request{Client: client, Measure: true})
			if err != nil {
				return err
			}
			m, why := words.ReadMeasured(e)
			if why != "" {
				if e.Status != "SUCCEEDED" {
					return a.ended(ctx, s, e)
				}
				return a.notMeasured(e, why)
			}
			if !a.forPeople() {
				err = a.write(m)
			} else {
				for _, says := range words.Measurement(m) {
					a.print("%s", words.OneLine(says))
				}
			}
			if err == nil && (!m.SecretAccepted || m.RotationRefused != "") {
				return errNotWell
			}
			return err
		})
}

// notMeasured tells that a measurement could not be made.
func (a *app) notMeasured(e system.Execution, why string) error {
	if !a.forPeople() {
		if err := a.write(e.Output); err != nil {
			return err
		}
		return errNotWell
	}
	a.print("it could not be measured: %s", words.OneLine(why))
	return errNotWell
}

func (a *app) plan() *cobra.Command {
	return a.clientArg("plan CLIENT", "Show what a rotation would do, without changing anything",
		"Makes a dry run and shows its plan. -o md is for a change request.",
		func(ctx context.Context, s *system.System, client string) error {
			e, err := a.startAndAwait(ctx, s, rotation.Request{Client: client, DryRun: true})
			if err != nil {
				return err
			}
			if e.Status != "SUCCEEDED" {
				return a.ended(ctx, s, e)
			}
			var p words.Plan
			if err := json.Unmarshal(e.Output, &p); err != nil {
				return fmt.Errorf("the plan of %s cannot be read: %w", e.ARN, err)
			}
			if !a.forPeople() {
				return a.write(e.Output)
			}
			a.printPlan(s, client, e, p)
			return nil
		})
}

func (a *app) printPlan(s *system.System, client string, e system.Execution, p words.Plan) {
	heading, item, number := "%s", "  %s", "%2d. %s"
	if a.format == formatMarkdown {
		heading, item, number = "\n## %s\n", "- %s", "%d. %s"
		a.print("# Rotation of the client secret of %s\n", client)
		a.print("Planned on %s by a dry run in account %s, Region %s: `%s`.\n", words.At(e.Started), s.Account,
			s.Region, e.ARN)
	} else {
		a.print("Plan for %s: %s", client, p.Action)
	}
	a.print("%s", words.OneLine(words.Sentence(p.Why)))
	for _, part := range p.Parts() {
		a.print(heading, part.Title)
		for i, text := range part.Items {
			if part.Numbered {
				a.print(number, i+1, words.OneLine(text))
			} else {
				a.print(item, words.OneLine(text))
			}
		}
	}
}

// startAndAwait starts an execution that takes moments, and waits until it has ended.
func (a *app) startAndAwait(ctx context.Context, s *system.System, r rotation.Request) (system.Execution, error) {
	id, err := s.Start(ctx, r, a.Now())
	if err != nil {
		return system.Execution{}, err
	}
	_, _ = fmt.Fprintln(a.Err, "waiting for", id)
	a.follows = id
	return a.await(ctx, s, id)
}

// await reads an execution until it has ended. DescribeExecution may not know it yet, or say that it runs when it has
// ended (API reference: eventually consistent).
func (a *app) await(ctx context.Context, s *system.System, id string) (system.Execution, error) {
	for failures := 0; ; {
		e, err := s.Execution(ctx, id)
		switch {
		case err == nil && !e.Running():
			return e, nil
		case err == nil:
			failures = 0
		default:
			if failures++; failures > mostFailures || ctx.Err() != nil {
				return e, err
			}
		}
		if err := a.Sleep(ctx, poll); err != nil {
			return e, err
		}
	}
}

// poll is how often an execution is looked at, and mostFailures how often in a row that may fail: a network that is
// away for a moment does not end what may be followed for days.
const (
	poll         = 2 * time.Second
	mostFailures = 10
)
