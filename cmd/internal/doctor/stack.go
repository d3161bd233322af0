package doctor

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"alboidc.internal/shared/rights"
)

// examineStack looks at what all clients share.
func (d *Doctor) examineStack(ctx context.Context, r *report, regions []string) {
	d.checkMachine(ctx, r)
	d.checkFunctions(ctx, r)
	d.checkTopic(ctx, r, d.stack.Name, true)
	d.checkTopic(ctx, r, d.stack.Name+"-client-alarms", false)
	d.checkAlarms(ctx, r)
	for _, region := range regions {
		d.checkTrail(ctx, r, region)
	}
}

func (d *Doctor) checkMachine(ctx context.Context, r *report) {
	_, err := sfn.NewFromConfig(d.System.AWS(d.System.Region)).DescribeStateMachine(ctx,
		&sfn.DescribeStateMachineInput{StateMachineArn: aws.String(d.System.MachineARN())})
	r.unless(err, "state machine", "the state machine", "the state machine "+d.System.MachineARN()+" does not exist",
		"make deploy")
}

// checkFunctions looks at the functions, which Lambda may have switched off.
func (d *Doctor) checkFunctions(ctx context.Context, r *report) {
	api := lambda.NewFromConfig(d.System.AWS(d.System.Region))
	for _, name := range slices.Sorted(maps.Keys(rights.Functions)) {
		name = d.stack.Name + "-" + name
		f, err := api.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
		if !r.unless(err, "functions", "the function "+name, "the function "+name+" does not exist", "make deploy") {
			continue
		}
		if f.State != lambdatypes.StateActive && f.State != "" {
			r.add(Error, "functions", "make deploy",
				"the function %s is %s: %s", name, f.State, aws.ToString(f.StateReason))
		}
	}
}

// checkTopic looks at who is told.
func (d *Doctor) checkTopic(ctx context.Context, r *report, name string, needed bool) {
	arn := d.stack.ARN("sns", name)
	pages := sns.NewListSubscriptionsByTopicPaginator(sns.NewFromConfig(d.System.AWS(d.System.Region)),
		&sns.ListSubscriptionsByTopicInput{TopicArn: &arn})
	subscribed := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil && notFound(err) && !needed {
			return // no client has addresses of its own
		}
		if !r.unless(err, "notifications", "the subscriptions of "+name, "the topic "+arn+" does not exist",
			"make deploy") {
			return
		}
		for _, s := range page.Subscriptions {
			switch aws.ToString(s.SubscriptionArn) {
			case "Deleted": // it is listed for some days more
			case "PendingConfirmation":
				address := aws.ToString(s.Endpoint)
				r.add(Warning, "notifications",
					"confirm it by the link in the mail; to have that sent again: aws sns subscribe "+
						"--region "+d.System.Region+" --topic-arn "+arn+" --protocol "+aws.ToString(s.Protocol)+
						" --notification-endpoint "+address,
					"%s has not confirmed its subscription of %s, and is told nothing",
					address, name)
			default:
				subscribed++
			}
		}
	}
	if subscribed == 0 && needed {
		r.add(Error, "notifications",
			"set stack.email in clients.yaml, then make deploy; or subscribe chat or paging to "+arn+
				"; a subscription by mail has to be confirmed",
			"nobody has subscribed to the topic %s: nobody is told of anything", name)
	}
}

