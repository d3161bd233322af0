package guarantees_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/fault"
	"alboidc.internal/local/orders"
)

// traces is everything that a rotation leaves where people can read it, by name.
func (w *world) traces(executions []string) map[string]string {
	w.t.Helper()
	out := map[string]string{"function logs": w.logs.String()}
	add := func(name string, v any) {
		b, err := json.Marshal(v)
		if err != nil {
			w.t.Fatal(err)
		}
		out[name] += string(b)
	}
	for _, e := range executions {
		history, err := w.Stack.StepFunctions.History(e)
		if err != nil {
			w.t.Fatal(err)
		}
		add("history", history)
		described, err := w.sfn().DescribeExecution(context.Background(), &sfn.DescribeExecutionInput{ExecutionArn: &e})
		if err != nil {
			w.t.Fatal(err)
		}
		add("execution", described)
	}
	machine, err := w.sfn().DescribeStateMachine(context.Background(), &sfn.DescribeStateMachineInput{StateMachineArn: &w.MachineARN})
	if err != nil {
		w.t.Fatal(err)
	}
	add("state machine", machine)
	add("journal", w.journal())
	add("notifications", w.Stack.SNS.Messages(w.TopicARN))
	add("events", w.Stack.EventBridge.Events())
	add("configuration", w.Config)
	return out
}

// values are all secrets that exist in the world, by what they are.
func (w *world) values() map[string]string {
	w.t.Helper()
	_, versions, err := w.Stack.SecretsManager.Snapshot(orders.Home, w.SecretARN)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{"admin token": w.Stack.IdP.AdminToken(), "synthetic user's password": w.Tester.Password}
	for id, v := range versions {
		out["client secret of version "+id] = v
	}
	return out
}

// disguises are the forms in which a value could show: as it is, in a URL, or in an HTTP Basic header.
func (w *world) disguises(value string) []string {
	basic := base64.StdEncoding.EncodeToString([]byte(w.ClientID + ":" + value))
	return []string{value, url.QueryEscape(value), base64.StdEncoding.EncodeToString([]byte(value)), basic}
}

func TestNoSecretValueShowsAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var executions []string
	run := func() {
		_, execution := w.rotate(plain)
		executions = append(executions, execution)
	}
	run()
	executions = append(executions, w.start(measure))
	w.measured(executions[1])
	for _, caller := range caught { // one failure in every state
		w.fault(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"` + caller + `"`, Mode: fault.Refuse, Status: 403, Code: "AccessDeniedException"})
		run()
		w.Stack.Faults.Clear()
	}
	for _, r := range []fault.Rule{ // and errors of every service that sees a secret
		{Service: "secretsmanager", Operation: "PutSecretValue", Mode: fault.Refuse, Status: 400, Code: "InvalidRequestException"},
		{Service: "elasticloadbalancing", Operation: "ModifyRule", Times: 1, Mode: fault.Refuse, Status: 400, Code: "InvalidLoadBalancerAction"},
		{Service: "idp", Operation: "okta.createSecret", Mode: fault.Refuse, Status: 400, Code: "E0000001"},
		{Service: "idp", Operation: "okta.createSecret", Times: 1, Mode: fault.Refuse, Code: "WrongJSON"},
		{Service: "idp", Operation: "login", Mode: fault.Refuse, Status: 403, Code: "access_denied"},
	} {
		w.fault(r)
		run()
		w.Stack.Faults.Clear()
	}
	traces, values := w.traces(executions), w.values()
	if len(values) < 10 {
		t.Fatalf("only %d values to look for", len(values))
	}
	for name, trace := range traces {
		if len(trace) < 50 || !strings.Contains(trace, "orders-web") && name != "state machine" {
			t.Errorf("%s: nothing of the rotation is in it, so it proves nothing", name)
		}
		for what, value := range values {
			for _, d := range w.disguises(value) {
				if strings.Contains(trace, d) {
					t.Errorf("the %s shows in the %s", what, name)
				}
			}
		}
	}
}
