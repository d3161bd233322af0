package cli_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/fault"
	"alboidc.internal/statemachine"
)

func TestAFleetIsStartedWatchedAndShown(t *testing.T) {
	t.Parallel()
	inWorld(t, rotateFleet)
}

func rotateFleet(w *world) {
	code, out, errs := w.run("fleet")
	w.want(code, 2, out, errs, `has no fleet: one is deployed where there are several clients$`)
	ctx := context.Background()
	names, err := w.AddClients(ctx, 3)
	if err != nil {
		w.Fatal(err)
	}
	chosen := []statemachine.Chosen{{Name: scenario.Client, Provider: "okta", Tenant: "example.okta.com"}}
	for _, name := range names {
		chosen = append(chosen, statemachine.Chosen{Name: name, Provider: "entra", Tenant: "1111"})
	}
	if err := w.CreateFleet(ctx, chosen...); err != nil {
		w.Fatal(err)
	}
	if err := w.CreateRecording(ctx); err != nil {
		w.Fatal(err)
	}
	w.clock.Advance(w.Stack.ELB.Spread())

	code, out, errs = w.run("fleet", "show")
	w.want(code, 2, out, errs, `no fleet was started yet`)
	code, out, errs = w.run("fleet", "start", "--all", "--reason", "")
	w.want(code, 2, out, errs, `--reason must say why`)
	code, out, errs = w.run("fleet", "start", "--reason", "x")
	w.want(code, 2, out, errs, `which clients\? name them, or give --provider, --tenant or --all`)
	code, out, errs = w.run("fleet", "start", "--all", "--reason", "x")
	w.want(code, 2, out, errs, `this rotates 4 of the 4 clients of stack alb-oidc-rotator: confirm with --yes`)
	code, out, errs = w.run("fleet", "start", "client-0", "client-2", "--reason", "yearly", "--yes", "--watch",
		"--canary", "client-2", "--per-tenant", "1", "--max-failures", "0")
	w.want(code, 0, out, errs, `wave 1: 1 clients so far, 0 failed$`, `wave 2: 2 clients so far, 0 failed$`,
		`^2 of 2 clients were rotated$`)
	for _, c := range []struct{ args, says string }{
		{"client-0 nobody", `has no client "nobody"; it has client-0, client-1, client-2, orders-web$`},
		{"client-0 client-0", `this rotates 1 of the 4 clients of stack alb-oidc-rotator: confirm with --yes`},
		{"--provider auth0 --yes", `has no client of that; it has those of okta localhost$`},
		{"--tenant acme.okta.com --yes", `has no client of that`},
		{"--tenant LOCALHOST", `this rotates 4 of the 4 clients`},
		{"--all --provider okta --yes", `exclude each other: give one`},
		{"client-0 --tenant x --yes", `exclude each other: give one`},
		{"--all --per-tenant 0 --yes", `--per-tenant must be from 1 to 1000`},
		{"--all --max-failures -1 --yes", `--max-failures must be from 0 to 1000`},
		{"--all --canary nobody --yes", `--canary: "nobody" is none of the chosen clients: client-0`},
	} {
		code, out, errs = w.run(append([]string{"fleet", "start", "--reason", "x"}, strings.Fields(c.args)...)...)
		w.want(code, 2, out, errs, c.says)
	}
	for _, reason := range []string{"healing: x", "before the end: x", strings.Repeat("x", 257)} {
		code, out, errs = w.run("leak", "--all", "--yes", "--reason", reason)
		w.want(code, 2, out, errs, `reason: must `)
	}

	if _, err := w.Stack.Faults.Add(fault.Rule{Service: "lambda", Operation: "Invoke", Match: "fleet-client-1-",
		Mode: fault.Refuse, Status: 403, Code: "AccessDeniedException"}); err != nil {
		w.Fatal(err)
	}
	code, out, errs = w.run("leak", "--all", "orders-web", "--reason", "x")
	w.want(code, 2, out, errs, `--all is for all clients: name none`)
	code, out, errs = w.run("leak", "--reason", "x")
	w.want(code, 2, out, errs, `which client\? name it, or give --all`)
	code, out, errs = w.run("leak", "--all", "--reason", "x")
	w.want(code, 2, out, errs, `confirm with --yes`)
	code, out, errs = w.run("leak", "--all", "--reason", "the identity provider was breached", "--yes")
	w.want(code, 1, out, errs, `^3 of 4 clients were rotated$`, `^  client-1: refused: Plan failed with`,
		`^what to do about each: rotator explain CLIENT$`)
	code, out, errs = w.run("fleet")
	w.want(code, 0, out, errs, `FleetIncomplete +the identity provider was breached +fleet-\d{8}T`, `rotated +yearly`)
	code, out, errs = w.run("fleet", "show", "-o", "json")
	w.want(code, 1, out, errs, `"outcome": "incomplete"`, `"client": "client-1"`)
	code, out, errs = w.run("history", "client-1")
	w.want(code, 0, out, errs,
		`emergency +\S+, after .* +the identity provider was breached, fleet fleet-\d{8}T\S+ +fleet-client-1-`)
	code, out, errs = w.run("fleet", "show", w.MachineARN)
	w.want(code, 2, out, errs, `alb-oidc-rotator is no fleet of stack alb-oidc-rotator: rotator explain EXECUTION`)
	tab := w.openConsole()
	tab.enter()
	tab.has(tab.page(""), `<tr id="fleet-fleet-\d{8}T`, `FleetIncomplete.*the identity provider was breached`,
		`rotated.*yearly`)
	tab.has(tab.page("clients/client-1"),
		`emergency, because: the identity provider was breached, started by fleet <a `+
			`href="[^"]*#fleet-fleet-`, `<td>fleet <a href="[^"]*#fleet-fleet-[^"]*" class="code">fleet-\d{8}T`)
	if most := regexp.MustCompile(`perTenant: must be a whole number from (1 to \d+):`).FindStringSubmatch(
		statemachine.Fleet); most == nil {
		w.Error("the state machine names no limit of perTenant")
	} else {
		code, out, errs = w.run("fleet", "start", "--all", "--reason", "x", "--per-tenant", "0")
		w.want(code, 2, out, errs, "--per-tenant must be from "+most[1]+"$")
	}
	_ = w.clock.Sleep(ctx, 5*time.Minute)
	code, out, errs = w.run("evidence", "--client", "client-0")
	w.want(code, 0, out, errs, `emergency +rotated +- +the identity provider was breached, fleet fleet-\d{8}T`)
	code, out, errs = w.run("evidence", "--client", "client-0", "-o", "csv")
	w.want(code, 0, out, errs, `^ended,.*,fleet,execution,`, `,arn:aws:states:[^,]*-fleet:fleet-\d{8}T[^,]*,arn:aws:`)
	code, out, errs = w.run("evidence", "--client", "client-0", "-o", "md")
	w.want(code, 0, out, errs, `^- started by fleet: arn:aws:states:.*-fleet:fleet-`)
	code, out, errs = w.run("status") // a fleet's rotations are rotations
	w.want(code, 1, out, errs, `^client-0 +okta +Ready`, `^client-1 +okta +Degraded`, `^orders-web +okta +Ready`)

	code, out, errs = w.run("fleet", "start", "--all", "--reason", "stopped", "--yes")
	id := strings.TrimPrefix(strings.Split(out, "\n")[0], "started ")
	w.want(code, 0, out, errs, `^started arn:`)
	code, out, errs = w.run("fleet", "show")
	w.want(code, 0, out, errs, `^fleet-\S+: runs$`)
	code, out, errs = w.run("fleet", "start", "client-0", "--reason", "too", "--dry-run")
	w.want(code, 0, out, errs, `^fleet-\S+ runs, too: a client that both rotate is locked`)
	name := id[strings.LastIndex(id, ":")+1:]
	code, out, errs = w.run("stop", name, "--yes")
	w.want(code, 0, out, errs, `^stopped arn:.*-fleet:fleet-`)
	code, out, errs = w.run("fleet", "show", name)
	w.want(code, 1, out, errs, `^fleet-\S+: stopped by somebody$`,
		`^it goes on where it was with: rotator redrive arn:`)
	code, out, errs = w.run("fleet")
	w.want(code, 0, out, errs, `stopped by somebody +stopped`)
	code, out, errs = w.run("explain", id)
	w.want(code, 1, out, errs, `^it goes on where it was with: rotator redrive arn:`)
	code, out, errs = w.run("redrive", id, "--watch")
	w.want(code, 1, out, errs, `wave 2: 4 clients so far, 1 failed$`, `^3 of 4 clients were rotated$`)
	code, out, errs = w.run("watch", id)
	w.want(code, 1, out, errs, `^3 of 4 clients were rotated$`, `^  client-1: refused: Plan failed with`)

	for _, c := range []struct { // a dry run has rotated nothing, and does not say so
		name, says string
		code       int
	}{{"client-0", `1 of 1 clients can be rotated`, 0}, {"client-1", `0 of 1 clients can be rotated`, 1}} {
		code, out, errs = w.run("fleet", "start", c.name, "--reason", "looked at "+c.name, "--yes", "--dry-run",
			"--watch")
		w.want(code, c.code, out, errs, `^dry run: `+c.says+`$`)
	}
	code, out, errs = w.run("fleet")
	w.want(code, 0, out, errs, `dry run: all can be rotated +looked at client-0`,
		`dry run: FleetIncomplete +looked at client-1`)
}
