package deployed_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clientsfile"
	"alboidc.internal/shared/rights"
)

const account = awsapi.AccountID

// request is an AWS call as IAM sees it.
type request struct {
	actor, action, resource string
	// role is the ARN of the role that the actor has assumed; "" if it calls as itself.
	role string
	// context are the condition keys that the call has.
	context map[string]string
}

func (r request) String() string { return r.actor + " calls " + r.action + " on " + r.resource }

// requestOf makes one of a call of the local stack; text is the call's path and body.
func requestOf(actor, service, operation, text string) (request, error) {
	here := func(service, resource string) string {
		return "arn:aws:" + service + ":" + scenario.Home + ":" + account + ":" + resource
	}
	r := request{actor: actor, action: service + ":" + operation, context: map[string]string{}}
	switch service {
	case "monitoring":
		r.action, r.resource = "cloudwatch:"+operation, "*"
	case "lambda":
		r.action, r.resource = "lambda:InvokeFunction", between(text, "/functions/", "/")
	case "secretsmanager":
		r.resource = field(text, "SecretId")
	case "kms":
		r.resource = field(text, "KeyId")
	case "dynamodb":
		r.resource = here("dynamodb", "table/"+field(text, "TableName"))
		r.context["dynamodb:LeadingKeys"] = field(between(text, `"Key":`, "}"), "S")
	case "ssm":
		name, _, _ := strings.Cut(field(text, "Name"), ":") // a version is no resource of its own
		r.resource = here("ssm", "parameter"+name)
	case "sts":
		r.resource = between(text+"&", "RoleArn=", "&")
	case "sns":
		r.resource = between(text+"&", "TopicArn=", "&")
	case "events":
		r.resource = here("events", "event-bus/"+field(text, "EventBusName"))
		r.context["events:source"] = field(text, "Source")
	case "elasticloadbalancing":
		r.resource = "*" // Describe calls have no resources
		for _, key := range []string{"RuleArn=", "ListenerArn="} {
			if strings.HasPrefix(operation, "Modify") && strings.Contains("&"+text, "&"+key) {
				r.resource = between(text+"&", key, "&")
			}
		}
	case "states":
		if r.resource = field(text, "executionArn"); operation == "StartExecution" || operation == "ListExecutions" {
			// The resource is the state machine, the alias a condition.
			arn := field(text, "stateMachineArn")
			if parts := strings.Split(arn, ":"); len(parts) == 8 {
				arn, r.context["states:StateMachineQualifier"] = strings.Join(parts[:7], ":"), parts[7]
			}
			r.resource = arn
		}
	}
	if r.resource != "*" && !strings.HasPrefix(r.resource, "arn:") || strings.HasSuffix(r.resource, "/") {
		return r, fmt.Errorf("what does %s act on? %q", r.action, r.resource)
	}
	return r, nil
}

// field is the first member of that name in a JSON body.
func field(text, name string) string {
	m := regexp.MustCompile(`"` + name + `":\s*("[^"]*")`).FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	var s string
	_ = json.Unmarshal([]byte(m[1]), &s)
	return s
}

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}

// list is a value that is one or several.
func list(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}

// matches compares with the wildcards of IAM policies.
func matches(pattern, s string) bool {
	p := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile(`^` + p + `$`).MatchString(s)
}

// allows reports whether a statement allows a request. A condition that it cannot judge does not hold.
func (tpl template) allows(t *testing.T, statement map[string]any, r request) bool {
	t.Helper()
	some := func(values any, s string) bool {
		return slices.ContainsFunc(list(values), func(v any) bool { return matches(tpl.text(t, v), s) })
	}
	if statement["Effect"] != "Allow" || !some(statement["Action"], r.action) ||
		!some(statement["Resource"], r.resource) {
		return false
	}
	conditions, _ := statement["Condition"].(map[string]any)
	for operator, keys := range conditions {
		for key, values := range keys.(map[string]any) {
			if operator == "Null" && r.context[key] != "" && fmt.Sprint(values) == "false" {
				continue
			}
			if operator != "StringEquals" && operator != "ForAllValues:StringEquals" || r.context[key] == "" ||
				!slices.ContainsFunc(list(values), func(v any) bool { return tpl.text(t, v) == r.context[key] }) {
				return false
			}
		}
	}
	return true
}

// denies reports whether a statement denies a request of a function: the one denial is for other functions than are
// named.
func (tpl template) denies(t *testing.T, statement map[string]any, r request) bool {
	t.Helper()
	if statement["Effect"] != "Deny" || !slices.ContainsFunc(list(statement["Action"]),
		func(v any) bool { return matches(tpl.text(t, v), r.action) }) {
		return false
	}
	arns := statement["Condition"].(map[string]any)["ArnNotLike"].(map[string]any)["lambda:SourceFunctionArn"]
	if r.role != "" {
		return true // a session of another role does not come from a function any more
	}
	from := "arn:aws:lambda:" + scenario.Home + ":" + account + ":function:" + scenario.MachineName + "-" + r.actor
	return !slices.ContainsFunc(list(arns), func(v any) bool { return matches(tpl.text(t, v), from) })
}

