package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/telemetry"
)

// alarm is one alarm. It rings when its metric is above, or below, a number in of outOf periods, by default one of one.
// By default it ignores missing data, since most of the time nothing rotates. Whether users are affected, and what to
// do, is said in the words of rotator explain.
type alarm struct {
	id, name, description string
	users, todo           string
	metric                awscloudwatch.IMetric
	above                 float64
	below                 float64 // instead of above, if not 0
	of, outOf             int
	missing               awscloudwatch.TreatMissingData
}

// What several alarms say about users.
const (
	unaffected = "not affected: no secret and no load balancer was touched."
	unknown    = "not known: nothing was tested since. Try a login."
	failing    = "logins may be failing"
)

// notMeasured is the age in seconds of a secret that was not measured: more than any alarm's.
const notMeasured = 1_000_000_000

// addAlarms adds the alarms, all of which go to the topic.
func (r *rotator) addAlarms() {
	// Data points arrive late, and one that comes after its period was looked at would never ring.
	r.addAlarm(alarm{id: "Failed", name: "rotation-failed", metric: r.failures(r.machine), of: 1, outOf: 3,
		description: "A rotation failed, was stopped, or timed out. The notification says which; of one that found " +
			"another running, or that an emergency stopped, there is none.",
		users: unknown, todo: "rotator status, then of each client that is Degraded: rotator explain CLIENT"})
	r.addAlarm(alarm{id: "Notifier", name: "notifier-failed", metric: r.failures(r.notifier), of: 1, outOf: 3,
		description: "Evidence of an execution could not be written, or people could not be told of one.",
		users:       unaffected, todo: "mend what the failed execution of " + r.Name +
			"-notifier says, and redrive it."})
	r.addAlarm(alarm{id: "DeadLetters", name: "dead-letters", description: "EventBridge gave up starting a rotation " +
		"or a measurement, or sending a notification.", users: unaffected,
		todo: "mend what the messages in the queue " + r.Name + "-dead-letters say, then for a start: " +
			"rotator start CLIENT",
		metric: r.deadLetter.MetricApproximateNumberOfMessagesVisible(&awscloudwatch.MetricOptions{
			Statistic: jsii.String("Maximum"), Period: minutes(5)})})
	r.addAlarmsOfClients()
}

// addAlarmsOfClients adds those about the clients of this stack and their load balancers. A load balancer that several
// stacks use has one, in the first of them; in each it has another name, so that it can move. It is named after the
// load balancer alone: a number by its position would give an alarm to another one when a client comes or goes.
func (r *rotator) addAlarmsOfClients() {
	for _, c := range r.clients {
		r.addClientAlarms(c)
	}
	before := balancersOf(slices.DeleteFunc(slices.Clone(r.all), func(c Client) bool { return c.Place >= r.place }))
	for i, arn := range r.loadBalancers() {
		if config.RegionOf(arn) == r.Region && !slices.Contains(before, arn) { // alarms see their own Region's metrics
			name := balancerName(arn)
			id, in := name, strconv.Itoa(r.place)
			if r.standsIn { // its load balancers are parameters, which may change places: no two alarms share a name
				id, in = strconv.Itoa(i), strconv.Itoa(i)
			}
			// Always on: CloudWatch does not know when a grace period is, and a template can put an old secret back at
			// any time.
			r.addAlarm(alarm{id: "AuthErrors-" + id, name: "auth-errors-" + name + "-" + in,
				description: "Logins at load balancer " + name + " fail at the identity provider: after " +
					"a rotation, the sign of a wrong secret.",
				users: failing + ". Try a login at once.",
				todo: "if it fails, rotator status and rotator explain CLIENT. Where none runs: rotator " +
					"start CLIENT. " +
					"Else rotator stop CLIENT first.",
				metric: r.balancerMetric(arn, "ELBAuthError"), above: r.allowedErrors(arn), of: 2, outOf: 3})
		}
	}
}

