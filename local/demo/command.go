package demo

import (
	"context"
	"flag"
	"fmt"
	"io"
)

// defaultAddress is where a stack that is kept running has its AWS endpoint.
const defaultAddress = "127.0.0.1:4566"

// Command carries out the command line args and returns its exit status: 0 if all was as it should be, 1 if not, 2 if
// the command line is wrong. live says whether out is a terminal.
func Command(ctx context.Context, args []string, out, errs io.Writer, live bool) int {
	o := Options{Out: out, Live: live}
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.StringVar(&o.Functions, "functions", "", "folder with the functions' binaries (NAME/bootstrap)")
	flags.StringVar(&o.IdP, "idp", "", "type of identity provider (default okta; help lists them)")
	flags.StringVar(&o.Fail, "fail", "", "state that is made to fail")
	flags.StringVar(&o.Address, "address", "",
		"address of the AWS endpoint (default: "+defaultAddress+" with -serve, else a free port)")
	flags.StringVar(&o.Logs, "logs", "", "folder for the functions' logs (default: a new one for temporary files)")
	serve := flags.Bool("serve", false, "keep the stack running instead of showing a rotation")
	if flags.Parse(args) != nil {
		return 2
	}
	if flags.NArg() > 0 || o.Functions == "" || (*serve && o.Fail != "") {
		_, _ = fmt.Fprintln(errs,
			"usage: demo -functions DIR [-idp TYPE] [-fail STATE | -serve] [-address HOST:PORT] [-logs DIR]")
		return 2
	}
	ok := true
	var err error
	if *serve {
		if o.Address == "" {
			o.Address = defaultAddress
		}
		err = Serve(ctx, o)
	} else {
		ok, err = Run(ctx, o)
	}
	if err != nil {
		_, _ = fmt.Fprintln(errs, err)
	}
	if err != nil || !ok {
		return 1
	}
	return 0
}