// statements of the policies of a role.
func (tpl template) statements(role string) []map[string]any {
	var out []map[string]any
	for _, id := range slices.Sorted(maps.Keys(tpl.Resources)) {
		r := tpl.Resources[id]
		if r.Type != "AWS::IAM::Policy" && r.Type != "AWS::IAM::ManagedPolicy" || r.Properties["Roles"] == nil ||
			!slices.ContainsFunc(list(r.Properties["Roles"]),
				func(v any) bool { return v.(map[string]any)["Ref"] == role }) {
			continue
		}
		for _, s := range list(r.Properties["PolicyDocument"].(map[string]any)["Statement"]) {
			out = append(out, s.(map[string]any))
		}
	}
	return out
}

// role is the logical id of the role that an actor has.
func (tpl template) role(t *testing.T, actor string) string {
	t.Helper()
	for id, r := range tpl.Resources {
		var role any
		switch {
		case r.Type == "AWS::Lambda::Function" && tpl.function(id) == actor:
			role = r.Properties["Role"]
		case r.Type == "AWS::StepFunctions::StateMachine" && r.Properties["StateMachineName"] == actor:
			role = r.Properties["RoleArn"]
		case r.Type == "AWS::Scheduler::Schedule" && actor == schedules:
			role = r.Properties["Target"].(map[string]any)["RoleArn"]
		default:
			continue
		}
		return fmt.Sprint(role.(map[string]any)["Fn::GetAtt"].([]any)[0])
	}
	t.Fatalf("the template has nothing for %s", actor)
	return ""
}

// roleNamed is the logical id of the role with an ARN.
func (tpl template) roleNamed(t *testing.T, arn string) string {
	t.Helper()
	return tpl.find(t, "AWS::IAM::Role", "RoleName", strings.TrimPrefix(arn, "arn:aws:iam::"+account+":role/"))
}

// trusts reports whether a role may be assumed by another one of the template, whose logical id is by.
func (tpl template) trusts(t *testing.T, arn, by string) bool {
	t.Helper()
	trust := tpl.Resources[tpl.roleNamed(t, arn)].Properties["AssumeRolePolicyDocument"].(map[string]any)
	s := list(trust["Statement"])[0].(map[string]any)
	principal := s["Principal"].(map[string]any)["AWS"]
	return s["Effect"] == "Allow" && s["Action"] == "sts:AssumeRole" && s["Condition"] == nil &&
		tpl.text(t, principal) == tpl.arn(t, by)
}

// refused are the requests that the template allows to nobody who made them.
func (tpl template) refused(t *testing.T, requests []request) []string {
	t.Helper()
	var out []string
	for _, r := range requests {
		role := tpl.role(t, r.actor)
		if r.action == "sts:AssumeRole" && strings.Contains(r.resource, ":"+account+":") &&
			!tpl.trusts(t, r.resource, role) {
			out = append(out, r.String())
			continue
		}
		if r.role != "" {
			role = tpl.roleNamed(t, r.role)
		}
		statements := tpl.statements(role)
		if !slices.ContainsFunc(statements, func(s map[string]any) bool { return tpl.allows(t, s, r) }) ||
			slices.ContainsFunc(statements, func(s map[string]any) bool { return tpl.denies(t, s, r) }) {
			out = append(out, r.String())
		}
	}
	return out
}

// What rotator has IAM simulate is what the template allows, with the values of the conditions' keys that it gives:
// else it would tell people of rights that are not missing.
func TestWhatIsSimulatedIsAllowed(t *testing.T) {
	t.Parallel()
	for place, tpl := range []template{readTemplate(t), readPlaced(t)} {
		simulate(t, tpl, place)
	}
}

func simulate(t *testing.T, tpl template, place int) {
	t.Helper()
	file, _, err := clientsfile.Read("../../infra/clients.yaml")
	if err != nil {
		t.Fatal(err)
	}
	stack := rights.Stack{Partition: "aws", Region: scenario.Home, Account: account, Name: scenario.MachineName}
	i := slices.IndexFunc(file.Clients, func(c clientsfile.Client) bool { return c.Name == scenario.Client })
	c := file.Clients[i].Client
	c.Place = place
	rule := strings.Replace(c.LoadBalancers[0], ":loadbalancer/",
		":listener-rule/", 1) + "/f2f7dc8efc522ab2/9683b2d02a6cabee"
	listener := strings.Replace(c.LoadBalancers[0], ":loadbalancer/", ":listener/", 1) + "/f2f7dc8efc522ab2"
	of := map[string][]rights.Call{machine: stack.OfMachine(c)}
	for name := range rights.Functions {
		of[name] = stack.Calls(name, c, nil, []string{rule, listener})
	}
	n := 0
	for actor, calls := range of {
		for _, call := range calls {
			for _, action := range call.Actions {
				for _, resource := range call.Resources {
					if n++; (call.Context["lambda:SourceFunctionArn"] == "") != (actor == machine ||
						call.Place > 0) {
						t.Errorf("%s calls %s from nowhere", actor, action)
					}
					r := request{actor: actor, action: action, resource: resource, context: call.Context}
					if call.Place > 0 {
						r.role = stack.PlaceRoleARN(actor, call.Place)
					}
					if refused := tpl.refused(t, []request{r}); len(refused) > 0 {
						t.Errorf("refused: %s", refused)
					}
				}
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d calls are simulated", n)
	}
}
