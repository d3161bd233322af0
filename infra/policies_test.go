package main

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// statement is one statement of a policy.
type statement struct {
	effect, principal, condition string
	actions, resources           []string
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
		out = append(out, statement{text(m["Effect"]), plain(m["Principal"]), plain(m["Condition"]), texts(m["Action"]),
			texts(m["Resource"])})
	}
	return out
}

// plain renders a value with what is inside of it as readable text too.
func plain(v any) string {
	var walk func(any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case []any:
			var out []any
			for _, x := range v {
				out = append(out, walk(x))
			}
			return out
		case map[string]any:
			if s := text(v); v["Ref"] != nil || v["Fn::GetAtt"] != nil || v["Fn::Join"] != nil {
				return s
			}
			out := map[string]any{}
			for key, x := range v {
				out[key] = walk(x)
			}
			return out
		}
		return v
	}
	if v == nil {
		return ""
	}
	if s, ok := walk(v).(string); ok {
		return s
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(walk(v)) // it was read from JSON
	return strings.TrimSpace(b.String())
}

// hash is what the CDK adds to the names of its resources.
var hash = regexp.MustCompile(`([A-Za-z])[0-9A-F]{8}\b`)

// policies are all statements of a template, by who or what they are for: the role of a function, of a state machine,
// of the schedules or the rules; the policy for people; a resource with a policy of its own; and "trust of" a role.
// Problems are policies elsewhere.
func policies(t *testing.T, tpl template) (out map[string][]statement, problems []string) {
	t.Helper()
	out = map[string][]statement{}
	for id, r := range tpl.Resources {
		properties := maps.Clone(r.Properties)
		take := func(property string, owners ...string) {
			document, ok := properties[property]
			if !ok {
				return
			}
			delete(properties, property)
			for _, owner := range owners {
				out[owner] = append(out[owner], statements(t, document)...)
			}
		}
		name := hash.ReplaceAllString(id, "$1")
		switch r.Type {
		case "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy":
			owners := []string{}
			roles, _ := properties["Roles"].([]any)
			for _, role := range roles {
				owners = append(owners, owner(text(role)))
			}
			if len(owners) == 0 {
				owners = append(owners, name)
			}
			if properties["Users"] != nil || properties["Groups"] != nil {
				problems = append(problems, id+" is for users or groups")
			}
			take("PolicyDocument", owners...)
		case "AWS::IAM::Role":
			take("AssumeRolePolicyDocument", "trust of "+owner("<"+id+">"))
			if properties["ManagedPolicyArns"] != nil || properties["Policies"] != nil {
				problems = append(problems, id+" has policies that are not in the template's own")
			}
		case "AWS::KMS::Key":
			take("KeyPolicy", name)
		case "AWS::DynamoDB::Table":
			if document, ok := properties["ResourcePolicy"].(map[string]any); ok {
				properties["ResourcePolicy"] = document["PolicyDocument"]
				take("ResourcePolicy", name)
			}
		case "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy":
			take("PolicyDocument", name)
		}
		if strings.Contains(text(properties), `"Statement"`) {
			problems = append(problems, id+" has a policy that is not known: "+r.Type)
		}
	}
	return out, problems
}

// owner is whose role a reference names.
func owner(role string) string {
	return strings.TrimPrefix(hash.ReplaceAllString(strings.Trim(role, "<>"), "$1"), "Role")
}

// may is what is allowed: every action on every resource, under one condition.
type may struct {
	actions, resources []string
	condition          string
	// principal and deny are for policies of resources.
	principal string
	deny      bool
}

