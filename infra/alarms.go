package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/telemetry"
)

// slack is how much longer than its grace period a rotation may take: waits, retries and smoke tests.
const slack = 4 * time.Hour

// alarm is one alarm; its missing data are no problem, since most of the time nothing rotates.
type alarm struct {
	id, name, description string
	metric                awscloudwatch.IMetric
	above                 float64
}

// addAlarms adds the alarms, which all go to the topic.
func (r *rotator) addAlarms() {
	r.addAlarm(alarm{"Failed", "rotation-failed", "A rotation failed, was stopped, or timed out. The notification says which.", r.failures(), 0})
	r.addAlarm(alarm{"DeadLetters", "dead-letters", "EventBridge gave up starting a rotation or sending a notification: read the queue.",
		r.deadLetter.MetricApproximateNumberOfMessagesVisible(&awscloudwatch.MetricOptions{Statistic: jsii.String("Maximum"), Period: minutes(5)}), 0})
	longest := 0
	for _, c := range r.clients {
		longest = max(longest, c.GracePeriod())
		r.addAlarm(alarm{"Age-" + c.Name, ageAlarm(c.Name), "The secret of " + c.Name + " is older than its schedule and grace period allow.",
			r.clientMetric("SecretAge", c.Name, "Maximum", awscdk.Duration_Days(jsii.Number(1))), c.maxAge().Seconds()})
	}
	planned := time.Duration(longest)*time.Second + slack
	r.addAlarm(alarm{"Duration", "rotation-long", fmt.Sprintf("A rotation was open for longer than %s.", planned),
		r.machineMetric("ExecutionTime", "Maximum"), float64(planned.Milliseconds())})
	for i, arn := range r.loadBalancers() {
		if region(arn) == r.Region { // alarms see the metrics of their own Region
			r.addAlarm(alarm{fmt.Sprintf("AuthErrors-%d", i), "auth-errors-" + balancerName(arn),
				"Logins at load balancer " + balancerName(arn) + " fail at the identity provider: after a rotation, the sign of a wrong secret.",
				r.balancerMetric(arn, "ELBAuthError"), r.allowedErrors(arn)})
		}
	}
}

func (r *rotator) alarmName(what string) string { return r.Name + "-" + what }

func ageAlarm(client string) string { return "secret-age-" + client }

func (r *rotator) addAlarm(a alarm) {
	made := awscloudwatch.NewAlarm(r.stack, jsii.String("Alarm-"+a.id), &awscloudwatch.AlarmProps{
		AlarmName:          jsii.String(r.alarmName(a.name)),
		AlarmDescription:   &a.description,
		Metric:             a.metric,
		Threshold:          &a.above,
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		EvaluationPeriods:  jsii.Number(1),
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
	})
	action := awscloudwatchactions.NewSnsAction(r.topic)
	made.AddAlarmAction(action)
	made.AddOkAction(action)
	r.alarms = append(r.alarms, made)
}

// failures counts the executions that did not succeed.
func (r *rotator) failures() awscloudwatch.IMetric {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.String("failed + aborted + timedout"),
		Label:      jsii.String("failed rotations"),
		Period:     minutes(5),
		UsingMetrics: &map[string]awscloudwatch.IMetric{
			"failed":   r.machineMetric("ExecutionsFailed", "Sum"),
			"aborted":  r.machineMetric("ExecutionsAborted", "Sum"),
			"timedout": r.machineMetric("ExecutionsTimedOut", "Sum"),
		},
	})
}

func (r *rotator) machineMetric(name, statistic string) awscloudwatch.Metric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{Namespace: jsii.String("AWS/States"), MetricName: &name, Statistic: &statistic, Period: minutes(5),
		DimensionsMap: &map[string]*string{"StateMachineArn": r.machine.AttrArn()}})
}

// clientMetric is one of the metrics that the functions write.
func (r *rotator) clientMetric(name, client, statistic string, period awscdk.Duration) awscloudwatch.Metric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{Namespace: jsii.String(telemetry.Namespace), MetricName: &name, Statistic: &statistic, Period: period,
		DimensionsMap: &map[string]*string{"client": &client}})
}

func (r *rotator) balancerMetric(arn, name string) awscloudwatch.Metric {
	_, dimension, _ := strings.Cut(arn, ":loadbalancer/")
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{Namespace: jsii.String("AWS/ApplicationELB"), MetricName: &name, Statistic: jsii.String("Sum"), Period: minutes(5),
		Region: jsii.String(region(arn)), DimensionsMap: &map[string]*string{"LoadBalancer": &dimension}})
}

// allowedErrors is what the smoke tests of the load balancer's most tolerant client let pass.
func (r *rotator) allowedErrors(arn string) float64 {
	most := 0
	for _, c := range r.clients {
		for _, b := range c.LoadBalancers {
			if b == arn {
				most = max(most, c.SmokeTests.AuthErrors())
			}
		}
	}
	return float64(most)
}

func minutes(n int) awscdk.Duration { return awscdk.Duration_Minutes(jsii.Number(n)) }

// region of an ARN.
func region(arn string) string { return strings.Split(arn, ":")[3] }

// balancerName is the name and id of a load balancer: names are unique in a Region, and ids tell the Regions apart.
func balancerName(arn string) string {
	_, name, _ := strings.Cut(arn, ":loadbalancer/app/")
	return strings.ReplaceAll(name, "/", "-")
}
