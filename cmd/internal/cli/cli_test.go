package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/cmd/internal/cli"
	"alboidc.internal/local/inprocess"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stack"
	"alboidc.internal/shared/awstest/sts"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
	"alboidc.internal/statemachine"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the OpenID library tells of every refused request
	os.Exit(m.Run())
}

// world is a local stack on a virtual clock with the client deployed.
type world struct {
	*testing.T
	clock *clock.Virtual
	*scenario.Deployment
	last []string // the arguments of the last command
}

func newWorld(t *testing.T, vendor string, accounts ...string) *world {
	t.Helper()
	c := clock.NewVirtual(time.Now())
	s, err := stack.Start(context.Background(), stack.Options{Clock: c, Apart: true, Vendor: vendor, Accounts: accounts,
		Spread: []time.Duration{20 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	as := map[string]inprocess.Deployed{} // under the names that the deployment gives
	for _, f := range statemachine.Functions() {
		as[f.Name] = inprocess.Deployed{Name: scenario.MachineName + "-" + f.Name, Environment: scenario.Environment()}
	}
	functions, err := inprocess.RegisterAs(s, io.Discard, as)
	if err != nil {
		t.Fatal(err)
	}
	d, err := scenario.Deploy(context.Background(), s, scenario.Options{Functions: functions,
		Settle: statemachine.Settle(statemachine.Functions()), Spread: 60 * time.Second, Grace: time.Hour,
		Account: strings.Join(accounts, ""),
		Configure: func(c *config.Client) {
			c.SmokeTests.Credential = config.CredentialTest{SuccessesInARow: aws.Int(2), IntervalSeconds: aws.Int(1)}
		}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.CreateAlias(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.Advance(s.ELB.Spread())
	return &world{T: t, clock: c, Deployment: d}
}

// run carries out a command line against the world.
func (w *world) run(args ...string) (code int, out, errs string) {
	w.Helper()
	return w.runWith(context.Background(), "", args...)
}

// runWith does so with a standard input.
func (w *world) runWith(ctx context.Context, in string, args ...string) (code int, out, errs string) {
	w.Helper()
	w.last = args
	var o, e bytes.Buffer
	code = cli.Run(ctx, cli.Machine{In: strings.NewReader(in), Out: &o, Err: &e, Now: w.clock.Now,
		Sleep: w.clock.Sleep}, append(args, "--local", strings.TrimPrefix(w.Stack.URL, "http://")))
	return code, o.String(), e.String()
}

// inWorld runs f in a world whose clock stands still while f is busy.
func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	inWorldOf(t, "", f)
}

// inWorldOf does so with another identity provider.
func inWorldOf(t *testing.T, vendor string, f func(w *world), accounts ...string) {
	t.Helper()
	w := newWorld(t, vendor, accounts...)
	done := make(chan struct{})
	w.clock.Go(func() {
		defer close(done)
		f(w)
	})
	<-done
}

// want checks an exit code and that the output has a line of each form.
func (w *world) want(code, wanted int, out, errs string, forms ...string) {
	w.Helper()
	if code != wanted {
		w.Errorf("rotator %s: the exit code is %d, want %d and %q\n%s%s", strings.Join(w.last, " "), code, wanted,
			forms, out, errs)
	}
	for _, form := range forms {
		if !regexp.MustCompile(`(?m)` + form).MatchString(out + errs) {
			w.Errorf("rotator %s: there is no line like %s in:\n%s%s", strings.Join(w.last, " "), form, out, errs)
		}
	}
}

// One client that cannot be read does not hide the others.
func TestStatusShowsWhatCouldBeRead(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		names, err := w.AddClients(context.Background(), 30)
		if err != nil {
			w.Fatal(err)
		}
		if _, err := w.Stack.Faults.Add(fault.Rule{Service: "dynamodb", Operation: "GetItem", Match: `"` + names[3] + `"`,
			Mode: fault.Refuse, Status: 400, Code: "AccessDeniedException"}); err != nil {
			w.Fatal(err)
		}
		code, out, errs := w.run("status")
		w.want(code, 3, out, errs, `^client-3 +okta +Unknown .* its journal, or the execution`, `^orders-web +okta +Ready`,
			`^client-29 +okta +Ready`, `^rotator: reading the journal of client-3: .*AccessDenied`)
		code, out, errs = w.run("status", "client-3", "orders-web", "-o", "json")
		w.want(code, 3, out, errs, `"condition": "Unknown"`, `"condition": "Ready"`)
		code, out, errs = w.run("status", "orders-web")
		w.want(code, 0, out, errs, `^orders-web +okta +Ready`)
		code, out, errs = w.run("status", "client-100")
		w.want(code, 2, out, errs, `has no client "client-100"; it has client-0, client-1, .* and 11 more$`)
	})
}

func TestARotationIsPlannedStartedWatchedAndExplained(t *testing.T) {
	t.Parallel()
	inWorld(t, rotateOnce)
}

func rotateOnce(w *world) {
	code, out, errs := w.run("status")
	w.want(code, 0, out, errs, `^orders-web +okta +Ready +- +no schedule +not rotated yet$`)
	if err := w.CreateSchedules(context.Background()); err != nil {
		w.Error(err)
	}
	code, out, errs = w.run("plan", "orders-web")
	w.want(code, 0, out, errs, `^Plan for orders-web: rotate$`, `^Targets \(5\)$`, `^Steps$`, `^ 1\. `)
	code, out, errs = w.run("plan", "orders-web", "-o", "md")
	w.want(code, 0, out, errs, `^# Rotation of the client secret of orders-web$`, `^## Targets \(5\)$`, `^1\. `)
	code, out, errs = w.run("start", "orders-web", "--reason", "quarterly", "--grace", "10m", "--watch")
	w.want(code, 0, out, errs, `^\d\d:\d\d:\d\d  CreateSecret +makes a second secret`,
		`^\d\d:\d\d:\d\d  GracePeriod +keeps both secrets valid until \d{4}-\d\d-\d\dT\d\d:`,
		`^\d\d:\d\d:\d\d +shop-alb :443 default: updated$`, `^orders-web ended as SUCCEEDED after \d+ min$`,
		`^  users +logins are fine`)
	if strings.Contains(out, " :\n") {
		w.Errorf("targets without a name, or without a result:\n%s", out)
	}
	code, out, errs = w.run("status")
	w.want(code, 0, out, errs,
		`^orders-web +okta +Ready +\d{4}-\d\d-\d\d \d\d:\d\d UTC +\d{4}-\d\d-01 03:00 UTC +rotated \d+ s ago$`)
	code, out, errs = w.run("history", "orders-web")
	w.want(code, 0, out, errs, `rotation +SUCCEEDED, after \d+ min +quarterly +orders-web-\d{8}T`, `plan +SUCCEEDED`)
	code, out, errs = w.run("explain", "orders-web", "-o", "json")
	w.want(code, 0, out, errs, `"users": "logins are fine`, `"entry": "rotated"`)
	code, out, errs = w.run("measure", "orders-web")
	w.want(code, 0, out, errs, `^the identity provider accepts it$`)
}

func TestTheLastExecutionIsOneWithoutTheLockToo(t *testing.T) {
	t.Parallel()
	inWorld(t, endWithoutLock)
}

func endWithoutLock(w *world) {
	forbidden := fault.Rule{Service: "ssm", Operation: "GetParameter", Mode: fault.Refuse, Status: 400,
		Code: "AccessDeniedException"}
	id, err := w.Stack.Faults.Add(forbidden)
	if err != nil {
		w.Error(err)
	}
	code, out, errs := w.run("start", "orders-web", "--reason", "first")
	w.want(code, 0, out, errs)
	code, out, errs = w.run("watch", "orders-web") // though it never gets the lock
	w.want(code, 1, out, errs, `^orders-web ended as NotStarted`)
	w.Stack.Faults.Remove(id)
	code, out, errs = w.run("start", "orders-web", "--reason", "second", "--watch")
	w.want(code, 0, out, errs)
	code, out, errs = w.run("explain", "orders-web", "-o", "json")
	w.want(code, 0, out, errs, `"reason": "second"`)
	_ = w.clock.Sleep(context.Background(), time.Second)
	if _, err := w.Stack.Faults.Add(forbidden); err != nil {
		w.Error(err)
	}
	code, out, errs = w.run("start", "orders-web", "--reason", "third", "--watch")
	w.want(code, 1, out, errs)
	code, out, errs = w.run("explain", "orders-web")
	w.want(code, 1, out, errs, `^orders-web ended as NotStarted`, `docs/runbook.md#notstarted$`)
	code, out, errs = w.run("history", "orders-web", "--max", "2")
	w.want(code, 0, out, errs, `rotation +NotStarted, .* third `, `rotation +SUCCEEDED, .* second `)
	if strings.Contains(out, "first") {
		w.Errorf("more than 2 are listed:\n%s", out)
	}
	started, err := sfn.NewFromConfig(w.Stack.AWS(scenario.Home)).StartExecution(context.Background(),
		&sfn.StartExecutionInput{StateMachineArn: &w.MachineARN, Input: aws.String(`["orders-web"]`)})
	if err != nil {
		w.Fatal(err)
	}
	_ = w.clock.Sleep(context.Background(), time.Second)
	code, out, errs = w.run("explain", *started.ExecutionArn, "-o", "json")
	w.want(code, 1, out, errs, `"input": \[\s*"orders-web"`, `"entry": "invalidinput"`)
}

func TestARollbackIsExplained(t *testing.T) {
	t.Parallel()
	inWorld(t, rollBackOnce)
}

func rollBackOnce(w *world) {
	var completed bytes.Buffer
	cli.Run(context.Background(), cli.Machine{Out: &completed, Err: io.Discard}, []string{"__complete", "start",
		"--local=" + strings.TrimPrefix(w.Stack.URL, "http://"), ""})
	if !strings.HasPrefix(completed.String(), "orders-web\n") {
		w.Errorf("clients are completed as %s", completed.String())
	}
	forbidden := fault.Rule{Service: "idp", Operation: "okta.createSecret", Mode: fault.Refuse, Status: 403}
	if _, err := w.Stack.Faults.Add(forbidden); err != nil {
		w.Error(err)
	}
	code, out, errs := w.run("start", "orders-web", "--watch")
	w.want(code, 1, out, errs, `  Quiesce +ROLLING BACK`, `^orders-web ended as RolledBack after`,
		`^  users +logins are fine`,
		`^  what +CreateSecret failed with `, `^  runbook +docs/runbook.md#rolledback$`)
	code, out, errs = w.run("status", "-o", "yaml")
	w.want(code, 1, out, errs, `condition: Degraded`, `reason: "the last rotation was rolled back`)
}

func TestALeakTakesOver(t *testing.T) {
	t.Parallel()
	inWorld(t, leakWhileOneRuns)
}

func leakWhileOneRuns(w *world) {
	code, out, errs := w.run("start", "orders-web", "-o", "json")
	w.want(code, 0, out, errs)
	var started struct{ Execution string }
	if err := json.Unmarshal([]byte(out), &started); err != nil {
		w.Error(err)
	}
	_ = w.clock.Sleep(context.Background(), 2*time.Second)
	code, out, errs = w.run("status")
	w.want(code, 0, out, errs, `Rotating .* a rotation runs, for \d+ s$`)
	code, out, errs = w.run("stop", "orders-web")
	w.want(code, 2, out, errs, `confirm with --yes`)
	code, out, errs = w.run("leak", "orders-web")
	w.want(code, 2, out, errs, `required flag.* "reason"`)
	code, out, errs = w.run("leak", "orders-web", "--reason", " ")
	w.want(code, 2, out, errs, `--reason must say why`)
	code, out, errs = w.run("leak", "orders-web", "--reason", "INC-1")
	w.want(code, 0, out, errs, `the secret is disabled: the identity provider refuses it, \d+ (s|min) after the start$`,
		`^orders-web ended as SUCCEEDED`)
	code, out, errs = w.run("explain", started.Execution)
	w.want(code, 1, out, errs, `ended as TakenOver`, `an emergency stopped this execution`)
	code, out, errs = w.run("stop", "orders-web", "--yes")
	w.want(code, 2, out, errs, `does not run`)
	code, out, errs = w.run("repair", "orders-web")
	w.want(code, 2, out, errs, `required flag.* "reason"`)
	code, out, errs = w.run("repair", "orders-web", "--reason", " ")
	w.want(code, 2, out, errs, `--reason must say why`)
	code, out, errs = w.run("repair", "orders-web", "--reason", "INC-2")
	w.want(code, 1, out, errs, `NotNeeded: the identity provider accepts AWSCURRENT .* so there is nothing to repair`,
		`command +rotator start orders-web$`)
}

func TestWhatLoadBalancersUseIsDiscovered(t *testing.T) {
	t.Parallel()
	inWorld(t, discoverAll)
}

func discoverAll(w *world) {
	code, out, errs := w.run("discover", "--regions", "eu-central-1,eu-west-1")
	w.want(code, 0, out, errs, `^  - name: reports`, `^  # the provider's discovery document has these endpoints$`,
		`^    clientId: "`+w.ClientID+`"$`, `^      type: okta`,
		`^      - arn:aws:elasticloadbalancing:eu-west-1:.*/partners-alb/`)
	if _, err := w.Stack.Faults.Add(fault.Rule{Service: "idp", Operation: "*", Mode: fault.Refuse,
		Status: 503}); err != nil {
		w.Error(err)
	}
	code, out, errs = w.run("discover")
	w.want(code, 0, out, errs, `^  # note: its discovery document could not be read from here: `)
	w.Stack.Faults.Clear()
	code, out, errs = w.run("discover", "--unmanaged")
	w.want(code, 0, out, errs, `^every client that load balancers log users in with is rotated$`)
	file := filepath.Join(w.TempDir(), "clients.yaml")
	if err := os.WriteFile(file, []byte("stack: {}\n"), 0o600); err != nil {
		w.Error(err)
	}
	code, out, errs = w.run("discover", "--diff", file)
	w.want(code, 2, out, errs, `clients.yaml:1: stack.account: `)
}

// Load balancers in another account are found by a role there, and the file names a role for the rotation.
func TestLoadBalancersInOtherAccountsAreDiscovered(t *testing.T) {
	t.Parallel()
	const account, role = "222233334444", "arn:aws:iam::222233334444:role/reader"
	inWorldOf(t, "", func(w *world) {
		discover := []string{"discover", "--regions", "eu-central-1,eu-west-1"}
		code, out, errs := w.run(discover...)
		w.want(code, 0, out, errs, `^  - name: reports`)
		if strings.Contains(out, account) {
			w.Errorf("account %s was looked at without a role:\n%s", account, out)
		}
		w.Stack.STS.SetRole(role, sts.Trust{ExternalID: "of the reader"})
		with := append(discover, "--account-role", role)
		code, out, errs = w.run(with...)
		w.want(code, 3, out, errs, `looking at the load balancers of eu-central-1 in account `+account+
			`: .*AccessDenied`)
		code, out, errs = w.run(append(with, "--external-id", "of the reader")...)
		w.want(code, 0, out, errs, `^      - arn:aws:elasticloadbalancing:eu-central-1:111122223333:`,
			`^      - {arn: "arn:aws:elasticloadbalancing:eu-west-1:`+account+`:.*", role: account-`+account+`}$`,
			`^  account-`+account+`:$`, `^    roleArn: arn:aws:iam::`+account+`:role/alb-oidc-rotator-workload$`)
		for _, wrong := range []string{"reader", role + "," + role, "arn:aws:iam::111122223333:role/reader"} {
			code, out, errs = w.run(append(discover, "--account-role", wrong)...)
			w.want(code, 2, out, errs, `--account-role `)
		}
	}, account)
}

func TestAFileIsCheckedWithoutAnAccount(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "clients.yaml")
	if err := os.WriteFile(file, []byte("stack:\n  account: 111122223333\n  region: eu-central-1\nclients: []\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"check " + file:                `clients.yaml:2: stack.account: .*quotes`,
		"check " + file + " -o json":   `"line": 2`,
		"check " + file + " -o github": `::error file=.*clients.yaml,line=2,col=\d+::stack.account: `,
	} {
		var out, errs bytes.Buffer
		code := cli.Run(t.Context(), cli.Machine{Out: &out, Err: &errs}, strings.Fields(args))
		if code != 1 || !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("%s: exit code %d\n%s%s", args, code, out.String(), errs.String())
		}
	}
	var out, errs bytes.Buffer
	if code := cli.Run(t.Context(), cli.Machine{Out: &out, Err: &errs}, []string{"check",
		"../../../infra/clients.yaml"}); code != 0 || !strings.Contains(out.String(), "nothing to mend") {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
}

func TestAClientsParametersAreWritten(t *testing.T) {
	t.Parallel()
	run := func(args string) (int, string, string) {
		var out, errs bytes.Buffer
		code := cli.Run(t.Context(), cli.Machine{Out: &out, Err: &errs, Version: "1.2.3"}, strings.Fields(args))
		return code, out.String(), errs.String()
	}
	const file = " --file ../../../infra/clients.yaml --bucket files"
	code, out, errs := run("parameters orders-web" + file)
	var list []struct{ ParameterKey, ParameterValue string }
	if err := json.Unmarshal([]byte(out), &list); code != 0 || err != nil {
		t.Fatalf("exit code %d: %v\n%s%s", code, err, out, errs)
	}
	got := map[string]string{}
	for _, p := range list {
		got[p.ParameterKey] = p.ParameterValue
	}
	for name, want := range map[string]string{"AssetsBucket": "files", "ClientName": "orders-web",
		"ScheduleExpression": "rate(30 days)", "AuthErrors": "", "LoadBalancer3": "",
		"Email1":        "platform-team@example.com",
		"LoadBalancer2": "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/orders/73e2d6bc24d8a067",
		"AdminSecret1":  "arn:aws:secretsmanager:eu-central-1:111122223333:secret:okta/rotator-key-AbCdEf"} {
		if got[name] != want {
			t.Errorf("%s is %q, not %q", name, got[name], want)
		}
	}
	for args, want := range map[string]string{
		"parameters" + file:            "several clients: name one",
		"parameters nobody" + file:     "no client nobody",
		"parameters shop-web" + file:   "shop-web.createSecret: make the secret first",
		"parameters orders-web":        `required flag\(s\) "bucket" not set`,
		"parameters --bucket x --file": "flag needs an argument",
	} {
		if code, _, errs := run(args); code != 2 || !regexp.MustCompile(want).MatchString(errs) {
			t.Errorf("%s: exit code %d, %s", args, code, errs)
		}
	}
	if code, out, _ := run("--version"); code != 0 || out != "rotator version 1.2.3\n" {
		t.Errorf("--version: exit code %d, %s", code, out)
	}
}

func TestWrongNamesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"a client that is not there": {[]string{"start", "orders"},
			`stack alb-oidc-rotator has no client "orders"; it has orders-web`},
		"an execution that is not there": {[]string{"watch", "nothing"},
			`no client "nothing"; .*, and no execution or fleet of that name`},
		"a stack that is not there": {[]string{"start", "orders-web", "--stack", "x"},
			`stack x in Region \S+ of account \d+ has no clients`},
		"status of a stack that is not there": {[]string{"status", "--stack", "x"}, `stack x .* has no clients`},
		"a format of another command":         {[]string{"status", "-o", "md"}, `--output "md" is not`},
		"no execution at all": {[]string{"history", "orders-web", "--max", "0"},
			`--max must be 1 or more`},
		"a format that is not there": {[]string{"status", "-o", "xml"}, `--output "xml" is not`},
		"a grace period in part seconds": {[]string{"start", "orders-web", "--grace", "1500ms"},
			`--grace must be whole seconds`},
		"a reason that is too long": {[]string{"start", "orders-web", "--reason", strings.Repeat("x", 257)},
			`reason: must be at most 256`},
		"a reason of the notifier's": {[]string{"start", "orders-web", "--reason", "healing: x"},
			`reason: must not begin with "healing: "`},
		"a reason of a measurement's": {[]string{"start", "orders-web", "--reason", "before the end: x"},
			`reason: must not begin with "before the end: "`},
		"a command that is not there": {[]string{"rotate"}, `unknown command "rotate"`},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := w.run(c.args...)
			w.want(code, 2, out, errs, c.says)
		})
	}
}
