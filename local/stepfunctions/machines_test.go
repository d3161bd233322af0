package stepfunctions_test

import (
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
