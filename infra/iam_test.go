package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/statemachine"
)

// statement is one statement of a policy.
type statement struct {
	effect, condition  string
	actions, resources []string
	principal          any
}

func statements(t *testing.T, policy any) []statement {
	t.Helper()
	list, ok := policy.(map[string]any)["Statement"].([]any)
	if !ok {
		t.Fatalf("no statements in %v", policy)
	}
	var out []statement
	for _, x := range list {
		m := x.(map[string]any)
		for key := range m {
			if !slices.Contains([]string{"Sid", "Effect", "Action", "Resource", "Condition", "Principal"}, key) {
				t.Errorf("a statement has %s", key)
			}
		}
		out = append(out, statement{text(m["Effect"]), text(m["Condition"]), texts(m["Action"]), texts(m["Resource"]), m["Principal"]})
	}
	return out
}

// policies of the roles by the name of what has the role: a function, statemachine, scheduler or healer.
func policies(t *testing.T, tpl template) map[string][]statement {
	t.Helper()
	out := map[string][]statement{}
	for _, id := range tpl.of("AWS::IAM::Policy") {
		p := tpl.Resources[id].Properties
		owner := regexp.MustCompile(`^<Role([a-z]+)[0-9A-F]{8}>$`).FindStringSubmatch(text(p["Roles"].([]any)[0]))
		if owner == nil || len(p["Roles"].([]any)) != 1 {
			t.Fatalf("%s is for %v", id, p["Roles"])
		}
		out[owner[1]] = append(out[owner[1]], statements(t, p["PolicyDocument"])...)
	}
	return out
}

const (
	orders  = `arn:aws:secretsmanager:eu-central-1:111122223333:secret:orders-web/client-secret-AbCdEf`
	created = `<Secretshopweb.Id>`
	admin   = `arn:aws:secretsmanager:eu-central-1:111122223333:secret:okta/rotator-key-AbCdEf`
	tester  = `arn:aws:secretsmanager:eu-central-1:111122223333:secret:orders-web/smoke-test-user-AbCdEf`
	table   = `<JournalAE8C44B2.Arn>`
	machine = `arn:aws:states:eu-central-1:111122223333:stateMachine:alb-oidc-rotator`
	runs    = `arn:aws:states:eu-central-1:111122223333:execution:alb-oidc-rotator:*`
	key     = `<Key961B73FD.Arn>`
)

