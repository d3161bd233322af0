package main

import (
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/config"
	"alboidc.internal/statemachine"
)

// The rules' names; alarms and policies refer to them.
func (r *rotator) ruleName(what string) string { return r.Name + "-" + what }

// addEvents adds the rules of EventBridge for what happens to executions and what others do to targets. All of them
// start the notifier.
func (r *rotator) addEvents() {
	failed := r.executionPattern("FAILED")
	failed["detail"].(map[string]any)["error"] = []any{map[string]any{"anything-but": statemachine.ToldOtherwise()},
		map[string]any{"exists": false}} // anything-but matches only what is there
	r.addRule("notifier", "A rotation failed where it could not tell of it", failed, nil)
	r.addRule("interrupted", "A rotation was stopped or timed out", r.executionPattern("ABORTED", "TIMED_OUT"), nil)
	r.addEvidenceRules()
	r.addWatches()
}

func (r *rotator) addWatches() {
	for _, c := range r.clients {
		r.addWatch(c)
	}
}

// executionPattern selects the ends of our executions (Step Functions developer guide, "Automating Step Functions event
// delivery with EventBridge").
func (r *rotator) executionPattern(statuses ...string) map[string]any {
	return map[string]any{
		"source":      []any{"aws.states"},
		"detail-type": []any{"Step Functions Execution Status Change"},
		"detail":      map[string]any{"stateMachineArn": []any{*r.machine.AttrArn()}, "status": statuses},
	}
}

// addRule adds a rule that passes on its event, as it is or inside input.
func (r *rotator) addRule(what, description string, pattern map[string]any,
	input *awsevents.CfnRule_InputTransformerProperty) {
	awsevents.NewCfnRule(r.stack, jsii.String("Rule-"+what), &awsevents.CfnRuleProps{
		Name:         jsii.String(r.ruleName(what)),
		EventBusName: r.bus,
		Description:  jsii.String(description + "."),
		EventPattern: pattern,
		Targets: []any{&awsevents.CfnRule_TargetProperty{
			Id: jsii.String("target"), Arn: r.notifier.AttrArn(), RoleArn: r.ruleRole.RoleArn(),
			InputTransformer: input,
			RetryPolicy: &awsevents.CfnRule_RetryPolicyProperty{MaximumEventAgeInSeconds: jsii.Number(3600),
				MaximumRetryAttempts: jsii.Number(20)},
			DeadLetterConfig: &awsevents.CfnRule_DeadLetterConfigProperty{Arn: r.deadLetter.QueueArn()},
		}},
	})
}

// watched is how many load balancers one rule's pattern holds: a pattern has at most 2048 characters (EventBridge
// quotas).
const watched = 6

// addWatch warns when CloudTrail shows that anyone else changes a client's targets: a stack or a controller that puts
// the old secret back breaks logins once that is removed. Events stay in their Region, so it watches only load
// balancers of the stack's account and Region; elsewhere ReassertSecret puts the new secret back before the old one
// goes. Where rules are left to controllers it would warn of their every write: an event does not tell whose rule it
// is.
func (r *rotator) addWatch(c Client) {
	if c.LeavesToControllers() {
		return
	}
	here := balancersIn(r.Region, c)
	for i := 0; i*watched < len(here); i++ {
		some := here[i*watched : min((i+1)*watched, len(here))]
		r.addWatchRule(fmt.Sprintf("rules-%s-%d", c.Name, i), c.Name, "ModifyRule", "ruleArn", some, ruleARNs)
		r.addWatchRule(fmt.Sprintf("listeners-%s-%d", c.Name, i), c.Name, "ModifyListener",
			"listenerArn", some, listenerARNs)
	}
}

// balancersIn are the load balancers of a client that CloudWatch and EventBridge of the stack's account show in a
// Region.
func balancersIn(region string, c Client) []string {
	return slices.DeleteFunc(slices.Clone(c.LoadBalancers), func(arn string) bool {
		return config.RegionOf(arn) != region || c.IsReachedByRole(arn)
	})
}

// ours are the roles by which targets are changed here; EventBridge user guide, "anything-but" with a list of prefixes.
func (r *rotator) ours() any {
	own := *r.callers["updatealb"].RoleArn()
	if r.places == nil {
		return []any{own}
	}
	return map[string]any{"prefix": []any{own, r.rights().PlaceRoleARNs("updatealb")}}
}

func (r *rotator) addWatchRule(what, client, event, field string, balancers []string, begin func(string) string) {
	var prefixes []any
	for _, arn := range balancers {
		prefixes = append(prefixes, map[string]any{"prefix": begin(arn)})
	}
	who := func(m map[string]any) map[string]any {
		return map[string]any{"userIdentity": map[string]any{"sessionContext": map[string]any{
			"sessionIssuer": map[string]any{"arn": []any{m}}}}}
	}
	pattern := map[string]any{
		"source":      []any{"aws.elasticloadbalancing"},
		"detail-type": []any{"AWS API Call via CloudTrail"},
		"detail": map[string]any{
			// not in every partition does it end as it does in ours
			"eventSource":       []any{map[string]any{"prefix": "elasticloadbalancing."}},
			"eventName":         []any{event},
			"requestParameters": map[string]any{field: prefixes},
			"errorCode":         []any{map[string]any{"exists": false}}, // a call that was refused changed nothing
			// A user without a role has no session issuer, and anything-but matches only what is there.
			"$or": []any{who(map[string]any{"anything-but": r.ours()}),
				who(map[string]any{"exists": false})},
		},
	}
	// Who, what, where and when, and no more: the event holds the whole request, perhaps with a client secret, and the
	// input of an execution stays for 90 days. None of these values has a quotation mark.
	r.addRule(what, "Somebody else changed a load balancer that logs users in as "+client, pattern,
		&awsevents.CfnRule_InputTransformerProperty{
			InputPathsMap: map[string]any{"time": "$.time", "call": "$.detail.eventName",
				"target": "$.detail.requestParameters." + field,
				"who":    "$.detail.userIdentity.arn", "service": "$.detail.userIdentity.invokedBy"},
			InputTemplate: jsii.String(fmt.Sprintf(
				`{"client": %q, "change": {"time": "<time>", "detail": {"eventName": "<call>", "requestParameters": {%q: "<target>"}, `+
					`"userIdentity": {"arn": "<who>", "invokedBy": "<service>"}}}}`, client, field)),
		})
}
