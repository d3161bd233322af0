package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/clientsfile"
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
			"TracingConfig.Mode": "Active", "LoggingConfig.LogFormat": "JSON",
			"Environment.Variables.LOG_LEVEL": "info",
		})
		if got := text(r.Properties["Architectures"]); got != `["arm64"]` {
			t.Errorf("%s runs on %s", f.Name, got)
		}
		variables := r.Properties["Environment"].(map[string]any)["Variables"].(map[string]any)
		more := 0
		if f.Name == "record" {
			more = 3
			expect(t, f.Name, r, map[string]string{"Environment.Variables.EVIDENCE_YEARS": "7",
				"Environment.Variables.STATE_MACHINE": machine})
		}
		if len(variables) != 3+more || !strings.HasPrefix(text(variables["JOURNAL_TABLE"]), "<Journal") ||
			text(variables["PARAMETER_PREFIX"]) != "/alb-oidc-rotator/clients/" {
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
	const on = "reserveConcurrency: true "
	crowded, err := parseFile(changedText(t, "# "+on, on))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		c := crowded.Clients[0]
		c.Name = fmt.Sprintf("orders-%d", i)
		crowded.Clients = append(crowded.Clients, c)
	}
	eleven, err := synthesized(crowded)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		tpl    template
		want   []string
		number string
		update string // of updatealb: a rollback restores several targets at once
	}{
		{"by default", exampleTemplate(t), nil, "", ""}, // no account's limit can fail the first deployment
		{"where it is wanted", changed(t, "# "+on, on), []string{"promotesecret", "retiresecret", "smoketest",
			"updatealb"}, "5", "10"},
		// all may rotate at once
		{"with eleven clients", eleven, []string{"promotesecret", "retiresecret", "smoketest", "updatealb"},
			"11", "55"},
	} {
		var got []string
		for _, id := range tt.tpl.of("AWS::Lambda::Function") {
			if p := tt.tpl.Resources[id].Properties; p["ReservedConcurrentExecutions"] != nil {
				got = append(got, strings.TrimPrefix(text(p["FunctionName"]), "alb-oidc-rotator-"))
				want := tt.number
				if got[len(got)-1] == "updatealb" {
					want = tt.update
				}
				if n := text(p["ReservedConcurrentExecutions"]); n != want {
					t.Errorf("%s, %s of %s are reserved, want %s", tt.name, n, got[len(got)-1], want)
				}
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
		variables := r.Properties["Environment"].(map[string]any)["Variables"].(map[string]any)
		if text(variables["IN_VPC"]) == "true" != (f.Name == "smoketest") {
			t.Errorf("%s is told of a VPC: %v", f.Name, variables)
		}
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
	expect(t, "the state machine", r, map[string]string{"StateMachineType": "STANDARD",
		"TracingConfiguration.Enabled": "true",
		"LoggingConfiguration.Level":   "ALL", "LoggingConfiguration.IncludeExecutionData": "false"})
	if r.Properties["DefinitionString"] != statemachine.Definition {
		t.Error("the definition is not rotation.asl.json")
	}
	substitutions := map[string]string{}
	for name, v := range r.Properties["DefinitionSubstitutions"].(map[string]any) {
		substitutions[name] = text(v)
	}
	if got, want := sorted(substitutions), sorted(statemachine.Used(statemachine.Definition,
		statemachine.Values{}.Substitutions())); !slices.Equal(got, want) {
		t.Errorf("substituted are %v, want %v", got, want)
	}
	if _, err := statemachine.Render(statemachine.Definition, substitutions); err != nil {
		t.Error(err)
	}
	for _, f := range statemachine.Functions() {
		if f.Name != "record" && !strings.HasPrefix(substitutions[f.Placeholder], "<Live"+f.Name) {
			t.Errorf("%s is invoked as %s, not through its alias", f.Name, substitutions[f.Placeholder])
		}
	}
	if substitutions["SettleSeconds"] != "75" || substitutions["ParameterPrefix"] != "/alb-oidc-rotator/clients/" {
		t.Errorf("the settling time is %s, the parameters' prefix %s", substitutions["SettleSeconds"],
			substitutions["ParameterPrefix"])
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
	expect(t, "the secret", r, map[string]string{"Name": "alb-oidc-rotator/shop-web/oidc", "KmsKeyId": ""})

	const cmk = "arn:aws:kms:eu-central-1:111122223333:key/0a1b"
	tpl = changed(t, "    createSecret: true", "    createSecret: true\n    kmsKeys: ["+cmk+"]")
	expect(t, "the secret", tpl.Resources[ids[0]], map[string]string{"KmsKeyId": cmk})
}

func TestTheKeyOfTheLogsCanBeChosen(t *testing.T) {
	const own = "arn:aws:kms:eu-central-1:111122223333:key/0a1b"
	for choice, want := range map[string]string{"stack": "<Key961B73FD.Arn>", "none": "", own: own} {
		tpl := changed(t, "# logKey: none", "logKey: "+choice+" #")
		for _, id := range tpl.of("AWS::Logs::LogGroup") {
			if got := text(tpl.Resources[id].Properties["KmsKeyId"]); got != want {
				t.Errorf("with %s, %s has the key %q", choice, id, got)
			}
		}
		if used := strings.Contains(text(tpl.Resources["Key961B73FD"].Properties["KeyPolicy"]),
			"logs.eu-central-1"); used != (choice == "stack") {
			t.Errorf("with %s, the logs may use the stack's key: %v", choice, used)
		}
	}
}

func TestRemovingAClientRemovesAllOfItButItsSecret(t *testing.T) {
	file, err := parseFile([]byte(strings.Split(string(changedText(t, "clients:", "clients:")),
		"  # One client whose secret the stack creates")[0]))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := synthesized(file)
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
	// A rollback of the first deployment could not delete it: it is protected.
	if r.DeletionPolicy != "Retain" || r.UpdateReplacePolicy != "Retain" {
		t.Error("the journal goes with the stack")
	}
}

func TestNoNameIsTooLongForItsService(t *testing.T) {
	longest := string(changedText(t, "# name: alb-oidc-rotator ", "name: "+strings.Repeat("b", 30)+" #"))
	file, err := parseFile([]byte(strings.Replace(longest, "name: orders-web",
		"name: "+strings.Repeat("a", clientsfile.MaxNames-30), 1)))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := synthesized(file)
	if err != nil {
		t.Fatal(err)
	}
	for kind, limit := range map[string]struct {
		property string
		most     int
	}{
		"AWS::Events::Rule": {"Name", 64}, "AWS::Lambda::Function": {"FunctionName", 64},
		"AWS::SQS::Queue":          {"QueueName", 80},
		"AWS::Scheduler::Schedule": {"Name", 64}, "AWS::StepFunctions::StateMachine": {"StateMachineName", 80},
	} {
		for _, id := range tpl.of(kind) {
			if name := text(tpl.Resources[id].Properties[limit.property]); name == "" || len(name) > limit.most {
				t.Errorf("%s has the name %q", id, name)
			}
		}
	}
}

func TestARollbackRestoresAsManyTargetsAsUpdatesAreReserved(t *testing.T) {
	t.Parallel()
	most := 1
	for _, m := range regexp.MustCompile(`"MaxConcurrency": (\d+)`).FindAllStringSubmatch(statemachine.Definition, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, n)
	}
	if most != restores {
		t.Errorf("the state machine calls %d at once, %d are reserved for a client", most, restores)
	}
}

// Two stacks of one name in two Regions of an account: no name that both give is the account's.
func TestAStackOfTheSameNameCanBeDeployedInASecondRegion(t *testing.T) {
	names := func(region string) map[string]bool {
		tpl := changed(t, "region: eu-central-1", "region: "+region)
		out := map[string]bool{}
		for kind, property := range map[string]string{"AWS::CloudWatch::Dashboard": "DashboardName",
			"AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::IAM::Role": "RoleName", "AWS::IAM::Policy": ""} {
			for _, id := range tpl.of(kind) {
				if name := text(tpl.Resources[id].Properties[property]); property != "" && name != "" {
					out[kind+" "+name] = true
				}
			}
		}
		return out
	}
	here := names("eu-central-1")
	for name := range names("eu-west-1") {
		if here[name] {
			t.Errorf("both stacks have %s", name)
		}
	}
	if len(here) != 1 { // the dashboard needs a name
		t.Errorf("names of the account: %v", here)
	}
}

func TestTheTemplateHoldsOnlyASCIIAndTextsStayWhatTheyAre(t *testing.T) {
	file, err := parseFile(changedText(t, "Your orders", "Ihre Aufträge 😀"))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := synthesized(file) // it refuses other characters
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, id := range tpl.of("AWS::SSM::Parameter") {
		found = append(found, text(tpl.Resources[id].Properties["Value"]))
	}
	if all := strings.Join(found, ""); !strings.Contains(all, `Ihre Auftr\u00e4ge \ud83d\ude00`) {
		t.Errorf("the configurations are %s", all)
	}
	if err := checkLimits([]byte(`{"Resources": {"x": {"Properties": {"Description": "…"}}}}`)); err == nil ||
		!strings.Contains(err.Error(), "is not ASCII") {
		t.Errorf("%v", err)
	}
}

func TestRolesThatAnIdentityProviderHasToTrustAreOutputs(t *testing.T) {
	for name, tt := range map[string]struct {
		tpl  template
		want int
	}{"a stored credential": {exampleTemplate(t), 0}, "web identity": {mortal(t), 3}} {
		got := 0
		for id := range tt.tpl.Outputs {
			if strings.HasPrefix(id, "WebIdentityRole") {
				got++
			}
		}
		if got != tt.want {
			t.Errorf("%s: %d outputs, want %d", name, got, tt.want)
		}
	}
}

func TestAFunctionThatIsNotBuiltIsNamed(t *testing.T) {
	t.Parallel()
	if err := checkFunctions(t.TempDir()); err == nil || !strings.Contains(err.Error(),
		"function plan is not built; run make functions-arm64") {
		t.Errorf("got %v", err)
	}
}

func TestEveryRetentionOfTheFileIsOneOfTheCDK(t *testing.T) {
	t.Parallel()
	if got := slices.Sorted(maps.Keys(retentions)); !slices.Equal(got, clientsfile.Retentions()) {
		t.Errorf("the CDK knows %v, the file allows %v", got, clientsfile.Retentions())
	}
}

func TestTheStacksTagsAreOnWhatIsInIt(t *testing.T) {
	tpl := changed(t, "# tags: {team: platform} ", "tags: {team: platform, cost-centre: \"4711\"} #")
	for _, kind := range []string{"AWS::Lambda::Function", "AWS::IAM::Role", "AWS::StepFunctions::StateMachine",
		"AWS::SecretsManager::Secret", "AWS::KMS::Key", "AWS::SNS::Topic", "AWS::DynamoDB::Table",
		"AWS::Logs::LogGroup",
		"AWS::SQS::Queue", "AWS::SSM::Parameter", "AWS::CloudWatch::Alarm"} {
		for _, id := range tpl.of(kind) {
			if tags := text(tpl.Resources[id].Properties["Tags"]); !strings.Contains(tags, "4711") ||
				!strings.Contains(tags, "platform") {
				t.Errorf("%s %s has the tags %s", kind, id, tags)
			}
		}
	}
}
