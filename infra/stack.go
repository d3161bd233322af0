package main

import (
	"cmp"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
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
	// clients are those of this stack, all those of the file.
	clients, all []Client
	// place is the number of this stack. places is nil if the file has only this one.
	place  int
	places *places
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
	// callers are the roles of the functions, also in a further stack, where roles has those that it adds.
	callers map[string]awsiam.Role
	// bus has the rules on load balancers; nil is the default one.
	bus *string
	// machine is started through its alias liveMachine.
	machine     awsstepfunctions.CfnStateMachine
	liveMachine awsstepfunctions.CfnStateMachineAlias
	machineRole awsiam.Role
	// schedules is the group of all, which start executions by schedulesRole.
	schedules     awsscheduler.CfnScheduleGroup
	schedulesRole awsiam.Role
	// fleet rotates many clients; nil if there is only one.
	fleet awsstepfunctions.CfnStateMachine
	// notifier is the state machine that all rules start, by ruleRole.
	notifier awsstepfunctions.CfnStateMachine
	ruleRole awsiam.Role
	alarms   []awscloudwatch.Alarm
	// alarmsOf are those about a client, by its name.
	alarmsOf map[string][]awscloudwatch.Alarm
}

// newRotator adds the stack to the app, and the further ones that p names. functions is the folder of the built
// functions.
func newRotator(scope constructs.Construct, f File, p *places, functions string, standsIn bool) *rotator {
	r := &rotator{Settings: f.Stack, all: f.Clients, places: p, standsIn: standsIn, live: map[string]awslambda.Alias{}}
	r.RunbookURL = cmp.Or(r.RunbookURL, statemachine.DefaultRunbook)
	r.newStack(scope, r.Name, "Rotates the client secrets that Application Load Balancers use to log users in by OIDC.")
	r.addKey()
	r.addTopic()
	r.addDeadLetterQueue()
	r.addJournal()
	r.addEvidence()
	r.addSecrets()
	r.addFunctions(functions)
	r.callers = r.roles
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
	r.finish()
	r.addPlaces(scope)
	return r
}

// newStack begins a stack, with those clients that are in it.
func (r *rotator) newStack(scope constructs.Construct, name, description string) {
	r.clients, r.secretARNs, r.roles = nil, map[string]string{}, map[string]awsiam.Role{}
	r.alarms, r.alarmsOf = nil, map[string][]awscloudwatch.Alarm{}
	for _, c := range r.all {
		if c.Place == r.place {
			r.clients = append(r.clients, c)
		}
	}
	r.stack = awscdk.NewStack(scope, &name, &awscdk.StackProps{
		StackName:   &name,
		Description: &description,
		Env:         &awscdk.Environment{Account: &r.Account, Region: &r.Region},
		// Without the stack nothing rotates, and nobody notices until a secret expires.
		TerminationProtection: jsii.Bool(true),
		// A small template is read by people; of a large one the blanks would be a third of what CloudFormation takes.
		SuppressTemplateIndentation: jsii.Bool(len(r.clients) > 10),
	})
}

// finish gives what is in the stack the tags and the boundary of the file.
func (r *rotator) finish() {
	for _, name := range sorted(r.Tags) {
		awscdk.Tags_Of(r.stack).Add(jsii.String(name), jsii.String(r.Tags[name]), nil)
	}
	if r.PermissionsBoundary != "" {
		awsiam.PermissionsBoundary_Of(r.stack).Apply(awsiam.ManagedPolicy_FromManagedPolicyArn(r.stack,
			jsii.String("Boundary"), &r.PermissionsBoundary))
	}
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
