package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/rights"
	"alboidc.internal/statemachine"
)

// eventBus gets our own events. The default bus has those of AWS too, so one place has all.
const eventBus = "default"

// eventSource is what our events say that they are from, in the definitions.
const eventSource = "alb-oidc-rotator"

// machineARN is the state machine's ARN. Its name is given, so that its own role can name it.
func (r *rotator) machineARN() string { return r.arn("states", "stateMachine:"+r.Name) }

// executionARNs are those of all its executions, whatever they were started through.
func (r *rotator) executionARNs() string { return r.arn("states", "execution:"+r.Name+":*") }

// allowStart lets a role start executions through the alias. The resource is always the state machine; the alias is a
// condition (Step Functions developer guide, "Authorization for versions and aliases").
func (r *rotator) allowStart(role awsiam.Role) {
	allow(role, "Start", []string{"states:StartExecution"}, []string{r.machineARN()},
		map[string]any{"StringEquals": map[string]any{"states:StateMachineQualifier": aliasName}})
}

// addMachine adds the rotation's state machine.
func (r *rotator) addMachine() {
	logging := r.machineLog("Logs-statemachine", r.Name)
	r.addMachineRole()
	r.machine, r.liveMachine = r.addVersioned("StateMachine", r.machineRole, &awsstepfunctions.CfnStateMachineProps{
		StateMachineName:        &r.Name,
		DefinitionString:        &statemachine.Definition,
		DefinitionSubstitutions: r.substitutions(statemachine.Definition),
		LoggingConfiguration:    logging,
	})
}

// addVersioned adds a state machine, a version of each deployed revision, and the alias through which it is started. A
// running or redriven execution stays with the version that it began with, so versions are kept.
func (r *rotator) addVersioned(id string, role awsiam.Role, props *awsstepfunctions.CfnStateMachineProps) (
	awsstepfunctions.CfnStateMachine, awsstepfunctions.CfnStateMachineAlias) {
	props.StateMachineType, props.RoleArn = jsii.String("STANDARD"), role.RoleArn()
	props.TracingConfiguration = &awsstepfunctions.CfnStateMachine_TracingConfigurationProperty{Enabled: true}
	machine := awsstepfunctions.NewCfnStateMachine(r.stack, &id, props)
	// Step Functions checks when the machine is created that its role can write the log.
	machine.Node().AddDependency(policyOf(role))
	version := awsstepfunctions.NewCfnStateMachineVersion(r.stack, jsii.String(id+"Version"),
		&awsstepfunctions.CfnStateMachineVersionProps{
			StateMachineArn:        machine.AttrArn(),
			StateMachineRevisionId: machine.AttrStateMachineRevisionId(),
		})
	version.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	return machine, awsstepfunctions.NewCfnStateMachineAlias(r.stack, jsii.String(id+"Alias"),
		&awsstepfunctions.CfnStateMachineAliasProps{
			Name: jsii.String(aliasName),
			RoutingConfiguration: []any{&awsstepfunctions.CfnStateMachineAlias_RoutingConfigurationVersionProperty{
				StateMachineVersionArn: version.AttrArn(), Weight: jsii.Number(100)}},
		})
}

// machineLog is the log of a state machine: its events without the data of executions.
func (r *rotator) machineLog(id, name string) *awsstepfunctions.CfnStateMachine_LoggingConfigurationProperty {
	logs := awslogs.NewLogGroup(r.stack, &id, &awslogs.LogGroupProps{
		// The prefix keeps the resource policy of CloudWatch Logs short (Step Functions developer guide, "Using
		// CloudWatch Logs").
		LogGroupName:  jsii.String("/aws/vendedlogs/states/" + name),
		Retention:     retentions[*r.LogRetentionDays],
		EncryptionKey: r.logKey,
		RemovalPolicy: awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE,
	})
	return &awsstepfunctions.CfnStateMachine_LoggingConfigurationProperty{
		Level:                jsii.String("ALL"),
		IncludeExecutionData: false, // the history has it, for those who may read executions
		Destinations: []any{&awsstepfunctions.CfnStateMachine_LogDestinationProperty{
			CloudWatchLogsLogGroup: &awsstepfunctions.CfnStateMachine_CloudWatchLogsLogGroupProperty{
				LogGroupArn: logs.LogGroupArn()}}},
	}
}

