// Package cli holds the commands of rotator.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/words"
	"alboidc.internal/shared/clock"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // what was asked for did not go well: an execution failed, or a client needs attention
	exitUsage  = 2 // the command line, or something that it names, is wrong
	exitAWS    = 3 // AWS could not be asked, or refused
	exitBroken = 130
)

// Machine is what a command runs on. Now and Sleep are real time if nil.
type Machine struct {
	In       io.Reader
	Out, Err io.Writer
	Version  string // of rotator
	Now      func() time.Time
	Sleep    func(context.Context, time.Duration) error
}

// Run carries out a command line and returns the exit code.
func Run(ctx context.Context, m Machine, args []string) int {
	if m.Now == nil {
		m.Now = time.Now
	}
	if m.Sleep == nil {
		m.Sleep = clock.Real{}.Sleep
	}
	a := &app{Machine: m}
	root := a.root()
	root.SetArgs(joined(args))
	root.SetOut(m.Out)
	root.SetErr(m.Err)
	err := root.ExecuteContext(ctx)
	return a.exit(ctx, err)
}

// address is what may follow --local.
var address = regexp.MustCompile(`^[A-Za-z0-9.-]*:\d+$|^\[[0-9A-Fa-f:]+\]:\d+$`)

// joined makes one argument of --local and an address after it: an option whose value may be left out takes it with =
// only.
func joined(args []string) (out []string) {
	for _, arg := range args {
		if n := len(out); n > 0 && out[n-1] == "--local" && address.MatchString(arg) {
			out[n-1] += "=" + arg
		} else {
			out = append(out, arg)
		}
	}
	return out
}

// errNotWell ends a command whose output says already what is not well.
var errNotWell = errors.New("not well")

// exit prints the error that a command ended with, and returns its exit code.
func (a *app) exit(ctx context.Context, err error) int {
	var known *system.Error
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errNotWell):
		return exitFailed
	case ctx.Err() != nil, errors.Is(err, errInterrupted):
		says := "interrupted"
		if a.follows != "" {
			says += "; " + a.follows + " goes on: rotator watch " + words.Name(a.follows)
		}
		a.complain(says)
		return exitBroken
	case errors.As(err, &known) && known.Unreachable:
		a.complain(err.Error())
		return exitAWS
	default:
		a.complain(err.Error())
		return exitUsage
	}
}

func (a *app) complain(says string) { _, _ = fmt.Fprintln(a.Err, "rotator:", words.Plain(says)) }

// app is what the commands share.
type app struct {
	Machine
	options system.Options
	format  string
	// follows is the execution that is followed, which goes on if the command is interrupted.
	follows string
}

// localDefault is where make local has its AWS endpoint.
const localDefault = "127.0.0.1:4566"

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "rotator",
		Short: "Rotate the OIDC client secrets of Application Load Balancers",
		Long: `rotator starts, watches and explains the rotations of load balancers' client secrets.

It uses the normal AWS configuration: profiles, environment, SSO. With --local it works on the local stack that
"make local" keeps running. It prints no secret, and only adopt reads one.

Exit codes: 0 all is well; 1 an execution did not end well, or a client needs attention; 2 the command line, or what it
names, is wrong; 3 AWS, or the identity provider, could not be asked or refused; 130 interrupted.`,
		Version:           a.Version,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return checkFormat(cmd.Name(), a.format) },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.options.Stack, "stack", os.Getenv("ROTATOR_STACK"),
		"name of the deployed stack (default $ROTATOR_STACK or "+system.DefaultStack+")")
	flags.StringVar(&a.options.Profile, "profile", "", "profile of the AWS configuration")
	flags.StringVar(&a.options.Region, "region", "", "AWS Region that the stack is in")
	flags.StringVar(&a.options.Local, "local", "",
		"use the local stack at this address (--local=HOST:PORT), "+localDefault+" if none is given")
	flags.Lookup("local").NoOptDefVal = localDefault
	flags.StringVarP(&a.format, "output", "o", formatTable,
		"output format: table, json or yaml; plan also md, evidence also md and csv, check also github")
	_ = root.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions([]string{formatTable, formatJSON, formatYAML}, cobra.ShellCompDirectiveNoFileComp))
	root.AddCommand(a.check(), a.parameters(), a.discover(), a.status(), a.plan(), a.start(), a.fleet(),
		a.leak(), a.repair(),
		a.measure(),
		a.watch(),
		a.explain(), a.history(),
		a.stop(),
		a.redrive(), a.adopt(), a.doctor(), a.evidence(), a.key(), a.conformance(), a.console())
	return root
}

// open finds the deployed system.
func (a *app) open(ctx context.Context) (*system.System, error) { return system.Open(ctx, a.options) }

// completeClients completes the names of clients.
func (a *app) completeClients(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 && cmd.Args != nil { // it takes one
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	s, err := a.open(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	clients, err := s.Clients(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, c := range clients {
		if !slices.Contains(args, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
