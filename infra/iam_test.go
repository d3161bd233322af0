package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/statemachine"
)

const (
	orders  = `arn:aws:secretsmanager:eu-central-1:111122223333:secret:orders-web/client-secret-AbCdEf`
	created = `<Secretshopweb.Id>`
	admin   = `arn:aws:secretsmanager:eu-central-1:111122223333:secret:okta/rotator-key-AbCdEf`
	tester  = `arn:aws:secretsmanager:eu-central-1:111122223333:secret:orders-web/smoke-test-user-AbCdEf`
	signing = `arn:aws:kms:eu-central-1:111122223333:key/5c6d7e8f-1111-2222-3333-444455556666`
	table   = `<Journal.Arn>`
	// a table's own policy names it by its ARN
	evidence    = `<Evidence.Arn>`
	evidenceARN = `arn:aws:dynamodb:eu-central-1:111122223333:table/alb-oidc-rotator-evidence`
	machine     = `arn:aws:states:eu-central-1:111122223333:stateMachine:alb-oidc-rotator`
	runs        = `arn:aws:states:eu-central-1:111122223333:execution:alb-oidc-rotator:*`
	topic       = `<Notifications>`
	key         = `<Key.Arn>`
	elb         = `arn:aws:elasticloadbalancing:`

	ourItems     = `{"ForAllValues:StringEquals":{"dynamodb:LeadingKeys":["orders-web","shop-web"]},"Null":{"dynamodb:LeadingKeys":"false"}}`
	throughAlias = `{"StringEquals":{"states:StateMachineQualifier":"live"}}`
	throughSNS   = `{"StringEquals":{"kms:ViaService":"sns.eu-central-1.amazonaws.com"}}`
	insecure     = `{"Bool":{"aws:SecureTransport":"false"}}`
)

// one is an action, or several with a space between them, on resources.
func one(actions string, resources ...string) may {
	return may{actions: strings.Fields(actions), resources: resources}
}

func (m may) when(condition string) may    { m.condition = condition; return m }
func (m may) by(principal string) may      { m.principal = principal; return m }
func (m may) denied() may                  { m.deny = true; return m }
func with(list []may, more ...may) []may   { return append(slices.Clone(list), more...) }
func service(name string) (json string)    { return `{"Service":"` + name + `.amazonaws.com"}` }
func source(arn string) (condition string) { return `{"ArnLike":{"aws:SourceArn":"` + arn + `"}}` }

// observed is what a state machine may do to write its log and its traces.
func observed() []may {
	return []may{
		one("logs:CreateLogDelivery logs:GetLogDelivery logs:UpdateLogDelivery logs:DeleteLogDelivery "+
			"logs:ListLogDeliveries logs:PutResourcePolicy logs:DescribeResourcePolicies logs:DescribeLogGroups", "*"),
		one("xray:GetSamplingRules xray:GetSamplingTargets xray:PutTraceSegments xray:PutTelemetryRecords", "*"),
	}
}

// telling is what a state machine may do to notify.
func telling() []may {
	return []may{one("sns:Publish", topic), one("kms:Decrypt kms:GenerateDataKey", key).when(throughSNS),
		one("events:PutEvents", "arn:aws:events:eu-central-1:111122223333:event-bus/default").when(
			`{"StringEquals":{"events:source":"alb-oidc-rotator"}}`)}
}

// balancers are the ARNs of the rules or listeners of the example's load balancers.
func balancers(kind string) []string {
	return []string{elb + "eu-central-1:111122223333:" + kind + "/app/orders/50dc6c495c0c9188/*",
		elb + "eu-west-1:111122223333:" + kind + "/app/orders/73e2d6bc24d8a067/*",
		elb + "eu-central-1:111122223333:" + kind + "/app/shop/1d9f7a41c2b3e856/*"}
}