// allowed is everything that may be done: by whom, the action, and the resources as a pattern of the whole text. What a
// role has beyond it fails the test, and so does what it lacks.
var allowed = map[string]map[string]string{
	"plan": {
		"secretsmanager:DescribeSecret": orders + "|" + created, "secretsmanager:GetSecretValue": orders + "|" + created + "|" + admin,
		"dynamodb:GetItem": table, "elasticloadbalancing:DescribeListeners": `\*`, "elasticloadbalancing:DescribeRules": `\*`, "elasticloadbalancing:DescribeTags": `\*`,
	},
	"createsecret": {
		"secretsmanager:DescribeSecret": orders + "|" + created, "secretsmanager:GetSecretValue": orders + "|" + created + "|" + admin,
		"secretsmanager:PutSecretValue": orders + "|" + created, "dynamodb:GetItem": table, "dynamodb:UpdateItem": table,
	},
	"updatealb": {
		"secretsmanager:GetSecretValue": orders + "|" + created, "dynamodb:GetItem": table,
		"elasticloadbalancing:DescribeListeners": `\*`, "elasticloadbalancing:DescribeRules": `\*`,
		"elasticloadbalancing:ModifyRule":     `arn:aws:elasticloadbalancing:eu-(central|west)-1:111122223333:listener-rule/app/(orders|shop)/[0-9a-f]{16}/\*`,
		"elasticloadbalancing:ModifyListener": `arn:aws:elasticloadbalancing:eu-(central|west)-1:111122223333:listener/app/(orders|shop)/[0-9a-f]{16}/\*`,
	},
	"promotesecret": {
		"secretsmanager:DescribeSecret": orders + "|" + created, "secretsmanager:UpdateSecretVersionStage": orders + "|" + created,
		"dynamodb:GetItem": table, "dynamodb:UpdateItem": table,
	},
	"smoketest": {
		"secretsmanager:GetSecretValue": orders + "|" + created + "|" + tester, "dynamodb:GetItem": table, "cloudwatch:GetMetricData": `\*`,
	},
	"retiresecret": {
		"secretsmanager:DescribeSecret": orders + "|" + created, "secretsmanager:GetSecretValue": orders + "|" + created + "|" + admin,
		"secretsmanager:UpdateSecretVersionStage": orders + "|" + created, "dynamodb:GetItem": table, "dynamodb:UpdateItem": table,
	},
	"statemachine": {
		"lambda:InvokeFunction": `<Live[a-z]+[0-9A-F]{8}>`, "ssm:GetParameter": `arn:aws:ssm:eu-central-1:111122223333:parameter/alb-oidc-rotator/clients/(orders|shop)-web`,
		"dynamodb:GetItem": table, "dynamodb:UpdateItem": table, "states:DescribeExecution": regexp.QuoteMeta(runs),
		"sns:Publish": `<Notifications[0-9A-F]{8}>`, "kms:Decrypt": key, "kms:GenerateDataKey": key,
		"events:PutEvents":       `arn:aws:events:eu-central-1:111122223333:event-bus/default`,
		"logs:CreateLogDelivery": `\*`, "logs:GetLogDelivery": `\*`, "logs:UpdateLogDelivery": `\*`, "logs:DeleteLogDelivery": `\*`,
		"logs:ListLogDeliveries": `\*`, "logs:PutResourcePolicy": `\*`, "logs:DescribeResourcePolicies": `\*`, "logs:DescribeLogGroups": `\*`,
		"xray:GetSamplingRules": `\*`, "xray:GetSamplingTargets": `\*`, "xray:PutTraceSegments": `\*`, "xray:PutTelemetryRecords": `\*`,
	},
	"scheduler": {"states:StartExecution": machine, "sqs:SendMessage": `<DeadLettersBBF8BAAB.Arn>`},
	"healer":    {"states:StartExecution": machine},
	"attention": {
		"sns:Publish": `<Notifications[0-9A-F]{8}>`, "kms:Decrypt": key, "kms:GenerateDataKey": key,
		"events:PutEvents":       `arn:aws:events:eu-central-1:111122223333:event-bus/default`,
		"logs:CreateLogDelivery": `\*`, "logs:GetLogDelivery": `\*`, "logs:UpdateLogDelivery": `\*`, "logs:DeleteLogDelivery": `\*`,
		"logs:ListLogDeliveries": `\*`, "logs:PutResourcePolicy": `\*`, "logs:DescribeResourcePolicies": `\*`, "logs:DescribeLogGroups": `\*`,
		"xray:GetSamplingRules": `\*`, "xray:GetSamplingTargets": `\*`, "xray:PutTraceSegments": `\*`, "xray:PutTelemetryRecords": `\*`,
	},
	"attentionrule": {"states:StartExecution": machine + "-attention"},
}

// everyFunction may do this too.
var everyFunction = map[string]string{
	"logs:CreateLogStream": `<Logs[a-z]+[0-9A-F]{8}.Arn>`, "logs:PutLogEvents": `<Logs[a-z]+[0-9A-F]{8}.Arn>`,
	"xray:PutTraceSegments": `\*`, "xray:PutTelemetryRecords": `\*`,
}

func TestEveryRoleMayDoExactlyWhatIsListedAndNothingBroader(t *testing.T) {
	got := policies(t, exampleTemplate(t))
	for _, f := range statemachine.Functions() {
		for action, on := range everyFunction {
			allowed[f.Name][action] = on
		}
	}
	if a, b := sorted(got), sorted(allowed); !slices.Equal(a, b) {
		t.Fatalf("policies are for %v, listed are %v", a, b)
	}
	for owner, list := range got {
		for _, p := range broader(list, allowed[owner]) {
			t.Errorf("%s %s", owner, p)
		}
	}
}

// broader lists what statements allow beyond want, and what of want they lack.
func broader(list []statement, want map[string]string) []string {
	var problems []string
	seen := map[string]bool{}
	for _, s := range list {
		if s.effect != "Allow" {
			problems = append(problems, "has a statement that does not allow")
		}
		for _, a := range s.actions {
			seen[a] = true
			on, ok := want[a]
			if !ok {
				problems = append(problems, "may "+a)
				continue
			}
			for _, r := range s.resources {
				if !regexp.MustCompile(`^(` + on + `)$`).MatchString(r) {
					problems = append(problems, "may "+a+" on "+r)
				}
			}
		}
	}
	for a := range want {
		if !seen[a] {
			problems = append(problems, "may not "+a)
		}
	}
	return problems
}

