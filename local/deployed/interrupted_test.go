package deployed_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
)

// notice is the whole of what an event of ours says.
type notice struct {
	Client, Outcome, Execution, Reason, FailedState, Error, Cause, Notice string
	Subject, Users, What, Todo, Command, Entry, ExecutionURL, Runbook     string
}

// executions of a state machine, as their inputs.
func (w *world) executions(t *testing.T, machine string) []string {
	t.Helper()
	client := sfn.NewFromConfig(w.Stack.AWS(scenario.Home))
	list, err := client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: &machine})
	if err != nil {
		t.Fatal(err)
	}
	var inputs []string
	for _, e := range list.Executions {
		d, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: e.ExecutionArn})
		if err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, *d.Input)
	}
	return inputs
}

// notices are all events of ours. People must have got the same, each in a message with the client as attribute.
func (w *world) notices(t *testing.T) []notice {
	t.Helper()
	var list []notice
	messages := w.Stack.SNS.Messages(w.TopicARN)
	for _, e := range w.Stack.EventBridge.Events() {
		if e.Source != "alb-oidc-rotator" {
			continue
		}
		var n notice
		if err := json.Unmarshal(e.Detail, &n); err != nil {
			t.Fatalf("%s: %v", e.Detail, err)
		}
		list = append(list, n)
		if len(messages) < len(list) {
			t.Fatalf("people did not hear of %+v", n)
		}
		m := messages[len(list)-1]
		client := n.Client
		if client == "" {
			client = "(unknown)"
		}
		if m.Subject != n.Subject || m.Attributes["client"] != client || m.Attributes["outcome"] != n.Outcome ||
			!strings.HasPrefix(m.Message, "Users: "+n.Users) ||
			!strings.Contains(m.Message, n.What) || !strings.Contains(m.Message, n.Command) ||
			!strings.Contains(m.Message, n.Notice) || !strings.Contains(m.Message, n.ExecutionURL) {
			t.Errorf("of %+v people heard %+v", n, m)
		}
	}
	return list
}

// ended is the event of an execution's end. how is its status, and its error if it failed with one.
func ended(machine, how string, input any) string {
	status, name, _ := strings.Cut(how, " ")
	var failure any
	if name != "" {
		failure = name
	}
	// strings only
	text, _ := json.Marshal(map[string]any{"id": "6c3a9c1e-0000-4000-8000-000000000001", "time": "2026-11-23T03:00:00Z",
		"detail": map[string]any{
			"executionArn":    "arn:aws:states:eu-central-1:111122223333:execution:alb-oidc-rotator:x",
			"stateMachineArn": machine,
			"status":          status, "input": input, "error": failure, "cause": nil}})
	return string(text)
}

func TestAStoppedExecutionIsHealedOnceHoweverItsInputIsWritten(t *testing.T) {
	t.Parallel()
	tpl := readTemplate(t)
	const healing = "healing: an execution was stopped or timed out"
	for _, tt := range []struct {
		name, status string
		input        any
		heals        bool
		outcome      string
		client       string
	}{
		{"as the schedule writes it", "ABORTED", tpl.input(t, scenario.Client), true, "interrupted", scenario.Client},
		{"as the console writes it", "TIMED_OUT",
			"{\n    \"reason\": \"a leak\",\n    \"client\": \"orders-web\",\n    \"dryRun\": false\n}", true,
			"interrupted", scenario.Client},
		{"a dry run", "ABORTED", `{"reason": "x", "client": "orders-web", "dryRun": true}`, false,
			"interrupted", scenario.Client},
		{"a measurement", "ABORTED", tpl.input(t, scenario.Client+".measure"), false, "interrupted", scenario.Client},
		{"a healing execution", "ABORTED", `{"client":"orders-web","reason":"` + healing + `"}`, false,
			"needsAttention", scenario.Client},
		{"one that failed", "FAILED", tpl.input(t, scenario.Client), false, "needsAttention", scenario.Client},
		{"no input in the event", "TIMED_OUT", nil, false, "needsAttention", ""},
		{"no object", "ABORTED", `[1]`, false, "needsAttention", ""},
		{"a name that is none", "ABORTED", `{"client": "` + strings.Repeat("a", 200) + `\n"}`, false,
			"needsAttention", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tpl)
			rotation, notifier := w.MachineARN, w.deployNotifier(t)
			event := ended(rotation, tt.status, tt.input)
			if r := w.run(t, notifier, event); r.Status != asl.Succeeded {
				t.Fatalf("it ended as %+v", r)
			}
			if r := w.run(t, notifier, event); r.Status != asl.Succeeded { // delivered twice
				t.Fatalf("the second time it ended as %+v", r)
			}
			var want []string
			if tt.heals {
				want = []string{`{"client":"orders-web","reason":"` + healing + `"}`}
			}
			if got := w.executions(t, rotation); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("started are %v, want %v", got, want)
			}
			n := w.notices(t)[0]
			if n.Client != tt.client || n.Outcome != tt.outcome || n.Execution == "" || n.Error != tt.status {
				t.Errorf("told is %+v", n)
			}
			if n.Notice == "" && tt.status != "FAILED" {
				t.Error("what happens next is not told")
			}
			if got := len(w.events(t,
				"Client Secret Rotation Needs Attention")) > 0; got != (tt.outcome == "needsAttention") {
				t.Errorf("an event of ours tells of it: %v", got)
			}
		})
	}
}

