package main

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"alboidc.internal/statemachine"
)

func TestEveryFunctionIsDeployedAsTheStateMachineExpects(t *testing.T) {
	tpl := exampleTemplate(t)
	roles := map[string]bool{}
	for _, f := range statemachine.Functions() {
		name := "alb-oidc-rotator-" + f.Name
		r := tpl.one(t, "AWS::Lambda::Function", "FunctionName", name)
		expect(t, f.Name, r, map[string]string{
			"Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": strconv.Itoa(int(f.Timeout / time.Second)),
			"TracingConfig.Mode": "Active", "LoggingConfig.LogFormat": "JSON", "Environment.Variables.LOG_LEVEL": "info",
		})
		if got := text(r.Properties["Architectures"]); got != `["arm64"]` {
			t.Errorf("%s runs on %s", f.Name, got)
		}
		variables := r.Properties["Environment"].(map[string]any)["Variables"].(map[string]any)
		if len(variables) != 2 || !strings.HasPrefix(text(variables["JOURNAL_TABLE"]), "<Journal") {
			t.Errorf("%s has the environment %v", f.Name, variables)
		}
		if text(r.Properties["Code"]) == "" || sizes[f.Name].memoryMB != r.Properties["MemorySize"].(float64) {
			t.Errorf("%s has %v", f.Name, r.Properties)
		}
		roles[text(r.Properties["Role"])] = true
		logs := tpl.one(t, "AWS::Logs::LogGroup", "LogGroupName", "/aws/lambda/"+name)
		expect(t, f.Name+"'s log", logs, map[string]string{"RetentionInDays": "90", "KmsKeyId": "<Key961B73FD.Arn>"})
	}
	if len(roles) != len(statemachine.Functions()) {
		t.Errorf("%d functions have %d roles", len(statemachine.Functions()), len(roles))
	}
}