func TestTheAllowListFindsWhatIsBroader(t *testing.T) {
	t.Parallel()
	want := map[string]string{"dynamodb:GetItem": table}
	for name, s := range map[string]statement{
		"another action":   {effect: "Allow", actions: []string{"dynamodb:GetItem", "dynamodb:PutItem"}, resources: []string{table}},
		"every action":     {effect: "Allow", actions: []string{"dynamodb:GetItem", "dynamodb:*"}, resources: []string{table}},
		"every resource":   {effect: "Allow", actions: []string{"dynamodb:GetItem"}, resources: []string{"*"}},
		"a longer ARN":     {effect: "Allow", actions: []string{"dynamodb:GetItem"}, resources: []string{table + "*"}},
		"nothing it needs": {effect: "Allow"},
	} {
		if len(broader([]statement{s}, want)) == 0 {
			t.Errorf("%s was not found", name)
		}
	}
}

// With a search by tags, and only then, load balancers may be listed, and changed in the Regions of the search.
func TestASearchByTagsAllowsTheLoadBalancersOfItsRegions(t *testing.T) {
	got := policies(t, changed(t, "    # loadBalancerSearch: ", "    loadBalancerSearch: {tags: {login: orders-web}, regions: [eu-west-3]} #"))
	want := map[string]map[string]string{"plan": maps.Clone(allowed["plan"]), "updatealb": maps.Clone(allowed["updatealb"])}
	want["plan"]["elasticloadbalancing:DescribeLoadBalancers"] = `\*`
	for action, kind := range map[string]string{"elasticloadbalancing:ModifyRule": "listener-rule", "elasticloadbalancing:ModifyListener": "listener"} {
		found := `arn:aws:elasticloadbalancing:eu-west-3:111122223333:` + kind + `/app/*/*`
		want["updatealb"][action] += "|" + regexp.QuoteMeta(found)
		if !slices.ContainsFunc(got["updatealb"], func(s statement) bool { return slices.Contains(s.resources, found) }) {
			t.Errorf("updatealb may not %s on %s", action, found)
		}
	}
	for owner := range want {
		maps.Copy(want[owner], everyFunction)
		for _, p := range broader(got[owner], want[owner]) {
			t.Errorf("%s %s", owner, p)
		}
	}
}

func TestStartingGoesThroughTheAliasOnly(t *testing.T) {
	for _, owner := range []string{"scheduler", "healer"} {
		for _, s := range policies(t, exampleTemplate(t))[owner] {
			if slices.Contains(s.actions, "states:StartExecution") && s.condition != `{"StringEquals":{"states:StateMachineQualifier":"live"}}` {
				t.Errorf("%s may start executions with the condition %s", owner, s.condition)
			}
		}
	}
}

func TestNoRoleIsTrustedByMoreThanItsService(t *testing.T) {
	tpl := exampleTemplate(t)
	const source = `"aws:SourceAccount":"111122223333"`
	for _, id := range tpl.of("AWS::IAM::Role") {
		p := tpl.Resources[id].Properties
		if p["ManagedPolicyArns"] != nil || p["Policies"] != nil {
			t.Errorf("%s has policies that the allow-list does not see", id)
		}
		list := statements(t, p["AssumeRolePolicyDocument"])
		if len(list) != 1 || !slices.Equal(list[0].actions, []string{"sts:AssumeRole"}) {
			t.Fatalf("%s is trusted by %v", id, list)
		}
		want, condition := `{"Service":"lambda.amazonaws.com"}`, ""
		switch {
		case strings.HasPrefix(id, "Rolestatemachine"):
			want, condition = `{"Service":"states.amazonaws.com"}`, ":stateMachine:alb-oidc-rotator"
		case strings.HasPrefix(id, "Rolescheduler"):
			want, condition = `{"Service":"scheduler.amazonaws.com"}`, ":schedule-group/alb-oidc-rotator"
		case strings.HasPrefix(id, "Roleattentionrule"):
			want, condition = `{"Service":"events.amazonaws.com"}`, `:rule/alb-oidc-rotator-attention"`
		case strings.HasPrefix(id, "Roleattention"):
			want, condition = `{"Service":"states.amazonaws.com"}`, `:stateMachine:alb-oidc-rotator-attention"`
		case strings.HasPrefix(id, "Rolehealer"):
			want, condition = `{"Service":"events.amazonaws.com"}`, ":rule/alb-oidc-rotator-heal-*"
		}
		if text(list[0].principal) != want {
			t.Errorf("%s is trusted by %s", id, text(list[0].principal))
		}
		if condition != "" && (!strings.Contains(list[0].condition, condition) || !strings.Contains(list[0].condition, source)) {
			t.Errorf("%s can be used by other accounts or resources: %s", id, list[0].condition)
		}
	}
}

