package guarantees_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/shared/fault"
	"alboidc.internal/statemachine"
)

// fleet is a world with clients client-0, client-1, … of two tenants, and the state machine that rotates them.
type fleet struct {
	*world
	clients []statemachine.Chosen

	mu sync.Mutex
	// open are the rotations that have begun and are not tested yet, by tenant; most is the greatest number at once.
	open, most map[string]int
	started    map[string]int    // executions, by client
	executions map[string]string // the last, by client
}

// newFleet deploys n clients: even ones are of one tenant, odd ones of another provider's.
func newFleet(t *testing.T, n int) *fleet {
	t.Helper()
	f := &fleet{world: newWorld(t, quick), open: map[string]int{}, most: map[string]int{}, started: map[string]int{},
		executions: map[string]string{}}
	names, err := f.AddClients(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(f.Stack.ELB.Spread())
	for i, name := range names {
		f.clients = append(f.clients, []statemachine.Chosen{{Name: name, Provider: "okta", Tenant: "example.okta.com"},
			{Name: name, Provider: "entra", Tenant: "11111111-2222"}}[i%2])
	}
	if err := f.CreateFleet(t.Context(), f.clients...); err != nil {
		t.Fatal(err)
	}
	f.world.mu.Lock()
	f.hooks = append(f.hooks, f.count)
	f.world.mu.Unlock()
	return f
}

// count follows the executions of rotations.
func (f *fleet) count(execution string, e stepfunctions.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.clients, func(c statemachine.Chosen) bool {
		return strings.HasPrefix(nameOf(execution), "fleet-"+c.Name+"-")
	})
	if i < 0 || !strings.Contains(execution, ":"+scenario.MachineName+":") {
		return
	}
	tenant := f.clients[i].Tenant
	switch {
	case e.ExecutionStarted != nil:
		f.started[f.clients[i].Name]++
		f.executions[f.clients[i].Name] = execution
		f.open[tenant]++
		f.most[tenant] = max(f.most[tenant], f.open[tenant])
	case e.StateExited != nil && e.StateExited.Name == "NoteTested":
		f.open[tenant]--
	}
}

// rotated starts a fleet and waits for its end. It returns the report, too.
func (f *fleet) rotated(input string) (asl.Result, report, string) {
	f.t.Helper()
	execution := f.begin(input)
	return f.await(execution)
}

func (f *fleet) begin(input string) string {
	f.t.Helper()
	out, err := f.sfn().StartExecution(context.Background(),
		&sfn.StartExecutionInput{StateMachineArn: aws.String(f.FleetARN()),
			Input: &input})
	if err != nil {
		f.t.Fatal(err)
	}
	return *out.ExecutionArn
}

// report is what a fleet ends with: its output, or the input of the state that it fails in.
type report struct {
	Outcome       string
	Size, Rotated int
	Failed        []struct{ Client, Outcome, Cause string }
	NotStarted    []string
	Stopped       bool
}

func (f *fleet) await(execution string) (asl.Result, report, string) {
	f.t.Helper()
	r := f.wait(execution)
	text := string(r.Output)
	events, err := f.Stack.StepFunctions.History(execution)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range events {
		if e.StateEntered != nil && e.StateEntered.Name == "FleetIncomplete" {
			text = e.StateEntered.Input
		}
	}
	var out report
	if err := json.Unmarshal([]byte(text), &out); text != "" && err != nil {
		f.t.Fatal(err)
	}
	return r, out, execution
}