// addClientAlarms adds the alarms on daily measurements. For the secret's age, FILL makes a day without a measurement
// count as one with a secret that is too old: CloudWatch asks how to treat missing data only when it finds too few
// older data, too (CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data"). The other alarms
// stay as the last measurement left them.
func (r *rotator) addClientAlarms(c Client) {
	tooOld := c.MaxAge().Seconds()
	r.addAlarm(alarm{id: "Age-" + c.Name, name: clientAlarm(c.Name, "secret-age"), above: tooOld, of: 2, outOf: 2,
		description: "The secret of " + c.Name +
			" is older than its schedule and grace period allow, or was not measured for two days.",
		users: "not affected as far as is known: a secret that is old is still valid.",
		todo:  "rotator explain " + c.Name + " and rotator history " + c.Name,
		metric: awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
			Expression: jsii.String(fmt.Sprintf("FILL(age, %d)", notMeasured)),
			Label:      jsii.String("age, or too old if not measured"), Period: days(1),
			UsingMetrics: &map[string]awscloudwatch.IMetric{"age": r.clientMetric("SecretAge", c.Name,
				"Maximum", days(1))}}),
		missing: awscloudwatch.TreatMissingData_BREACHING})
	r.addAlarm(alarm{id: "Lock-" + c.Name, name: clientAlarm(c.Name, "rotation-long"),
		above: c.LongRotation().Seconds(),
		description: "A rotation of " + c.Name + " is open for much longer than its grace period, or one that failed " +
			"has left the lock.",
		users: unknown + " Mostly both secrets are valid then.", todo: "rotator explain " + c.Name,
		metric: r.clientMetric("LockHeld", c.Name,
			"Maximum", hours(1)), missing: awscloudwatch.TreatMissingData_IGNORE})
	r.addAlarm(alarm{id: "Refused-" + c.Name, name: clientAlarm(c.Name, "secret-refused"),
		description: "The identity provider refuses the secret of " + c.Name +
			" that is stored as AWSCURRENT.",
		users: failing + ": the identity provider refuses a secret that is in use. Try a login at once.",
		todo: "if it fails: rotator repair " + c.Name +
			" --reason TEXT, if that was revoked or has expired; or, with the " +
			"secret that works: rotator adopt " + c.Name,
		metric: r.clientMetric("SecretRefused", c.Name,
			"Maximum", hours(1)), missing: awscloudwatch.TreatMissingData_IGNORE})
	if r.tellsEnd(c) {
		r.addAlarm(alarm{id: "Ends-" + c.Name, name: clientAlarm(c.Name,
			"secret-ends"), below: float64(c.Alarms.EndsDays()) * 86400,
			description: "The identity provider ends the secret of " + c.Name + " soon by itself.",
			users:       "not affected yet: all logins fail then, unless a rotation is through before.",
			todo: "rotator start " + c.Name + ", or find out why the scheduled rotation does not come through: " +
				"rotator explain " + c.Name,
			metric: r.clientMetric("SecretEndsIn", c.Name,
				"Minimum", hours(1)), missing: awscloudwatch.TreatMissingData_IGNORE})
	}
}

// tellsEnd reports whether the client's identity provider says when a secret ends by itself. For the released template,
// whose client stands for any, it does.
func (r *rotator) tellsEnd(c Client) bool { return r.standsIn || c.TellsEnd() }

func (r *rotator) alarmName(what string) string { return r.Name + "-" + what }

// clientAlarm returns the name of an alarm about a client. No other alarm's name begins with the client's name and a
// slash.
func clientAlarm(client, what string) string { return client + "/" + what }

// entryOf returns the runbook's entry for an alarm: all clients share one, and so do all load balancers.
func entryOf(alarm string) string {
	if _, what, ok := strings.Cut(alarm, "/"); ok {
		alarm = what
	}
	if strings.HasPrefix(alarm, "auth-errors-") {
		alarm = "auth-errors"
	}
	return "alarm-" + alarm
}

// topicsOf returns where an alarm goes: the common topic, and that of clients' own addresses if it is about such a
// client.
func (r *rotator) topicsOf(a alarm) []awssns.Topic {
	topics := []awssns.Topic{r.topic}
	client, _, _ := strings.Cut(a.name, "/")
	for _, c := range r.clients {
		if c.Name == client && len(c.Notifications.Email) > 0 {
			topics = append(topics, r.clientAlarms)
		}
	}
	return topics
}