// elsewhere is what the role of a function may not do outside of the function.
func elsewhere(function string) may {
	arn := "arn:aws:lambda:eu-central-1:111122223333:function:alb-oidc-rotator-" + function
	return one("cloudwatch:* cognito-idp:* dynamodb:* elasticloadbalancing:* lambda:* kms:Sign secretsmanager:* ssm:* "+
		"states:* sts:*",
		"*").denied().
		when(`{"ArnNotLike":{"lambda:SourceFunctionArn":["` + arn + `","` + arn + `:*"]}}`)
}

// simulated are the roles whose rights operators may ask about.
func simulated() []string {
	out := []string{"<Rolestatemachine.Arn>"}
	for _, f := range []string{"createsecret", "plan", "promotesecret", "record", "retiresecret", "smoketest",
		"updatealb"} {
		out = append(out, "<Role"+f+".Arn>")
	}
	return out
}

// allowed is everything that may be done in the example's template: by whom, the actions, and on what exactly. What a
// template has beyond it fails the test, and so does what it lacks.
func allowed() map[string][]may {
	const reading = "dynamodb:GetItem"
	const writing = "dynamodb:GetItem dynamodb:UpdateItem"
	const parameters = "arn:aws:ssm:eu-central-1:111122223333:parameter/alb-oidc-rotator/clients/"
	const fleetRuns = "arn:aws:states:eu-central-1:111122223333:execution:alb-oidc-rotator-fleet:*"
	readers := []may{one("states:ListExecutions", machine, machine+"-fleet"),
		one("states:DescribeExecution states:GetExecutionHistory", runs, fleetRuns),
		one("ssm:GetParametersByPath", strings.TrimSuffix(parameters, "/"), parameters+"*"),
		one("dynamodb:GetItem", table), one("dynamodb:Query", evidence)}
	list := map[string][]may{
		"plan": {
			one("secretsmanager:DescribeSecret secretsmanager:GetSecretValue", orders,
				created), one("secretsmanager:GetSecretValue", admin), one("kms:Sign", signing),
			one(reading, table).when(ourItems),
			one("elasticloadbalancing:DescribeListeners elasticloadbalancing:DescribeRules "+
				"elasticloadbalancing:DescribeTags", "*"),
		},
		"createsecret": {
			one("secretsmanager:DescribeSecret secretsmanager:GetSecretValue secretsmanager:PutSecretValue", orders,
				created),
			one("secretsmanager:GetSecretValue", admin), one("kms:Sign", signing), one(writing, table).when(ourItems),
		},
		"updatealb": {
			one("secretsmanager:DescribeSecret secretsmanager:GetSecretValue", orders, created), one(writing,
				table).when(ourItems), one("elasticloadbalancing:DescribeListeners elasticloadbalancing:DescribeRules",
				"*"),
			one("elasticloadbalancing:ModifyRule",
				balancers("listener-rule")...), one("elasticloadbalancing:ModifyListener", balancers("listener")...),
		},
		"promotesecret": {one("secretsmanager:DescribeSecret secretsmanager:GetSecretValue "+
			"secretsmanager:UpdateSecretVersionStage", orders, created), one(writing, table).when(ourItems)},
		"smoketest": {one("secretsmanager:DescribeSecret secretsmanager:GetSecretValue", orders, created),
			one("secretsmanager:GetSecretValue", tester), one(reading, table).when(ourItems),
			one("cloudwatch:GetMetricData", "*"), one("elasticloadbalancing:DescribeLoadBalancers", "*")},
		"retiresecret": {
			one("secretsmanager:DescribeSecret secretsmanager:GetSecretValue secretsmanager:UpdateSecretVersionStage",
				orders, created),
			one("secretsmanager:GetSecretValue", admin), one("kms:Sign", signing), one(writing, table).when(ourItems),
		},
		"record": {one("dynamodb:PutItem dynamodb:Query", evidence), one("states:GetExecutionHistory", runs),
			one("states:ListExecutions", machine)},
		"statemachine": slices.Concat(observed(), telling(), []may{
			one("ssm:GetParameter", parameters+"orders-web", parameters+"shop-web"),
			one(writing, table).when(ourItems), one("states:DescribeExecution states:StopExecution", runs),
			one("states:StartExecution", machine).when(throughAlias),
		}),
		"notifier": slices.Concat(observed(), telling(),
			[]may{one("states:StartExecution", machine).when(throughAlias), one(reading, table).when(ourItems),
				one("lambda:InvokeFunction", "<Liverecord>")}),
		"scheduler": {one("states:StartExecution", machine).when(throughAlias),
			one("states:StartExecution", machine+"-notifier"), one("sqs:SendMessage", "<DeadLetters.Arn>")},
		"fleet": slices.Concat(observed(), telling(), []may{
			one("states:StartExecution", machine).when(throughAlias), one("states:DescribeExecution", runs),
			one(reading, table).when(ourItems), one("states:StartExecution", machine+"-fleet"),
			one("states:DescribeExecution states:RedriveExecution states:StopExecution", fleetRuns,
				strings.TrimSuffix(fleetRuns, ":*")+"/*")}),
		"rules": {one("states:StartExecution", machine+"-notifier")},
		"Operators": with(readers,
			one("kms:GetPublicKey", signing),
			one("states:StartExecution", machine, machine+"-fleet").when(throughAlias),
			one("states:DescribeStateMachine", machine),
			one("states:StopExecution states:RedriveExecution", runs, fleetRuns),
			one("scheduler:GetSchedule", "arn:aws:scheduler:eu-central-1:111122223333:schedule/alb-oidc-rotator/*"),
			one("secretsmanager:DescribeSecret", "arn:aws:secretsmanager:*:111122223333:secret:*"),
			one("lambda:GetFunctionConfiguration",
				"arn:aws:lambda:eu-central-1:111122223333:function:alb-oidc-rotator-*"),
			one("sns:ListSubscriptionsByTopic", "arn:aws:sns:eu-central-1:111122223333:alb-oidc-rotator",
				"arn:aws:sns:eu-central-1:111122223333:alb-oidc-rotator-client-alarms"),
			one("iam:SimulatePrincipalPolicy", simulated()...),
			one("cloudwatch:DescribeAlarms cloudtrail:DescribeTrails cloudtrail:GetTrailStatus "+
				"cloudtrail:GetEventSelectors elasticloadbalancing:DescribeListeners "+
				"elasticloadbalancing:DescribeLoadBalancers elasticloadbalancing:DescribeRules "+
				"elasticloadbalancing:DescribeTags kms:DescribeKey", "*")),
		"Auditors": readers,
		"Evidence": {
			one("dynamodb:UpdateItem dynamodb:DeleteItem dynamodb:BatchWriteItem dynamodb:PartiQLInsert "+
				"dynamodb:PartiQLUpdate dynamodb:PartiQLDelete", evidenceARN).by(`{"AWS":"*"}`).denied(),
			one("dynamodb:PutItem", evidenceARN).by(`{"AWS":"*"}`).denied().when(
				`{"ArnNotEquals":{"aws:PrincipalArn":"<Rolerecord.Arn>"}}`),
		},
		"Key": {
			one("kms:*", "*").by(`{"AWS":"arn:aws:iam::111122223333:root"}`), // IAM decides
			one("kms:Decrypt kms:GenerateDataKey*",
				"*").by(service("cloudwatch")).when(`{"StringEquals":{"aws:SourceAccount":"111122223333"}}`),
			one("kms:Encrypt kms:Decrypt kms:ReEncrypt* kms:GenerateDataKey* kms:DescribeKey",
				"*").by(service("logs.eu-central-1")).
				when(
					`{"ArnLike":{"kms:EncryptionContext:aws:logs:arn":"arn:aws:logs:eu-central-1:111122223333:log-group:*alb-oidc-rotator*"}}`),
		},
		"NotificationsPolicy": {
			one("sns:Publish", topic).by("*").denied().when(insecure),
			one("sns:Publish", topic).by(service("cloudwatch")).when(
				source("arn:aws:cloudwatch:eu-central-1:111122223333:alarm:alb-oidc-rotator-*")),
		},
		"DeadLettersPolicy": {
			one("sqs:*", "<DeadLetters.Arn>").by(`{"AWS":"*"}`).denied().when(insecure),
			one("sqs:SendMessage", "<DeadLetters.Arn>").by(service("events")).when(
				source("arn:aws:events:eu-central-1:111122223333:rule/alb-oidc-rotator-*")),
		},
	}
	for _, f := range statemachine.Functions() {
		logs := "<Logs" + f.Name + ".Arn>"
		list[f.Name] = with(list[f.Name], one("logs:CreateLogStream logs:PutLogEvents", logs),
			one("xray:PutTraceSegments xray:PutTelemetryRecords", "*"), elsewhere(f.Name))
		if f.Name != "record" { // which works for no client
			list[f.Name] = with(list[f.Name], one("ssm:GetParameter", parameters+"*"))
			list["statemachine"] = with(list["statemachine"], one("lambda:InvokeFunction", "<Live"+f.Name+">"))
		}
	}
	maps.Copy(list, trust())
	return list
}

