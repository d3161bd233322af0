package verify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"alboidc.internal/statemachine"
)

// provoked is a state of a deployed definition, with an input and variables that make its call fail, and where the
// definition goes then. With again the first try must succeed.
type provoked struct {
	state, by string
	next      string // of the catcher that must match; "" if the execution must fail
	input     string
	variables map[string]any
	again     bool
}

// provocations are the failures that can be had at will. Throttling cannot.
func (m *Run) provocations() []provoked {
	gone := m.execution("never-started")
	call := map[string]any{"client": "verify", "execution": m.execution("me")}
	lock := func(me string) map[string]any {
		return map[string]any{"call": call, "lock": map[string]any{":me": text(me), ":kind": text("rotation"),
			":settle": map[string]any{"N": "75"}, ":config": text("{}")}}
	}
	told := map[string]any{"subject": "verify-live", "users": "none", "what": "nothing", "todo": "nothing",
		"command": "",
		"notice":  "", "entry": "none", "client": "verify", "outcome": "refused"}
	message := map[string]any{"told": told, "call": call, "links": "", "origin": "verify-live", "outcome": "refused",
		"request": map[string]any{}, "step": "", "failure": map[string]any{"error": "", "cause": ""}}
	heal := fmt.Sprintf(`{"id": "verify", "detail": {"stateMachineArn": %q}}`, m.r.Machine)
	return []provoked{
		{state: "InspectLockOwner", by: "an execution that does not exist", next: "LockOwnerStatus",
			variables: map[string]any{"lockOwner": gone}},
		{state: "StopFormerOwner", by: "an execution that does not exist", next: "AwaitFormerOwner",
			variables: map[string]any{"lockOwner": gone, "call": call}},
		{state: "LoadClient", by: "a parameter that does not exist", next: "NotStarted", input: `{"client": "nobody"}`},
		{state: "ReloadClient", by: "a parameter that does not exist", next: "Reconfigured",
			variables: map[string]any{"call": map[string]any{"client": "nobody", "execution": gone}}},
		{state: "AcquireLock", by: "a lock that another execution has", next: "ReadLockOwner",
			variables: lock(m.execution("other")), again: true},
		{state: "Notify", by: "a topic that does not exist", next: "PublishEvent", variables: message},
		{state: "PublishEvent", by: "an event bus that does not exist", next: "Outcome", variables: message},
		{state: "AwaitSpread", by: "an expression without a value"},
		{state: "Heal", by: "a name that is taken by an execution with another input", next: "Healed", input: heal,
			variables: map[string]any{"told": told, "healing": "first", "request": map[string]any{}}, again: true},
	}
}

func text(s string) map[string]any { return map[string]any{"S": s} }

// errorNames lets single states of the deployed definitions fail, and finds under which name Step Functions does it.
func (m *Run) errorNames(ctx context.Context) error {
	var failed []error
	for _, p := range m.provocations() {
		if err := m.errorName(ctx, p); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.state, err))
		}
	}
	return errors.Join(failed...)
}

func (m *Run) errorName(ctx context.Context, p provoked) error {
	in, handlers, err := m.single(p)
	if err != nil {
		return err
	}
	if p.again {
		if err := m.first(ctx, p, *in); err != nil {
			return err
		}
	}
	out, err := m.States.TestState(ctx, in)
	if err != nil {
		return err
	}
	name, next := aws.ToString(out.Error), aws.ToString(out.NextState)
	f := Finding{Question: fmt.Sprintf("the error of %s (%s)", p.state, p.by),
		Assumed: "goes on at " + p.next, Found: fmt.Sprintf("%s, %s, goes on at %s", name, out.Status, next)}
	if p.next == "" {
		f.Assumed, f.Found = "ends the execution", fmt.Sprintf("%s, %s", name, out.Status)
	}
	f.Verdict = decide(name != "" && next == p.next)
	if service, _, _ := strings.Cut(name, "."); f.Verdict == AsAssumed && !handlers.knows(service) {
		f.Verdict = Differs
		f.Found += "; no retrier names errors of " + service
	}
	m.find(f)
	return nil
}

