package deployed_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/eventbridge"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/evidence"
	"alboidc.internal/shared/fault"
)

// recorded is a world in which evidence of every execution is written; heals says whether stopped ones are healed, too.
func recorded(t *testing.T, heals bool) *world {
	t.Helper()
	w := newWorld(t, readTemplate(t))
	notifier := w.deployNotifier(t)
	w.deployRule(t, "ended", notifier)
	if heals {
		w.deployRule(t, "interrupted", notifier)
	}
	return w
}

// evidence is what the table has, in the order of the ends.
func (w *world) evidence(t *testing.T) ([]evidence.Record, []evidence.Call) {
	t.Helper()
	table := evidence.New(dynamodb.NewFromConfig(w.Stack.AWS(scenario.Home)), scenario.EvidenceTable, 0)
	now := w.Stack.Clock.Now()
	records, calls, err := table.Read(t.Context(), now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(records, func(a, b evidence.Record) int { return a.Ended.Compare(b.Ended) })
	return records, calls
}

// outcomesOf are the kinds and outcomes of the records.
func outcomesOf(records []evidence.Record) string {
	var out []string
	for _, r := range records {
		out = append(out, string(r.Kind)+" "+r.Outcome)
	}
	return strings.Join(out, ", ")
}

func (w *world) start(t *testing.T, input string) string {
	t.Helper()
	return w.begin(t, started, input)
}

func (w *world) ended(t *testing.T, execution string) asl.Result {
	t.Helper()
	result, err := w.Stack.StepFunctions.Wait(t.Context(), execution)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestTheRecordOfARotationSaysAllThatAnAuditorAsks(t *testing.T) {
	t.Parallel()
	w := recorded(t, false)
	w.watch()
	execution := w.start(t, `{"client": "orders-web", "reason": "yearly"}`)
	w.ended(t, execution)
	w.settle(t)
	records, _ := w.evidence(t)
	if len(records) != 1 {
		t.Fatalf("the records are %+v", records)
	}
	r := records[0]
	if r.Execution != execution || r.Redrive != 0 || r.Client != scenario.Client || r.Kind != evidence.Rotation ||
		r.Reason != "yearly" || r.Outcome != "rotated" || r.Status != "SUCCEEDED" || !r.Ended.After(r.Started) ||
		!strings.HasPrefix(r.Users, "logins are fine") || !strings.Contains(r.Subject, "rotated") {
		t.Errorf("how it began and ended: %+v", r)
	}
	if r.Configuration == nil || r.Configuration.Version == 0 || len(r.Configuration.SHA256) != 64 || r.Plan == nil ||
		r.Plan.Action != "rotate" || len(r.Plan.Steps) == 0 || r.Plan.Tests == "" {
		t.Errorf("the configuration is %+v, the plan %+v", r.Configuration, r.Plan)
	}
	for _, target := range r.Targets {
		if target.Version != r.To.VersionID || target.Set.IsZero() || !strings.HasPrefix(target.ARN, "arn:") {
			t.Errorf("a target is %+v", target)
		}
	}
	if len(r.Targets) != 5 {
		t.Errorf("the targets are %+v", r.Targets)
	}
	var moves, changes []string
	for _, m := range r.Labels {
		moves = append(moves, m.Label+" "+m.From+">"+m.To)
	}
	for _, c := range r.Secrets {
		changes = append(changes, c.What+" "+c.VersionID)
	}
	if got := strings.Join(moves, ", "); got != "AWSPENDING >"+r.To.VersionID+", AWSCURRENT "+r.From.VersionID+">"+
		r.To.VersionID {
		t.Errorf("labels: %s", got)
	}
	old := " " + r.From.VersionID
	if got := strings.Join(changes, ", "); got != "made "+r.To.VersionID+", disabled"+old+", refused"+old+", deleted"+
		old+", refused"+old {
		t.Errorf("secrets: %s", got)
	}
	if at := r.RefusedAt()[r.From.VersionID]; at.Before(r.Started) || at.After(r.Ended) {
		t.Errorf("the old secret was refused at %s", at)
	}
	checks := map[string]bool{}
	for _, c := range r.Checks {
		checks[c.State+" "+string(c.Check)] = c.OK && !c.At.IsZero()
	}
	for _, want := range []string{"TestBeforeChange login", "VerifyNewSecret credential", "TestSecret redirect",
		"TestBeforeFinish metrics", "TestAfterDisable refused"} {
		if !checks[want] {
			t.Errorf("there is no check %s in %v", want, checks)
		}
	}
	if len(r.Steps) < 20 || len(r.Failures) > 0 || r.LeftOut > 0 {
		t.Errorf("steps %v, failures %v, left out %d", r.Steps, r.Failures, r.LeftOut)
	}
	// the function does nothing that its role does not allow
	ours := slices.DeleteFunc(slices.Clone(w.requests), func(r request) bool { return r.actor != "record" })
	if len(ours) < 2 {
		t.Errorf("the calls of record are %v", ours)
	}
	for _, refused := range w.tpl.refused(t, ours) {
		t.Errorf("%s, which the template does not allow to it", refused)
	}
}

func TestEveryKindOfEndHasItsRecord(t *testing.T) {
	t.Parallel()
	w := recorded(t, true)
	for _, input := range []string{`{"client": "orders-web", "dryRun": true}`,
		`{"client": "orders-web", "measure": true}`,
		`{"client": "nobody"}`, `{"client": "orders-web", "pasted": "CANARY"}`, `{"client": ["CANARY"]}`} {
		w.ended(t, w.start(t, input))
		w.pass(t, time.Minute)
	}
	if _, err := w.Stack.Faults.Add(fault.Rule{Service: "secretsmanager", Operation: "GetSecretValue",
		// the function fails, not its call
		Mode: fault.Refuse, Status: 400, Code: "AccessDeniedException"}); err != nil {
		t.Fatal(err)
	}
	w.ended(t, w.start(t, `{"client": "orders-web"}`))
	w.Stack.Faults.Clear()
	w.refuse(t, "VerifyNewSecret")
	w.ended(t, w.start(t, `{"client": "orders-web", "reason": "=HYPERLINK(1)"}`))
	w.Stack.Faults.Clear()
	w.busy(t, func() { // no time passes but where it says so
		w.start(t, `{"client": "orders-web"}`)
		w.sleep(t, 20*time.Minute) // it is in its grace period
		w.start(t, `{"client": "orders-web"}`)
		w.sleep(t, time.Minute)
		w.start(t, `{"client": "orders-web", "emergency": true, "reason": "leak"}`)
		w.sleep(t, 30*time.Minute)
		stopped := w.start(t, `{"client": "orders-web"}`)
		w.sleep(t, 20*time.Minute)
		if _, err := sfn.NewFromConfig(w.Stack.AWS(scenario.Home)).StopExecution(t.Context(),
			&sfn.StopExecutionInput{ExecutionArn: &stopped}); err != nil {
			t.Error(err)
		}
	})
	for range 4 {
		w.settle(t)
	}
	records, _ := w.evidence(t)
	if got, want := outcomesOf(records), "plan planned, measurement measured, rotation notStarted, "+
		"rotation invalidInput, rotation invalidInput, rotation refused, rotation rolledBack, rotation lockHeld, "+
		"rotation takenOver, emergency rotated, rotation stopped, healing rotated"; got != want {
		t.Fatalf("recorded are\n%s\nnot\n%s", got, want)
	}
	if r := records[0]; r.Plan == nil || len(r.Targets) != 5 || len(r.Secrets) > 0 || len(r.Labels) > 0 {
		t.Errorf("the dry run: %+v", r)
	}
	if r := records[1]; r.Measured == nil || !r.Measured.SecretAccepted {
		t.Errorf("the measurement: %+v", r)
	}
	if r := records[6]; r.FailedState != "VerifyNewSecret" || r.Error != "RolledBack" || len(r.Failures) == 0 ||
		!strings.Contains(r.Users, "logins are fine") {
		t.Errorf("the rollback: %+v", r)
	}
	if r := records[9]; len(r.RefusedAt()) != 2 {
		t.Errorf("of the emergency refused are %v", r.RefusedAt())
	}
	for _, n := range []int{6, 11} { // what they take back was not promoted; a healing then rotates
		for _, m := range records[n].Labels {
			if m.Label == "AWSCURRENT" && (n == 6 || m.From == "" || m.To == records[n].From.VersionID) {
				t.Errorf("execution %d has moved AWSCURRENT: %+v", n, m)
			}
		}
	}
	if r := records[10]; r.Status != "ABORTED" || r.FailedState != "GracePeriod" {
		t.Errorf("the stopped one: %+v", r)
	}
	w.showsOnDashboard(t, records[11].Execution, "rotated", "FinishSecret")
	text, err := json.Marshal(records)
	if err != nil || strings.Contains(string(text), "CANARY") {
		t.Errorf("what somebody put into an input is in a record (%v)", err)
	}
}

func TestARedrivenExecutionHasARecordOfEachRun(t *testing.T) {
	t.Parallel()
	w := recorded(t, false)
	w.refuse(t, "FinishSecret")
	execution := w.start(t, `{"client": "orders-web"}`)
	w.ended(t, execution)
	w.Stack.Faults.Clear()
	if _, err := sfn.NewFromConfig(w.Stack.AWS(scenario.Home)).RedriveExecution(t.Context(),
		&sfn.RedriveExecutionInput{ExecutionArn: &execution}); err != nil {
		t.Fatal(err)
	}
	w.ended(t, execution)
	w.settle(t)
	records, _ := w.evidence(t)
	if got := outcomesOf(records); got != "rotation failed, rotation rotated" {
		t.Fatalf("recorded are %s", got)
	}
	first, second := records[0], records[1]
	if first.Redrive != 0 || second.Redrive != 1 || !first.Redriven.IsZero() || second.Redriven.Before(first.Ended) ||
		first.FailedState != "FinishSecret" || second.FailedState != "" || len(second.Steps) <= len(first.Steps) {
		t.Errorf("the runs are %+v\n%+v", first, second)
	}
}

func TestARecordThatCannotBeWrittenChangesNoRotation(t *testing.T) {
	t.Parallel()
	w := recorded(t, false)
	if _, err := w.Stack.Faults.Add(fault.Rule{Service: "dynamodb", Operation: "PutItem", Mode: fault.Refuse,
		Status: 400,
		Code:   "AccessDeniedException"}); err != nil {
		t.Fatal(err)
	}
	first := w.start(t, `{"client": "orders-web"}`)
	if r := w.ended(t, first); r.Status != asl.Succeeded {
		t.Fatalf("the rotation ended as %+v", r)
	}
	w.settle(t)
	notifier := strings.Replace(w.MachineARN, scenario.MachineName, scenario.MachineName+"-notifier", 1)
	list, err := sfn.NewFromConfig(w.Stack.AWS(scenario.Home)).ListExecutions(t.Context(),
		&sfn.ListExecutionsInput{StateMachineArn: &notifier})
	if err != nil || len(list.Executions) != 1 || list.Executions[0].Status != "FAILED" { // the alarm counts it
		t.Fatalf("the executions that write it are %+v: %v", list, err)
	}
	if records, _ := w.evidence(t); len(records) != 0 {
		t.Fatalf("records: %+v", records)
	}
	// What is missing is written a day later, and what there is is not written again.
	w.Stack.Faults.Clear()
	for range 2 {
		if r := w.run(t, notifier, w.tpl.input(t, "records.missing")); r.Status != asl.Succeeded {
			t.Fatalf("it ended as %+v", r)
		}
	}
	if records, _ := w.evidence(t); outcomesOf(records) != "rotation rotated" || records[0].Execution != first {
		t.Errorf("records: %+v", records)
	}
}

// What the rules on CloudTrail's events hand over becomes evidence of who did it.
func TestWhoStartedAndStoppedIsRecorded(t *testing.T) {
	t.Parallel()
	w := recorded(t, false)
	notifier := strings.Replace(w.MachineARN, scenario.MachineName, scenario.MachineName+"-notifier", 1)
	w.deployRule(t, "calls", notifier)
	const execution = "arn:aws:states:eu-central-1:111122223333:execution:alb-oidc-rotator:x"
	for name, of := range map[string]string{
		"StartExecution": `"requestParameters": {"stateMachineArn": "` + started + `"}, "responseElements": ` +
			`{"executionArn": "` + execution + `"}`,
		"StopExecution":    `"requestParameters": {"executionArn": "` + execution + `"}`,
		"RedriveExecution": `"requestParameters": {"executionArn": "` + execution + `"}`} {
		for range 2 { // EventBridge may deliver an event twice
			w.emit(t,
				`{"eventID": "id-of-`+name+`", "eventName": "`+name+`", "userIdentity": {"arn": "arn:who"}, `+of+`}`)
		}
	}
	// neither another state machine's executions, nor a call that was refused
	w.emit(t,
		`{"eventID": "x", "eventName": "StartExecution", "userIdentity": {"arn": "arn:who"}, "requestParameters": `+
			`{"stateMachineArn": "`+notifier+`"}, "responseElements": {"executionArn": "`+execution+`"}}`)
	w.emit(t, `{"eventID": "y", "eventName": "StopExecution", "errorCode": "AccessDenied", "userIdentity": `+
		`{"arn": "arn:who"}, "requestParameters": {"executionArn": "`+execution+`"}}`)
	w.settle(t)
	_, calls := w.evidence(t)
	var got []string
	for _, c := range calls {
		if c.By != "arn:who" || c.Execution != execution || c.At.IsZero() || c.ID != "id-of-"+c.Name {
			t.Errorf("a call is %+v", c)
		}
		got = append(got, c.Name)
	}
	slices.Sort(got)
	if strings.Join(got, " ") != "RedriveExecution StartExecution StopExecution" {
		t.Errorf("the calls are %v", got)
	}
}

// emit puts a call that CloudTrail tells of on the bus.
func (w *world) emit(t *testing.T, detail string) {
	t.Helper()
	w.Stack.EventBridge.Emit(scenario.Home, eventbridge.Event{Source: "aws.states",
		DetailType: "AWS API Call via CloudTrail", Detail: json.RawMessage(detail)})
}

// busy runs f while the clock counts it as busy.
func (w *world) busy(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	w.Stack.Clock.Go(func() {
		defer close(done)
		f()
	})
	<-done
}

func (w *world) sleep(t *testing.T, d time.Duration) {
	t.Helper()
	if err := w.Stack.Clock.Sleep(t.Context(), d); err != nil {
		t.Error(err)
	}
}
