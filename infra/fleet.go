package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/rights"
	"alboidc.internal/statemachine"
)

// fleetARN is known before the state machine is made: its own role names it.
func (r *rotator) fleetARN() string { return r.machineARN() + statemachine.FleetSuffix }

// hasFleet reports whether there are many clients to rotate.
func (r *rotator) hasFleet() bool { return len(r.all) > 1 }

// started are the state machines that people start, and the ARNs of their executions.
func (r *rotator) started() (machines, executions []string) {
	machines, executions = []string{r.machineARN()}, []string{r.executionARNs()}
	if r.hasFleet() {
		machines = append(machines, r.fleetARN())
		executions = append(executions, r.arn("states", "execution:"+r.Name+statemachine.FleetSuffix+":*"))
	}
	return machines, executions
}

// addFleet adds the state machine that rotates many clients, where there are many.
func (r *rotator) addFleet() {
	if !r.hasFleet() {
		return
	}
	name, arn := r.Name+statemachine.FleetSuffix, r.fleetARN()
	role := awsiam.NewRole(r.stack, jsii.String("Role-fleet"), &awsiam.RoleProps{
		Description: jsii.String("State machine " + name),
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("states.amazonaws.com"),
			// the children are executions of a state machine that has the Map's name in its ARN
			&awsiam.ServicePrincipalOpts{Conditions: r.ourAccount(arn, arn+":*", arn+"/*")}),
	})
	r.allowStart(role)
	allow(role, "Rotations", []string{"states:DescribeExecution"}, []string{r.executionARNs()}, nil)
	r.allowJournal(role, "Tested", rights.ReadJournal)
	r.allowTelling(role)
	// A distributed Map starts its own state machine, whose executions are named after the Map (Step Functions
	// developer guide, "IAM policies for using Distributed Map states").
	own := r.arn("states", "execution:"+name)
	allow(role, "Children", []string{"states:StartExecution"}, []string{arn}, nil)
	allow(role, "ChildrenControl", []string{"states:DescribeExecution", "states:RedriveExecution",
		"states:StopExecution"}, []string{own + ":*", own + "/*"}, nil)
	reasons := allowObserving(role)
	reasons["Rotations"] = "executions have names that are not known before; their state machine is named"
	reasons["ChildrenControl"] = reasons["Rotations"]
	explainWildcards(role, reasons)
	r.fleet, _ = r.addVersioned("FleetStateMachine", role, &awsstepfunctions.CfnStateMachineProps{
		StateMachineName:        &name,
		DefinitionString:        &statemachine.Fleet,
		DefinitionSubstitutions: r.substitutions(statemachine.Fleet),
		LoggingConfiguration:    r.machineLog("Logs-fleet", name),
	})
	r.watchFleet()
}

// watchFleet: what a fleet can tell of it tells; else people are told that it did not come to its end.
func (r *rotator) watchFleet() {
	pattern := func(statuses ...string) map[string]any {
		return map[string]any{"source": []any{"aws.states"},
			"detail-type": []any{"Step Functions Execution Status Change"},
			"detail":      map[string]any{"stateMachineArn": []any{*r.fleet.AttrArn()}, "status": statuses}}
	}
	failed := pattern("FAILED", "ABORTED", "TIMED_OUT")
	failed["detail"].(map[string]any)["error"] = []any{map[string]any{"anything-but": statemachine.FleetTold()},
		map[string]any{"exists": false}}
	r.addRule("fleet", "A fleet ended where it could not tell of it", failed, nil)
}
