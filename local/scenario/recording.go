package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/statemachine"
)

// CreateRecording creates the notifier and the rule that has it write the evidence of executions that have ended. The
// rules that heal are left out: on the local stack a person looks at what an execution leaves.
func (d *Deployment) CreateRecording(ctx context.Context) error {
	return d.createNotifier(ctx, map[string]types.Target{
		ends(d.MachineARN, `"status": ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"]`): {
			InputTransformer: &types.InputTransformer{
				InputPathsMap: map[string]string{"execution": "$.detail.executionArn",
					"redrive": "$.detail.redriveCount"},
				InputTemplate: aws.String(`{"record": {"execution": "<execution>", "redrive": "<redrive>"}}`)}}})
}

// CreateHealing creates the notifier, the rules that have it tell of executions and fleets that could not, and heal
// what executions have left, and the alias through which it does.
func (d *Deployment) CreateHealing(ctx context.Context) error {
	rules := map[string]types.Target{}
	for machine, told := range map[string][]string{d.MachineARN: statemachine.ToldOtherwise(),
		d.MachineARN + statemachine.FleetSuffix: statemachine.FleetTold()} {
		otherwise, err := json.Marshal(told)
		if err != nil {
			return err
		}
		rules[ends(machine, `"status": ["ABORTED", "TIMED_OUT"]`)] = types.Target{}
		rules[ends(machine, `"status": ["FAILED"], "error": [{"anything-but": `+string(otherwise)+
			`}, {"exists": false}]`)] = types.Target{}
	}
	return errors.Join(d.CreateAlias(ctx), d.createNotifier(ctx, rules))
}

// ends is the detail of the events of a machine's executions that have ended.
func ends(machine, how string) string {
	return fmt.Sprintf(`{"stateMachineArn": [%q], %s}`, machine, how)
}

// createNotifier creates the notifier and rules that start it for events with such a detail.
func (d *Deployment) createNotifier(ctx context.Context, rules map[string]types.Target) error {
	notifier, err := d.create(ctx, MachineName+"-notifier", statemachine.Notifier)
	if err != nil {
		return err
	}
	bus := eventbridge.NewFromConfig(d.Stack.AWS(Home))
	for i, detail := range slices.Sorted(maps.Keys(rules)) {
		rule, target := aws.String(fmt.Sprintf("%s-ended-%d", MachineName, i)), rules[detail]
		_, err := bus.PutRule(ctx, &eventbridge.PutRuleInput{Name: rule, EventPattern: aws.String(fmt.Sprintf(
			`{"source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"], "detail": %s}`,
			detail))})
		target.Id, target.Arn = aws.String("target"), &notifier
		target.RoleArn = aws.String("arn:aws:iam::" + awsapi.AccountID + ":role/" + MachineName + "-rules")
		_, failed := bus.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: rule, Targets: []types.Target{target}})
		if err := errors.Join(err, failed); err != nil {
			return fmt.Errorf("creating a rule of the notifier: %w", err)
		}
	}
	return nil
}