func TestWhereNoHealingCanBeStartedSomebodyIsTold(t *testing.T) {
	t.Parallel()
	tpl := readTemplate(t)
	w := newWorld(t, tpl)
	notifier := w.deployNotifier(t)
	if r := w.run(t, notifier, ended("arn:aws:states:eu-central-1:111122223333:stateMachine:gone",
		"ABORTED", tpl.input(t, scenario.Client))); r.Status != asl.Succeeded {
		t.Fatalf("it ended as %+v", r)
	}
	if n := w.notices(t)[0]; n.Outcome != "needsAttention" || n.Client != scenario.Client || !strings.Contains(n.Notice,
		"StateMachineDoesNotExist") {
		t.Errorf("told is %+v", n)
	}
}

// The whole way: the rule, the state machine behind it, and the execution that it starts.
func TestAStoppedRotationIsPutRightByTheNextOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, readTemplate(t))
	w.deployRule(t, "interrupted", w.deployNotifier(t))
	client := sfn.NewFromConfig(w.Stack.AWS(scenario.Home))
	begun, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: aws.String(started),
		Input: aws.String("{\n  \"client\": \"orders-web\"\n}")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.StopExecution(t.Context(),
		&sfn.StopExecutionInput{ExecutionArn: begun.ExecutionArn}); err != nil {
		t.Fatal(err)
	}
	for range 4 { // the lock is taken over, and there is a grace period
		w.settle(t)
	}
	var outcomes []string
	for _, n := range w.notices(t) {
		outcomes = append(outcomes, n.Client+" "+n.Outcome)
	}
	if got := strings.Join(outcomes, ", "); got != "orders-web interrupted, orders-web rotated" {
		t.Errorf("told is %s", got)
	}
	if live := w.Stack.IdP.Store().Secrets(w.ClientID); len(live) != 1 || live[0].ID == w.FirstSecretID {
		t.Errorf("the identity provider holds %+v", live)
	}
}

// What a rule on CloudTrail's events hands over, with its template filled as EventBridge does.
func TestAChangeByOthersIsToldLikeEverythingElse(t *testing.T) {
	t.Parallel()
	tpl := readTemplate(t)
	w := newWorld(t, tpl)
	notifier := w.deployNotifier(t)
	rule := tpl.properties(t, "AWS::Events::Rule", "Name", scenario.MachineName+"-listeners-orders-web-0")
	transformer := rule["Targets"].([]any)[0].(map[string]any)["InputTransformer"].(map[string]any)
	event := map[string]string{"$.time": "2026-11-23T03:00:00Z", "$.detail.eventName": "ModifyListener",
		"$.detail.requestParameters.listenerArn": "arn:listener", "$.detail.userIdentity.arn": "arn:who"}
	input := fmt.Sprint(transformer["InputTemplate"])
	for name, path := range transformer["InputPathsMap"].(map[string]any) {
		// a path that the event does not have gives nothing
		input = strings.ReplaceAll(input, "<"+name+">", event[fmt.Sprint(path)])
	}
	if r := w.run(t, notifier, input); r.Status != asl.Succeeded {
		t.Fatalf("it ended as %+v", r)
	}
	n := w.notices(t)
	if len(n) != 1 || n[0].Client != scenario.Client || n[0].Outcome != "changedByOthers" ||
		!strings.HasPrefix(n[0].Notice, `arn:who called ModifyListener on arn:listener at 2026-11-23T03:00:00Z.`) {
		t.Errorf("told is %+v", n)
	}
}