func TestOnlyTheFunctionsOfARollbackHaveReservedConcurrency(t *testing.T) {
	for _, tt := range []struct {
		name string
		tpl  template
		want []string
	}{
		{"by default", exampleTemplate(t), []string{"promotesecret", "retiresecret", "smoketest", "updatealb"}},
		{"where the account cannot", changed(t, "# reserveConcurrency: true ", "reserveConcurrency: false #"), nil},
	} {
		var got []string
		for _, id := range tt.tpl.of("AWS::Lambda::Function") {
			if p := tt.tpl.Resources[id].Properties; p["ReservedConcurrentExecutions"] != nil {
				got = append(got, strings.TrimPrefix(text(p["FunctionName"]), "alb-oidc-rotator-"))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s, %v have reserved concurrency, want %v", tt.name, got, tt.want)
		}
	}
}

func TestOnlyTheSmokeTestIsInTheVPC(t *testing.T) {
	tpl := changed(t, "# smokeTestVpc: ", "smokeTestVpc: {subnetIds: [subnet-0a], securityGroupIds: [sg-0b]} #")
	for _, f := range statemachine.Functions() {
		r := tpl.one(t, "AWS::Lambda::Function", "FunctionName", "alb-oidc-rotator-"+f.Name)
		want := ""
		if f.Name == "smoketest" {
			want = `{"SecurityGroupIds":["sg-0b"],"SubnetIds":["subnet-0a"]}`
		}
		if got := text(r.Properties["VpcConfig"]); got != want {
			t.Errorf("%s is in %q, want %q", f.Name, got, want)
		}
	}
}

func TestTheStateMachineIsTheOneInTheRepository(t *testing.T) {
	tpl := exampleTemplate(t)
	r := tpl.one(t, "AWS::StepFunctions::StateMachine", "StateMachineName", "alb-oidc-rotator")
	expect(t, "the state machine", r, map[string]string{"StateMachineType": "STANDARD", "TracingConfiguration.Enabled": "true",
		"LoggingConfiguration.Level": "ALL", "LoggingConfiguration.IncludeExecutionData": "false"})
	if r.Properties["DefinitionString"] != statemachine.Definition {
		t.Error("the definition is not rotation.asl.json")
	}
	substitutions := map[string]string{}
	for name, v := range r.Properties["DefinitionSubstitutions"].(map[string]any) {
		substitutions[name] = text(v)
	}
	if got, want := sorted(substitutions), sorted(statemachine.Values{}.Substitutions()); !slices.Equal(got, want) {
		t.Errorf("substituted are %v, want %v", got, want)
	}
	if _, err := statemachine.Render(statemachine.Definition, substitutions); err != nil {
		t.Error(err)
	}
	for _, f := range statemachine.Functions() {
		if !strings.HasPrefix(substitutions[f.Placeholder], "<Live"+f.Name) {
			t.Errorf("%s is invoked as %s, not through its alias", f.Name, substitutions[f.Placeholder])
		}
	}
	if substitutions["SettleSeconds"] != "75" || substitutions["ParameterPrefix"] != "/alb-oidc-rotator/clients/" {
		t.Errorf("the settling time is %s, the parameters' prefix %s", substitutions["SettleSeconds"], substitutions["ParameterPrefix"])
	}
	version := tpl.Resources[tpl.of("AWS::StepFunctions::StateMachineVersion")[0]]
	if version.DeletionPolicy != "Retain" || version.UpdateReplacePolicy != "Retain" {
		t.Error("a version goes away under the executions that run it")
	}
}

func TestASecretThatTheStackCreatesHasNoValueAndIsKept(t *testing.T) {
	tpl := exampleTemplate(t)
	ids := tpl.of("AWS::SecretsManager::Secret")
	if len(ids) != 1 {
		t.Fatalf("created are %v", ids)
	}
	r := tpl.Resources[ids[0]]
	if r.DeletionPolicy != "RetainExceptOnCreate" || r.UpdateReplacePolicy != "Retain" {
		t.Errorf("a client's secret can be removed: %s, %s", r.DeletionPolicy, r.UpdateReplacePolicy)
	}
	if r.Properties["SecretString"] != nil || r.Properties["GenerateSecretString"] != nil {
		t.Error("the template gives the secret a value")
	}
	expect(t, "the secret", r, map[string]string{"Name": "alb-oidc-rotator/shop-web/client-secret"})
}

func TestRemovingAClientRemovesAllOfItButItsSecret(t *testing.T) {
	file, err := parseFile([]byte(strings.Split(string(changedText(t, "clients:", "clients:")), "  # One client whose secret the stack creates")[0]))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := synth(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(tpl.text), "shop") {
		t.Error("the template still knows shop-web")
	}
}

func TestTheJournalOutlivesTheStack(t *testing.T) {
	tpl := exampleTemplate(t)
	r := tpl.one(t, "AWS::DynamoDB::Table", "TableName", "alb-oidc-rotator-journal")
	expect(t, "the journal", r, map[string]string{"BillingMode": "PAY_PER_REQUEST", "DeletionProtectionEnabled": "true",
		"PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled": "true", "SSESpecification.SSEEnabled": "true",
		"KeySchema": `[{"AttributeName":"client","KeyType":"HASH"}]`})
	if r.DeletionPolicy != "RetainExceptOnCreate" || r.UpdateReplacePolicy != "Retain" {
		t.Error("the journal goes with the stack")
	}
}

func TestEndsOfExecutionsAreReported(t *testing.T) {
	tpl := exampleTemplate(t)
	for rule, want := range map[string]string{"failed": `["FAILED"]`, "interrupted": `["ABORTED","TIMED_OUT"]`} {
		r := tpl.one(t, "AWS::Events::Rule", "Name", "alb-oidc-rotator-"+rule)
		expect(t, rule, r, map[string]string{"EventPattern.source": `["aws.states"]`, "EventPattern.detail.status": want,
			"EventPattern.detail-type": `["Step Functions Execution Status Change"]`})
		if machine := text(at(t, r.Properties, "EventPattern", "detail", "stateMachineArn", 0)); machine != "<StateMachine.Arn>" {
			t.Errorf("%s watches %s", rule, machine)
		}
		if target := text(at(t, r.Properties, "Targets", 0, "Arn")); !strings.HasPrefix(target, "<Notifications") {
			t.Errorf("%s goes to %s", rule, target)
		}
	}
}

// matches: the equality and prefix matchers of an EventBridge pattern.
func matches(patterns []any, s string) bool {
	return slices.ContainsFunc(patterns, func(p any) bool {
		if m, ok := p.(map[string]any); ok {
			return strings.HasPrefix(s, m["prefix"].(string))
		}
		return p == s
	})
}

func TestAStoppedExecutionIsHealedOnceAndADryRunNever(t *testing.T) {
	tpl := exampleTemplate(t)
	r := tpl.one(t, "AWS::Events::Rule", "Name", "alb-oidc-rotator-heal-orders-web")
	patterns := at(t, r.Properties, "EventPattern", "detail", "input").([]any)
	heal := text(at(t, r.Properties, "Targets", 0, "Input"))
	for input, want := range map[string]bool{
		`{"client":"orders-web"}`:                            true,
		`{"client": "orders-web"}`:                           true,
		`{"client": "orders-web", "reason": "leak"}`:         true,
		`{"client":"orders-web","gracePeriodSeconds":0}`:     true,
		`{"client": "orders-web", "gracePeriodSeconds": 0}`:  true,
		`{"client":"orders-web","reason":"x","dryRun":true}`: true, // a reason comes first: cannot be told apart
		`{"client":"orders-web","measure":true}`:             false,
		`{"client": "orders-web", "measure": true}`:          false,
		`{"client":"orders-web","dryRun":true}`:              false,
		`{"client": "orders-web", "dryRun": true}`:           false,
		`{"client":"orders-web-2"}`:                          false,
		`{"client":"shop-web"}`:                              false,
		heal:                                                 false,
	} {
		if got := matches(patterns, input); got != want {
			t.Errorf("%s is healed: %v, want %v", input, got, want)
		}
	}
	var request struct{ Client, Reason string }
	if err := json.Unmarshal([]byte(heal), &request); err != nil || request.Client != "orders-web" || request.Reason == "" {
		t.Errorf("the healing execution's input is %s", heal)
	}
	if target := text(at(t, r.Properties, "Targets", 0, "Arn")); target != "<StateMachineAlias.Arn>" {
		t.Errorf("healing starts %s", target)
	}
}

func TestChangesOfTargetsByOthersAreReported(t *testing.T) {
	tpl := exampleTemplate(t)
	for rule, want := range map[string][2]string{
		"rules-orders-web-0":     {`["ModifyRule"]`, "listener-rule"},
		"listeners-orders-web-0": {`["ModifyListener"]`, "listener"},
	} {
		r := tpl.one(t, "AWS::Events::Rule", "Name", "alb-oidc-rotator-"+rule)
		expect(t, rule, r, map[string]string{"EventPattern.detail.eventName": want[0], "EventPattern.detail-type": `["AWS API Call via CloudTrail"]`})
		// Only the load balancer in the stack's Region: events stay in their Region.
		parameters := text(at(t, r.Properties, "EventPattern", "detail", "requestParameters"))
		if strings.Count(parameters, "prefix") != 1 || !strings.Contains(parameters, ":eu-central-1:111122223333:"+want[1]+"/app/orders/50dc6c495c0c9188/") {
			t.Errorf("%s watches %s", rule, parameters)
		}
		who := text(at(t, r.Properties, "EventPattern", "detail", "$or"))
		if !strings.Contains(who, `"anything-but":[{"Fn::GetAtt":["Roleupdatealb`) || !strings.Contains(who, `{"exists":false}`) {
			t.Errorf("%s leaves out %s", rule, who)
		}
	}
}

func TestEveryPatternFitsIntoARule(t *testing.T) {
	more := strings.Repeat("\n      - arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/a-name-of-thirty-two-characters-0/50dc6c495c0c%04d", 14)
	for i := range 14 {
		more = strings.Replace(more, "%04d", strconv.Itoa(1000+i), 1)
	}
	tpl := changed(t, "    loadBalancers:", "    loadBalancers:"+more)
	rules := 0
	for _, id := range tpl.of("AWS::Events::Rule") {
		r := tpl.Resources[id]
		pattern := strings.ReplaceAll(text(r.Properties["EventPattern"]), `{"Fn::GetAtt":["Roleupdatealb05556C5D","Arn"]}`, `"`+strings.Repeat("x", 100)+`"`)
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
	expect(t, "the subscription", tpl.one(t, "AWS::SNS::Subscription", "Protocol", "email"), map[string]string{"Endpoint": "platform-team@example.com"})
	var publishers []string
	for _, s := range statements(t, tpl.Resources["Key961B73FD"].Properties["KeyPolicy"]) {
		if slices.Contains(s.actions, "kms:GenerateDataKey*") {
			publishers = append(publishers, text(s.principal))
			// EventBridge cannot use a key whose policy asks for its source.
			if text(s.principal) == `{"Service":"events.amazonaws.com"}` && s.condition != "" {
				t.Errorf("rules cannot publish to the encrypted topic: %s", s.condition)
			}
		}
	}
	for _, p := range []string{"cloudwatch.amazonaws.com", "events.amazonaws.com"} {
		if !slices.Contains(publishers, `{"Service":"`+p+`"}`) {
			t.Errorf("%s cannot publish to the encrypted topic: %v", p, publishers)
		}
	}
}

func TestAClientsOwnAddressesGetWhatIsAboutTheirClient(t *testing.T) {
	text1 := strings.Replace(string(changedText(t, "    # notifications:\n    #   email: [orders-team@example.com]", "    notifications: {email: [orders-team@example.com, both@example.com]}")),
		"    maxSecretAgeDays: 35", "    maxSecretAgeDays: 35\n    notifications: {email: [both@example.com]}", 1)
	file, err := parseFile([]byte(text1))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := synth(file)
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"orders-team@example.com": `{"$or":[{"client":["orders-web"]},{"AlarmName":[{"prefix":"alb-oidc-rotator-orders-web/"}]}]}`,
		"both@example.com":        `{"$or":[{"client":["orders-web","shop-web"]},{"AlarmName":[{"prefix":"alb-oidc-rotator-orders-web/"},{"prefix":"alb-oidc-rotator-shop-web/"}]}]}`,
	} {
		expect(t, address, tpl.one(t, "AWS::SNS::Subscription", "Endpoint", address), map[string]string{"Protocol": "email", "FilterPolicyScope": "MessageBody", "FilterPolicy": want})
	}
	if all := tpl.one(t, "AWS::SNS::Subscription", "Endpoint", "platform-team@example.com"); all.Properties["FilterPolicy"] != nil {
		t.Errorf("stack.email gets only %v", all.Properties["FilterPolicy"])
	}
	for _, name := range []string{"alb-oidc-rotator-orders-web/secret-age", "alb-oidc-rotator-shop-web/rotation-long"} {
		tpl.one(t, "AWS::CloudWatch::Alarm", "AlarmName", name)
	}
	if n := len(tpl.of("AWS::SNS::Subscription")); n != 3 {
		t.Errorf("%d subscriptions, want 3", n)
	}
}

func TestARotationThatFailedWhereNothingCouldTellNeedsAttention(t *testing.T) {
	tpl := exampleTemplate(t)
	expect(t, "the rule", tpl.one(t, "AWS::Events::Rule", "Name", "alb-oidc-rotator-attention"), map[string]string{
		"EventPattern.detail.status": `["FAILED"]`, "EventPattern.detail.error": `[{"anything-but":["RolledBack","Refused","LockHeld","LockLost"]}]`})
	r := tpl.one(t, "AWS::StepFunctions::StateMachine", "StateMachineName", "alb-oidc-rotator-attention")
	expect(t, "the state machine", r, map[string]string{"TracingConfiguration.Enabled": "true", "LoggingConfiguration.IncludeExecutionData": "false",
		"DefinitionSubstitutions.EventBusName": "default"})
	if r.Properties["DefinitionString"] != statemachine.Attention {
		t.Error("the definition is not attention.asl.json")
	}
}

// An address with a filter gets only messages that are objects with the client's name.
func TestWarningsNameTheirClient(t *testing.T) {
	tpl := exampleTemplate(t)
	r := tpl.one(t, "AWS::Events::Rule", "Name", "alb-oidc-rotator-rules-orders-web-0")
	var message struct{ Client, Outcome, Warning string }
	template := text(at(t, r.Properties, "Targets", 0, "InputTransformer", "InputTemplate"))
	if err := json.Unmarshal([]byte(template), &message); err != nil || message.Client != "orders-web" || message.Outcome == "" || !strings.Contains(message.Warning, "<who>") {
		t.Errorf("the warning is %s: %v", template, err)
	}
}

func TestOnlyTheStacksAlarmsAndRulesCanPublishOrLeaveDeadLetters(t *testing.T) {
	tpl := exampleTemplate(t)
	for kind, want := range map[string][]string{
		"AWS::SNS::TopicPolicy": {":alarm:alb-oidc-rotator-*", ":rule/alb-oidc-rotator-*"},
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
			if !strings.HasPrefix(sources[i], `{"ArnLike":{"aws:SourceArn":`) || !strings.Contains(sources[i], want[i]) {
				t.Errorf("%s lets in %s", kind, sources[i])
			}
		}
	}
}

func TestNoNameIsTooLongForItsService(t *testing.T) {
	longest := string(changedText(t, "# name: alb-oidc-rotator ", "name: "+strings.Repeat("b", 30)+" #"))
	file, err := parseFile([]byte(strings.Replace(longest, "name: orders-web", "name: "+strings.Repeat("a", maxNames-30), 1)))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := synth(file)
	if err != nil {
		t.Fatal(err)
	}
	for kind, limit := range map[string]struct {
		property string
		most     int
	}{
		"AWS::Events::Rule": {"Name", 64}, "AWS::Lambda::Function": {"FunctionName", 64}, "AWS::SQS::Queue": {"QueueName", 80},
		"AWS::Scheduler::Schedule": {"Name", 64}, "AWS::StepFunctions::StateMachine": {"StateMachineName", 80},
	} {
		for _, id := range tpl.of(kind) {
			if name := text(tpl.Resources[id].Properties[limit.property]); name == "" || len(name) > limit.most {
				t.Errorf("%s has the name %q", id, name)
			}
		}
	}
}
