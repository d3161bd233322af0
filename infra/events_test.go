package main

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"alboidc.internal/statemachine"
)

func TestEveryRuleStartsTheStateMachineThatLooksAfterIt(t *testing.T) {
	tpl := exampleTemplate(t)
	for rule, want := range map[string]map[string]string{
		"notifier": {"EventPattern.detail.status": `["FAILED"]`,
			"EventPattern.detail.error": `[{"anything-but":["RolledBack","Refused","LockHeld"]},{"exists":false}]`},
		"interrupted": {"EventPattern.detail.status": `["ABORTED","TIMED_OUT"]`, "EventPattern.detail.error": ""},
		"fleet": {"EventPattern.detail.status": `["FAILED","ABORTED","TIMED_OUT"]`,
			"EventPattern.detail.error": `[{"anything-but":["FleetIncomplete","InvalidInput"]},{"exists":false}]`},
	} {
		r := tpl.one(t, "AWS::Events::Rule", "Name", "alb-oidc-rotator-"+rule)
		want["EventPattern.source"], want["EventPattern.detail-type"] = `["aws.states"]`,
			`["Step Functions Execution Status Change"]`
		expect(t, rule, r, want)
		if machine := text(at(t, r.Properties, "EventPattern", "detail",
			"stateMachineArn", 0)); machine != map[bool]string{false: "<StateMachine.Arn>",
			true: "<FleetStateMachine.Arn>"}[rule == "fleet"] {
			t.Errorf("%s watches %s: nobody hears of executions that ended half way", rule, machine)
		}
	}
	for _, id := range tpl.of("AWS::Events::Rule") {
		targets := tpl.Resources[id].Properties["Targets"].([]any)
		if len(targets) != 1 || text(at(t, targets, 0, "Arn")) != "<AttentionStateMachine.Arn>" ||
			!strings.HasPrefix(text(at(t, targets, 0, "RoleArn")), "<Rolerules") ||
			!strings.HasPrefix(text(at(t, targets, 0, "DeadLetterConfig", "Arn")), "<DeadLetters") {
			t.Errorf("%s goes to %s", id, text(targets))
		}
	}
}

func TestWhatLooksAfterExecutionsStartsThemThroughTheAlias(t *testing.T) {
	tpl := exampleTemplate(t)
	r := tpl.one(t, "AWS::StepFunctions::StateMachine", "StateMachineName", "alb-oidc-rotator-notifier")
	alias := text(tpl.Resources[tpl.of("AWS::StepFunctions::StateMachineAlias")[0]].Properties["Name"])
	expect(t, "the state machine", r, map[string]string{"TracingConfiguration.Enabled": "true",
		"LoggingConfiguration.IncludeExecutionData": "false",
		"DefinitionSubstitutions.EventBusName":      "default", "DefinitionSubstitutions.RotationAlias": alias})
	if r.Properties["DefinitionString"] != statemachine.Notifier {
		t.Error("the definition is not notifier.asl.json")
	}
}

func TestChangesOfTargetsByOthersAreReported(t *testing.T) {
	tpl := exampleTemplate(t)
	for rule, want := range map[string][3]string{
		"rules-orders-web-0":     {`["ModifyRule"]`, "listener-rule", "ruleArn"},
		"listeners-orders-web-0": {`["ModifyListener"]`, "listener", "listenerArn"},
	} {
		r := tpl.one(t, "AWS::Events::Rule", "Name", "alb-oidc-rotator-"+rule)
		expect(t, rule, r, map[string]string{"EventPattern.detail.eventName": want[0],
			"EventPattern.detail-type": `["AWS API Call via CloudTrail"]`})
		if refused := text(at(t, r.Properties, "EventPattern", "detail",
			"errorCode")); refused != `[{"exists":false}]` {
			t.Errorf("%s also tells of calls that were refused: %s", rule, refused)
		}
		// The client is in it for those who hear of one client only, and of the event nothing that may be a secret.
		input := text(at(t, r.Properties, "Targets", 0, "InputTransformer", "InputTemplate"))
		paths := text(at(t, r.Properties, "Targets", 0, "InputTransformer", "InputPathsMap"))
		if !strings.HasPrefix(input, `{"client": "orders-web", "change": {"time": "<time>", `) ||
			strings.Contains(input, "aws.events") || !json.Valid([]byte(input)) {
			t.Errorf("%s hands over %s", rule, input)
		}
		if want := `{"call":"$.detail.eventName","service":"$.detail.userIdentity.invokedBy","target":"$.detail.requestParameters.` + want[2] +
			`","time":"$.time","who":"$.detail.userIdentity.arn"}`; paths != want {
			t.Errorf("%s takes %s", rule, paths)
		}
		// Only the load balancer in the stack's Region: events stay in their Region.
		parameters := text(at(t, r.Properties, "EventPattern", "detail", "requestParameters"))
		if strings.Count(parameters, "prefix") != 1 || !strings.Contains(parameters,
			":eu-central-1:111122223333:"+want[1]+"/app/orders/50dc6c495c0c9188/") {
			t.Errorf("%s watches %s", rule, parameters)
		}
		who := text(at(t, r.Properties, "EventPattern", "detail", "$or"))
		if !strings.Contains(who, `"anything-but":[{"Fn::GetAtt":["Roleupdatealb`) || !strings.Contains(who,
			`{"exists":false}`) {
			t.Errorf("%s leaves out %s", rule, who)
		}
	}
}