// checkAlarms reports the alarms of the stack that ring, and those that tell nobody.
func (d *Doctor) checkAlarms(ctx context.Context, r *report) {
	pages := cloudwatch.NewDescribeAlarmsPaginator(cloudwatch.NewFromConfig(d.System.AWS(d.System.Region)),
		&cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: aws.String(d.stack.Name + "-"),
			AlarmTypes: []cwtypes.AlarmType{cwtypes.AlarmTypeMetricAlarm}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if !r.unless(err, "alarms", "the alarms", "", "") {
			return
		}
		for _, a := range page.MetricAlarms {
			name := aws.ToString(a.AlarmName)
			if topic := d.stack.ARN("sns", d.stack.Name); len(a.AlarmActions) > 0 &&
				!slices.Contains(a.AlarmActions, topic) && !slices.Contains(a.AlarmActions, topic+"-client-alarms") {
				continue // of a stack whose name begins with this one's
			}
			if a.StateValue == cwtypes.StateValueAlarm {
				says, runbook, _ := strings.Cut(aws.ToString(a.AlarmDescription), " Runbook: ")
				if runbook == "" {
					runbook = "docs/runbook.md#alarms"
				}
				r.add(Error, "alarms", "see "+runbook, "alarm %s rings: %s", name, says)
			}
			if a.ActionsEnabled != nil && !*a.ActionsEnabled {
				r.add(Warning, "alarms", "aws cloudwatch enable-alarm-actions --region "+d.System.Region+
					" --alarm-names "+name,
					"the actions of alarm %s are switched off: it tells nobody", name)
			}
		}
	}
}

// checkTrail looks for a trail that records who changes load balancers: without one nobody hears of a rule that got an
// old secret back.
func (d *Doctor) checkTrail(ctx context.Context, r *report, region string) {
	const check = "trail"
	api := cloudtrail.NewFromConfig(d.System.AWS(region))
	what := "the trails of " + region
	list, err := api.DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(true)})
	if !r.unless(err, check, what, "", "") {
		return
	}
	unseen := &report{} // counts unless another trail is good enough
	for _, t := range list.TrailList {
		status, err := api.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: t.TrailARN})
		if !unseen.unlessForeign(err, t, check, what) {
			continue
		}
		selected, err := api.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: t.TrailARN})
		if !unseen.unlessForeign(err, t, check, what) {
			continue
		}
		if aws.ToBool(status.IsLogging) && records(selected) {
			return
		}
	}
	if len(unseen.findings) > 0 {
		r.findings = append(r.findings, unseen.findings...)
		return
	}
	r.add(Warning, check, "make a trail with management events (aws cloudtrail create-trail, put-event-selectors, "+
		"start-logging), or see docs/deploying.md#what-is-not-watched",
		"no trail of %s records who changes load balancers: "+
			"nobody is told if a rule gets an old secret back", region)
}

// unlessForeign is unless, for a trail. One of the organization shows itself to its members, but not what it records.
func (r *report) unlessForeign(err error, t trailtypes.Trail, check, what string) bool {
	if err == nil || !aws.ToBool(t.IsOrganizationTrail) {
		return r.unless(err, check, what, "", "")
	}
	name := aws.ToString(t.TrailARN)
	r.add(Warning, check, "ask those who manage the organization whether it records management events that change "+
		"something, or make a trail of your own", "the organization's trail %s does not say here what it records", name)
	return false
}

// records reports whether a trail records management events that change something.
func records(s *cloudtrail.GetEventSelectorsOutput) bool {
	for _, e := range s.EventSelectors {
		if aws.ToBool(e.IncludeManagementEvents) && e.ReadWriteType != trailtypes.ReadWriteTypeReadOnly {
			return true
		}
	}
	return slices.ContainsFunc(s.AdvancedEventSelectors, func(a trailtypes.AdvancedEventSelector) bool {
		management, changes := false, true
		for _, f := range a.FieldSelectors {
			switch aws.ToString(f.Field) {
			case "eventCategory":
				management = slices.Contains(f.Equals, "Management")
			case "readOnly":
				changes = !slices.Contains(f.Equals, "true")
			case "eventSource":
				changes = changes && !slices.Contains(f.NotEquals, "elasticloadbalancing.amazonaws.com") &&
					(len(f.Equals) == 0 || slices.Contains(f.Equals, "elasticloadbalancing.amazonaws.com"))
			}
		}
		return management && changes
	})
}
