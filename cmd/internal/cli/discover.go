package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/discover"
	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/shared/clientsfile"
	"alboidc.internal/shared/config"
)

func (a *app) discover() *cobra.Command {
	var regions []string
	var unmanaged bool
	var file string
	var elsewhere system.Elsewhere
	c := &cobra.Command{Use: "discover", Short: "Find the clients that load balancers log users in with",
		Long: "Reads every Application Load Balancer of the Regions given, groups its authenticate-oidc actions by " +
			"registration,\n" +
			"recognises the provider, and prints a clients.yaml to finish. It needs " +
			"elasticloadbalancing:Describe* only.\n" +
			"With --unmanaged it lists what no deployed client covers; with --diff it compares with a file. " +
			"Exit code 1:\n" +
			"there is something unmanaged, or a difference.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			if len(regions) == 0 {
				regions = []string{s.Region}
			}
			found, err := a.found(cmd.Context(), s, regions, elsewhere)
			if err != nil {
				return err
			}
			switch {
			case unmanaged:
				return a.printUnmanaged(cmd.Context(), s, found)
			case file != "":
				return a.printDifference(found, file)
			case !a.forPeople():
				return a.write(found)
			}
			a.print("%s", discover.File(s.Account, s.Region, found))
			return nil
		}}
	c.Flags().StringSliceVar(&regions, "regions", nil, "Regions to look at (default: the one of --region)")
	c.Flags().StringSliceVar(&elsewhere.Roles, "account-role", nil,
		"ARNs of roles in other accounts to look at, too, one an account")
	c.Flags().StringVar(&elsewhere.ExternalID, "external-id", "", "the external id that those roles demand")
	c.Flags().BoolVar(&unmanaged, "unmanaged", false, "list only what no deployed client covers")
	c.Flags().StringVar(&file, "diff", "", "compare with this clients.yaml")
	c.MarkFlagsMutuallyExclusive("unmanaged", "diff")
	return c
}

// answersWithin is how long an identity provider has to answer, which this machine need not reach.
const answersWithin = 5 * time.Second

// found finds the registrations, and asks their providers for their discovery documents.
func (a *app) found(ctx context.Context, s *system.System, regions []string,
	elsewhere system.Elsewhere) ([]discover.Client, error) {
	logins, err := s.Logins(ctx, regions, elsewhere)
	if err != nil {
		return nil, err
	}
	found := discover.Group(logins)
	prober, err := s.Prober(ctx, a.Now, a.Sleep)
	if err != nil {
		return nil, err
	}
	return system.Each(found, func(c discover.Client) (discover.Client, error) {
		limited, end := context.WithTimeout(ctx, answersWithin)
		defer end()
		c.Compare(prober.Discover(limited, c.Issuer))
		return c, ctx.Err()
	})
}

// printUnmanaged lists registrations that no deployed client covers.
func (a *app) printUnmanaged(ctx context.Context, s *system.System, found []discover.Client) error {
	configured, err := s.Clients(ctx)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(c discover.Client) bool { return c.Covered(configured) })
	if !a.forPeople() {
		err = a.write(found)
	} else if len(found) == 0 {
		a.print("every client that load balancers log users in with is rotated")
	} else {
		var rows [][]string
		for _, c := range found {
			for _, target := range c.Targets {
				rows = append(rows, []string{c.ClientID, c.Provider, c.Issuer, target})
			}
		}
		err = a.table([]string{"CLIENT ID", "PROVIDER", "ISSUER", "TARGET"}, rows)
	}
	if err == nil && len(found) > 0 {
		return errNotWell
	}
	return err
}

// printDifference compares what was found with a file.
func (a *app) printDifference(found []discover.Client, path string) error {
	file, findings, err := clientsfile.Read(path)
	if err == nil {
		err = findings.Err()
	}
	if err != nil {
		return &system.Error{Text: err.Error()}
	}
	var configured []config.Client
	for _, c := range file.Clients {
		configured = append(configured, c.Client)
	}
	lines := discover.Difference(found, configured)
	if !a.forPeople() {
		err = a.write(lines)
	}
	for _, l := range lines {
		if a.forPeople() {
			a.print("%s", l)
		}
	}
	if err == nil && len(lines) > 0 {
		return errNotWell
	}
	return err
}

func (a *app) check() *cobra.Command {
	return &cobra.Command{Use: "check [FILE]", Short: "Check a clients.yaml, without an account",
		Long: "Says what is wrong with a clients.yaml (default infra/clients.yaml), one finding a line: file:line, " +
			"client, field,\n" +
			"what to do. -o github prints annotations for a workflow. Exit code 1: there is an error.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path := "infra/clients.yaml"
			if len(args) > 0 {
				path = args[0]
			}
			file, findings, err := clientsfile.Read(path)
			if err != nil {
				return &system.Error{Text: err.Error()}
			}
			if err := a.printFindings(path, file, findings); err != nil {
				return err
			}
			if findings.Err() != nil {
				return errNotWell
			}
			return nil
		}}
}

// printFindings prints what is wrong, or that nothing is.
func (a *app) printFindings(path string, file clientsfile.File, findings clientsfile.Findings) error {
	switch {
	case a.format == formatGitHub:
		for _, f := range findings {
			a.print("%s", annotation(f))
		}
	case !a.forPeople():
		return a.write(findings)
	case len(findings) == 0:
		a.print("%s: %d clients, nothing to mend", path, len(file.Clients))
	default:
		a.print("%s", findings)
	}
	return nil
}
