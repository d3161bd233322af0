package stepfunctions_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

func TestARevisionAppearsWithTheFirstChangeAndStaysThroughAnIdenticalUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.create("m", passes)
	d, err := w.sfn.DescribeStateMachine(w.ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &arn})
	if err != nil || d.RevisionId != nil || d.Status != "ACTIVE" || d.Type != "STANDARD" || *d.Definition != passes || *d.RoleArn != role {
		t.Fatalf("%+v %v", d, err)
	}
	var revisions []string
	for range 2 {
		out, err := w.sfn.UpdateStateMachine(w.ctx, &sfn.UpdateStateMachineInput{StateMachineArn: &arn, Definition: aws.String(works)})
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
	if _, err := w.sfn.UpdateStateMachine(w.ctx, &sfn.UpdateStateMachineInput{StateMachineArn: &machine, Definition: aws.String(passes)}); err != nil {
		t.Fatal(err)
	}
	out, err := w.sfn.DescribeStateMachineForExecution(w.ctx, &sfn.DescribeStateMachineForExecutionInput{ExecutionArn: &arn})
	if err != nil || *out.Definition != works {
		t.Errorf("%v %v", out, err)
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
	v1, err := w.sfn.PublishStateMachineVersion(w.ctx, &sfn.PublishStateMachineVersionInput{StateMachineArn: &machine})
	if err != nil || *v1.StateMachineVersionArn != machine+":1" {
		t.Fatal(v1, err)
	}
	if again, err := w.sfn.PublishStateMachineVersion(w.ctx, &sfn.PublishStateMachineVersionInput{StateMachineArn: &machine}); err != nil || *again.StateMachineVersionArn != machine+":1" {
		t.Errorf("publishing the same revision again gave %v %v", again, err)
	}
	up, err := w.sfn.UpdateStateMachine(w.ctx, &sfn.UpdateStateMachineInput{StateMachineArn: &machine, Definition: aws.String(works), Publish: true})
	if err != nil || *up.StateMachineVersionArn != machine+":2" {
		t.Fatal(up, err)
	}
	route := func(version string, weight int32) types.RoutingConfigurationListItem {
		return types.RoutingConfigurationListItem{StateMachineVersionArn: aws.String(machine + ":" + version), Weight: weight}
	}
	a, err := w.sfn.CreateStateMachineAlias(w.ctx, &sfn.CreateStateMachineAliasInput{Name: aws.String("live"), RoutingConfiguration: []types.RoutingConfigurationListItem{route("1", 100)}})
	if err != nil || *a.StateMachineAliasArn != machine+":live" {
		t.Fatal(a, err)
	}
	first := w.start(*a.StateMachineAliasArn, "e1", `1`)
	if r := w.wait(first); string(r.Output) != `1` {
		t.Errorf("version 1 gave %s", r.Output)
	}
	if d := w.describe(first); *d.StateMachineArn != machine || *d.StateMachineAliasArn != machine+":live" || *d.StateMachineVersionArn != machine+":1" {
		t.Errorf("described as %+v", d)
	}
	if _, err := w.sfn.UpdateStateMachineAlias(w.ctx, &sfn.UpdateStateMachineAliasInput{StateMachineAliasArn: a.StateMachineAliasArn,
		RoutingConfiguration: []types.RoutingConfigurationListItem{route("2", 100)}}); err != nil {
		t.Fatal(err)
	}
	if r := w.wait(w.start(*a.StateMachineAliasArn, "e2", `1`)); string(r.Output) != `"ok"` {
		t.Errorf("version 2 gave %s", r.Output)
	}
	if r := w.wait(w.start(machine+":1", "e3", `3`)); string(r.Output) != `3` {
		t.Errorf("started by the version's ARN: %s", r.Output)
	}
	_, err = w.sfn.UpdateStateMachineAlias(w.ctx, &sfn.UpdateStateMachineAliasInput{StateMachineAliasArn: a.StateMachineAliasArn,
		RoutingConfiguration: []types.RoutingConfigurationListItem{route("1", 50), route("2", 49)}})
	w.refused(err, "ValidationException", "99")
}

func TestDeletingAMissingMachineIsASuccessAndOneThatRunsGoesWhenItsExecutionsHaveEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	machine := w.create("m", works)
	hold := make(chan struct{})
	w.tasks.set("", hold)
	arn := w.start(machine, "e", `{}`)
	for _, a := range []string{machine, machine + "-missing"} {
		if _, err := w.sfn.DeleteStateMachine(w.ctx, &sfn.DeleteStateMachineInput{StateMachineArn: &a}); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	d, err := w.sfn.DescribeStateMachine(w.ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &machine})
	if err != nil || d.Status != "DELETING" {
		t.Errorf("%+v %v", d, err)
	}
	_, err = w.sfn.StartExecution(w.ctx, &sfn.StartExecutionInput{StateMachineArn: &machine})
	w.refused(err, "StateMachineDeleting", machine)
	close(hold)
	w.wait(arn)
	_, err = w.sfn.DescribeStateMachine(w.ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &machine})
	w.refused(err, "StateMachineDoesNotExist", "State Machine Does Not Exist: '"+machine+"'")
}

func TestMachinesAreListedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"c", "a", "b"} {
		w.create(name, passes)
	}
	out, err := w.sfn.ListStateMachines(w.ctx, &sfn.ListStateMachinesInput{MaxResults: 2})
	if err != nil || len(out.StateMachines) != 2 || *out.StateMachines[0].Name != "a" || *out.StateMachines[1].Name != "b" || out.NextToken == nil {
		t.Errorf("%+v %v", out, err)
	}
	_, err = w.sfn.ListStateMachines(w.ctx, &sfn.ListStateMachinesInput{MaxResults: 1001})
	w.refused(err, "ValidationException", "maxResults")
}

func TestValidationReportsEveryFindingWithItsLocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out, err := w.sfn.ValidateStateMachineDefinition(w.ctx, &sfn.ValidateStateMachineDefinitionInput{Definition: aws.String(passes)})
	if err != nil || out.Result != "OK" || len(out.Diagnostics) != 0 {
		t.Errorf("%+v %v", out, err)
	}
	bad := strings.Replace(passes, `"End":true`, `"Next":"Q","Result":1`, 1)
	out, err = w.sfn.ValidateStateMachineDefinition(w.ctx, &sfn.ValidateStateMachineDefinitionInput{Definition: &bad})
	if err != nil || out.Result != "FAIL" || len(out.Diagnostics) == 0 || *out.Diagnostics[0].Location != "/States/P/Result" || out.Diagnostics[0].Severity != "ERROR" {
		t.Errorf("%+v %v", out, err)
	}
}

func TestTagsOfAMachineAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.create("m", passes)
	tags := []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}}
	if _, err := w.sfn.TagResource(w.ctx, &sfn.TagResourceInput{ResourceArn: &arn, Tags: tags}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.sfn.UntagResource(w.ctx, &sfn.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	out, err := w.sfn.ListTagsForResource(w.ctx, &sfn.ListTagsForResourceInput{ResourceArn: &arn})
	if err != nil || len(out.Tags) != 1 || *out.Tags[0].Key != "b" || *out.Tags[0].Value != "2" {
		t.Errorf("%+v %v", out, err)
	}
}

func TestWhatIsNotImplementedIsRefusedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	machine := w.create("m", passes)
	_, err := w.sfn.StartExecution(w.ctx, &sfn.StartExecutionInput{StateMachineArn: &machine, TraceHeader: aws.String("x")})
	w.refused(err, "NotImplemented", "traceHeader")
	_, err = w.sfn.CreateStateMachine(w.ctx, &sfn.CreateStateMachineInput{Name: aws.String("x"), Definition: aws.String(passes), RoleArn: aws.String(role), Type: "EXPRESS"})
	w.refused(err, "NotImplemented", "EXPRESS")
	_, err = w.sfn.ListActivities(w.ctx, &sfn.ListActivitiesInput{})
	w.refused(err, "NotImplemented", "states:ListActivities")
}