// lines are the single permissions of a list, each as one text, once.
func lines(list []may) []string {
	var out []string
	for _, m := range list {
		for _, action := range m.actions {
			for _, resource := range m.resources {
				line := action + " on " + resource
				if m.condition != "" {
					line += " if " + m.condition
				}
				if m.principal != "" {
					line = m.principal + ": " + line
				}
				if m.deny {
					line = "denied " + line
				}
				out = append(out, hash.ReplaceAllString(line, "$1"))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// granted are the statements of a template as single permissions.
func granted(list []statement) []string {
	var out []may
	for _, s := range list {
		out = append(out, may{s.actions, s.resources, s.condition, s.principal, s.effect != "Allow"})
	}
	return lines(out)
}

// differences are what is granted beyond the list, and what of the list is not granted.
func differences(got, want []string) []string {
	var out []string
	for _, line := range got {
		if !slices.Contains(want, line) {
			out = append(out, "may "+line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			out = append(out, "may not "+line)
		}
	}
	return out
}

// checkPolicies compares all policies of a template with what is allowed.
func checkPolicies(t *testing.T, tpl template, allowed map[string][]may) {
	t.Helper()
	got, problems := policies(t, tpl)
	for _, p := range problems {
		t.Error(p)
	}
	if a, b := sorted(got), sorted(allowed); !slices.Equal(a, b) {
		t.Fatalf("policies are for %v, listed are %v", a, b)
	}
	for who, list := range got {
		for _, d := range differences(granted(list), lines(allowed[who])) {
			t.Errorf("%s %s", who, d)
		}
	}
}

func TestTheAllowListFindsWhatIsBroader(t *testing.T) {
	t.Parallel()
	const table = "<Journal.Arn>"
	want := []may{{actions: []string{"dynamodb:GetItem"}, resources: []string{table}, condition: "c"}}
	for name, s := range map[string]statement{
		"another action": {effect: "Allow", actions: []string{"dynamodb:GetItem",
			"dynamodb:PutItem"}, resources: []string{table}, condition: "c"},
		"every action": {effect: "Allow", actions: []string{"dynamodb:GetItem",
			"dynamodb:*"}, resources: []string{table}, condition: "c"},
		"every resource": {effect: "Allow", actions: []string{"dynamodb:GetItem"}, resources: []string{"*"},
			condition: "c"},
		"one resource too": {effect: "Allow", actions: []string{"dynamodb:GetItem"},
			resources: []string{table, table + "*"}, condition: "c"},
		"no condition": {effect: "Allow", actions: []string{"dynamodb:GetItem"}, resources: []string{table}},
		"a denial": {effect: "Deny", actions: []string{"dynamodb:GetItem"}, resources: []string{table},
			condition: "c"},
		"a principal": {effect: "Allow", principal: "*", actions: []string{"dynamodb:GetItem"},
			resources: []string{table}, condition: "c"},
		"nothing it needs": {effect: "Allow"},
	} {
		if len(differences(granted([]statement{s}), lines(want))) == 0 {
			t.Errorf("%s was not found", name)
		}
	}
	if d := differences(granted([]statement{{effect: "Allow", actions: []string{"dynamodb:GetItem"},
		resources: []string{table}, condition: "c"}}), lines(want)); len(d) > 0 {
		t.Errorf("what is listed differs: %v", d)
	}
}

func TestAPolicyWhereNoneIsExpectedIsFound(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]string{
		"of a secret":          `{"Type": "AWS::SecretsManager::ResourcePolicy", "Properties": {"ResourcePolicy": {"Statement": []}}}`,
		"inside a role":        `{"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}, "Policies": [{}]}}`,
		"of AWS, for a role":   `{"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}, "ManagedPolicyArns": ["x"]}}`,
		"for a group":          `{"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": {"Statement": []}, "Groups": ["x"]}}`,
		"of a function's code": `{"Type": "AWS::Lambda::Permission", "Properties": {"Policy": {"Statement": []}}}`,
	} {
		var x resource
		if err := json.Unmarshal([]byte(r), &x); err != nil {
			t.Fatal(err)
		}
		if _, problems := policies(t, template{Resources: map[string]resource{"X": x}}); len(problems) != 1 {
			t.Errorf("a policy %s: %v", name, problems)
		}
	}
}
