package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/rights"
	"alboidc.internal/statemachine"
)

// notifierARN is known before the state machine is made: its own role names it.
func (r *rotator) notifierARN() string { return r.arn("states", "stateMachine:"+r.Name+"-notifier") }

// addNotifier adds the state machine that reports what the rotation's own cannot: executions that failed where it could
// no longer tell anybody, that were stopped or timed out, and changes of targets by others; and that has evidence
// written of all. Rules could not do it
// alone: they cannot read the client out of an execution's input, which is JSON in a string, send no events to their
// own bus, and publish to a topic only if its policy lets every rule of every account do so (EventBridge user guide,
// "Amazon SNS permissions": no conditions).
func (r *rotator) addNotifier() {
	name := r.Name + "-notifier"
	arn := r.notifierARN()
	role := awsiam.NewRole(r.stack, jsii.String("Role-notifier"), &awsiam.RoleProps{
		Description: jsii.String("State machine " + name),
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("states.amazonaws.com"),
			&awsiam.ServicePrincipalOpts{Conditions: r.ourAccount(arn, arn+":*")}),
	})
	r.allowTelling(role)
	r.allowStart(role) // healing
	r.allowJournal(role, "Lock", rights.ReadJournal)
	allow(role, "Record", []string{"lambda:InvokeFunction"}, []string{*r.live["record"].FunctionArn()}, nil)
	explainWildcards(role, allowObserving(role))
	machine := awsstepfunctions.NewCfnStateMachine(r.stack, jsii.String("AttentionStateMachine"),
		&awsstepfunctions.CfnStateMachineProps{
			StateMachineName:        &name,
			StateMachineType:        jsii.String("STANDARD"),
			DefinitionString:        &statemachine.Notifier,
			DefinitionSubstitutions: r.substitutions(statemachine.Notifier),
			RoleArn:                 role.RoleArn(),
			TracingConfiguration:    &awsstepfunctions.CfnStateMachine_TracingConfigurationProperty{Enabled: true},
			LoggingConfiguration:    r.machineLog("Logs-notifier", name),
		})
	machine.Node().AddDependency(policyOf(role))
	starter := awsiam.NewRole(r.stack, jsii.String("Role-rules"), &awsiam.RoleProps{
		Description: jsii.String("Rules of " + r.Name),
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: r.ourAccount(r.arn("events", "rule/"+r.ruleName("*")))}),
	})
	allow(starter, "Start", []string{"states:StartExecution"}, []string{arn}, nil)
	r.notifier, r.ruleRole = machine, starter
}