// failures are those of a report, as "client outcome".
func (r report) failures() string {
	var out []string
	for _, c := range r.Failed {
		out = append(out, c.Client+" "+c.Outcome)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// begun are the clients of which a rotation was started.
func (f *fleet) begun() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(slices.Sorted(maps.Keys(f.started)), " ")
}

// well checks that no login failed, that nothing was started twice, and that every client has one secret.
func (f *fleet) well() {
	f.t.Helper()
	f.check("at the end")
	f.world.mu.Lock()
	for _, v := range f.violations {
		f.t.Error(v)
	}
	f.world.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, n := range f.started {
		if n != 1 {
			f.t.Errorf("%d rotations of %s were started", n, name)
		}
	}
	for i := range f.clients {
		if live := f.Stack.IdP.Store().Secrets(fmt.Sprintf("0oa%016d", i)); len(live) != 1 {
			f.t.Errorf("%s has %d secrets", f.clients[i].Name, len(live))
		}
	}
}

// subjects are those of all messages.
func (f *fleet) subjects() string {
	var out []string
	for _, m := range f.Stack.SNS.Messages(f.TopicARN) {
		out = append(out, m.Subject)
	}
	return strings.Join(out, "\n")
}

// message is the last one of the fleet itself.
func (f *fleet) message() string {
	f.t.Helper()
	for _, m := range slices.Backward(f.Stack.SNS.Messages(f.TopicARN)) {
		if m.Attributes["client"] == "(fleet)" {
			return mail(m.Subject, m.Message)
		}
	}
	f.t.Error("nobody hears of the fleet")
	return ""
}

// refuses lets every function's call for a client fail, so that its rotation is refused.
func (f *fleet) refuses(client string) {
	f.fault(fault.Rule{Service: "lambda", Operation: "Invoke", Match: "fleet-" + client + "-", Mode: fault.Refuse,
		Status: 403, Code: "AccessDeniedException"})
}

func TestAFleetRotatesItsClientsInWaves(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 9)
	began := f.clock.Now()
	r, report, execution := f.rotated(`{"all": true, "perTenant": 2, "reason": "yearly"}`)
	if r.Status != asl.Succeeded || report.Rotated != 9 || report.Size != 9 || report.Outcome != "rotated" {
		t.Fatalf("ended as %s %s: %s\n%+v", r.Status, text(r.Error), text(r.Cause), report)
	}
	f.well()
	if f.most["example.okta.com"] != 2 || f.most["11111111-2222"] != 2 {
		t.Errorf("at once, by tenant: %v", f.most)
	}
	// a wave waits for tests, and not for grace periods
	if took := f.clock.Now().Sub(began); took < grace || took > grace+2*time.Hour {
		t.Errorf("it took %s", took)
	}
	if got := f.subjects(); got != "[fleet] rotated: all 9 clients have new secrets" {
		t.Errorf("people read\n%s", got)
	}
	goldenFile(t, "testdata/messages/fleet-rotated", f.message())
	if events, err := f.Stack.StepFunctions.History(execution); err != nil || len(events) > 100 {
		t.Errorf("%d events, %v", len(events), err)
	}
	for _, r := range f.records(9) {
		if r.Fleet != execution {
			t.Errorf("by the evidence %s was started by fleet %q", r.Execution, r.Fleet)
		}
	}
}

