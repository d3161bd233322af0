package guarantees_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/evidence"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitations"
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
	machine, err := w.sfn().DescribeStateMachine(context.Background(),
		&sfn.DescribeStateMachineInput{StateMachineArn: &w.MachineARN})
	if err != nil {
		w.t.Fatal(err)
	}
	add("state machine", machine)
	add("journal", w.journal())
	add("evidence", w.records(len(executions)))
	add("notifications", w.Stack.SNS.Messages(w.TopicARN))
	add("events", w.Stack.EventBridge.Events())
	add("configuration", w.Config)
	return out
}

// records has the evidence of all executions written, at least so many, and reads it.
func (w *world) records(least int) []evidence.Record {
	w.t.Helper()
	function := w.functions["record"]
	var out *lambda.InvokeOutput
	var err error
	done := make(chan struct{})
	w.clock.Go(func() { // busy, so that the function does not time out
		defer close(done)
		out, err = lambda.NewFromConfig(w.Stack.AWS(scenario.Home)).Invoke(context.Background(), &lambda.InvokeInput{
			FunctionName: &function, Payload: []byte("{}")})
	})
	<-done
	if err != nil || out.FunctionError != nil {
		w.t.Fatalf("the evidence was not written: %v %s", err, out.Payload)
	}
	table := evidence.New(dynamodb.NewFromConfig(w.Stack.AWS(scenario.Home)), scenario.EvidenceTable, 0)
	records, _, err := table.Read(context.Background(), w.seen.AddDate(-1, 0, 0), w.seen.AddDate(1, 0, 0))
	if err != nil || len(records) < least {
		w.t.Fatalf("there are %d records of %d executions: %v", len(records), least, err)
	}
	return records
}

// values are all secrets that exist in the world, by what they are.
func (w *world) values() map[string]string {
	w.t.Helper()
	_, versions, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{"admin token": w.Stack.IdP.AdminToken(), "synthetic user's password": w.Tester.Password}
	for id, v := range versions {
		out["client secret of version "+id] = v
	}
	for _, clientID := range w.Config.ClientIDs() { // also those that were never stored
		err := w.Stack.IdP.Store().Update(clientID, func(e *clients.Edit) error {
			for _, s := range e.All() {
				v, err := e.Value(s.ID)
				if err != nil {
					return err
				}
				out["secret "+s.ID+" of "+clientID] = v
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
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
	c := canary{world: w, values: map[string]string{}}
	c.run()
	// an emergency that takes over from a rotation, and a secret that a person makes, so that a rotation is superseded
	ended := w.interrupt("GracePeriod")
	c.run()
	c.executions = append(c.executions, ended())
	w.wait(c.executions[2])
	w.before("VerifyBeforeReassert", w.rotateByHand)
	c.run()
	c.run()
	for what, error := range map[int]string{1: "TakenOver", 3: "Superseded"} {
		if r := w.wait(c.executions[what]); text(r.Error) != error {
			t.Fatalf("execution %d ended as %s %s", what, r.Status, text(r.Error))
		}
	}
	measured := w.start(measure)
	w.measured(measured)
	c.executions = append(c.executions, measured)
	for _, caller := range caught { // one failure in every state
		c.run(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"` + caller + `"`, Mode: fault.Refuse,
			Status: 403, Code: "AccessDeniedException"})
	}
	// and errors of every service that sees a secret
	c.run(fault.Rule{Service: "secretsmanager", Operation: "PutSecretValue", Mode: fault.Refuse, Status: 400,
		Code: "InvalidRequestException"})
	c.run(fault.Rule{Service: "elasticloadbalancing", Operation: "ModifyRule", Times: 1, Mode: fault.Refuse,
		Status: 400, Code: "InvalidLoadBalancerAction"})
	c.run(fault.Rule{Service: "idp", Operation: "login", Mode: fault.Refuse, Status: 403, Code: "access_denied"})
	c.troubleAtProvider()
	c.mustBeHidden(12)
}

func TestNoSecretValueOfAnotherIdentityProviderShowsAnywhere(t *testing.T) {
	t.Parallel()
	for _, y := range ways() {
		t.Run(y.name, func(t *testing.T) {
			t.Parallel()
			c := canary{world: y.world(t, func(*world) {}), values: map[string]string{}}
			c.run()
			c.run(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"TestSecret"`, Mode: fault.Refuse,
				Status: 403, Code: "AccessDeniedException"})
			c.troubleAtProvider()
			c.mustBeHidden(4)
		})
	}
}

// canary collects the secrets of many rotations and what these leave.
type canary struct {
	*world
	executions []string
	values     map[string]string
}

// run runs a rotation under faults.
func (c *canary) run(faults ...fault.Rule) {
	c.t.Helper()
	for _, r := range faults {
		c.fault(r)
	}
	_, execution := c.rotate(plain)
	c.Stack.Faults.Clear()
	c.executions = append(c.executions, execution)
	for what, value := range c.world.values() {
		if value != "" {
			c.values[what] = value
		}
	}
}

// troubleAtProvider makes each call to the identity provider that changes something go wrong in every way.
func (c *canary) troubleAtProvider() {
	c.t.Helper()
	for _, key := range imitations.All[c.Stack.Vendor].Changes {
		service, operation, _ := strings.Cut(key, ":")
		for _, r := range []fault.Rule{{Mode: fault.Refuse, Status: 400, Code: "E0000001"},
			{Mode: fault.Refuse, Code: "WrongJSON"}, {Mode: fault.Refuse, Code: "OtherJSON"}, {Mode: fault.Lose}} {
			r.Service, r.Operation, r.Times = service, operation, 1
			c.run(r)
		}
	}
}

// mustBeHidden fails if a secret shows anywhere. least is how many there must be to look for.
func (c *canary) mustBeHidden(least int) {
	c.t.Helper()
	if len(c.values) < least {
		c.t.Fatalf("only %d values to look for", len(c.values))
	}
	for name, trace := range c.traces(c.executions) {
		if len(trace) < 50 || !strings.Contains(trace, "orders-web") && name != "state machine" {
			c.t.Errorf("%s: nothing of the rotation is in it, so it proves nothing", name)
		}
		for what, value := range c.values {
			for _, d := range c.disguises(value) {
				if strings.Contains(trace, d) {
					c.t.Errorf("the %s shows in the %s", what, name)
				}
			}
		}
	}
}
