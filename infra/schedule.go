package main

import (
	"cmp"
	"encoding/json"

	"alboidc.internal/shared/cron"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/jsii-runtime-go"
)

// scheduled is the reason of an execution that a schedule starts: who started one is otherwise only in CloudTrail.
const scheduled = "schedule"

// addSchedules adds two schedules per client: its rotation, and a daily measurement; and one for missing evidence.
// EventBridge Scheduler starts at least once; the lock makes a second start of the same rotation fail with LockHeld.
func (r *rotator) addSchedules() {
	group := awsscheduler.NewCfnScheduleGroup(r.stack, jsii.String("Schedules"),
		&awsscheduler.CfnScheduleGroupProps{Name: &r.Name})
	role := awsiam.NewRole(r.stack, jsii.String("Role-scheduler"), &awsiam.RoleProps{
		Description: jsii.String("Schedules of " + r.Name),
		// The source is the group, never a single schedule (EventBridge Scheduler user guide, "Confused deputy
		// prevention").
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("scheduler.amazonaws.com"),
			&awsiam.ServicePrincipalOpts{Conditions: &map[string]any{
				"StringEquals": map[string]any{"aws:SourceAccount": r.Account, "aws:SourceArn": r.arn("scheduler",
					"schedule-group/"+r.Name)},
			}}),
	})
	r.allowStart(role)
	allow(role, "Record", []string{"states:StartExecution"}, []string{r.notifierARN()}, nil)
	allow(role, "DeadLetters", []string{"sqs:SendMessage"}, []string{*r.deadLetter.QueueArn()}, nil)
	// Step Functions delivers its events on a best effort basis, so what one was lost of is looked for (EventBridge
	// reference, "AWS Step Functions events").
	r.addSchedule("Records", role, r.notifier.AttrArn(), awsscheduler.CfnScheduleProps{
		Name: jsii.String("records.missing"), Description: jsii.String("Writes the evidence that is missing"),
		GroupName: group.Ref(), ScheduleExpression: jsii.String("rate(1 day)"), State: jsii.String("ENABLED"),
		FlexibleTimeWindow: &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("OFF")},
	}, map[string]any{"record": map[string]any{}})
	r.schedules, r.schedulesRole = group, role
	r.addClientSchedules()
}

// addClientSchedules adds those of the clients of this stack.
func (r *rotator) addClientSchedules() {
	group, role := r.schedules, r.schedulesRole
	for _, c := range r.clients {
		r.addRotation(c, group, role)
		// Whatever the state of the rotation's schedule: a paused one is what the alarm on the age is for. A rate fires
		// at once when it is made, and without a window the first measurement comes before the alarm first asks for it.
		// No client's name has a point.
		r.addSchedule("Measure-"+c.Name, role, r.liveMachine.AttrArn(), awsscheduler.CfnScheduleProps{
			Name: jsii.String(c.Name + ".measure"), Description: jsii.String("Measures how " + c.Name +
				" is"), GroupName: group.Ref(),
			ScheduleExpression: jsii.String("rate(1 day)"),
			FlexibleTimeWindow: &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("OFF")},
			State:              jsii.String("ENABLED"),
		}, map[string]any{"client": c.Name, "measure": true, "reason": scheduled})
	}
}

func (r *rotator) addRotation(c Client, group awsscheduler.CfnScheduleGroup, role awsiam.Role) {
	window := &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("OFF")}
	if m := c.Schedule.Window(); m > 0 {
		window = &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("FLEXIBLE"),
			MaximumWindowInMinutes: jsii.Number(m)}
	}
	state := scheduleState(c)
	r.addSchedule("Schedule-"+c.Name, role, r.liveMachine.AttrArn(), awsscheduler.CfnScheduleProps{
		Name:                       jsii.String(c.Name),
		Description:                jsii.String("Rotates the client secret of " + c.Name),
		GroupName:                  group.Ref(),
		ScheduleExpression:         jsii.String(cron.Canonical(c.Schedule.Expression)),
		ScheduleExpressionTimezone: jsii.String(cmp.Or(c.Schedule.TimeZone, "UTC")),
		FlexibleTimeWindow:         window,
		State:                      &state,
	}, map[string]any{"client": c.Name, "reason": scheduled})
}

// scheduleState is the state of a client's rotation schedule.
func scheduleState(c Client) string {
	if c.Schedule.Paused {
		return "DISABLED"
	}
	return "ENABLED"
}

// addSchedule adds a schedule that starts executions of a state machine with an input.
func (r *rotator) addSchedule(id string, role awsiam.Role, machine *string, props awsscheduler.CfnScheduleProps,
	input map[string]any) {
	props.Target = &awsscheduler.CfnSchedule_TargetProperty{
		Arn:     machine,
		RoleArn: role.RoleArn(),
		Input:   jsii.String(executionInput(input)),
		// Within its window a start is tried again for an hour; after that it is a dead letter, which raises an alarm.
		RetryPolicy: &awsscheduler.CfnSchedule_RetryPolicyProperty{MaximumEventAgeInSeconds: jsii.Number(3600),
			MaximumRetryAttempts: jsii.Number(20)},
		DeadLetterConfig: &awsscheduler.CfnSchedule_DeadLetterConfigProperty{Arn: r.deadLetter.QueueArn()},
	}
	s := awsscheduler.NewCfnSchedule(r.stack, &id, &props)
	// The permissions must be there when the schedule first fires. In a further stack those of the schedules are, and
	// this one's roles come first.
	if r.place == 0 {
		s.Node().AddDependency(policyOf(role))
		return
	}
	for _, name := range sorted(r.roles) {
		s.Node().AddDependency(r.roles[name])
	}
}

// executionInput is the input of an execution as text.
func executionInput(input map[string]any) string {
	text, _ := json.Marshal(input) // a map of strings and booleans can be written
	return string(text)
}