func TestAFleetIsChosen(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 5)
	for _, c := range []struct{ input, ends, begun string }{
		{`{"provider": "entra", "dryRun": true}`, "", "client-1 client-3"},
		{`{"tenant": "example.okta.com", "dryRun": true, "canary": "client-4"}`, "",
			"client-0 client-2 client-4"},
		{`{"clients": ["client-0"], "dryRun": true}`, "", "client-0"},
		{`{}`, "all: exactly one is needed of all (true), clients, and provider or tenant", ""},
		{`[]`, `all: is missing; the execution input must be like {"all": true}`, ""},
		{`{"all": true, "clients": ["client-0"]}`, "all: exactly one is needed", ""},
		{`{"all": true, "client": "client-0"}`, "client: is not known; there are all, clients", ""},
		{`{"all": "yes"}`, "all: must be true or false", ""},
		{`{"clients": "client-0"}`, "clients: must be a list", ""},
		{`{"clients": []}`, "clients: must be a list", ""},
		{`{"clients": [1]}`, "clients: must be a list", ""},
		{`{"clients": ["client-0", "nobody", "noone"]}`, "clients: this stack has no nobody, noone; it has client-0",
			""},
		{`{"provider": "auth0"}`, "provider, tenant: no client is of that; this stack has okta example.okta.com; entra",
			""},
		{`{"provider": ""}`, "provider: must be", ""},
		{`{"all": true, "canary": "nobody"}`, "canary: nobody is none of", ""},
		{`{"all": true, "perTenant": 0}`, "perTenant: must be a whole number from 1", ""},
		{`{"all": true, "maxFailures": 1.5}`, "maxFailures: must be a whole number from 0", ""},
		{`{"all": true, "reason": 1}`, "reason: must be", ""},
		{`{"all": true, "reason": "healing: x"}`, "reason: must not begin with 'healing: '", ""},
		{`{"all": true, "emergency": true, "dryRun": true}`, "emergency: cannot be given with dryRun", ""},
	} {
		r, _, _ := f.rotated(c.input)
		if c.ends == "" && r.Status != asl.Succeeded || c.ends != "" && (text(r.Error) != "InvalidInput" ||
			!strings.HasPrefix(text(r.Cause), c.ends)) {
			t.Errorf("%s ends as %s %s: %s", c.input, r.Status, text(r.Error), text(r.Cause))
		}
		if got := f.begun(); c.begun != "" && got != c.begun {
			t.Errorf("%s began %s", c.input, got)
		}
		f.mu.Lock()
		clear(f.started)
		f.mu.Unlock()
	}
	if got := f.message(); !strings.Contains(got, "dry run: all 1 clients can be rotated") {
		t.Errorf("people read %s", got)
	}
}

// An answer that is lost does not tell whether a rotation has begun.
func TestAFleetLooksForARotationThatMayHaveBegun(t *testing.T) {
	t.Parallel()
	for _, mode := range []fault.Mode{fault.Lose, fault.Drop} {
		f := newFleet(t, 3)
		f.fault(fault.Rule{Service: "states", Operation: "StartExecution", Match: `"fleet-client-1-`, Mode: mode})
		if r, report, _ := f.rotated(`{"all": true}`); r.Status != asl.Succeeded || report.Rotated != 3 {
			t.Errorf("%s: ended as %s: %s\n%+v", mode, text(r.Error), text(r.Cause), report)
		}
		f.well()
	}
	// it does not look for ever
	f := newFleet(t, 3)
	f.fault(fault.Rule{Service: "states", Operation: "DescribeExecution", Match: ":fleet-client-1-", Mode: fault.Refuse,
		Status: 400, Code: "ExecutionDoesNotExist"})
	began := f.clock.Now()
	if _, report, _ := f.rotated(`{"all": true, "emergency": true}`); report.failures() != "client-1 notStarted" ||
		f.clock.Now().Sub(began) > 10*time.Minute {
		t.Errorf("after %s: %+v", f.clock.Now().Sub(began), report)
	}
}

// A person may give an execution any name, also that of a fleet. What is to be pasted after a dry run is one, too.
func TestADryRunOfAnyNameIsFollowedByADryRun(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3)
	f.refuses("client-2")
	secrets := func() any { return f.Stack.IdP.Store().Secrets("0oa0000000000000000") }
	before := secrets()
	out, err := f.sfn().StartExecution(t.Context(), &sfn.StartExecutionInput{Name: aws.String("breach@2026+ü(1)"),
		StateMachineArn: aws.String(f.FleetARN()), Input: aws.String(`{"all": true, "dryRun": true}`)})
	if err != nil {
		t.Fatal(err)
	}
	r, report, _ := f.await(*out.ExecutionArn)
	if text(r.Error) != "FleetIncomplete" || report.Rotated != 2 || report.failures() != "client-2 refused" {
		t.Errorf("ended as %s: %s\n%+v", text(r.Error), text(r.Cause), report)
	}
	if now := secrets(); !reflect.DeepEqual(now, before) {
		t.Errorf("a dry run has rotated: %v, before %v", now, before)
	}
	if got := f.message(); !strings.Contains(got, `--input '{"clients":["client-2"],"dryRun":true}'`) {
		t.Errorf("people read\n%s", got)
	}
}