// substitutions fills the placeholders that a definition has.
func (r *rotator) substitutions(definition string) map[string]any {
	out := map[string]any{}
	for name, v := range statemachine.Used(definition, r.values().Substitutions()) {
		out[name] = v
	}
	return out
}

// values fills the definitions' placeholders.
func (r *rotator) values() statemachine.Values {
	arns, clients := map[string]string{}, []statemachine.Chosen{}
	for _, c := range r.clients {
		clients = append(clients, statemachine.Chosen{Name: c.Name, Provider: c.IdentityProvider.Type,
			Tenant: c.Tenant()})
	}
	for name, alias := range r.live {
		arns[name] = *alias.FunctionArn()
	}
	return statemachine.Values{
		Partition: *r.stack.Partition(), FunctionARNs: arns, JournalTable: *r.journal.TableName(),
		ParameterPrefix: r.parameterPrefix(), Clients: clients,
		NotificationTopicARN: *r.topic.TopicArn(), EventBusName: eventBus,
		RotationAlias: aliasName, MachineToStart: r.machineARN() + ":" +
			aliasName, ExecutionURL: statemachine.ExecutionURL(r.Region),
		FleetToStart: r.fleetARN() + ":" + aliasName, Rotations: r.arn("states", "execution:"+r.Name+":"),
		Runbook: r.RunbookURL, Settle: statemachine.Settle(statemachine.Functions()),
	}
}

// addMachineRole: what the definition's tasks call.
func (r *rotator) addMachineRole() {
	r.machineRole = awsiam.NewRole(r.stack, jsii.String("Role-statemachine"), &awsiam.RoleProps{
		Description: jsii.String("State machine " + r.Name),
		// Step Functions developer guide, "Prevent cross-service confused deputy issue".
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("states.amazonaws.com"),
			&awsiam.ServicePrincipalOpts{Conditions: r.ourAccount(r.machineARN(), r.machineARN()+":*")}),
	})
	var functions, parameters []string
	for _, f := range statemachine.Functions() {
		if !rights.Functions[f.Name].Evidence { // that one is the notifier's
			functions = append(functions, *r.live[f.Name].FunctionArn())
		}
	}
	for _, c := range r.clients {
		parameters = append(parameters, r.arn("ssm", "parameter"+r.parameterPrefix()+c.Name))
	}
	role := r.machineRole
	allow(role, "Steps", []string{"lambda:InvokeFunction"}, functions, nil)
	allow(role, "Clients", rights.ReadParameters, parameters, nil)
	r.allowJournal(role, "Lock", rights.WriteJournal)
	allow(role, "LockOwner", []string{"states:DescribeExecution", "states:StopExecution"},
		[]string{r.executionARNs()}, nil)
	r.allowStart(role) // before a secret ends
	r.allowTelling(role)
	reasons := allowObserving(role)
	reasons["LockOwner"] = "executions have names that are not known before; their state machine is named"
	explainWildcards(role, reasons)
}

// allowTelling: notifications to the encrypted topic, and our own events.
func (r *rotator) allowTelling(role awsiam.Role) {
	allow(role, "Notify", []string{"sns:Publish"}, []string{*r.topic.TopicArn()}, nil)
	allow(role, "NotifyEncrypted", []string{"kms:Decrypt", "kms:GenerateDataKey"}, []string{*r.key.KeyArn()},
		map[string]any{"StringEquals": map[string]any{"kms:ViaService": r.host("sns", r.Region)}})
	allow(role, "PublishEvent", []string{"events:PutEvents"}, []string{r.arn("events", "event-bus/"+eventBus)},
		map[string]any{"StringEquals": map[string]any{"events:source": eventSource}})
}

// allowObserving: a state machine's log and traces, which have no resources to name (Step Functions developer guide,
// "Using CloudWatch Logs"). It returns that as the reason of each.
func allowObserving(role awsiam.Role) map[string]string {
	allow(role, "Log", []string{"logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery",
		"logs:DeleteLogDelivery",
		"logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"},
		[]string{"*"}, nil)
	allow(role, "Trace", []string{"xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules",
		"xray:GetSamplingTargets"}, []string{"*"}, nil)
	return map[string]string{"Log": "log deliveries have no resources to name",
		"Trace": "X-Ray has no resources to name"}
}
