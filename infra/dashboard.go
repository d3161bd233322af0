package main

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/telemetry"
)

// width of a dashboard, in its units.
const width = 24

// addDashboard answers: is every client healthy, and when did it last rotate?
func (r *rotator) addDashboard() {
	d := awscloudwatch.NewDashboard(r.stack, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{DashboardName: &r.Name, DefaultInterval: awscdk.Duration_Days(jsii.Number(90))})
	alarms := []interfacesawscloudwatch.IAlarmRef{}
	for _, a := range r.alarms {
		alarms = append(alarms, a)
	}
	d.AddWidgets(awscloudwatch.NewAlarmStatusWidget(&awscloudwatch.AlarmStatusWidgetProps{Title: jsii.String("Alarms"), Alarms: &alarms, Width: jsii.Number(width)}))
	for _, c := range r.clients {
		d.AddWidgets(r.lastRotation(c.Name), r.graph("Rotations of "+c.Name, "count", r.outcomes(c.Name)...),
			r.graph("Login of "+c.Name+" in the smoke tests", "ms", r.clientMetric("LoginLatency", c.Name, "Maximum", awscdk.Duration_Hours(jsii.Number(1)))))
	}
	errors := []awscloudwatch.IMetric{}
	for _, arn := range r.loadBalancers() {
		errors = append(errors, r.balancerMetric(arn, "ELBAuthError"))
	}
	d.AddWidgets(r.graph("Executions", "count", r.machineMetric("ExecutionsStarted", "Sum"), r.machineMetric("ExecutionsSucceeded", "Sum"), r.failures()),
		r.graph("Logins that failed at the identity provider, by load balancer", "count", errors...))
}

// lastRotation shows how old the secret was when a rotation last planned; it falls to zero with each rotation.
func (r *rotator) lastRotation(client string) awscloudwatch.IWidget {
	return awscloudwatch.NewSingleValueWidget(&awscloudwatch.SingleValueWidgetProps{
		Title:     jsii.String(fmt.Sprintf("Secret of %s: age in days at the last plan", client)),
		Sparkline: jsii.Bool(true),
		Metrics: &[]awscloudwatch.IMetric{awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
			Expression: jsii.String("age / 86400"), Label: jsii.String("days"), Period: awscdk.Duration_Days(jsii.Number(1)),
			UsingMetrics: &map[string]awscloudwatch.IMetric{"age": r.clientMetric("SecretAge", client, "Maximum", awscdk.Duration_Days(jsii.Number(1)))}})},
		Width: jsii.Number(width / 3),
	})
}

// outcomes are the counts of rotations by how they ended.
func (r *rotator) outcomes(client string) []awscloudwatch.IMetric {
	list := []awscloudwatch.IMetric{}
	for _, o := range []telemetry.Outcome{telemetry.Rotated, telemetry.RolledBack, telemetry.Failed} {
		list = append(list, awscloudwatch.NewMetric(&awscloudwatch.MetricProps{Namespace: jsii.String(telemetry.Namespace), MetricName: jsii.String("Rotations"),
			Statistic: jsii.String("Sum"), Period: awscdk.Duration_Days(jsii.Number(1)), Label: jsii.String(string(o)),
			DimensionsMap: &map[string]*string{"client": &client, "outcome": jsii.String(string(o))}}))
	}
	return list
}

func (r *rotator) graph(title, unit string, metrics ...awscloudwatch.IMetric) awscloudwatch.IWidget {
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{Title: &title, Left: &metrics, Width: jsii.Number(width / 3),
		LeftYAxis: &awscloudwatch.YAxisProps{Label: &unit, Min: jsii.Number(0), ShowUnits: jsii.Bool(false)}})
}