// A canary that is not rotated keeps everything else as it was.
func TestNothingFollowsACanaryThatFails(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 4)
	f.failing("TestSecret")
	r, report, _ := f.rotated(`{"all": true, "canary": "client-2", "maxFailures": 10}`)
	if text(r.Error) != "FleetIncomplete" || report.failures() != "client-2 rolledBack" || !report.Stopped ||
		strings.Join(report.NotStarted, " ") != "client-0 client-1 client-3" {
		t.Errorf("ended as %s: %s\n%+v", text(r.Error), text(r.Cause), report)
	}
	if got := f.begun(); got != "client-2" {
		t.Errorf("began %s", got)
	}
	f.well()
	goldenFile(t, "testdata/messages/fleet-stopped", f.message())
	if got := f.subjects(); !strings.Contains(got,
		"[fleet] stopped after 1 failure: some clients are not rotated\n[fleet] rotated: 0 of 4 clients, 1 "+
			"failed, stopped") {
		t.Errorf("people read\n%s", got)
	}
}

// A client that another rotation has, and one that is refused, have failed, and are named.
func TestFailuresStopAFleetAndAreNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, input, failed, notStarted string
	}{
		{"too many", `{"all": true, "canary": "client-0", "perTenant": 2, "maxFailures": 1}`,
			"client-1 locked, client-2 refused", "client-6 client-5 client-7"},
		{"few enough", `{"all": true, "canary": "client-0", "perTenant": 2}`, "client-1 locked, client-2 refused", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, 8)
			f.refuses("client-2")
			begin := f.upon(func(execution string, e stepfunctions.Event) bool {
				return e.StateEntered != nil && e.StateEntered.Name == "GracePeriod"
			}, func() string { return f.begin(c.input) })
			locking := f.start(`{"client": "client-1"}`)
			r, report, _ := f.await(<-begin)
			if text(r.Error) != "FleetIncomplete" || report.failures() != c.failed ||
				strings.Join(report.NotStarted, " ") != c.notStarted {
				t.Errorf("ended as %s: %s\n%+v", text(r.Error), text(r.Cause), report)
			}
			f.mustEnd(locking)
			f.well()
			goldenFile(t, "testdata/messages/fleet-"+strings.ReplaceAll(c.name, " ", "-"), f.message())
		})
	}
}

// What fails in its grace period, when the fleet has gone on, is in its report.
func TestALateFailureIsInTheReport(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3)
	f.failing("TestBeforeFinish")
	r, report, _ := f.rotated(`{"all": true, "perTenant": 1, "maxFailures": 0}`)
	if text(r.Error) != "FleetIncomplete" || report.Stopped || report.Rotated != 0 ||
		report.failures() != "client-0 rolledBack, client-1 rolledBack, client-2 rolledBack" {
		t.Errorf("ended as %s: %s\n%+v", text(r.Error), text(r.Cause), report)
	}
	if !strings.Contains(report.Failed[0].Cause, "TestBeforeFinish failed with") {
		t.Errorf("the cause is %q", report.Failed[0].Cause)
	}
	f.well()
}

// The identity provider was breached: everything is rotated now, whatever fails, although it throttles.
func TestALeakOfAllIsNotStoppedByFailures(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 12)
	for _, c := range []string{"client-0", "client-3", "client-4", "client-7"} {
		f.refuses(c)
	}
	began := f.clock.Now()
	requests, throttled := map[int]int{}, 0 // by minute, of which there are 20 requests
	f.Stack.Faults.Limit(func(service, operation string) fault.Outcome {
		if service != "idp" || !strings.HasPrefix(operation, "okta.") {
			return fault.Outcome{}
		}
		minute := int(f.clock.Now().Sub(began) / time.Minute)
		if requests[minute]++; requests[minute] <= 20 {
			return fault.Outcome{}
		}
		throttled++
		return fault.Outcome{Refuse: true, Status: 429}
	})
	r, report, _ := f.rotated(
		`{"all": true, "perTenant": 3, "emergency": true, "reason": "the identity provider was breached"}`)
	if text(r.Error) != "FleetIncomplete" || report.Rotated != 8 || report.Stopped ||
		report.failures() != "client-0 refused, client-3 refused, client-4 refused, client-7 refused" {
		t.Errorf("ended as %s: %s\n%+v", text(r.Error), text(r.Cause), report)
	}
	if took := f.clock.Now().Sub(began); took > 30*time.Minute {
		t.Errorf("it took %s", took)
	}
	if throttled == 0 {
		t.Error("no request was throttled")
	}
	f.Stack.Faults.Limit(nil)
	f.well()
}

