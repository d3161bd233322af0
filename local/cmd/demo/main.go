// Command demo shows a rotation on the local stack, or keeps the stack running.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"alboidc.internal/local/demo"
)

func main() {
	// the OpenID library tells of every refused request, which is news to nobody here
	slog.SetDefault(slog.New(slog.DiscardHandler))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second Ctrl-C ends the process at once
	os.Exit(demo.Command(ctx, os.Args[1:], os.Stdout, os.Stderr, isTerminal(os.Stdout)))
}

// isTerminal reports whether a person watches.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
