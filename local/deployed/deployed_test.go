// Package deployed_test runs a rotation from the CloudFormation template: what is deployed is what was tested.
package deployed_test

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/statemachine"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the OpenID library tells of its routes
	os.Exit(m.Run())
}

// rotated is a world after a rotation and a measurement, as the template's schedules start them.
func rotated(t *testing.T, tpl template) *world {
	t.Helper()
	w := newWorld(t, tpl)
	w.watch()
	for _, schedule := range []string{scenario.Client, scenario.Client + ".measure"} {
		if result := w.scheduled(t, schedule); result.Status != asl.Succeeded || strings.Contains(string(result.Output),
			"notMeasured") {
			t.Fatalf("%s ended as %s: %s %s", schedule, result.Status, aws.ToString(result.Cause), result.Output)
		}
	}
	return w
}

func TestARotationSucceedsAsTheTemplateDeploysIt(t *testing.T) {
	t.Parallel()
	w := rotated(t, readTemplate(t))
	checkCalls(t, w)
	if live := w.Stack.IdP.Store().Secrets(w.ClientID); len(live) != 1 || live[0].ID == w.FirstSecretID {
		t.Errorf("the identity provider holds %+v", live)
	}
	actors := map[string]bool{}
	for _, r := range w.requests {
		actors[r.actor] = true
	}
	if len(actors) != len(statemachine.Functions())-1+2 { // no rule is deployed that has evidence written
		t.Errorf("calls were made by %v", actors)
	}
	if !slices.ContainsFunc(w.requests, func(r request) bool {
		return r.actor == "updatealb" && r.action == "elasticloadbalancing:ModifyRule"
	}) {
		t.Error("updatealb modifies no rule: the calls are not told apart")
	}
}

// checkCalls wants the template to allow what was called.
func checkCalls(t *testing.T, w *world) {
	t.Helper()
	for _, err := range w.unknown {
		t.Error(err)
	}
	for _, r := range w.tpl.refused(t, w.requests) {
		t.Errorf("%s, which the template does not allow to it", r)
	}
}

// The client signs by the key of KMS that the example's other client names.
func TestARotationByAKeyInKMSIsAllowedByTheTemplate(t *testing.T) {
	t.Parallel()
	const stored = `"keyId":"rotator-2026","keySecretArn":"arn:aws:secretsmanager:eu-central-1:111122223333:secret:` +
		`okta/rotator-key-AbCdEf"`
	w := rotated(t, changed(t, "AWS::SSM::Parameter", "Name", scenario.ParameterPrefix+scenario.Client,
		func(p map[string]any) {
			if !strings.Contains(p["Value"].(string), stored) {
				t.Error("the example's client has no stored key any more")
			}
			p["Value"] = strings.Replace(p["Value"].(string), stored, `"keyArn":"`+signs+`"`, 1)
		}))
	checkCalls(t, w)
	signing := map[string]bool{}
	for _, r := range w.requests {
		if r.action == "kms:Sign" {
			signing[r.actor] = true
		}
	}
	if len(signing) != 3 { // plan, createsecret, retiresecret
		t.Errorf("signed was by %v", signing)
	}
	without := edited(t, w.tpl, "retiresecret", "Sign", func(map[string]any) map[string]any { return nil })
	if refused := without.refused(t, w.requests); len(refused) == 0 ||
		refused[0] != "retiresecret calls kms:Sign on "+signs {
		t.Errorf("without its right, refused is %q", refused)
	}
}

// edited is the template with one statement changed, or without it if change returns nil.
func edited(t *testing.T, tpl template, actor, sid string, change func(map[string]any) map[string]any) template {
	t.Helper()
	role := tpl.role(t, actor)
	out, found := template{Resources: map[string]resource{}}, false
	for id, r := range tpl.Resources {
		out.Resources[id] = r
		roles, _ := r.Properties["Roles"].([]any)
		if r.Properties["PolicyDocument"] == nil || len(roles) == 0 || roles[0].(map[string]any)["Ref"] != role {
			continue
		}
		copied := replaced(r.Properties, func(s string) string { return s }).(map[string]any)
		document := copied["PolicyDocument"].(map[string]any)
		var kept []any
		for _, s := range list(document["Statement"]) {
			m := s.(map[string]any)
			if m["Sid"] == sid {
				found = true
				if m = change(m); m == nil {
					continue
				}
			}
			kept = append(kept, m)
		}
		document["Statement"] = kept
		out.Resources[id] = resource{Type: r.Type, Properties: copied}
	}
	if !found {
		t.Fatalf("%s has no statement %s", actor, sid)
	}
	return out
}