// In an emergency the others' secrets have leaked, too: one that something holds up does not hold up the next wave.
func TestALeakOfAllDoesNotWaitForTheSlowest(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3)
	entered := func(client, state string) func(string, stepfunctions.Event) bool {
		return func(at string, e stepfunctions.Event) bool {
			return strings.HasPrefix(nameOf(at), "fleet-"+client+"-") && e.StateEntered != nil &&
				e.StateEntered.Name == state
		}
	}
	f.upon(entered("client-0", "DisableOldSecret"), func() string {
		f.fault(fault.Rule{Service: "lambda", Operation: "Invoke", Match: "fleet-client-0-", Mode: fault.Refuse,
			Status: 429,
			Code:   "TooManyRequestsException"})
		return ""
	})
	began, last := f.clock.Now(), f.clock.Now()
	next := f.upon(entered("client-2", "Plan"), func() string {
		last = f.clock.Now()
		f.Stack.Faults.Clear()
		return ""
	})
	r, report, _ := f.rotated(`{"clients": ["client-0", "client-1", "client-2"], "perTenant": 1, "emergency": true, ` +
		`"reason": "the identity provider was breached"}`)
	<-next
	if took := last.Sub(began); report.failures() != "client-0 rolledBack" || report.Rotated != 2 ||
		took > 30*time.Minute {
		t.Errorf("the last began after %s; ended as %s: %s\n%+v", took, text(r.Error), text(r.Cause), report)
	}
	f.well()
}

// upon calls do, once, as soon as an event is heard, and sends what it returns.
func (f *fleet) upon(is func(execution string, e stepfunctions.Event) bool, do func() string) <-chan string {
	var once sync.Once
	out := make(chan string, 1)
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.hooks = append(f.hooks, func(execution string, e stepfunctions.Event) {
		if is(execution, e) {
			once.Do(func() { f.clock.Go(func() { out <- do() }) })
		}
	})
	return out
}

// Whoever stops a fleet stops no rotation; a redrive goes on with what is left, and starts nothing twice.
func TestAFleetThatIsStoppedGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 6)
	var execution string
	stopped := f.upon(func(at string, e stepfunctions.Event) bool {
		return strings.HasPrefix(nameOf(at), "fleet-client-2-") && e.StateEntered != nil &&
			e.StateEntered.Name == "Plan"
	}, func() string {
		_, err := f.sfn().StopExecution(context.Background(), &sfn.StopExecutionInput{ExecutionArn: &execution})
		return fmt.Sprint(err)
	})
	execution = f.begin(`{"all": true, "perTenant": 1, "reason": "x"}`)
	if r, _, _ := f.await(execution); r.Status != asl.Aborted || <-stopped != "<nil>" {
		t.Fatalf("ended as %s", r.Status)
	}
	begun := f.begun()
	if begun != "client-0 client-1 client-2" {
		t.Errorf("began %s", begun)
	}
	f.mu.Lock()
	executions := maps.Clone(f.executions)
	f.mu.Unlock()
	for name, rotation := range executions {
		f.mustEnd(rotation)
		if got := f.outcomeOf(name); got != "rotated" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := f.begun(); got != begun {
		t.Errorf("a fleet that was stopped began %s", got)
	}
	if _, err := f.sfn().RedriveExecution(t.Context(),
		&sfn.RedriveExecutionInput{ExecutionArn: &execution}); err != nil {
		t.Fatal(err)
	}
	if r, report, _ := f.await(execution); r.Status != asl.Succeeded || report.Rotated != 6 {
		t.Errorf("ended as %s %s: %+v", r.Status, text(r.Error), report)
	}
	f.well()
}

