// Command rotator operates the rotation of load balancers' client secrets: on AWS, and on the local stack.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"alboidc.internal/cmd/internal/cli"
)

// version is that of the release; make release sets it.
var version = "(not a release)"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second Ctrl-C ends the process at once
	os.Exit(cli.Run(ctx, cli.Machine{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Version: version}, os.Args[1:]))
}
