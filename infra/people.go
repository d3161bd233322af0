package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
)

// addPeople adds the policy of the people who operate the rotation: start, stop, redrive and read executions, and nothing
// else. Attach it to their role.
func (r *rotator) addPeople() {
	statement := func(sid string, resources []string, actions ...string) awsiam.PolicyStatement {
		return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Sid: &sid, Actions: jsii.Strings(actions...), Resources: jsii.Strings(resources...)})
	}
	policy := awsiam.NewManagedPolicy(r.stack, jsii.String("Operators"), &awsiam.ManagedPolicyProps{
		ManagedPolicyName: jsii.String(r.Name + "-operators"),
		Description:       jsii.String("Start, stop, redrive and read rotations of ALB client secrets"),
		Statements: &[]awsiam.PolicyStatement{
			statement("Start", []string{r.machineARN()}, "states:StartExecution", "states:ListExecutions", "states:DescribeStateMachine"),
			statement("Executions", []string{r.executionARNs()}, "states:StopExecution", "states:RedriveExecution", "states:DescribeExecution", "states:GetExecutionHistory"),
		},
	})
	suppress(policy, map[string]string{"AwsSolutions-IAM5": "executions have names that are not known before; their state machine is named"})
	awscdk.NewCfnOutput(r.stack, jsii.String("OperatorsPolicy"), &awscdk.CfnOutputProps{Value: policy.ManagedPolicyArn(), Description: jsii.String("Attach it to the role of those who operate the rotation")})
	awscdk.NewCfnOutput(r.stack, jsii.String("StateMachineToStart"), &awscdk.CfnOutputProps{Value: r.liveMachine.AttrArn(), Description: jsii.String("Start executions with this ARN")})
}