// The check of the calls finds what it is there to find.
func TestACallThatTheTemplateDoesNotAllowIsFound(t *testing.T) {
	t.Parallel()
	w := rotated(t, readTemplate(t))
	without := func(map[string]any) map[string]any { return nil }
	elsewhere := func(old, new string) func(map[string]any) map[string]any {
		return func(s map[string]any) map[string]any {
			s["Resource"] = replaced(s["Resource"], func(arn string) string {
				return strings.ReplaceAll(arn, old, new)
			})
			return s
		}
	}
	table := func(s map[string]any) map[string]any {
		s["Resource"] = "arn:aws:dynamodb:eu-central-1:111122223333:table/another"
		return s
	}
	for name, c := range map[string]struct {
		actor, sid string
		change     func(map[string]any) map[string]any
		want       string
	}{
		"a statement is missing": {"plan", "FindTargets", without,
			"plan calls elasticloadbalancing:DescribeListeners on *"},
		"the journal is another table": {"createsecret", "Journal", table,
			"createsecret calls dynamodb:UpdateItem on arn:aws:dynamodb:eu-central-1:111122223333:table/" +
				scenario.JournalTable},
		"the lock is in another table": {machine, "Lock", table, machine + " calls dynamodb:UpdateItem"},
		"another load balancer": {"updatealb", "ChangeRules", elsewhere("shop-alb",
			"other-alb"), "updatealb calls elasticloadbalancing:ModifyRule on " +
			"arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener-rule/app/shop-alb/"},
		"another Region": {"updatealb", "ChangeRules", elsewhere("eu-west-1", "eu-west-3"),
			"updatealb calls elasticloadbalancing:ModifyRule on arn:aws:elasticloadbalancing:eu-west-1:"},
		"another secret": {"promotesecret", "ClientSecrets", elsewhere("orders-web", "billing"),
			"promotesecret calls secretsmanager:UpdateSecretVersionStage on "},
		"another admin credential": {"retiresecret", "AdminCredentials", elsewhere("okta",
			"entra"), "retiresecret calls secretsmanager:GetSecretValue on " +
			"arn:aws:secretsmanager:eu-central-1:111122223333:secret:okta/rotator-key"},
		"another client's parameter": {machine, "Clients", elsewhere("orders-web",
			"billing"), machine + " calls ssm:GetParameter on " +
			"arn:aws:ssm:eu-central-1:111122223333:parameter/alb-oidc-rotator/clients/orders-web"},
		"a function without its alias": {machine, "Steps", func(s map[string]any) map[string]any {
			s["Resource"] = "arn:aws:lambda:eu-central-1:111122223333:function:alb-oidc-rotator-plan"
			return s
		}, machine + " calls lambda:InvokeFunction on " +
			"arn:aws:lambda:eu-central-1:111122223333:function:alb-oidc-rotator-plan:live"},
		"another alias": {schedules, "Start", func(s map[string]any) map[string]any {
			s["Condition"] = replaced(s["Condition"], func(string) string { return "test" })
			return s
		}, "schedules calls states:StartExecution"},
		"what looks like a longer resource": {machine,
			"Notify", func(s map[string]any) map[string]any { s["Resource"] = w.TopicARN + "-2"; return s },
			machine + " calls sns:Publish on " + w.TopicARN},
	} {
		if got := strings.Join(edited(t, w.tpl, c.actor, c.sid, c.change).refused(t, w.requests),
			"\n"); !strings.Contains(got, c.want) {
			t.Errorf("%s: found is %q", name, got)
		}
	}
}

// changed is the template with properties of one resource changed.
func changed(t *testing.T, kind, property, value string, change func(map[string]any)) template {
	t.Helper()
	tpl := readTemplate(t)
	change(tpl.properties(t, kind, property, value))
	return tpl
}

func (w *world) journal(t *testing.T, table string) map[string]ddbtypes.AttributeValue {
	t.Helper()
	out, err := dynamodb.NewFromConfig(w.Stack.AWS(scenario.Home)).GetItem(t.Context(),
		&dynamodb.GetItemInput{TableName: &table,
			Key: map[string]ddbtypes.AttributeValue{"client": &ddbtypes.AttributeValueMemberS{Value: scenario.Client}}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}

func TestTheFunctionsAndTheStateMachineUseTheTemplatesTable(t *testing.T) {
	t.Parallel()
	const table = "another-journal"
	w := rotated(t, changed(t, "AWS::DynamoDB::Table",
		"TableName", scenario.JournalTable, func(p map[string]any) { p["TableName"] = table }))
	if item := w.journal(t, table); item["state"] == nil || item["lastOutcome"] == nil {
		t.Errorf("the journal is %v", item)
	}
}

// What each of these says decides how a rotation ends, so it is what the rotation above ran with.
func TestARotationFailsIfTheTemplateIsWrong(t *testing.T) {
	t.Parallel()
	parameter := scenario.ParameterPrefix + scenario.Client
	for name, c := range map[string]struct {
		tpl  template
		want string
	}{
		"a function's environment names another table": {changed(t, "AWS::Lambda::Function",
			"FunctionName", scenario.MachineName+"-plan", func(p map[string]any) {
				p["Environment"].(map[string]any)["Variables"].(map[string]any)["JOURNAL_TABLE"] = "another"
			}), "reading the journal"},
		"the configuration is of another issuer": {changed(t, "AWS::SSM::Parameter",
			"Name", parameter, func(p map[string]any) {
				p["Value"] = strings.Replace(fmt.Sprint(p["Value"]), `oauth2/default"`, `oauth2/default/"`, 1)
			}), "but with issuer"},
		"a substitution leads to another function": {changed(t, "AWS::StepFunctions::StateMachine",
			"StateMachineName", scenario.MachineName, func(p map[string]any) {
				s := p["DefinitionSubstitutions"].(map[string]any)
				s["PlanFunctionArn"] = s["UpdateAlbFunctionArn"]
			}), "the input of function updatealb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if result := newWorld(t, c.tpl).scheduled(t, scenario.Client); result.Status != asl.Failed ||
				!strings.Contains(aws.ToString(result.Cause), c.want) {
				t.Errorf("ended as %s: %s", result.Status, aws.ToString(result.Cause))
			}
		})
	}
}
