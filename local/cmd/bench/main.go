// Command bench measures rotations and prints one table. It writes the table as table.md and table.json.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"alboidc.internal/local/bench"
)

func main() {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the OpenID library tells of every refused request
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	o := bench.Options{Sizes: bench.Usual(), Progress: os.Stderr}
	flag.StringVar(&o.Functions, "functions", "", "folder with the functions' binaries (NAME/bootstrap), and hello's")
	flag.StringVar(&o.Only, "only", "", "the part to run (default: all)")
	out := flag.String("out", ".", "folder for table.md and table.json")
	page := flag.String("page", "", "the page of the documentation that gets the table, too")
	quick := flag.Bool("quick", false, "fewer of everything")
	flag.IntVar(&o.Rotations, "rotations", o.Rotations, "how many rotations under traffic")
	clients := flag.Int("clients", 0, "only rotate so many clients at once, in this process, and print JSON")
	fleet := flag.Bool("fleet", false, "with -clients: by a fleet, after a breach of one organization at Okta")
	okta := flag.Bool("okta", false, "with -clients: within the limits of one organization at Okta")
	flag.Parse()
	if *clients > 0 {
		measure := func() ([]bench.Row, error) { return bench.Clients(ctx, *clients, *okta) }
		if *fleet {
			measure = func() ([]bench.Row, error) { return bench.Fleet(ctx, *clients) }
		}
		rows, err := measure()
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(rows)
	}
	if *quick {
		o.Sizes = bench.Quick()
	}
	var err error
	if o.Self, err = os.Executable(); err != nil {
		return err
	}
	report, err := bench.Run(ctx, o)
	if err != nil {
		return err
	}
	fmt.Print(report.Markdown())
	if missed := report.Missed(); len(missed) > 0 {
		fmt.Printf("\n%d goals are missed.\n", len(missed))
	}
	return save(report, o.Only != "", *out, *page)
}

// save writes the files. The report of a part goes into the table that the page has.
func save(report bench.Report, isPart bool, out, page string) error {
	text, err := report.JSON()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for name, content := range map[string][]byte{"table.json": text, "table.md": []byte(report.Markdown())} {
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
			return err
		}
	}
	if page == "" {
		return nil
	}
	before, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	write := bench.Write
	if isPart {
		write = bench.Update
	}
	after, err := write(before, report)
	if err != nil {
		return err
	}
	return os.WriteFile(page, after, 0o644)
}
