package guarantees_test

import (
	"context"
	_ "embed" // the former definition
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/config"
	"alboidc.internal/statemachine"
)

// former is the definition of the release before configurations were read by reference: its calls carry the
// configuration, and its lock says nothing of it. An execution that runs while a release is deployed stays with its
// definition, and calls the new functions.
//
//go:embed testdata/former.asl.json
var former string

// deployFormer puts the former definition into the state machine; executions start with it.
func (w *world) deployFormer() {
	w.t.Helper()
	values := statemachine.Values{Partition: "aws", FunctionARNs: w.functions, JournalTable: scenario.JournalTable,
		ParameterPrefix: scenario.ParameterPrefix, NotificationTopicARN: w.TopicARN, EventBusName: "default",
		Settle: usual()}
	definition, err := statemachine.Render(former, values.Substitutions())
	if err != nil {
		w.t.Fatal(err)
	}
	w.define(definition)
}

// deployFlat puts the present definition into the state machine with its calls as they were before they had `call`,
// plan had an action, and a call set several targets.
func (w *world) deployFlat() {
	w.t.Helper()
	var definition map[string]any
	inTens := regexp.MustCompile(`\$count\(\$targets\) = 0 \? \[\] : \$partition\([^"]*, 10\)`)
	present := w.present()
	if n := len(inTens.FindAllString(present, -1)); n != 4 {
		w.t.Fatalf("%d rounds", n)
	}
	present = inTens.ReplaceAllString(present, "$$targets")
	if err := json.Unmarshal([]byte(present), &definition); err != nil {
		w.t.Fatal(err)
	}
	if n := flatten(definition); n != 28 {
		w.t.Fatalf("%d calls", n)
	}
	text, err := json.Marshal(definition)
	if err != nil {
		w.t.Fatal(err)
	}
	w.define(string(text))
}

// flatten rewrites the calls in a part of a definition, and counts them.
func flatten(part any) int {
	n := 0
	switch part := part.(type) {
	case []any:
		for _, p := range part {
			n += flatten(p)
		}
	case map[string]any:
		if call, is := part["Payload"].(map[string]any); is {
			delete(call, "call")
			if call["targets"] == "{% $states.input %}" {
				call["target"] = call["targets"]
				delete(call, "targets")
			}
			call["client"], call["execution"] = "{% $request.client %}", "{% $states.context.Execution.Id %}"
			switch call["action"] {
			case "discover":
				call["discoverOnly"] = true
				fallthrough
			case "decide", "measure":
				call["request"] = "{% $request %}"
				delete(call, "action")
			}
			return 1
		}
		for _, p := range part {
			n += flatten(p)
		}
	}
	return n
}

func (w *world) define(definition string) {
	w.t.Helper()
	if _, err := w.sfn().UpdateStateMachine(context.Background(),
		&sfn.UpdateStateMachineInput{StateMachineArn: &w.MachineARN, Definition: &definition}); err != nil {
		w.t.Error(err)
	}
}

// present is the definition that is deployed.
func (w *world) present() string {
	w.t.Helper()
	out, err := w.sfn().DescribeStateMachine(context.Background(),
		&sfn.DescribeStateMachineInput{StateMachineArn: &w.MachineARN})
	if err != nil {
		w.t.Fatal(err)
	}
	return aws.ToString(out.Definition)
}

func TestAnExecutionOfTheFormerDefinitionEndsWithTheNewFunctions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deploy  func(*world)
		failing string
		ends    string
	}{
		"forward":      {(*world).deployFormer, "", ""},
		"back":         {(*world).deployFormer, "TestBeforeFinish", "RolledBack"},
		"flat forward": {(*world).deployFlat, "", ""},
		"flat back":    {(*world).deployFlat, "TestBeforeFinish", "RolledBack"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			present := w.present()
			c.deploy(w)
			if c.failing != "" {
				w.failing(c.failing)
			}
			if r, execution := w.rotate(plain); text(r.Error) != c.ends {
				t.Fatalf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), strings.Join(w.path(execution), " "))
			}
			w.atRest()
			w.Stack.Faults.Clear()
			w.define(present)
			w.mustRotate()
			w.atRest()
		})
	}
}

func TestAMeasurementOfTheFormerDefinitionIsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.deployFlat()
	if r, execution := w.rotate(`{"client": "orders-web", "measure": true}`); r.Status != asl.Succeeded ||
		!w.measured(execution).SecretAccepted {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
}

func TestWhatAFormerExecutionLeftIsFinishedByTheNewDefinition(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"AwaitSpread", "GracePeriod", "DisableOldSecret"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			present := w.present()
			w.deployFormer()
			w.when(state, w.stop)
			if r, _ := w.rotate(plain); r.Status != asl.Aborted {
				t.Fatalf("the former ended as %s", r.Status)
			}
			w.define(present)
			w.mustRotate()
			w.atRest()
		})
	}
}

// An execution of the former definition that takes over finds what a new one has written, and does not work by it.
func TestAFormerExecutionThatTakesOverFinishes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.when("GracePeriod", w.stop)
	if r, _ := w.rotate(plain); r.Status != asl.Aborted {
		t.Fatalf("the first ended as %s", r.Status)
	}
	w.deployFormer()
	w.mustRotate()
	w.atRest()
}

func TestAFormerExecutionDoesNotGoOnForAnotherClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.deployFormer()
	start, count := w.changes()
	w.when("GracePeriod", func(string) { w.configure(func(c *config.Client) { c.ClientID += "x" }); start() })
	r, execution := w.rotate(plain)
	path := w.path(execution)
	if text(r.Error) != "Reconfigured" || path[len(path)-1] != "EnableOldSecret" || count() != 0 {
		t.Errorf("ended as %s: %s; %d changes of load balancers\n%s", text(r.Error), text(r.Cause), count(),
			strings.Join(path, " "))
	}
	w.configure(func(*config.Client) {})
	w.converge()
}
