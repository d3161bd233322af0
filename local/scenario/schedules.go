package scenario

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"alboidc.internal/shared/awstest/awsapi"
)

// CreateSchedules creates the two schedules that a deployment has for a client: its rotation and the daily measurement.
// A rate starts at once when it is made, so the rotation has a date.
func (d *Deployment) CreateSchedules(ctx context.Context) error {
	api := scheduler.NewFromConfig(d.Stack.AWS(Home))
	group := aws.String(MachineName)
	if _, err := api.CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: group}); err != nil {
		return fmt.Errorf("creating the schedules' group: %w", err)
	}
	for _, s := range []struct{ name, expression, input string }{
		{Client, "cron(0 3 1 * ? *)", `{"client":"` + Client + `","reason":"schedule"}`},
		{Client + ".measure", "rate(1 day)", `{"client":"` + Client + `","measure":true,"reason":"schedule"}`},
	} {
		target := &types.Target{Arn: &d.MachineARN, Input: &s.input,
			RoleArn: aws.String("arn:aws:iam::" + awsapi.AccountID + ":role/" + MachineName + "-schedules"),
			RetryPolicy: &types.RetryPolicy{MaximumEventAgeInSeconds: aws.Int32(3600),
				MaximumRetryAttempts: aws.Int32(20)}}
		in := &scheduler.CreateScheduleInput{Name: &s.name, GroupName: group, ScheduleExpression: &s.expression,
			Target:             target,
			FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff}}
		if _, err := api.CreateSchedule(ctx, in); err != nil {
			return fmt.Errorf("creating the schedule %s: %w", s.name, err)
		}
	}
	return nil
}
