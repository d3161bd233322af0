package stepfunctions_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

func TestARevisionComesWithAChangeAndStaysWithoutOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.create("m", passes)
	d, err := w.sfn.DescribeStateMachine(w.ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &arn})
	if err != nil || d.RevisionId != nil || d.Status != "ACTIVE" || d.Type != "STANDARD" || *d.Definition != passes ||
		*d.RoleArn != role {
		t.Fatalf("%+v %v", d, err)
	}
	var revisions []string
	for range 2 {
		out, err := w.sfn.UpdateStateMachine(w.ctx, &sfn.UpdateStateMachineInput{StateMachineArn: &arn,
			Definition: aws.String(works)})
		if err != nil || out.RevisionId == nil {
			t.Fatal(out, err)
		}
		revisions = append(revisions, *out.RevisionId)
	}
	if revisions[0] != revisions[1] {
		t.Errorf("an identical update changed the revision: %v", revisions)
	}
	_, err = w.sfn.UpdateStateMachine(w.ctx, &sfn.UpdateStateMachineInput{StateMachineArn: &arn})
	w.refused(err, "MissingRequiredParameter", "definition")
}

func TestAnExecutionKeepsTheDefinitionItStartedWith(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hold := make(chan struct{})
	w.tasks.set("", hold)
	machine := w.create("m", works)
	arn := w.start(machine, "e", `{}`)
	if _, err := w.sfn.UpdateStateMachine(w.ctx, &sfn.UpdateStateMachineInput{StateMachineArn: &machine,
		Definition: aws.String(passes)}); err != nil {
		t.Fatal(err)
	}
	close(hold)
	if r := w.wait(arn); string(r.Output) != `"ok"` {
		t.Errorf("output %s", r.Output)
	}
}

func TestAnAliasStartsTheVersionItPointsTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	machine := w.create("m", passes)
	publish := func(definition string) string {
		in := &sfn.UpdateStateMachineInput{StateMachineArn: &machine, Definition: &definition, Publish: true}
		out, err := w.sfn.UpdateStateMachine(w.ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		return *out.StateMachineVersionArn
	}
	if v := publish(passes); v != machine+":1" || publish(passes) != v {
		t.Errorf("published %s, and the same revision again", v)
	}
	if v := publish(works); v != machine+":2" {
		t.Errorf("published %s", v)
	}
	alias := func(name string, versions ...string) (*sfn.CreateStateMachineAliasOutput, error) {
		var routes []types.RoutingConfigurationListItem
		for _, v := range versions {
			route := types.RoutingConfigurationListItem{StateMachineVersionArn: &v, Weight: int32(100 / len(versions))}
			routes = append(routes, route)
		}
		return w.sfn.CreateStateMachineAlias(w.ctx, &sfn.CreateStateMachineAliasInput{Name: &name,
			RoutingConfiguration: routes})
	}
	a, err := alias("live", machine+":1")
	if err != nil || *a.StateMachineAliasArn != machine+":live" {
		t.Fatal(a, err)
	}
	first := w.start(*a.StateMachineAliasArn, "e1", `1`)
	if r := w.wait(first); string(r.Output) != `1` {
		t.Errorf("version 1 gave %s", r.Output)
	}
	if d := w.describe(first); *d.StateMachineArn != machine || *d.StateMachineAliasArn != machine+":live" ||
		*d.StateMachineVersionArn != machine+":1" {
		t.Errorf("described as %+v", d)
	}
	if r := w.wait(w.start(machine+":2", "e2", `1`)); string(r.Output) != `"ok"` {
		t.Errorf("version 2 gave %s", r.Output)
	}
	_, err = alias("live", machine+":2")
	w.refused(err, "ConflictException", "different routing configuration")
	_, err = alias("both", machine+":1", machine+":2")
	w.refused(err, "NotImplemented", "routingConfiguration")
}

// The texts are recorded answers of the service.
func TestAnAliasIsCheckedBeforeItsVersionsAreLookedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	machine := w.create("m", passes)
	route := func(version, weight string) string {
		return `{"stateMachineVersionArn":"` + machine + version + `","weight":` + weight + `}`
	}
	for _, c := range []struct{ name, routes, want string }{
		{"123", route(":1", "100"),
			"1 validation error detected: Value '123' at 'name' failed to satisfy constraint: " +
				"Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$"},
		{"a b", route(":1", "100"), "1 validation error detected: Value 'a b' at 'name'"},
		{strings.Repeat("A", 81), route(":1", "100"), "Member must have length less than or equal to 80"},
		{"a", route("", "100"),
			"Routing configuration must contain state machine version ARNs. Received: [" + machine + "]"},
		{"a", route(":1", "50") + "," + route(":1", "50"),
			"Routing configuration must contain distinct state machine " +
				"version ARNs. Received: [" + machine + ":1, " + machine + ":1]"},
		{"a", route(":1", "70") + "," + route(":2", "29"),
			"Sum of routing configuration weights must equal 100. Received: " +
				"[70, 29]"},
		{"a", route(":1", "101"),
			"Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: " +
				"Member must have value less than or equal to 100"},
	} {
		got := w.raw("CreateStateMachineAlias", `{"name":"`+c.name+`","routingConfiguration":[`+c.routes+`]}`)
		if !strings.HasPrefix(got, "ValidationException: ") || !strings.Contains(got, c.want) {
			t.Errorf("%.20s %s\n  answers %s\n  want    %s", c.name, c.routes, got, c.want)
		}
	}
}

func TestAMachineThatCannotRunHereIsRefusedAtCreation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, resource := range []string{"arn:aws:states:::lambda:invoke.sync", "arn:aws:states:::aws-sdk:nosuch:thing",
		"arn:aws:states:::sqs:sendMessage", "arn:aws:states:::aws-sdk:sfn:listExecutions",
		"arn:aws:states:::nosuch:thing",
		"arn:aws:lambda:eu-central-1:111122223333:function:f", "x"} {
		_, err := w.sfn.CreateStateMachine(w.ctx, &sfn.CreateStateMachineInput{Name: aws.String("x"),
			RoleArn: aws.String(role), Definition: aws.String(strings.Replace(works, "arn:aws:states:::lambda:invoke",
				resource,
				1))})
		w.refused(err, "InvalidDefinition", resource)
		w.refused(err, "InvalidDefinition", "at /States/T/Resource")
	}
	_, err := w.sfn.CreateStateMachine(w.ctx, &sfn.CreateStateMachineInput{Name: aws.String("x"),
		RoleArn: aws.String(role), Definition: aws.String(strings.Replace(passes, `"End":true`, `"Next":"P"`, 1))})
	w.refused(err, "InvalidDefinition", "MISSING_END_STATE")
}

func TestWhatIsNotImplementedIsRefusedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	machine := w.create("m", passes)
	_, err := w.sfn.StartExecution(w.ctx, &sfn.StartExecutionInput{StateMachineArn: &machine,
		TraceHeader: aws.String("x")})
	w.refused(err, "NotImplemented", "traceHeader")
	_, err = w.sfn.CreateStateMachine(w.ctx, &sfn.CreateStateMachineInput{Name: aws.String("x"),
		Definition: aws.String(passes), RoleArn: aws.String(role), Type: "EXPRESS"})
	w.refused(err, "NotImplemented", "EXPRESS")
	_, err = w.sfn.ListActivities(w.ctx, &sfn.ListActivitiesInput{})
	w.refused(err, "NotImplemented", "states:ListActivities")
}