// Of a fleet that could not tell of its end the notifier tells; and of one that could, only the fleet. A rotation of it
// that is stopped is healed all the same.
func TestTheNotifierLooksAfterAFleet(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare        func(*fleet)
		ends, subjects string
		golden         string
	}{
		"stopped": {func(f *fleet) { f.stopIn("AwaitEnds", "(fleet)") }, "",
			"[fleet] needs attention: ended as ABORTED",
			"fleet-aborted"},
		"stopped before its first wave": {func(f *fleet) { f.stopIn("PlaceInWaves", "(fleet)") }, "",
			"[fleet] needs attention: ended as ABORTED", "fleet-aborted"},
		"incomplete": {func(f *fleet) { f.refuses("client-1") }, "FleetIncomplete",
			"[client-1] refused: no new secret was made\n[fleet] rotated: 2 of 3 clients, 1 failed", ""},
		"a rotation is stopped": {func(f *fleet) { f.stopIn("GracePeriod", "client-1") }, "FleetIncomplete",
			"[client-1] stopped; a new execution puts it right\n[fleet] rotated: 2 of 3 clients, 1 failed\n" +
				"[client-1] rotated: the new secret is in use", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, 3)
			if err := f.CreateHealing(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.prepare(f)
			r, report, execution := f.rotated(`{"all": true, "reason": "yearly"}`)
			if text(r.Error) != c.ends || (c.ends == "") != (r.Status == asl.Aborted) {
				t.Errorf("ended as %s %s: %s\n%+v", r.Status, text(r.Error), text(r.Cause), report)
			}
			f.Stack.Faults.Clear()
			f.pass(8 * 24 * time.Hour)
			if got := f.subjects(); got != c.subjects {
				t.Errorf("people read\n%s", got)
			}
			if c.golden != "" {
				goldenFile(t, "testdata/messages/"+c.golden, f.message())
				if m := f.Stack.SNS.Messages(f.TopicARN); !strings.Contains(m[0].Message,
					"--execution-arn "+execution+"\n") {
					t.Errorf("the command is for another execution:\n%s", m[0].Message)
				}
			}
			f.well()
		})
	}
}

// stopIn stops the execution of a client, or of the fleet, as it enters a state.
func (f *fleet) stopIn(state, client string) {
	var once sync.Once
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.hooks = append(f.hooks, func(execution string, e stepfunctions.Event) {
		fleets := strings.Contains(execution, statemachine.FleetSuffix+":")
		if e.StateEntered != nil && e.StateEntered.Name == state && fleets == (client == "(fleet)") &&
			(fleets || strings.HasPrefix(nameOf(execution), "fleet-"+client+"-")) {
			once.Do(func() { f.clock.Go(func() { f.stop(execution) }) })
		}
	})
}

// outcomeOf is how the last rotation of a client ended, by the journal.
func (f *fleet) outcomeOf(client string) string {
	f.t.Helper()
	out, err := dynamodb.NewFromConfig(f.Stack.AWS(scenario.Home)).GetItem(context.Background(), &dynamodb.GetItemInput{
		TableName: aws.String(scenario.JournalTable), ConsistentRead: aws.Bool(true),
		Key: map[string]ddbtypes.AttributeValue{"client": &ddbtypes.AttributeValueMemberS{Value: client}}})
	if err != nil {
		f.t.Fatal(err)
	}
	v, _ := out.Item["lastOutcome"].(*ddbtypes.AttributeValueMemberS)
	if v == nil {
		return ""
	}
	return v.Value
}