// trust is who may use the roles: one service each, and where it acts for others only for this stack (IAM user guide,
// "The confused deputy problem").
func trust() map[string][]may {
	assume := one("sts:AssumeRole", "")
	ours := func(arns ...string) string {
		source := plain(anys(arns))
		if len(arns) == 1 {
			source = `"` + arns[0] + `"`
		}
		return `{"ArnLike":{"aws:SourceArn":` + source + `},"StringEquals":{"aws:SourceAccount":"111122223333"}}`
	}
	list := map[string][]may{
		"trust of statemachine": {assume.by(service("states")).when(ours(machine, machine+":*"))},
		"trust of notifier":     {assume.by(service("states")).when(ours(machine+"-notifier", machine+"-notifier:*"))},
		"trust of fleet": {assume.by(service("states")).when(ours(machine+"-fleet", machine+"-fleet:*",
			machine+"-fleet/*"))},
		"trust of rules": {assume.by(service("events")).when(
			ours("arn:aws:events:eu-central-1:111122223333:rule/alb-oidc-rotator-*"))},
		"trust of scheduler": {assume.by(service("scheduler")).
			when(
				`{"StringEquals":{"aws:SourceAccount":"111122223333","aws:SourceArn":"arn:aws:scheduler:eu-central-1:111122223333:schedule-group/alb-oidc-rotator"}}`)},
	}
	for _, f := range statemachine.Functions() {
		list["trust of "+f.Name] = []may{assume.by(service("lambda"))}
	}
	return list
}

