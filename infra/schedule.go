package main

import (
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/jsii-runtime-go"
)

// addSchedules adds one schedule per client. EventBridge Scheduler starts at least once; the lock makes a second start of
// the same rotation fail with LockHeld.
func (r *rotator) addSchedules() {
	group := awsscheduler.NewCfnScheduleGroup(r.stack, jsii.String("Schedules"), &awsscheduler.CfnScheduleGroupProps{Name: &r.Name})
	role := awsiam.NewRole(r.stack, jsii.String("Role-scheduler"), &awsiam.RoleProps{
		Description: jsii.String("Schedules of " + r.Name),
		// The source is the group, never a single schedule (EventBridge Scheduler user guide, "Confused deputy prevention").
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("scheduler.amazonaws.com"), &awsiam.ServicePrincipalOpts{Conditions: &map[string]any{
			"StringEquals": map[string]any{"aws:SourceAccount": r.Account, "aws:SourceArn": r.arn("scheduler", "schedule-group/"+r.Name)},
		}}),
	})
	r.allowStart(role)
	allow(role, "DeadLetters", []string{"sqs:SendMessage"}, []string{*r.deadLetter.QueueArn()}, nil)
	for _, c := range r.clients {
		r.addSchedule(c, group, role)
	}
}

func (r *rotator) addSchedule(c Client, group awsscheduler.CfnScheduleGroup, role awsiam.Role) {
	window := &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("OFF")}
	if m := c.Schedule.window(); m > 0 {
		window = &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("FLEXIBLE"), MaximumWindowInMinutes: jsii.Number(m)}
	}
	state := "ENABLED"
	if c.Schedule.Paused {
		state = "DISABLED"
	}
	s := awsscheduler.NewCfnSchedule(r.stack, jsii.String("Schedule-"+c.Name), &awsscheduler.CfnScheduleProps{
		Name:                       jsii.String(c.Name),
		Description:                jsii.String("Rotates the client secret of " + c.Name),
		GroupName:                  group.Ref(),
		ScheduleExpression:         &c.Schedule.Expression,
		ScheduleExpressionTimezone: jsii.String(or(c.Schedule.TimeZone, "UTC")),
		FlexibleTimeWindow:         window,
		State:                      &state,
		Target: &awsscheduler.CfnSchedule_TargetProperty{
			Arn:     r.liveMachine.AttrArn(),
			RoleArn: role.RoleArn(),
			Input:   jsii.String(scheduledInput(c.Name)),
			// Within its window a start is tried again for an hour; after that it is a dead letter, which raises an alarm.
			RetryPolicy:      &awsscheduler.CfnSchedule_RetryPolicyProperty{MaximumEventAgeInSeconds: jsii.Number(3600), MaximumRetryAttempts: jsii.Number(20)},
			DeadLetterConfig: &awsscheduler.CfnSchedule_DeadLetterConfigProperty{Arn: r.deadLetter.QueueArn()},
		},
	})
	// The permissions must be there when the schedule first fires.
	s.Node().AddDependency(policyOf(role))
}

// scheduledInput is the execution input of a scheduled rotation.
func scheduledInput(client string) string {
	text, _ := json.Marshal(map[string]string{"client": client}) // a map of strings can be written
	return string(text)
}