func TestEveryPatternFitsIntoARule(t *testing.T) {
	more := strings.Repeat(
		"\n      - arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/a-name-of-thirty-two-characters-0/50dc6c495c0c%04d", 14)
	for i := range 14 {
		more = strings.Replace(more, "%04d", strconv.Itoa(1000+i), 1)
	}
	tpl := changed(t, "    loadBalancers:", "    loadBalancers:"+more)
	rules := 0
	for _, id := range tpl.of("AWS::Events::Rule") {
		r := tpl.Resources[id]
		pattern := strings.ReplaceAll(text(r.Properties["EventPattern"]),
			`{"Fn::GetAtt":["Roleupdatealb05556C5D","Arn"]}`, `"`+strings.Repeat("x", 100)+`"`)
		if len(pattern) > 2048 {
			t.Errorf("the pattern of %s has %d characters", id, len(pattern))
		}
		if strings.Contains(text(r.Properties["Name"]), "-rules-orders-web-") {
			rules++
		}
	}
	if rules != 3 {
		t.Errorf("15 load balancers are watched by %d rules, want 3", rules)
	}
}

func TestNotificationsAreEncryptedAndReachTheirReaders(t *testing.T) {
	tpl := exampleTemplate(t)
	r := tpl.one(t, "AWS::SNS::Topic", "TopicName", "alb-oidc-rotator")
	expect(t, "the topic", r, map[string]string{"KmsMasterKeyId": "<Key961B73FD.Arn>"})
	expect(t, "the subscription", tpl.one(t, "AWS::SNS::Subscription", "Protocol",
		"email"), map[string]string{"Endpoint": "platform-team@example.com"})
	var publishers []string
	for _, s := range statements(t, tpl.Resources["Key961B73FD"].Properties["KeyPolicy"]) {
		if slices.Contains(s.actions, "kms:GenerateDataKey*") {
			publishers = append(publishers, text(s.principal))
		}
	}
	// The state machines publish by their roles, so no rule of EventBridge needs to.
	if want := []string{`{"Service":"cloudwatch.amazonaws.com"}`,
		`{"Service":"logs.eu-central-1.amazonaws.com"}`}; !slices.Equal(publishers, want) {
		t.Errorf("the key can be used by %v, want %v", publishers, want)
	}
}

func TestAClientsOwnAddressesGetWhatIsAboutTheirClient(t *testing.T) {
	text1 := strings.Replace(string(changedText(t, "    # notifications:\n    #   email: [orders-team@example.com]",
		"    notifications: {email: [orders-team@example.com, both@example.com]}")),
		"    maxSecretAgeDays: 35", "    maxSecretAgeDays: 35\n    notifications: {email: [both@example.com]}", 1)
	file, err := parseFile([]byte(text1))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := synthesized(file)
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string][2]string{
		"orders-team@example.com": {`{"client":["orders-web"]}`,
			`{"AlarmName":[{"prefix":"alb-oidc-rotator-orders-web/"}]}`},
		"both@example.com": {`{"client":["orders-web","shop-web"]}`,
			`{"AlarmName":[{"prefix":"alb-oidc-rotator-orders-web/"},{"prefix":"alb-oidc-rotator-shop-web/"}]}`},
	} {
		// Messages are found by their attributes, alarms by their body; one subscription cannot look at both.
		got := map[string]string{}
		for _, id := range tpl.of("AWS::SNS::Subscription") {
			if p := tpl.Resources[id].Properties; p["Endpoint"] == address {
				got[text(p["FilterPolicyScope"])+" of "+text(p["TopicArn"])[:9]] = text(p["FilterPolicy"])
			}
		}
		if len(got) != 2 || got["MessageAttributes of <Notifica"] != want[0] ||
			got["MessageBody of <ClientAl"] != want[1] {
			t.Errorf("%s gets %v", address, got)
		}
	}
	// Both topics hear of a client's alarms, that of all of every alarm.
	for name, topics := range map[string]int{"orders-web/secret-age": 2, "shop-web/rotation-long": 2,
		"rotation-failed": 1, "auth-errors-orders-50dc6c495c0c9188-0": 1} {
		r := tpl.one(t, "AWS::CloudWatch::Alarm", "AlarmName", "alb-oidc-rotator-"+name)
		if n := len(r.Properties["AlarmActions"].([]any)); n != topics ||
			len(r.Properties["OKActions"].([]any)) != topics {
			t.Errorf("%s goes to %d topics", name, n)
		}
	}
	if all := tpl.one(t, "AWS::SNS::Subscription", "Endpoint",
		"platform-team@example.com"); all.Properties["FilterPolicy"] != nil {
		t.Errorf("stack.email gets only %v", all.Properties["FilterPolicy"])
	}
	if n := len(tpl.of("AWS::SNS::Subscription")); n != 5 {
		t.Errorf("%d subscriptions, want 5", n)
	}
}

func TestOnlyTheStackPublishesAndLeavesDeadLetters(t *testing.T) {
	tpl := exampleTemplate(t)
	for kind, want := range map[string][]string{
		"AWS::SNS::TopicPolicy": {":alarm:alb-oidc-rotator-*"},
		"AWS::SQS::QueuePolicy": {":rule/alb-oidc-rotator-*"},
	} {
		var sources []string
		insecure := false
		for _, s := range statements(t, tpl.Resources[tpl.of(kind)[0]].Properties["PolicyDocument"]) {
			if s.effect == "Deny" {
				insecure = insecure || strings.Contains(s.condition, `"aws:SecureTransport":"false"`)
				continue
			}
			sources = append(sources, s.condition)
		}
		if !insecure {
			t.Errorf("%s lets in what is not encrypted", kind)
		}
		if len(sources) != len(want) {
			t.Fatalf("%s lets in %v", kind, sources)
		}
		for i := range want {
			if !strings.HasPrefix(sources[i], `{"ArnLike":{"aws:SourceArn":`) ||
				!strings.Contains(sources[i], want[i]) {
				t.Errorf("%s lets in %s", kind, sources[i])
			}
		}
	}
}