func TestEveryRoleMayDoExactlyWhatIsListedAndNothingBroader(t *testing.T) {
	checkPolicies(t, exampleTemplate(t), allowed())
}

// everyOption is the example with all that adds permissions.
func everyOption(t *testing.T) template {
	t.Helper()
	text := string(changedText(t, "# smokeTestVpc: ",
		"smokeTestVpc: {subnetIds: [subnet-0a], securityGroupIds: [sg-0b]} #"))
	for old, new := range map[string]string{
		"    # loadBalancerSearch: ": "    loadBalancerSearch: {tags: {login: orders-web}, regions: [eu-west-3]} #",
		"    # kmsKeys: ":            "    kmsKeys: [" + cmk + "] #",
		"    createSecret: true":     "    createSecret: true\n    kmsKeys: [" + cmk + "]",
		"# permissionsBoundary: ":    "permissionsBoundary: ",
		"# reserveConcurrency: ":     "reserveConcurrency: ",
	} {
		text = strings.Replace(text, old, new, 1)
	}
	file, err := parseFile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	settings := string(file.Clients[0].IdentityProvider.Settings)
	file.Clients[0].IdentityProvider.Settings = []byte(`{"webIdentity":{"clientId":"x"},"privateKey":{"keyArn":"` +
		signing + `"},"functionArn":"` + providerFunction + `",` + strings.TrimPrefix(settings, "{"))
	file.Clients[1].IdentityProvider.Type = "cognito"
	file.Clients[1].IdentityProvider.Settings = []byte(`{"userPoolId":"eu-west-1_AbC123"}`)
	tpl, err := synthesized(file)
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

const providerFunction = "arn:aws:lambda:eu-west-1:444455556666:function:client-secrets:live"

const cmk = "arn:aws:kms:eu-central-1:111122223333:key/0a1b"

func TestEveryOptionAllowsWhatIsListedAndNothingBroader(t *testing.T) {
	list := allowed()
	add := func(who string, more ...may) { list[who] = with(list[who], more...) }
	// A customer key: for the secrets that a role reads or writes, and by way of Secrets Manager only.
	keyFor := func(action string, secrets ...string) may {
		return one(action, cmk).when(`{"StringEquals":{"kms:EncryptionContext:SecretARN":` + plain(anys(secrets)) +
			`},"StringLike":{"kms:ViaService":"secretsmanager.*.amazonaws.com"}}`)
	}
	for _, who := range []string{"plan", "createsecret", "retiresecret"} {
		add(who, keyFor("kms:Decrypt", orders, admin, created), one("sts:GetWebIdentityToken", "*").when(
			`{"ForAllValues:StringEquals":{"sts:IdentityTokenAudience":["api://AzureADTokenExchange"]},"Null":{"sts:IdentityTokenAudience":"false"},"NumericLessThanEquals":{"sts:DurationSeconds":300}}`))
	}
	add("createsecret", keyFor("kms:GenerateDataKey", orders, created))
	for _, who := range []string{"updatealb", "promotesecret"} {
		add(who, keyFor("kms:Decrypt", orders, created))
	}
	add("smoketest", keyFor("kms:Decrypt", orders, tester, created))
	// A user pool is the one identity provider that IAM guards.
	const pool = "arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_AbC123"
	add("plan", one("cognito-idp:DescribeUserPoolClient cognito-idp:ListUserPoolClientSecrets", pool))
	add("createsecret", one("cognito-idp:DescribeUserPoolClient cognito-idp:ListUserPoolClientSecrets "+
		"cognito-idp:AddUserPoolClientSecret cognito-idp:DeleteUserPoolClientSecret", pool))
	add("retiresecret", one("cognito-idp:DescribeUserPoolClient cognito-idp:ListUserPoolClientSecrets "+
		"cognito-idp:DeleteUserPoolClientSecret", pool))
	// A function that speaks to a provider: as it is named, and by operators only looked at.
	for _, who := range []string{"plan", "createsecret", "retiresecret"} {
		add(who, one("lambda:InvokeFunction", providerFunction))
	}
	add("Operators", one("lambda:GetFunctionConfiguration", providerFunction))
	// With a search by tags, and only then, load balancers may be listed, and changed in the Regions of the search.
	add("plan", one("elasticloadbalancing:DescribeLoadBalancers", "*"))
	add("updatealb", one("elasticloadbalancing:ModifyRule", elb+"eu-west-3:111122223333:listener-rule/app/*/*"),
		one("elasticloadbalancing:ModifyListener", elb+"eu-west-3:111122223333:listener/app/*/*"))
	add("smoketest", one("ec2:CreateNetworkInterface ec2:DeleteNetworkInterface ec2:DescribeNetworkInterfaces "+
		"ec2:DescribeSubnets ec2:AssignPrivateIpAddresses ec2:UnassignPrivateIpAddresses", "*"),
		// for Lambda itself, whose calls have no source function, and not for the function's code
		one("ec2:*", "*").denied().when(
			`{"ArnLike":{"lambda:SourceFunctionArn":["arn:aws:lambda:eu-central-1:111122223333:function:alb-oidc-rotator-smoketest",`+
				`"arn:aws:lambda:eu-central-1:111122223333:function:alb-oidc-rotator-smoketest:*"]}}`))
	checkPolicies(t, everyOption(t), list)
}

func anys(list []string) []any {
	var out []any
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

func TestThePermissionsBoundaryCapsEveryRole(t *testing.T) {
	const boundary = "arn:aws:iam::111122223333:policy/boundary"
	tpl := everyOption(t)
	for _, id := range tpl.of("AWS::IAM::Role") {
		if got := text(tpl.Resources[id].Properties["PermissionsBoundary"]); got != boundary {
			t.Errorf("%s has the boundary %q", id, got)
		}
	}
}
