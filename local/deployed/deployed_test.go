// Package deployed_test runs a rotation from the CloudFormation template: what is deployed is what was tested.
package deployed_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/clock"
	"alboidc.internal/local/inprocess"
	"alboidc.internal/local/orders"
	"alboidc.internal/local/stack"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/statemachine"
)

// golden is the template of the example in infra/clients.yaml; the tests of infra keep it up to date.
const golden = "../../infra/testdata/template.golden.json"

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the OpenID library tells of its routes
	os.Exit(m.Run())
}

type template struct {
	Resources map[string]struct {
		Type       string
		Properties map[string]any
	}
}

func readTemplate(t *testing.T) template {
	t.Helper()
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var tpl template
	if err := json.Unmarshal(text, &tpl); err != nil {
		t.Fatal(err)
	}
	return tpl
}

// properties of the resource of a type whose property has a value.
func (tpl template) properties(t *testing.T, kind, property, value string) map[string]any {
	t.Helper()
	for _, r := range tpl.Resources {
		if r.Type == kind && r.Properties[property] == value {
			return r.Properties
		}
	}
	t.Fatalf("the template has no %s with %s %s", kind, property, value)
	return nil
}

// function is the name, in the state machine's list, of the function with a logical id.
func (tpl template) function(id string) string {
	return strings.TrimPrefix(fmt.Sprint(tpl.Resources[id].Properties["FunctionName"]), orders.MachineName+"-")
}

// resolve is what a reference of the template means in the local stack.
func (tpl template) resolve(t *testing.T, v any, functions map[string]string, topic string) string {
	t.Helper()
	if s, ok := v.(string); ok {
		return s
	}
	m, _ := v.(map[string]any)
	id, _ := m["Ref"].(string)
	switch r := tpl.Resources[id]; r.Type {
	case "AWS::Lambda::Alias":
		target, _ := r.Properties["FunctionName"].(map[string]any)
		function, _ := target["Ref"].(string)
		return functions[tpl.function(function)]
	case "AWS::DynamoDB::Table":
		return fmt.Sprint(r.Properties["TableName"])
	case "AWS::SNS::Topic":
		if r.Properties["TopicName"] != topic[strings.LastIndex(topic, ":")+1:] {
			t.Errorf("the topic is %v in the template", r.Properties["TopicName"])
		}
		return topic
	}
	t.Fatalf("the template refers to %v", v)
	return ""
}

// world is the local stack with the example's client, and the calls that were made.
type world struct {
	*orders.Deployment
	functions map[string]string

	mu    sync.Mutex
	actor string              // who calls now: a function, the state machine, or the schedule that starts it
	calls map[string][]string // IAM actions by actor
}

const (
	scheduler = "scheduler"
	machine   = "state machine"
)

func newWorld(t *testing.T) *world {
	t.Helper()
	virtual := clock.NewVirtual(time.Now())
	w := &world{actor: scheduler, calls: map[string][]string{}}
	s, err := stack.Start(context.Background(), stack.Options{Clock: virtual, Spread: []time.Duration{20 * time.Second, 55 * time.Second}, OnEvent: w.hear})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if w.functions, err = inprocess.Register(s, io.Discard); err != nil {
		t.Fatal(err)
	}
	w.Deployment, err = orders.Deploy(context.Background(), s, orders.Options{Functions: w.functions, Settle: time.Minute, Spread: time.Minute, Grace: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	virtual.Advance(s.ELB.Spread())
	return w
}

// hear follows the execution: what is called while a task with a function runs, the function calls. One task runs at a
// time, also inside a Map.
func (w *world) hear(_ string, e stepfunctions.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case e.TaskScheduled != nil:
		w.actor = machine
		for name, arn := range w.functions {
			if strings.Contains(e.TaskScheduled.Parameters, `"`+arn+`"`) {
				w.actor = name
			}
		}
	case e.TaskSucceeded != nil || e.TaskFailed != nil:
		w.actor = machine
	}
}

// call notes a call of an AWS API as the IAM action that allows it.
func (w *world) call(service, operation, _ string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	actor := w.actor
	switch {
	case service == "idp":
		return
	case service == "lambda" && operation == "Invoke":
		actor, operation = machine, "InvokeFunction"
	case service == "monitoring":
		service = "cloudwatch"
	}
	if action := service + ":" + operation; !slices.Contains(w.calls[actor], action) {
		w.calls[actor] = append(w.calls[actor], action)
	}
}

// create creates a state machine that the template describes, and returns its ARN.
func (w *world) create(t *testing.T, tpl template, name string) string {
	t.Helper()
	p := tpl.properties(t, "AWS::StepFunctions::StateMachine", "StateMachineName", name)
	values := map[string]string{}
	for name, v := range p["DefinitionSubstitutions"].(map[string]any) {
		values[name] = tpl.resolve(t, v, w.functions, w.TopicARN)
	}
	definition, err := statemachine.Render(fmt.Sprint(p["DefinitionString"]), values)
	if err != nil {
		t.Fatal(err)
	}
	out, err := sfn.NewFromConfig(w.Stack.AWS(orders.Home)).CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String("template-" + name), Definition: &definition, RoleArn: aws.String("arn:aws:iam::111122223333:role/from-the-template")})
	if err != nil {
		t.Fatal(err)
	}
	return *out.StateMachineArn
}

