// Command mutate plants the faults of package mutate one at a time, and tells which test catches each.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"alboidc.internal/local/mutate"
)

func main() {
	root := flag.String("root", "..", "the repository")
	only := flag.String("only", "", "plant only faults whose line, file or test this regular expression finds")
	workers := flag.Int("workers", 2, "how many at a time")
	seeds := flag.Int("seeds", 0,
		"plant those that random histories must show, and live so many at most until one does")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *root, *only, *workers, *seeds); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root, only string, workers, seeds int) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	wanted, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("ONLY: %w", err)
	}
	if seeds > 0 {
		return live(ctx, root, wanted, seeds)
	}
	var faults []mutate.Fault
	for _, f := range mutate.Faults() {
		if wanted.MatchString(f.Name() + " " + f.Package + " " + f.Test) {
			faults = append(faults, f)
		}
	}
	began := time.Now()
	var results []mutate.Result
	runner := mutate.Runner{Root: root, Workers: workers}
	stopped := runner.Run(ctx, faults, func(r mutate.Result) {
		results = append(results, r)
		fmt.Println(r.Line())
	})
	report := mutate.NewReport(results, time.Since(began))
	if err := report.Write(filepath.Join(root, ".build", "mutate")); err != nil {
		return err
	}
	fmt.Printf("\n%s (.build/mutate/report.md)\n", report.Summary())
	for _, r := range report.Results {
		if !r.Outcome.Good() {
			fmt.Println(r.Line())
		}
	}
	switch {
	case stopped != nil:
		return stopped
	case len(results) == 0:
		return fmt.Errorf("no fault is like %q", only)
	case report.Caught < report.Faults:
		return fmt.Errorf("%d faults were not caught by the test that the table names, or it does not say what is lost",
			report.Faults-report.Caught)
	}
	return nil
}

// live lives histories with faults in them, and writes the table of the documentation.
func live(ctx context.Context, root string, wanted *regexp.Regexp, seeds int) error {
	runner := mutate.Runner{Root: root}
	var rows []mutate.History
	err := runner.Histories(ctx, wanted, seeds, func(h mutate.History) {
		rows = append(rows, h)
		fmt.Println(h)
	})
	name := filepath.Join(root, "docs", "guarantees.md")
	page, failed := os.ReadFile(name)
	if failed == nil {
		page, failed = mutate.WriteHistories(page, rows)
	}
	if failed == nil {
		failed = os.WriteFile(name, page, 0o600)
	}
	return errors.Join(err, failed)
}
