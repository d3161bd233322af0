package scenario

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// CreateAlias creates the alias through which a deployment's executions are started.
func (d *Deployment) CreateAlias(ctx context.Context) error { return d.Publish(ctx, d.MachineARN) }

// Publish makes a version of a state machine, and the alias of it.
func (d *Deployment) Publish(ctx context.Context, machine string) error {
	api := sfn.NewFromConfig(d.Stack.AWS(Home))
	now, err := api.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &machine})
	if err != nil {
		return fmt.Errorf("reading the state machine: %w", err)
	}
	version, err := api.UpdateStateMachine(ctx, &sfn.UpdateStateMachineInput{StateMachineArn: &machine,
		Definition: now.Definition, Publish: true})
	if err != nil {
		return fmt.Errorf("publishing the state machine: %w", err)
	}
	_, err = api.CreateStateMachineAlias(ctx, &sfn.CreateStateMachineAliasInput{Name: aws.String("live"),
		RoutingConfiguration: []types.RoutingConfigurationListItem{
			{StateMachineVersionArn: version.StateMachineVersionArn, Weight: 100}}})
	if err != nil {
		return fmt.Errorf("creating the state machine's alias: %w", err)
	}
	return nil
}
