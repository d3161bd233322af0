package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/statemachine"
)

// addAttention adds what tells of rotations that need a person, as a notification and as an event of our own. The
// rotation's state machine cannot: it ended where it failed. A rule alone cannot either: it sends no events to its own
// bus, and cannot read the client out of the execution's input, which is JSON in a string.
func (r *rotator) addAttention() {
	name := r.Name + "-attention"
	arn := r.arn("states", "stateMachine:"+name)
	role := awsiam.NewRole(r.stack, jsii.String("Role-attention"), &awsiam.RoleProps{
		Description: jsii.String("State machine " + name),
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("states.amazonaws.com"), &awsiam.ServicePrincipalOpts{Conditions: r.ourAccount(arn)}),
	})
	r.allowTelling(role)
	excuse(role, allowObserving(role))
	machine := awsstepfunctions.NewCfnStateMachine(r.stack, jsii.String("AttentionStateMachine"), &awsstepfunctions.CfnStateMachineProps{
		StateMachineName:        &name,
		StateMachineType:        jsii.String("STANDARD"),
		DefinitionString:        &statemachine.Attention,
		DefinitionSubstitutions: r.substitutions(statemachine.Attention),
		RoleArn:                 role.RoleArn(),
		TracingConfiguration:    &awsstepfunctions.CfnStateMachine_TracingConfigurationProperty{Enabled: true},
		LoggingConfiguration:    r.machineLog("Logs-attention", name),
	})
	machine.Node().AddDependency(policyOf(role))
	starter := awsiam.NewRole(r.stack, jsii.String("Role-attentionrule"), &awsiam.RoleProps{
		Description: jsii.String("Rule " + r.ruleName("attention")),
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: r.ourAccount(r.arn("events", "rule/"+r.ruleName("attention")))}),
	})
	allow(starter, "Start", []string{"states:StartExecution"}, []string{arn}, nil)
	pattern := r.executionPattern("FAILED")
	pattern["detail"].(map[string]any)["error"] = []any{map[string]any{"anything-but": statemachine.ToldOtherwise()}}
	r.addRule("attention", "A rotation needs attention", pattern, &awsevents.CfnRule_TargetProperty{Arn: machine.AttrArn(), RoleArn: starter.RoleArn(),
		RetryPolicy: &awsevents.CfnRule_RetryPolicyProperty{MaximumEventAgeInSeconds: jsii.Number(3600), MaximumRetryAttempts: jsii.Number(20)}})
}
