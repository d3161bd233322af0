package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"
)

// Sizes are how much is measured.
type Sizes struct {
	// Rotations are those of the soak, one after the other under traffic.
	Rotations int
	// Targets and Clients are the numbers of each that are tried; OktaClients that of those at one Okta organization.
	Targets, Clients []int
	OktaClients      int
	// FleetClients are those that a fleet rotates.
	FleetClients int
	// Starts is how often each function is started.
	Starts int
}

// Usual sizes take about a quarter of an hour on two cores that do nothing else.
func Usual() Sizes {
	return Sizes{Rotations: 100, Targets: []int{1, 10, 100, 400}, Clients: []int{10, 100, 1000}, OktaClients: 500,
		FleetClients: 1000, Starts: 20}
}

// Quick sizes take a few minutes.
func Quick() Sizes {
	return Sizes{Rotations: 5, Targets: []int{1, 10, 100}, Clients: []int{10, 100}, OktaClients: 50,
		FleetClients: 50, Starts: 5}
}

// Parts of a run, in order.
const (
	Counted  = "counted"
	Started  = "started"
	Page     = "page"
	AtOnce   = "clients"
	Soaked   = "soak"
	allParts = Counted + ", " + Started + ", " + Page + ", " + AtOnce + ", " + Soaked
)

// Options choose a run.
type Options struct {
	Sizes
	// Only is the part to run; "" is all.
	Only string
	// Functions is the folder with the functions' binaries (NAME/bootstrap), and that of hello.
	Functions string
	// Self is this program. It is started anew for each number of clients, whose memory is then its own.
	Self string
	// Progress hears of each part.
	Progress io.Writer
}

// Run measures everything.
func Run(ctx context.Context, o Options) (Report, error) {
	report, known := Report{Machine: ThisMachine()}, false
	for _, part := range []struct {
		name string
		run  func() ([]Row, error)
	}{
		{Counted, func() ([]Row, error) { return Counts(ctx, o.Targets) }},
		{Started, func() ([]Row, error) { return startups(ctx, o.Functions, o.Starts) }},
		{Page, func() ([]Row, error) { return page(ctx) }},
		{AtOnce, func() ([]Row, error) { return allClients(ctx, o) }},
		{Soaked, func() ([]Row, error) { return soak(ctx, o.Functions, o.Rotations) }},
	} {
		if o.Only != "" && o.Only != part.name {
			continue
		}
		known = true
		began := time.Now()
		rows, err := part.run()
		if err != nil {
			return report, fmt.Errorf("%s: %w", part.name, err)
		}
		report.Rows = append(report.Rows, rows...)
		_, _ = fmt.Fprintf(o.Progress, "%s: %.0f s\n", part.name, time.Since(began).Seconds())
	}
	if !known {
		return report, fmt.Errorf("%q is none of the parts: %s", o.Only, allParts)
	}
	return report, nil
}

// Counts are the rows that are the same on every machine, but for the page's.
func Counts(ctx context.Context, targets []int) ([]Row, error) {
	var rows []Row
	for _, measure := range []func(context.Context) ([]Row, error){leaks, callsOfProviders, bill, latency,
		func(ctx context.Context) ([]Row, error) { return ofTargets(ctx, targets) }} {
		more, err := measure(ctx)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// allClients runs Clients in processes of their own, and compares them.
func allClients(ctx context.Context, o Options) ([]Row, error) {
	var rows, last []Row
	for i, n := range o.Clients {
		more, err := apart(ctx, o.Self, n, "-okta=false")
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
		if i > 0 {
			group := fmt.Sprintf("%d clients at once ÷ %d", n, o.Clients[i-1])
			for _, r := range more {
				j := slices.IndexFunc(last, func(l Row) bool { return l.What == r.What && l.Value > 0 })
				if r.AtMost == nil && r.Unit != "" && j >= 0 {
					rows = append(rows, Row{group, r.What, r.Value / last[j].Value, "", nil, false})
				}
			}
		}
		last = more
	}
	more, err := apart(ctx, o.Self, o.OktaClients, "-okta")
	if err != nil {
		return nil, err
	}
	byFleet, err := apart(ctx, o.Self, o.FleetClients, "-fleet")
	return append(append(rows, more...), byFleet...), err
}

// apart runs Clients in a process of its own.
func apart(ctx context.Context, self string, n int, how string) ([]Row, error) {
	cmd := exec.CommandContext(ctx, self, "-clients", strconv.Itoa(n), how)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%d clients: %w", n, err)
	}
	var rows []Row
	return rows, json.Unmarshal(out, &rows)
}