// scheduledInput is what the template's schedule of the client starts executions with.
func (tpl template) scheduledInput(t *testing.T) string {
	t.Helper()
	for _, r := range tpl.Resources {
		if r.Type == "AWS::Scheduler::Schedule" && r.Properties["Name"] == orders.Client {
			return fmt.Sprint(r.Properties["Target"].(map[string]any)["Input"])
		}
	}
	t.Fatalf("the template has no schedule of %s", orders.Client)
	return ""
}

// role is the logical id of the role that an actor has.
func (tpl template) role(t *testing.T, actor string) string {
	t.Helper()
	for id, r := range tpl.Resources {
		var role any
		switch {
		case r.Type == "AWS::Lambda::Function" && tpl.function(id) == actor:
			role = r.Properties["Role"]
		case r.Type == "AWS::StepFunctions::StateMachine" && actor == machine && r.Properties["StateMachineName"] == orders.MachineName:
			role = r.Properties["RoleArn"]
		case r.Type == "AWS::Scheduler::Schedule" && actor == scheduler:
			role = r.Properties["Target"].(map[string]any)["RoleArn"]
		default:
			continue
		}
		return fmt.Sprint(role.(map[string]any)["Fn::GetAtt"].([]any)[0])
	}
	t.Fatalf("the template has nothing for %s", actor)
	return ""
}

// allowed are the actions that a role's policies allow.
func (tpl template) allowed(role string) []string {
	var actions []string
	for _, r := range tpl.Resources {
		if r.Type != "AWS::IAM::Policy" || !strings.Contains(fmt.Sprint(r.Properties["Roles"]), role) {
			continue
		}
		for _, s := range r.Properties["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			switch a := s.(map[string]any)["Action"].(type) {
			case string:
				actions = append(actions, a)
			case []any:
				for _, x := range a {
					actions = append(actions, fmt.Sprint(x))
				}
			}
		}
	}
	return actions
}

// rotate runs one execution of the state machine arn, started as the template's schedule does.
func (w *world) rotate(t *testing.T, tpl template, arn string) asl.Result {
	t.Helper()
	input := tpl.scheduledInput(t)
	started, err := sfn.NewFromConfig(w.Stack.AWS(orders.Home)).StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: &arn, Input: &input})
	if err != nil {
		t.Fatal(err)
	}
	result, err := w.Stack.StepFunctions.Wait(t.Context(), *started.ExecutionArn)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestARotationSucceedsAsTheTemplateDeploysIt(t *testing.T) {
	t.Parallel()
	tpl, w := readTemplate(t), newWorld(t)
	arn := w.create(t, tpl, orders.MachineName)
	w.Stack.Faults.Observe(w.call)
	if result := w.rotate(t, tpl, arn); result.Status != asl.Succeeded {
		t.Fatalf("the rotation ended as %+v", result)
	}
	if live := w.Stack.IdP.Store().Secrets(w.ClientID); len(live) != 1 || live[0].ID == w.FirstSecretID {
		t.Errorf("the identity provider holds %+v", live)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.calls) != len(statemachine.Functions())+2 {
		t.Errorf("calls were made by %d parts: %v", len(w.calls), w.calls)
	}
	for actor, actions := range w.calls {
		allowed := tpl.allowed(tpl.role(t, actor))
		for _, action := range actions {
			if !slices.Contains(allowed, action) {
				t.Errorf("%s calls %s, which the template does not allow to it", actor, action)
			}
		}
	}
	if !slices.Contains(w.calls["updatealb"], "elasticloadbalancing:ModifyRule") {
		t.Errorf("updatealb called only %v: the calls are not told apart", w.calls["updatealb"])
	}
}
