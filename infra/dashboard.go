package main

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/telemetry"
)

// width of a dashboard, in its units.
const width = 24

// alarmsPerWidget is how many alarms one widget shows (CloudWatch API reference, "Alarm widget object": alarms).
const alarmsPerWidget = 100

// legend says what the numbers of a client are.
const legend = "Each client is measured once a day (start an execution with `{\"client\": \"NAME\", \"measure\": " +
	"true}` to measure now): " +
	"**days since its secret was made**, which is when it last rotated; for a secret that was never rotated here, " +
	"since it was stored. **refused**: 1 if the identity provider refuses it. **hours of an open rotation**: 0 if " +
	"none is, and none has left its lock."

// addDashboard answers: is every client healthy, and when did it last rotate?
func (r *rotator) addDashboard() {
	name := r.Name + "-" + r.Region // dashboards are the account's, in every Region the same
	d := awscloudwatch.NewDashboard(r.stack, jsii.String("Dashboard"),
		&awscloudwatch.DashboardProps{DashboardName: &name, DefaultInterval: days(90)})
	for some := range slices.Chunk(r.alarms, alarmsPerWidget) {
		alarms := []interfacesawscloudwatch.IAlarmRef{}
		for _, a := range some {
			alarms = append(alarms, a)
		}
		d.AddWidgets(awscloudwatch.NewAlarmStatusWidget(&awscloudwatch.AlarmStatusWidgetProps{
			Title: jsii.String("Alarms"), Alarms: &alarms, Width: jsii.Number(width)}))
	}
	d.AddWidgets(awscloudwatch.NewTextWidget(&awscloudwatch.TextWidgetProps{Markdown: jsii.String(legend),
		Width: jsii.Number(width), Height: jsii.Number(2)}))
	for _, c := range r.clients {
		d.AddWidgets(r.health(c), r.graph("Ended rotations of "+c.Name, "count", r.outcomes(c.Name)...),
			r.graph("Login of "+c.Name+" in the smoke tests", "ms", r.clientMetric("LoginLatency", c.Name,
				"Maximum", hours(1))))
	}
	errors := []awscloudwatch.IMetric{}
	for _, arn := range r.loadBalancers() {
		errors = append(errors, r.balancerMetric(arn, "ELBAuthError"))
	}
	d.AddWidgets(r.graph("Executions that failed", "count", r.failures(r.machine)),
		r.graph("Logins that failed at the identity provider, by load balancer", "count", errors...))
}

// health shows the last measurement of a client.
func (r *rotator) health(c Client) awscloudwatch.IWidget {
	show := func(label, expression, name, statistic string) awscloudwatch.IMetric {
		return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{Expression: &expression,
			Label: &label, Period: days(1),
			UsingMetrics: &map[string]awscloudwatch.IMetric{strings.ToLower(name): r.clientMetric(name, c.Name,
				statistic, days(1))}})
	}
	metrics := []awscloudwatch.IMetric{
		show("days since its secret was made", "secretage / 86400", "SecretAge", "Minimum"),
		show("refused", "secretrefused * 1", "SecretRefused", "Maximum"),
		show("hours of an open rotation", "lockheld / 3600", "LockHeld", "Maximum"),
	}
	if r.tellsEnd(c) {
		metrics = append(metrics, show("days until its secret ends by itself", "secretendsin / 86400", "SecretEndsIn",
			"Minimum"))
	}
	return awscloudwatch.NewSingleValueWidget(&awscloudwatch.SingleValueWidgetProps{
		Title: jsii.String(c.Name + ", as last measured"), Metrics: &metrics, Width: jsii.Number(width / 3),
	})
}

// outcomes returns the counts of rotations by how they ended. A rotation that was refused, or failed where it stood,
// has not ended: alarms report it.
func (r *rotator) outcomes(client string) []awscloudwatch.IMetric {
	list := []awscloudwatch.IMetric{}
	for _, o := range telemetry.Outcomes() {
		list = append(list,
			awscloudwatch.NewMetric(&awscloudwatch.MetricProps{Namespace: jsii.String(telemetry.Namespace),
				MetricName: jsii.String("Rotations"),
				Statistic:  jsii.String("Sum"), Period: days(1), Label: jsii.String(string(o)),
				DimensionsMap: &map[string]*string{"client": &client, "outcome": jsii.String(string(o))}}))
	}
	return list
}

func (r *rotator) graph(title, unit string, metrics ...awscloudwatch.IMetric) awscloudwatch.IWidget {
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{Title: &title, Left: &metrics,
		Width:     jsii.Number(width / 3),
		LeftYAxis: &awscloudwatch.YAxisProps{Label: &unit, Min: jsii.Number(0), ShowUnits: jsii.Bool(false)}})
}