func (r *rotator) addAlarm(a alarm) {
	if a.missing == "" {
		a.missing = awscloudwatch.TreatMissingData_NOT_BREACHING
	}
	threshold, comparison := a.above, awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD
	if a.below != 0 {
		threshold, comparison = a.below, awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD
	}
	description := a.description + " Users: " + a.users + " What to do: " + a.todo + " Runbook: " + r.RunbookURL + "#" +
		entryOf(a.name)
	made := awscloudwatch.NewAlarm(r.stack, jsii.String("Alarm-"+a.id), &awscloudwatch.AlarmProps{
		AlarmName:          jsii.String(r.alarmName(a.name)),
		AlarmDescription:   &description,
		Metric:             a.metric,
		Threshold:          &threshold,
		ComparisonOperator: comparison,
		DatapointsToAlarm:  jsii.Number(max(a.of, 1)),
		EvaluationPeriods:  jsii.Number(max(a.outOf, 1)),
		TreatMissingData:   a.missing,
	})
	for _, topic := range r.topicsOf(a) {
		action := awscloudwatchactions.NewSnsAction(topic)
		made.AddAlarmAction(action)
		made.AddOkAction(action)
	}
	r.alarms = append(r.alarms, made)
	if client, _, about := strings.Cut(a.name, "/"); about {
		r.alarmsOf[client] = append(r.alarmsOf[client], made)
	}
}

// failures counts the executions of a state machine that did not succeed. A metric without data counts as 0, because a
// sum with a missing metric would be missing, too.
func (r *rotator) failures(machine awsstepfunctions.CfnStateMachine) awscloudwatch.IMetric {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.String("FILL(failed, 0) + FILL(aborted, 0) + FILL(timedout, 0)"),
		Label:      jsii.String("failed executions"),
		Period:     minutes(5),
		UsingMetrics: &map[string]awscloudwatch.IMetric{
			"failed":   machineMetric(machine, "ExecutionsFailed"),
			"aborted":  machineMetric(machine, "ExecutionsAborted"),
			"timedout": machineMetric(machine, "ExecutionsTimedOut"),
		},
	})
}

func machineMetric(machine awsstepfunctions.CfnStateMachine, name string) awscloudwatch.Metric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{Namespace: jsii.String("AWS/States"), MetricName: &name,
		Statistic: jsii.String("Sum"), Period: minutes(5),
		DimensionsMap: &map[string]*string{"StateMachineArn": machine.AttrArn()}})
}

// clientMetric is one of the metrics that the functions write.
func (r *rotator) clientMetric(name, client, statistic string, period awscdk.Duration) awscloudwatch.Metric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{Namespace: jsii.String(telemetry.Namespace),
		MetricName: &name, Statistic: &statistic, Period: period,
		DimensionsMap: &map[string]*string{"client": &client}})
}

func (r *rotator) balancerMetric(arn, name string) awscloudwatch.Metric {
	_, dimension, _ := strings.Cut(arn, ":loadbalancer/")
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{Namespace: jsii.String("AWS/ApplicationELB"),
		MetricName: &name, Statistic: jsii.String("Sum"), Period: minutes(5),
		Region: jsii.String(config.RegionOf(arn)), DimensionsMap: &map[string]*string{"LoadBalancer": &dimension}})
}

// allowedErrors returns what the load balancer's most tolerant client allows: the metric does not tell clients apart.
func (r *rotator) allowedErrors(arn string) float64 {
	most := 0
	for _, c := range r.all {
		for _, b := range c.LoadBalancers {
			if b == arn {
				most = max(most, c.Alarms.Errors())
			}
		}
	}
	return float64(most)
}

func minutes(n int) awscdk.Duration { return awscdk.Duration_Minutes(jsii.Number(n)) }

func hours(n int) awscdk.Duration { return awscdk.Duration_Hours(jsii.Number(n)) }

func days(n int) awscdk.Duration { return awscdk.Duration_Days(jsii.Number(n)) }

// balancerName returns the name and id of a load balancer: names are unique in a Region, and ids tell the Regions
// apart.
func balancerName(arn string) string {
	_, name, _ := strings.Cut(arn, ":loadbalancer/app/")
	return strings.ReplaceAll(name, "/", "-")
}
