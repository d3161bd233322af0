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
		`{"status": ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"]}`: {InputTransformer: &types.InputTransformer{
			InputPathsMap: map[string]string{"execution": "$.detail.executionArn", "redrive": "$.detail.redriveCount"},
			InputTemplate: aws.String(`{"record": {"execution": "<execution>", "redrive": "<redrive>"}}`)}}})
}

// CreateHealing creates the notifier, the rules that have it tell of executions that could not, and heal what those
// have left, and the alias through which it does.
func (d *Deployment) CreateHealing(ctx context.Context) error {
	otherwise, err := json.Marshal(statemachine.ToldOtherwise())
	if err != nil {
		return err
	}
	return errors.Join(d.CreateAlias(ctx), d.createNotifier(ctx, map[string]types.Target{
		`{"status": ["ABORTED", "TIMED_OUT"]}`: {},
		`{"status": ["FAILED"], "error": [{"anything-but": ` + string(otherwise) + `}, {"exists": false}]}`: {}}))
}

// createNotifier creates the notifier and rules that start it for ends of executions with such a detail.
func (d *Deployment) createNotifier(ctx context.Context, rules map[string]types.Target) error {
	notifier, err := d.create(ctx, MachineName+"-notifier", statemachine.Notifier)
	if err != nil {
		return err
	}
	bus := eventbridge.NewFromConfig(d.Stack.AWS(Home))
	for i, detail := range slices.Sorted(maps.Keys(rules)) {
		rule, target := aws.String(fmt.Sprintf("%s-ended-%d", MachineName, i)), rules[detail]
		_, err := bus.PutRule(ctx, &eventbridge.PutRuleInput{Name: rule, EventPattern: aws.String(fmt.Sprintf(
			`{"source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"], "detail": `+
				`{"stateMachineArn": [%q], %s`, d.MachineARN, detail[1:]) + "}")})
		target.Id, target.Arn = aws.String("target"), &notifier
		target.RoleArn = aws.String("arn:aws:iam::" + awsapi.AccountID + ":role/" + MachineName + "-rules")
		_, failed := bus.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: rule, Targets: []types.Target{target}})
		if err := errors.Join(err, failed); err != nil {
			return fmt.Errorf("creating a rule of the notifier: %w", err)
		}
	}
	return nil
}
