package main

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
)

// healReason is the reason of an execution that puts right what a stopped one left.
const healReason = "healing: an execution was stopped or timed out"

// The rules' names; alarms and policies refer to them.
func (r *rotator) ruleName(what string) string { return r.Name + "-" + what }

// addEvents adds the rules of EventBridge: what happens to executions, and what others do to the targets.
func (r *rotator) addEvents() {
	r.addRule("failed", "A rotation failed", r.executionPattern("FAILED"),
		r.toTopic(map[string]string{"execution": "$.detail.executionArn", "input": "$.detail.input", "error": "$.detail.error", "cause": "$.detail.cause"},
			`"A rotation FAILED with <error>. Execution: <execution> Input: <input> Cause: <cause> If it failed in its rollback or in FinishSecret both secrets are still valid: mend the cause and redrive the execution."`))
	r.addRule("interrupted", "A rotation was stopped or timed out", r.executionPattern("ABORTED", "TIMED_OUT"),
		r.toTopic(map[string]string{"execution": "$.detail.executionArn", "input": "$.detail.input", "status": "$.detail.status"},
			`"A rotation ended as <status>. Execution: <execution> Input: <input> A new execution puts right what it left."`))
	role := r.healerRole()
	for _, c := range r.clients {
		r.addHealing(c, role)
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

// addRule adds a rule with one target.
func (r *rotator) addRule(what, description string, pattern map[string]any, target *awsevents.CfnRule_TargetProperty) {
	target.Id = jsii.String("target")
	target.DeadLetterConfig = &awsevents.CfnRule_DeadLetterConfigProperty{Arn: r.deadLetter.QueueArn()}
	awsevents.NewCfnRule(r.stack, jsii.String("Rule-"+what), &awsevents.CfnRuleProps{
		Name:         jsii.String(r.ruleName(what)),
		Description:  jsii.String(description + "."),
		EventPattern: pattern,
		Targets:      []any{target},
	})
}

// toTopic sends JSON, a text or an object, with values of the event to the topic.
func (r *rotator) toTopic(paths map[string]string, template string) *awsevents.CfnRule_TargetProperty {
	return &awsevents.CfnRule_TargetProperty{Arn: r.topic.TopicArn(), InputTransformer: &awsevents.CfnRule_InputTransformerProperty{
		InputPathsMap: paths, InputTemplate: &template}}
}

// addHealing starts one execution of a client after one of its executions was stopped or timed out: no Catch sees that,
// and the new one's plan puts right what the other left.
func (r *rotator) addHealing(c Client, role awsiam.Role) {
	pattern := r.executionPattern("ABORTED", "TIMED_OUT")
	pattern["detail"].(map[string]any)["input"] = healedInputs(c.Name)
	r.addRule("heal-"+c.Name, "Puts right what a stopped rotation of "+c.Name+" left", pattern,
		&awsevents.CfnRule_TargetProperty{Arn: r.liveMachine.AttrArn(), RoleArn: role.RoleArn(), Input: jsii.String(healInput(c.Name)),
			RetryPolicy: &awsevents.CfnRule_RetryPolicyProperty{MaximumEventAgeInSeconds: jsii.Number(3600), MaximumRetryAttempts: jsii.Number(20)}})
}

// healInput is the input of a healing execution. It begins with its reason, which healedInputs does not match: a healing
// execution that is stopped starts no other, or nobody could ever stop one.
func healInput(client string) string {
	return fmt.Sprintf(`{"reason":%q,"client":%q}`, healReason, client)
}

// healedInputs matches the inputs of executions that changed something: of schedules, and of people as the guide tells
// them to write. A dry run begins otherwise; what else is written otherwise waits for the next schedule.
func healedInputs(client string) []any {
	var list []any
	for _, colon := range []string{`:`, `: `} {
		start := `{"client"` + colon + `"` + client + `"`
		list = append(list, start+"}")
		for _, field := range []string{"reason", "gracePeriodSeconds"} {
			for _, comma := range []string{`,`, `, `} {
				list = append(list, map[string]any{"prefix": start + comma + `"` + field + `"`})
			}
		}
	}
	return list
}

func (r *rotator) healerRole() awsiam.Role {
	role := awsiam.NewRole(r.stack, jsii.String("Role-healer"), &awsiam.RoleProps{
		Description: jsii.String("Healing executions of " + r.Name),
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: r.ourAccount(r.arn("events", "rule/"+r.ruleName("heal-*")))}),
	})
	r.allowStart(role)
	return role
}

// watched is how many load balancers one rule's pattern holds: a pattern has at most 2048 characters (EventBridge quotas).
const watched = 6

// addWatch warns when anyone else changes a client's targets, as CloudTrail tells: a stack or a controller that puts the
// old secret back breaks logins when that is removed. Events stay in their Region, so only the load balancers of the
// stack's Region are watched; elsewhere ReassertSecret puts the new secret back before the old one goes.
func (r *rotator) addWatch(c Client) {
	var here []string
	for _, arn := range c.LoadBalancers {
		if region(arn) == r.Region {
			here = append(here, arn)
		}
	}
	for i := 0; i*watched < len(here); i++ {
		some := here[i*watched : min((i+1)*watched, len(here))]
		r.addWatchRule(fmt.Sprintf("rules-%s-%d", c.Name, i), c.Name, "ModifyRule", "ruleArn", some, ruleARNs)
		r.addWatchRule(fmt.Sprintf("listeners-%s-%d", c.Name, i), c.Name, "ModifyListener", "listenerArn", some, listenerARNs)
	}
}

func (r *rotator) addWatchRule(what, client, event, field string, balancers []string, begin func(string) string) {
	var prefixes []any
	for _, arn := range balancers {
		prefixes = append(prefixes, map[string]any{"prefix": begin(arn)})
	}
	who := func(m map[string]any) map[string]any {
		return map[string]any{"userIdentity": map[string]any{"sessionContext": map[string]any{"sessionIssuer": map[string]any{"arn": []any{m}}}}}
	}
	pattern := map[string]any{
		"source":      []any{"aws.elasticloadbalancing"},
		"detail-type": []any{"AWS API Call via CloudTrail"},
		"detail": map[string]any{
			"eventSource":       []any{"elasticloadbalancing.amazonaws.com"},
			"eventName":         []any{event},
			"requestParameters": map[string]any{field: prefixes},
			// A user without a role has no session issuer, and anything-but matches only what is there.
			"$or": []any{who(map[string]any{"anything-but": []any{*r.roles["updatealb"].RoleArn()}}), who(map[string]any{"exists": false})},
		},
	}
	r.addRule(what, "Somebody else changed a load balancer that logs users in as "+client, pattern,
		r.toTopic(map[string]string{"event": "$.detail.eventName", "target": "$.detail.requestParameters." + field, "who": "$.detail.userIdentity.arn", "time": "$.time"},
			fmt.Sprintf(`{"client": %q, "outcome": "changedByOthers", "warning": "<who> called <event> on <target> at <time>. If it put an old client secret back, logins break when that secret is removed; start a rotation to put the current one back."}`, client)))
}
