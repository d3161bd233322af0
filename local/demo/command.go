package demo

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"syscall"

	"alboidc.internal/shared/idp/registry"
)

// defaultAddress is where a stack that is kept running has its AWS endpoint.
const defaultAddress = "127.0.0.1:4566"

// Command carries out the command line args and returns its exit status. live says whether out is a terminal.
func Command(ctx context.Context, args []string, out, errs io.Writer, live bool) int {
	o := Options{Out: out, Live: live}
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.StringVar(&o.Functions, "functions", "", "folder with the functions' binaries (NAME/bootstrap)")
	flags.StringVar(&o.IdP, "idp", "", "type of identity provider (default okta; help lists them)")
	flags.StringVar(&o.Fail, "fail", "", "state that is made to fail (help lists them)")
	flags.StringVar(&o.Address, "address", "",
		"address of the AWS endpoint (default: "+defaultAddress+" with -serve, else a free port)")
	flags.StringVar(&o.Rotator, "rotator", "", "the rotator program, to show the stack on its web page, too")
	flags.StringVar(&o.Logs, "logs", "", "folder for the functions' logs (default: a new one for temporary files)")
	flags.BoolVar(&o.Followers, "followers", false, "give two rules to a controller that follows AWSCURRENT")
	serve := flags.Bool("serve", false, "keep the stack running instead of showing a rotation")
	if flags.Parse(args) != nil {
		return Usage
	}
	if o.IdP == help || o.Fail == help {
		_, _ = fmt.Fprint(out, listChoices(o))
		return Well
	}
	if flags.NArg() > 0 || o.Functions == "" || (*serve && (o.Fail != "" || o.Followers)) {
		_, _ = fmt.Fprintln(errs,
			"usage: demo -functions DIR [-idp TYPE] [-serve | [-fail STATE] [-followers]] [-address HOST:PORT] "+
				"[-rotator PROGRAM] [-logs DIR]")
		return Usage
	}
	var status int
	var err error
	if *serve {
		err = Serve(ctx, o)
	} else {
		status, err = Run(ctx, o)
	}
	if err == nil {
		return status
	}
	if ctx.Err() != nil {
		_, _ = fmt.Fprintln(errs, "Interrupted before the stack was there.")
		return Interrupted
	}
	_, _ = fmt.Fprintln(errs, err)
	if errors.Is(err, syscall.EADDRINUSE) {
		_, _ = fmt.Fprintln(errs,
			"The port is taken, perhaps by another local stack. Choose another with PORT=, a number from "+
				"1024 to 65535.")
	}
	return Wrong
}

// help as a type of identity provider or a state asks for the list of them.
const help = "help"

// listChoices lists what -idp and -fail take.
func listChoices(o Options) string {
	var b strings.Builder
	if o.IdP == help {
		fmt.Fprintf(&b, "IDP= is one of: %s\n", strings.Join(registry.Types(), ", "))
	}
	if o.Fail == help {
		b.WriteString("FAIL= is one of:\n")
		for _, f := range failures() {
			fmt.Fprintf(&b, "  %s: %s\n", f.state, f.says)
		}
	}
	return b.String()
}
