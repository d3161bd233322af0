package deployed_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"alboidc.internal/local/scenario"
)

// golden is the template of the example in infra/clients.yaml; the tests of infra keep it up to date.
const golden = "../../infra/testdata/template.golden.json"

type resource struct {
	Type       string
	Properties map[string]any
}

type template struct{ Resources map[string]resource }

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

// more is what another template has otherwise.
type more struct {
	Resources map[string]resource
	Gone      []string
	Outputs   map[string]struct{ Value any }
	Workload  template
}

// readTemplateWith reads the template as it is with more than the example has.
func readTemplateWith(t *testing.T, path string) (tpl template, m more) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	tpl = readTemplate(t)
	tpl.lay(m)
	return tpl, m
}

// lay puts what another template has otherwise over one.
func (tpl template) lay(m more) {
	for id, r := range m.Resources {
		if old, is := tpl.Resources[id]; is {
			maps.Copy(old.Properties, r.Properties)
			continue
		}
		tpl.Resources[id] = r
	}
	for _, id := range m.Gone {
		delete(tpl.Resources, id)
	}
}

// find returns the logical id of the resource of a type whose property has a value.
func (tpl template) find(t *testing.T, kind, property, value string) string {
	t.Helper()
	for id, r := range tpl.Resources {
		if r.Type == kind && r.Properties[property] == value {
			return id
		}
	}
	t.Fatalf("the template has no %s with %s %s", kind, property, value)
	return ""
}

func (tpl template) properties(t *testing.T, kind, property, value string) map[string]any {
	t.Helper()
	return tpl.Resources[tpl.find(t, kind, property, value)].Properties
}

// function is the name, in the state machine's list, of the function with a logical id.
func (tpl template) function(id string) string {
	return strings.TrimPrefix(fmt.Sprint(tpl.Resources[id].Properties["FunctionName"]), scenario.MachineName+"-")
}

// replaced is v with every string in it replaced, for instance an ARN of the example by the local stack's.
func replaced(v any, by func(string) string) any {
	switch v := v.(type) {
	case string:
		return by(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = replaced(v[i], by)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k := range v {
			out[k] = replaced(v[k], by)
		}
		return out
	}
	return v
}

// text is a value of the template as CloudFormation would resolve it: references, attributes and joins.
func (tpl template) text(t *testing.T, v any) string {
	t.Helper()
	if s, ok := v.(string); ok {
		return s
	}
	m, _ := v.(map[string]any)
	if id, ok := m["Ref"].(string); ok && len(m) == 1 {
		return tpl.reference(t, id)
	}
	if get, ok := m["Fn::GetAtt"].([]any); ok && len(m) == 1 && (get[1] == "Arn" || get[1] == "Id") {
		return tpl.arn(t, fmt.Sprint(get[0]))
	}
	if join, ok := m["Fn::Join"].([]any); ok && len(m) == 1 {
		var parts []string
		for _, p := range join[1].([]any) {
			parts = append(parts, tpl.text(t, p))
		}
		return strings.Join(parts, fmt.Sprint(join[0]))
	}
	t.Fatalf("the template has %v, which cannot be resolved", v)
	return ""
}

// reference is what Ref returns.
func (tpl template) reference(t *testing.T, id string) string {
	t.Helper()
	switch r := tpl.Resources[id]; {
	case id == "AWS::Partition":
		return "aws"
	case id == "AWS::Region":
		return scenario.Home
	case r.Type == "AWS::DynamoDB::Table":
		return fmt.Sprint(r.Properties["TableName"])
	case r.Type == "AWS::Lambda::Function":
		return fmt.Sprint(r.Properties["FunctionName"])
	case r.Type == "AWS::Scheduler::ScheduleGroup":
		return fmt.Sprint(r.Properties["Name"])
	}
	return tpl.arn(t, id)
}

// arn of a resource, as the local stack and AWS make it from the name.
func (tpl template) arn(t *testing.T, id string) string {
	t.Helper()
	r := tpl.Resources[id]
	name := func(property string) string { return tpl.text(t, r.Properties[property]) }
	of := func(service, resource string) string {
		return "arn:aws:" + service + ":" + scenario.Home + ":" + account + ":" + resource
	}
	switch r.Type {
	case "AWS::DynamoDB::Table":
		return of("dynamodb", "table/"+name("TableName"))
	case "AWS::Lambda::Function":
		return of("lambda", "function:"+name("FunctionName"))
	case "AWS::Lambda::Alias":
		return of("lambda", "function:"+name("FunctionName")+":"+name("Name"))
	case "AWS::StepFunctions::StateMachine":
		return of("states", "stateMachine:"+name("StateMachineName"))
	case "AWS::StepFunctions::StateMachineAlias": // of the one machine that has versions
		return of("states", "stateMachine:"+scenario.MachineName+":"+name("Name"))
	case "AWS::SNS::Topic":
		return of("sns", name("TopicName"))
	case "AWS::SecretsManager::Secret":
		return of("secretsmanager", "secret:"+name("Name")+"-AbCdEf")
	case "AWS::IAM::Role":
		if name, is := r.Properties["RoleName"].(string); is {
			return "arn:aws:iam::" + account + ":role/" + name
		}
		return "arn:aws:iam::" + account + ":role/" + id
	case "AWS::CloudWatch::Alarm", "AWS::KMS::Key", "AWS::Logs::LogGroup", "AWS::SQS::Queue":
		return of("unnamed", id) // the local stack never calls these
	}
	t.Fatalf("the template refers to %s, a %s", id, r.Type)
	return ""
}
