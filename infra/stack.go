package main

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"alboidc.internal/shared/clientsfile"
	"alboidc.internal/shared/region"
	"alboidc.internal/statemachine"
)

// The file that the stack is made of.
type (
	File     = clientsfile.File
	Settings = clientsfile.Settings
	Client   = clientsfile.Client
)

// rotator is the stack while it is built; each file adds its part, in the order of newRotator.
type rotator struct {
	stack awscdk.Stack
	Settings
	clients []Client
	// standsIn: the one client stands for any, for the released template.
	standsIn bool

	key    awskms.Key
	logKey awskms.IKey // nil: CloudWatch's own encryption
	topic  awssns.Topic
	// clientAlarms is the topic of the alarms for clients' own addresses; nil if no client has any.
	clientAlarms awssns.Topic
	deadLetter   awssqs.Queue
	journal      awsdynamodb.Table
	evidence     awsdynamodb.Table
	// secretARNs of the clients, by name: known ones, or those of secrets that the stack creates.
	secretARNs map[string]string
	// live are the aliases that the state machine invokes, roles the roles behind them, by function.
	live  map[string]awslambda.Alias
	roles map[string]awsiam.Role
	// machine is started through its alias liveMachine.
	machine     awsstepfunctions.CfnStateMachine
	liveMachine awsstepfunctions.CfnStateMachineAlias
	machineRole awsiam.Role
	// fleet rotates many clients; nil if there is only one.
	fleet awsstepfunctions.CfnStateMachine
	// notifier is the state machine that all rules start, by ruleRole.
	notifier awsstepfunctions.CfnStateMachine
	ruleRole awsiam.Role
	alarms   []awscloudwatch.Alarm
	// alarmsOf are those about a client, by its name.
	alarmsOf map[string][]awscloudwatch.Alarm
}

// newRotator adds the stack to the app. functions is the folder of the built functions.
func newRotator(scope constructs.Construct, f File, functions string, standsIn bool) *rotator {
	r := &rotator{Settings: f.Stack, clients: f.Clients, standsIn: standsIn, secretARNs: map[string]string{},
		live: map[string]awslambda.Alias{}, roles: map[string]awsiam.Role{},
		alarmsOf: map[string][]awscloudwatch.Alarm{}}
	r.RunbookURL = or(r.RunbookURL, statemachine.DefaultRunbook)
	r.stack = awscdk.NewStack(scope, &r.Name, &awscdk.StackProps{
		StackName: &r.Name,
		Description: jsii.String("Rotates the client secrets that Application Load Balancers use to log users in by " +
			"OIDC."),
		Env: &awscdk.Environment{Account: &r.Account, Region: &r.Region},
		// Without the stack nothing rotates, and nobody notices until a secret expires.
		TerminationProtection: jsii.Bool(true),
	})
	r.addKey()
	r.addTopic()
	r.addDeadLetterQueue()
	r.addJournal()
	r.addEvidence()
	r.addSecrets()
	r.addFunctions(functions)
	r.protectEvidence()
	r.addMachine()
	r.addParameters()
	r.addNotifier()
	r.addSchedules()
	r.addEvents()
	r.addFleet()
	r.addAlarms()
	r.addDashboard()
	r.addOperators()
	r.addWebIdentityOutputs()
	r.addCallerOutputs()
	for _, name := range sorted(r.Tags) {
		awscdk.Tags_Of(r.stack).Add(jsii.String(name), jsii.String(r.Tags[name]), nil)
	}
	if r.PermissionsBoundary != "" {
		awsiam.PermissionsBoundary_Of(r.stack).Apply(awsiam.ManagedPolicy_FromManagedPolicyArn(r.stack,
			jsii.String("Boundary"), &r.PermissionsBoundary))
	}
	return r
}

// arn is an ARN in the stack's account and Region.
func (r *rotator) arn(service, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", *r.stack.Partition(), service, r.Region, r.Account, resource)
}

// host is the name of a service's endpoint, by which conditions and CloudWatch Logs' principal know it.
func (r *rotator) host(service, where string) string {
	return service + "." + where + "." + region.PartitionOf(r.Region).Suffix
}

// suppress tells cdk-nag why a rule does not hold for a resource. The reason is part of the template.
func suppress(resource constructs.IConstruct, rules map[string]string) {
	list := []*cdknag.NagPackSuppression{}
	for _, id := range sorted(rules) {
		list = append(list, &cdknag.NagPackSuppression{Id: &id, Reason: jsii.String(rules[id])})
	}
	cdknag.NagSuppressions_AddResourceSuppressions(resource, &list, nil)
}
