package verify

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// Clients are the calls that measuring takes.
type Clients struct {
	Stacks Stacks
	ELB    interface {
		DescribeListeners(context.Context, *elb.DescribeListenersInput, ...func(*elb.Options)) (
			*elb.DescribeListenersOutput, error)
		DescribeRules(context.Context, *elb.DescribeRulesInput, ...func(*elb.Options)) (*elb.DescribeRulesOutput, error)
		ModifyListener(context.Context, *elb.ModifyListenerInput, ...func(*elb.Options)) (*elb.ModifyListenerOutput,
			error)
		ModifyRule(context.Context, *elb.ModifyRuleInput, ...func(*elb.Options)) (*elb.ModifyRuleOutput, error)
		CreateRule(context.Context, *elb.CreateRuleInput, ...func(*elb.Options)) (*elb.CreateRuleOutput, error)
		DeleteRule(context.Context, *elb.DeleteRuleInput, ...func(*elb.Options)) (*elb.DeleteRuleOutput, error)
	}
	Secrets interface {
		PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (
			*secretsmanager.PutSecretValueOutput, error)
		GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (
			*secretsmanager.GetSecretValueOutput, error)
		UpdateSecretVersionStage(context.Context, *secretsmanager.UpdateSecretVersionStageInput,
			...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
	}
	Parameters interface {
		PutParameter(context.Context, *ssm.PutParameterInput, ...func(*ssm.Options)) (*ssm.PutParameterOutput, error)
		GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
	}
	Metrics cloudwatch.GetMetricDataAPIClient
	Trail   cloudtrail.LookupEventsAPIClient
	States  interface {
		StartExecution(context.Context, *sfn.StartExecutionInput, ...func(*sfn.Options)) (*sfn.StartExecutionOutput,
			error)
		StopExecution(context.Context, *sfn.StopExecutionInput, ...func(*sfn.Options)) (*sfn.StopExecutionOutput, error)
		DescribeExecution(context.Context, *sfn.DescribeExecutionInput, ...func(*sfn.Options)) (
			*sfn.DescribeExecutionOutput, error)
		RedriveExecution(context.Context, *sfn.RedriveExecutionInput, ...func(*sfn.Options)) (
			*sfn.RedriveExecutionOutput, error)
		ListExecutions(context.Context, *sfn.ListExecutionsInput, ...func(*sfn.Options)) (*sfn.ListExecutionsOutput,
			error)
		TestState(context.Context, *sfn.TestStateInput, ...func(*sfn.Options)) (*sfn.TestStateOutput, error)
	}
}

// Stacks are the CloudFormation stacks of this program, former ones included.
type Stacks interface {
	// Former lists those that are there.
	Former(ctx context.Context) ([]Stack, error)
	// Create makes one, waits until it is there, and returns its outputs.
	Create(ctx context.Context, name, template string, parameters map[string]string) (map[string]string, error)
	// Delete removes one, and waits until it has gone. One that is not there has gone.
	Delete(ctx context.Context, name string) error
}

// Stack is a stack of this program.
type Stack struct {
	Name string
	Made time.Time
}
