// Command demo shows a rotation on the local stack, or keeps the stack running.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"alboidc.internal/local/demo"
)

func main() {
	functions := flag.String("functions", "", "folder with the functions' binaries (NAME/bootstrap)")
	fail := flag.String("fail", "", "state that is made to fail")
	serve := flag.Bool("serve", false, "keep the stack running instead of showing a rotation")
	address := flag.String("address", "", "address of the AWS endpoint (default: 127.0.0.1:4566 with -serve, else a free port)")
	flag.Parse()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the OpenID library tells of every refused request, which is news to nobody here
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := demo.Options{Functions: *functions, Address: *address, Fail: *fail, Out: os.Stdout, Live: isTerminal(os.Stdout)}
	if *serve {
		if o.Address == "" {
			o.Address = "127.0.0.1:4566"
		}
		exit(true, demo.Serve(ctx, o))
	}
	exit(demo.Run(ctx, o))
}

func exit(ok bool, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// isTerminal reports whether a person watches.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