func TestPeopleMayOperateExecutionsAndNothingElse(t *testing.T) {
	p := exampleTemplate(t).one(t, "AWS::IAM::ManagedPolicy", "ManagedPolicyName", "alb-oidc-rotator-operators")
	for _, problem := range broader(statements(t, p.Properties["PolicyDocument"]), map[string]string{
		"states:StartExecution": machine, "states:ListExecutions": machine, "states:DescribeStateMachine": machine,
		"states:StopExecution": regexp.QuoteMeta(runs), "states:RedriveExecution": regexp.QuoteMeta(runs),
		"states:DescribeExecution": regexp.QuoteMeta(runs), "states:GetExecutionHistory": regexp.QuoteMeta(runs),
	}) {
		t.Errorf("operators %s", problem)
	}
}

func TestThePermissionsBoundaryCapsEveryRole(t *testing.T) {
	const boundary = "arn:aws:iam::111122223333:policy/boundary"
	tpl := changed(t, "# permissionsBoundary:", "permissionsBoundary:")
	for _, id := range tpl.of("AWS::IAM::Role") {
		if got := text(tpl.Resources[id].Properties["PermissionsBoundary"]); got != boundary {
			t.Errorf("%s has the boundary %q", id, got)
		}
	}
}

func TestCustomerKeysAreUsedOnlyThroughSecretsManagerForTheClientsSecrets(t *testing.T) {
	const cmk = "arn:aws:kms:eu-central-1:111122223333:key/0a1b"
	got := policies(t, changed(t, "# kmsKeys: ", "kmsKeys: ["+cmk+"] #"))
	for _, owner := range sorted(got) {
		var found []statement
		for _, s := range got[owner] {
			if slices.Contains(s.resources, cmk) {
				found = append(found, s)
			}
		}
		reads := slices.Contains([]string{"plan", "createsecret", "updatealb", "smoketest", "retiresecret"}, owner)
		if reads != (len(found) == 1) {
			t.Errorf("%s has %d statements on the key", owner, len(found))
			continue
		}
		if reads && (!strings.Contains(found[0].condition, orders) || !strings.Contains(found[0].condition, `"kms:ViaService":"secretsmanager.*.amazonaws.com"`)) {
			t.Errorf("%s may use the key with %s", owner, found[0].condition)
		}
	}
}

func TestACognitoClientGetsItsUserPoolAndNoOther(t *testing.T) {
	old := string(changedText(t, "clients:", "clients:"))
	start := strings.Index(old, "      type: okta")
	end := strings.Index(old, "    loadBalancers:")
	tpl := changed(t, old[start:end], "      type: cognito\n      authorizationEndpoint: https://a.example.com/a\n      tokenEndpoint: https://a.example.com/t\n      settings: {userPoolId: eu-west-1_AbC123}\n")
	for owner, want := range map[string]int{"plan": 2, "createsecret": 4, "retiresecret": 3, "smoketest": 0, "updatealb": 0, "promotesecret": 0} {
		n := 0
		for _, s := range policies(t, tpl)[owner] {
			for _, a := range s.actions {
				if strings.HasPrefix(a, "cognito-idp:") {
					n++
					if !slices.Equal(s.resources, []string{"arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_AbC123"}) {
						t.Errorf("%s may %s on %v", owner, a, s.resources)
					}
				}
			}
		}
		if n != want {
			t.Errorf("%s has %d actions on the user pool, want %d", owner, n, want)
		}
	}
}

func TestWebIdentityTokensAreForTheirAudienceAndForAdminCallsOnly(t *testing.T) {
	file, err := readFile(clientsFile)
	if err != nil {
		t.Fatal(err)
	}
	file.Clients[0].IdentityProvider.Settings = []byte(`{"webIdentity": {"clientId": "x"}}`)
	file.Clients[1].IdentityProvider.Settings = []byte(`{"webIdentity": {"clientId": "x", "audience": "own"}}`)
	tpl, err := synth(file)
	if err != nil {
		t.Fatal(err)
	}
	var owners []string
	for owner, list := range policies(t, tpl) {
		for _, s := range list {
			if !slices.Contains(s.actions, "sts:GetWebIdentityToken") {
				continue
			}
			owners = append(owners, owner)
			if want := `{"ForAllValues:StringEquals":{"sts:IdentityTokenAudience":["api://AzureADTokenExchange","own"]},"NumericLessThanEquals":{"sts:DurationSeconds":300}}`; s.condition != want {
				t.Errorf("%s gets tokens with %s", owner, s.condition)
			}
		}
	}
	slices.Sort(owners)
	if !slices.Equal(owners, []string{"createsecret", "plan", "retiresecret"}) {
		t.Errorf("tokens are for %v", owners)
	}
}
