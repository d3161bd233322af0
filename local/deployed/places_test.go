package deployed_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/awstest/sts"
	"alboidc.internal/shared/fault"
)

// readPlaced are both stacks of the example whose first client is in a further one, as one template: what is in the
// further stack has an f before its logical id. Over each is laid what it has otherwise.
func readPlaced(t *testing.T, otherwise ...more) template {
	t.Helper()
	type stack struct {
		Resources map[string]resource
		Outputs   map[string]struct {
			Value  any
			Export struct{ Name string }
		}
	}
	var itself, further stack
	for path, into := range map[string]*stack{"placed": &itself, "placed-1": &further} {
		text, err := os.ReadFile("../../infra/testdata/" + path + ".golden.json")
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for n, m := range otherwise {
		template{Resources: []stack{itself, further}[n].Resources}.lay(m)
	}
	exports := map[any]any{}
	for _, o := range itself.Outputs {
		exports[o.Export.Name] = o.Value
	}
	var move func(any) any
	move = func(v any) any {
		switch v := v.(type) {
		case []any:
			for i := range v {
				v[i] = move(v[i])
			}
		case map[string]any:
			if name, is := v["Fn::ImportValue"]; is {
				return exports[name]
			}
			if id, is := v["Ref"].(string); is && !strings.HasPrefix(id, "AWS::") {
				v["Ref"] = "f" + id
			} else if get, is := v["Fn::GetAtt"].([]any); is {
				get[0] = "f" + get[0].(string)
			} else {
				for k := range v {
					v[k] = move(v[k])
				}
			}
		}
		return v
	}
	for id, r := range further.Resources {
		r.Properties, _ = move(r.Properties).(map[string]any)
		itself.Resources["f"+id] = r
	}
	return template{Resources: itself.Resources}
}

// inFurtherStack is a world with clients in a further stack, and the roles of that.
func inFurtherStack(t *testing.T, tpl template) *world {
	t.Helper()
	w := newWorld(t, tpl)
	for id, r := range w.tpl.Resources {
		if r.Type == "AWS::IAM::Role" && r.Properties["RoleName"] != nil {
			w.Stack.STS.SetRole(w.tpl.arn(t, id), sts.Trust{})
		}
	}
	w.watch()
	return w
}

// A client of a further stack is rotated, rolled back, and has a leaked secret replaced, with what both stacks allow.
func TestAClientInAFurtherStackIsRotated(t *testing.T) {
	t.Parallel()
	w := inFurtherStack(t, readPlaced(t))
	old := w.FirstSecretID
	ended := func(what string, got asl.Result, want asl.Status, fresh bool) {
		t.Helper()
		checkCalls(t, w)
		live := w.Stack.IdP.Store().Secrets(w.ClientID)
		if got.Status != want || len(live) != 1 || (live[0].ID != old) != fresh {
			t.Fatalf("%s ended as %s: %s; the identity provider holds %+v", what, got.Status,
				aws.ToString(got.Cause), live)
		}
		old = live[0].ID
	}
	ended("the rotation", w.scheduled(t, scenario.Client), asl.Succeeded, true)
	if r := w.scheduled(t, scenario.Client+".measure"); r.Status != asl.Succeeded ||
		strings.Contains(string(r.Output), "notMeasured") {
		t.Errorf("the measurement ended as %s: %s %s", r.Status, aws.ToString(r.Cause), r.Output)
	}
	id, err := w.Stack.Faults.Add(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"TestSecret"`,
		Mode: fault.Refuse, Status: 403, Code: "AccessDeniedException"})
	if err != nil {
		t.Fatal(err)
	}
	ended("what fails", w.run(t, started, `{"client": "orders-web"}`), asl.Failed, false)
	w.Stack.Faults.Remove(id)
	ended("the leak", w.run(t, started, `{"client": "orders-web", "emergency": true, "reason": "leaked"}`),
		asl.Succeeded, true)
	checkWhoReaches(t, w)
}

// checkWhoReaches wants what belongs to the client to be reached by the roles of its place, and by nobody as himself.
func checkWhoReaches(t *testing.T, w *world) {
	t.Helper()
	by := map[string]bool{}
	for _, r := range w.requests {
		own := strings.HasPrefix(r.action, "dynamodb:") || strings.HasPrefix(r.action, "ssm:") ||
			r.action == "sts:AssumeRole" ||
			r.actor == machine || r.actor == schedules
		if own != (r.role == "") {
			t.Errorf("%s as %q", r, r.role)
		}
		by[r.role] = true
	}
	if len(by) != 6+1 {
		t.Errorf("the roles are %v", by)
	}
}

// The check of the calls finds what either stack does not allow.
func TestACallThatAFurtherStackDoesNotAllowIsFound(t *testing.T) {
	t.Parallel()
	w := inFurtherStack(t, readPlaced(t))
	if r := w.scheduled(t, scenario.Client); r.Status != asl.Succeeded {
		t.Fatalf("ended as %s: %s", r.Status, aws.ToString(r.Cause))
	}
	for name, c := range map[string]struct {
		kind, property, holds string
		change                func(map[string]any)
		want                  string
	}{
		"another place's role": {"AWS::IAM::ManagedPolicy", "Description", "Role-updatealb", func(p map[string]any) {
			p["PolicyDocument"] = replaced(p["PolicyDocument"], func(s string) string {
				return strings.Replace(s, "updatealb-1", "updatealb-2", 1)
			})
		},
			"updatealb calls sts:AssumeRole on " +
				"arn:aws:iam::111122223333:role/alb-oidc-rotator-eu-central-1-updatealb-1"},
		"a role for another function": {"AWS::IAM::Role", "RoleName", "alb-oidc-rotator-eu-central-1-plan-1",
			func(p map[string]any) {
				trusted := w.tpl.properties(t, "AWS::IAM::Role", "RoleName",
					"alb-oidc-rotator-eu-central-1-smoketest-1")
				p["AssumeRolePolicyDocument"] = trusted["AssumeRolePolicyDocument"]
			}, "plan calls sts:AssumeRole on arn:aws:iam::111122223333:role/alb-oidc-rotator-eu-central-1-plan-1"},
	} {
		tpl := template{Resources: map[string]resource{}}
		for id, r := range w.tpl.Resources {
			r.Properties = replaced(r.Properties, func(s string) string { return s }).(map[string]any)
			tpl.Resources[id] = r
		}
		c.change(tpl.properties(t, c.kind, c.property, c.holds))
		if got := tpl.refused(t, w.requests); !slices.Contains(got, c.want) {
			t.Errorf("%s: found is %q", name, got)
		}
	}
}
