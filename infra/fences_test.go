package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// The policy that the guide gives to copy: what it denies, on what, and to whom not. An action that is left out is a
// way around.
func TestTheFencesOfTheGuideLeaveNoWayAround(t *testing.T) {
	guide, err := os.ReadFile("../docs/deploying.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(guide), "### Fences")
	_, rest, _ = strings.Cut(rest, "```json\n")
	block, _, _ := strings.Cut(rest, "```")
	var policy any
	if err := json.Unmarshal([]byte(block), &policy); err != nil {
		t.Fatal(err)
	}
	// every action of the services that writes a parameter or an item, or calls a function (service authorization
	// reference)
	want := map[string]string{
		"parameter/alb-oidc-rotator/clients/*": "ssm:DeleteParameter ssm:DeleteParameters ssm:LabelParameterVersion " +
			"ssm:PutParameter ssm:UnlabelParameterVersion",
		"function:alb-oidc-rotator-*": "lambda:InvokeFunction",
		"table/alb-oidc-rotator-journal": "dynamodb:BatchWriteItem dynamodb:DeleteItem dynamodb:PartiQLDelete " +
			"dynamodb:PartiQLInsert dynamodb:PartiQLUpdate dynamodb:PutItem dynamodb:UpdateItem",
	}
	got := map[string]string{}
	for _, s := range statements(t, policy) {
		slices.Sort(s.actions)
		_, resource, _ := strings.Cut(s.resources[0], ":111122223333:")
		got[resource] = strings.Join(s.actions, " ")
		if s.effect != "Deny" || len(s.resources) != 1 || !strings.Contains(s.condition, "aws:PrincipalArn") {
			t.Errorf("%+v", s)
		}
	}
	for resource, actions := range want {
		if got[resource] != actions {
			t.Errorf("%s: denied are %q, want %q", resource, got[resource], actions)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the statements are about %v", got)
	}
	// CloudFormation names a role STACK-LOGICALID-SUFFIX, of 12 characters more.
	for _, id := range exampleTemplate(t).of("AWS::IAM::Role") {
		name := "alb-oidc-rotator-" + id
		if strings.HasPrefix(id, "Rolestatemachine") && (len(name)+13 > 64 || !strings.Contains(block,
			":role/alb-oidc-rotator-Rolestatemachine*")) {
			t.Errorf("the fence does not let %s call", name)
		}
	}
}
