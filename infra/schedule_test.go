package main

import (
	"strings"
	"testing"

	"alboidc.internal/shared/config"
)

func TestEveryClientHasItsScheduleAndItsConfiguration(t *testing.T) {
	tpl := exampleTemplate(t)
	for name, want := range map[string]map[string]string{
		"orders-web": {"ScheduleExpression": "rate(30 days)", "ScheduleExpressionTimezone": "UTC"},
		"shop-web":   {"ScheduleExpression": "cron(0 3 1 * ? *)", "ScheduleExpressionTimezone": "Europe/Berlin"},
	} {
		want["State"], want["FlexibleTimeWindow.Mode"], want["FlexibleTimeWindow.MaximumWindowInMinutes"] = "ENABLED",
			"FLEXIBLE", "15"
		want["Target.Input"], want["Target.Arn"], want["GroupName"] = `{"client":"`+name+`","reason":"schedule"}`,
			"<StateMachineAlias.Arn>", "<Schedules>"
		want["Target.DeadLetterConfig.Arn"],
			want["Target.RetryPolicy.MaximumEventAgeInSeconds"] = "<DeadLettersBBF8BAAB.Arn>", "3600"
		expect(t, name, tpl.one(t, "AWS::Scheduler::Schedule", "Name", name), want)
		want["ScheduleExpression"], want["Target.Input"], want["FlexibleTimeWindow.Mode"] = "rate(1 day)",
			`{"client":"`+name+`","measure":true,"reason":"schedule"}`, "OFF"
		delete(want, "ScheduleExpressionTimezone")
		delete(want, "FlexibleTimeWindow.MaximumWindowInMinutes")
		expect(t, name+"'s measurement", tpl.one(t, "AWS::Scheduler::Schedule", "Name", name+".measure"), want)

		p := tpl.one(t, "AWS::SSM::Parameter", "Name", "/alb-oidc-rotator/clients/"+name)
		document := text(p.Properties["Value"])
		if name == "shop-web" {
			document = strings.Replace(document, "<Secretshopweb.Id>",
				"arn:aws:secretsmanager:eu-central-1:111122223333:secret:x-AbCdEf", 1)
		}
		c, err := config.Parse([]byte(document))
		if err != nil || c.Name != name {
			t.Errorf("the functions cannot read the configuration of %s: %v", name, err)
		}
	}
	if n := len(tpl.of("AWS::Scheduler::Schedule")); n != 5 { // one is for missing evidence
		t.Errorf("%d schedules", n)
	}
}

// Otherwise nobody would be told of a schedule that is paused and forgotten.
func TestAPausedClientIsMeasuredAllTheSame(t *testing.T) {
	tpl := changed(t, "# paused: true ", "paused: true #")
	for name, want := range map[string]string{"orders-web": "DISABLED", "orders-web.measure": "ENABLED"} {
		expect(t, name, tpl.one(t, "AWS::Scheduler::Schedule", "Name", name), map[string]string{"State": want})
	}
}