// first makes a call that must succeed, so that the next one, which asks for something else, fails.
func (m *Run) first(ctx context.Context, p provoked, in sfn.TestStateInput) error {
	variables := p.variables
	if lock, ok := variables["lock"].(map[string]any); ok {
		lock[":me"] = text(m.execution("first"))
	}
	if _, ok := variables["healing"]; ok {
		variables["healing"] = "second"
	}
	b, err := json.Marshal(variables)
	if err != nil {
		return err
	}
	in.Variables = aws.String(string(b))
	out, err := m.States.TestState(ctx, &in)
	if err == nil && out.Status != types.TestExecutionStatusSucceeded {
		err = fmt.Errorf("the call that must succeed first does not: %s", aws.ToString(out.Error))
	}
	if err != nil {
		return err
	}
	return m.Clock.Sleep(ctx, 2*time.Second)
}

// handlers are which errors a state's retriers name.
type handlers struct {
	Retry []struct{ ErrorEquals []string }
}

// knows tells whether one of the retriers names an error of the service, or all; a state without any need not.
func (h handlers) knows(service string) bool {
	if service == "States" || len(h.Retry) == 0 {
		return true
	}
	return slices.ContainsFunc(h.Retry, func(r struct{ ErrorEquals []string }) bool {
		return slices.ContainsFunc(r.ErrorEquals, func(e string) bool {
			return e == "States.ALL" || strings.HasPrefix(e, service+".")
		})
	})
}

// single is the call that tries one state of a definition, as a deployment fills it in; what it calls exists or not as
// the provocation needs it. Retriers are left out, which would only delay what a catcher does, and so is what
// is assigned: TestState has no execution whose id could be.
func (m *Run) single(p provoked) (*sfn.TestStateInput, handlers, error) {
	definition := statemachine.Definition
	if p.state == "Heal" {
		definition = statemachine.Notifier
	}
	definition, err := statemachine.Render(definition, m.values().Substitutions())
	if err != nil {
		return nil, handlers{}, err
	}
	var all struct{ States map[string]json.RawMessage }
	var named handlers
	state := map[string]any{}
	if err := errors.Join(json.Unmarshal([]byte(definition), &all), json.Unmarshal(all.States[p.state], &named),
		json.Unmarshal(all.States[p.state], &state)); err != nil {
		return nil, named, err
	}
	state["QueryLanguage"] = "JSONata"
	delete(state, "Retry")
	delete(state, "Assign")
	catchers, _ := state["Catch"].([]any)
	for _, c := range catchers {
		delete(c.(map[string]any), "Assign")
		delete(c.(map[string]any), "Output")
	}
	alone, err := json.Marshal(state)
	if err != nil {
		return nil, named, err
	}
	variables, err := json.Marshal(p.variables)
	return &sfn.TestStateInput{Definition: aws.String(string(alone)), RoleArn: &m.r.Role,
		Input: aws.String(cmp.Or(p.input, "{}")), Variables: aws.String(string(variables)),
		InspectionLevel: types.InspectionLevelInfo}, named, err
}

// values fill the definitions in with what this run has made, and with names of what nobody has.
func (m *Run) values() statemachine.Values {
	parts := strings.SplitN(m.r.Machine, ":", 6)
	arn := func(service, resource string) string {
		return strings.Join([]string{"arn", parts[1], service, parts[3], parts[4], resource}, ":")
	}
	v := statemachine.Values{Partition: parts[1], FunctionARNs: map[string]string{}, JournalTable: m.r.Table,
		ParameterPrefix:      strings.TrimSuffix(m.r.Parameter, "verify"),
		NotificationTopicARN: arn("sns", m.r.Name+"-none"), EventBusName: m.r.Name + "-none", RotationAlias: "live",
		MachineToStart: m.r.Alias, FleetToStart: m.r.Alias, ExecutionURL: "https://localhost/",
		Runbook: statemachine.DefaultRunbook,
		Settle:  time.Minute}
	for _, f := range statemachine.Functions() {
		v.FunctionARNs[f.Name] = arn("lambda", "function:"+m.r.Name+"-none")
	}
	return v
}
