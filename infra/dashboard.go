package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/cron"
	"alboidc.internal/shared/rights"
	"alboidc.internal/shared/telemetry"
	"alboidc.internal/statemachine"
)

// width of a dashboard, in its units.
const width = 24

// alarmsPerWidget is how many alarms one widget shows (CloudWatch API reference, "Alarm widget object": alarms).
const alarmsPerWidget = 100

// legend says what the numbers of a client are.
const legend = "Each client is measured once a day (`rotator measure CLIENT` does it now): " +
	"**days since its secret was made**, which is when it last rotated; for a secret that was never rotated here, " +
	"since it was stored. **refused**: 1 if the identity provider refuses it. **hours of an open rotation**: 0 if " +
	"none is, and none has left its lock.\n\nWhat an alarm or an execution means, whether users are affected, and " +
	"what to do: `rotator explain CLIENT`. How a client is at this moment, and its next start: `rotator status`."

// addDashboard answers: is every client healthy, when did it last rotate and how did that end, and when will it again?
func (r *rotator) addDashboard() {
	name := r.Name + "-" + r.Region // dashboards are the account's, in every Region the same
	if r.place > 0 {
		name += "-" + strconv.Itoa(r.place)
	}
	d := awscloudwatch.NewDashboard(r.stack, jsii.String("Dashboard"),
		&awscloudwatch.DashboardProps{DashboardName: &name, DefaultInterval: days(90)})
	for some := range slices.Chunk(r.alarms, alarmsPerWidget) {
		d.AddWidgets(alarmStatus("Alarms", some, width, 3))
	}
	d.AddWidgets(awscloudwatch.NewTextWidget(&awscloudwatch.TextWidgetProps{Markdown: jsii.String(r.overview()),
		Width: jsii.Number(width), Height: jsii.Number(8)}))
	if r.place == 0 {
		d.AddWidgets(r.lastExecutions(), r.lastSteps())
	}
	for _, c := range r.clients {
		d.AddWidgets(alarmStatus("Alarms of "+c.Name, r.alarmsOf[c.Name], perClient, graphHeight), r.health(c),
			r.graph("Ended rotations of "+c.Name, "count", perClient, r.outcomes(c.Name)...),
			r.graph("Login of "+c.Name+" in the smoke tests", "ms", perClient, r.clientMetric("LoginLatency", c.Name,
				"Maximum", hours(1))))
	}
	errors := []awscloudwatch.IMetric{}
	for _, arn := range r.loadBalancers() {
		errors = append(errors, r.balancerMetric(arn, "ELBAuthError"))
	}
	failed := []awscloudwatch.IWidget{r.graph("Logins that failed at the identity provider, by load balancer", "count",
		width/2, errors...)}
	if r.place == 0 {
		failed = append([]awscloudwatch.IWidget{r.graph("Executions that failed", "count", width/2,
			r.failures(r.machine))}, failed...)
	}
	d.AddWidgets(failed...)
}

// A client has a row of four widgets, as high as a graph.
const (
	perClient   = width / 4
	graphHeight = 6
)

func alarmStatus(title string, list []awscloudwatch.Alarm, width, height int) awscloudwatch.IWidget {
	alarms := []interfacesawscloudwatch.IAlarmRef{}
	for _, a := range list {
		alarms = append(alarms, a)
	}
	return awscloudwatch.NewAlarmStatusWidget(&awscloudwatch.AlarmStatusWidgetProps{Title: &title, Alarms: &alarms,
		Width: jsii.Number(width), Height: jsii.Number(height)})
}

// overview is the text of the dashboard: links, what the numbers are, and each client's schedule. The links are
// relative to the console, whose host is another in each partition.
func (r *rotator) overview() string {
	console := func(service, page string) string { return "/" + service + "/home?region=" + r.Region + "#" + page }
	var b strings.Builder
	fmt.Fprintf(&b, "[button:primary:Executions](%s) [button:Schedules](%s)\n\nRunbook: %s\n\n%s\n\n",
		console("states", "/statemachines/view/"+r.machineARN()), console("scheduler", "schedules"), r.RunbookURL,
		legend)
	b.WriteString("client | rotates | time zone | schedule\n--- | --- | --- | ---\n")
	for _, c := range r.clients {
		fmt.Fprintf(&b, "[%s](%s) | `%s` | %s | %s\n", c.Name, console("scheduler", "schedules/"+r.Name+"/"+c.Name),
			cron.Canonical(c.Schedule.Expression), cmp.Or(c.Schedule.TimeZone, "UTC"), scheduleState(c))
	}
	return b.String()
}

// lastExecutions shows how the last execution of each client ended that was more than a measurement, by what function
// record logs.
func (r *rotator) lastExecutions() awscloudwatch.IWidget {
	return r.table("Last execution of each client that has ended", []string{"record"},
		`fields ended, client, kind, outcome, reason, concat("`+statemachine.ExecutionURL(r.Region)+
			`", execution) as link`,
		`filter msg = "execution ended" and kind != "measurement" and client != ""`,
		"sort ended desc", "dedup client")
}

// lastSteps shows where each client's rotation is, or was last.
func (r *rotator) lastSteps() awscloudwatch.IWidget {
	var functions []string
	for _, f := range statemachine.Functions() {
		if !rights.Functions[f.Name].Evidence {
			functions = append(functions, f.Name)
		}
	}
	return r.table("Last step of each client", functions,
		"fields @timestamp, client, state, msg, error_type, rotation",
		`filter msg in ["step done", "step failed"] and state != "Measure"`,
		"sort @timestamp desc", "dedup client")
}

// table shows what a query finds in the logs of functions.
func (r *rotator) table(title string, functions []string, query ...string) awscloudwatch.IWidget {
	groups := []string{}
	for _, name := range functions {
		groups = append(groups, functionLog(r.Name+"-"+name))
	}
	return awscloudwatch.NewLogQueryWidget(&awscloudwatch.LogQueryWidgetProps{Title: &title,
		LogGroupNames: jsii.Strings(groups...), QueryLines: jsii.Strings(query...),
		View: awscloudwatch.LogQueryVisualizationType_TABLE, Width: jsii.Number(width / 2), Height: jsii.Number(8)})
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
		Title: jsii.String(c.Name + ", as last measured"), Metrics: &metrics, Width: jsii.Number(perClient),
		Height: jsii.Number(graphHeight),
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

func (r *rotator) graph(title, unit string, width int, metrics ...awscloudwatch.IMetric) awscloudwatch.IWidget {
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{Title: &title, Left: &metrics,
		Width: jsii.Number(width), Height: jsii.Number(graphHeight),
		LeftYAxis: &awscloudwatch.YAxisProps{Label: &unit, Min: jsii.Number(0), ShowUnits: jsii.Bool(false)}})
}