// A thousand clients, of which each fails, fit into what a state may hold, and into the history.
func TestAThousandFailuresFitIntoAFleet(t *testing.T) {
	t.Parallel()
	f := &fleet{world: newWorld(t, quick)}
	for i := range 1000 {
		f.clients = append(f.clients, statemachine.Chosen{Name: fmt.Sprintf("client-with-a-name-of-40-characters-%d",
			1000+i),
			Provider: "okta", Tenant: fmt.Sprintf("tenant-%d.okta.com", i%3)})
	}
	if err := f.CreateFleet(t.Context(), f.clients...); err != nil {
		t.Fatal(err)
	}
	f.fault(fault.Rule{Service: "states", Operation: "StartExecution", Match: `"fleet-`, Mode: fault.Refuse,
		Status: 400,
		Code:   "AccessDeniedException"})
	r, report, execution := f.rotated(`{"all": true, "emergency": true}`)
	if text(r.Error) != "FleetIncomplete" || len(report.Failed) != 1000 || report.Failed[999].Outcome != "notStarted" {
		t.Errorf("ended as %s: %.300s; %d failures", text(r.Error), text(r.Cause), len(report.Failed))
	}
	if events, err := f.Stack.StepFunctions.History(execution); err != nil || len(events) > 200 {
		t.Errorf("%d events, %v", len(events), err)
	}
	if got := f.message(); !strings.Contains(got, "and client-with") {
		t.Errorf("people read %.2000s", got)
	}
}

// Of what Step Functions takes of an account, a fleet leaves half to others: 250 DescribeExecution at once, then ten a
// second. A fleet of a few clients is not held up for that.
func TestAFleetLooksAtMostFiveTimesASecond(t *testing.T) {
	t.Parallel()
	for n, most := range map[int]time.Duration{3: 6 * time.Minute, 300: 8 * time.Minute} {
		t.Run(fmt.Sprintf("%d clients", n), func(t *testing.T) {
			t.Parallel()
			if n > 200 && testing.Short() {
				t.Skip("it takes a quarter of a minute")
			}
			f := &fleet{world: newWorld(t, quick)}
			f.define(stub)
			for i := range n {
				f.clients = append(f.clients, statemachine.Chosen{Name: fmt.Sprintf("client-%d", i), Provider: "okta",
					Tenant: fmt.Sprintf("t%d.okta.com", i%30)})
			}
			if err := f.CreateFleet(t.Context(), f.clients...); err != nil {
				t.Fatal(err)
			}
			left, lowest, began := 250.0, 250.0, f.clock.Now()
			last := began
			f.Stack.Faults.Limit(func(service, operation string) fault.Outcome {
				if service == "states" && operation == "DescribeExecution" {
					now := f.clock.Now()
					left, last = min(250, left+5*now.Sub(last).Seconds())-1, now
					lowest = min(lowest, left)
				}
				return fault.Outcome{}
			})
			r, report, _ := f.rotated(`{"all": true, "perTenant": 100, "canary": "client-0", "maxFailures": 0}`)
			if took := f.clock.Now().Sub(began); r.Status != asl.Succeeded || report.Rotated != n || took > most {
				t.Fatalf("%d rotated after %s, ended as %s: %.500s", report.Rotated, took, text(r.Error), text(r.Cause))
			}
			if lowest < 0 || lowest == 250 {
				t.Errorf("of five looks a second, and 250 at once, it takes %.0f too many", -lowest)
			}
		})
	}
}

// stub is a rotation that passes its test after a minute, and ends two minutes after its grace period of half a minute.
const stub = `{"QueryLanguage": "JSONata", "StartAt": "Rotate", "States": {
	"Rotate": {"Type": "Wait", "Seconds": 60, "Next": "NoteTested"},
	"NoteTested": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:updateItem", "Next": "Finish", "Arguments": {
		"TableName": "` + scenario.JournalTable + `", "Key": {"client": {"S": "{% $states.input.client %}"}},
		"UpdateExpression": "SET tested = :me, testedUntil = :until",
		"ExpressionAttributeValues": {":me": {"S": "{% $states.context.Execution.Id %}"},
			":until": {"S": "{% $fromMillis($millis() + 30000) %}"}}}},
	"Finish": {"Type": "Wait", "Seconds": 150, "End": true}}}`
