package scenario

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/statemachine"
)

// CreateRecording creates the notifier and the rule that has it write the evidence of executions that have ended. The
// other rules of a deployment, which heal, are left out: on the local stack a person looks at what an execution leaves.
func (d *Deployment) CreateRecording(ctx context.Context) error {
	notifier, err := d.create(ctx, MachineName+"-notifier", statemachine.Notifier)
	if err != nil {
		return err
	}
	bus, rule := eventbridge.NewFromConfig(d.Stack.AWS(Home)), aws.String(MachineName+"-ended")
	_, err = bus.PutRule(ctx, &eventbridge.PutRuleInput{Name: rule, EventPattern: aws.String(fmt.Sprintf(
		`{"source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"], "detail": `+
			`{"stateMachineArn": [%q], "status": ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"]}}`, d.MachineARN))})
	_, failed := bus.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: rule, Targets: []types.Target{{
		Id: aws.String("target"), Arn: &notifier,
		RoleArn: aws.String("arn:aws:iam::" + awsapi.AccountID + ":role/" + MachineName + "-rules"),
		InputTransformer: &types.InputTransformer{
			InputPathsMap: map[string]string{"execution": "$.detail.executionArn", "redrive": "$.detail.redriveCount"},
			InputTemplate: aws.String(`{"record": {"execution": "<execution>", "redrive": "<redrive>"}}`)}}}})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("creating the rule that writes evidence: %w", err)
	}
	return nil
}
