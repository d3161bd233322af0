package deployed_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/awstest/sts"
)

const (
	// twoAccounts is what the hub's template has otherwise if the second load balancer is in another account, and the
	// template of the role there; the tests of infra keep it up to date.
	twoAccounts  = "../../infra/testdata/accounts.golden.json"
	workload     = "222233334444"
	workloadRole = "arn:aws:iam::" + workload + ":role/alb-oidc-rotator-workload"
	externalID   = "alb-oidc-rotator-" + account
)

// hub reads the hub's template and the role's, filled as its operator fills it: by the hub's outputs.
func hub(t *testing.T) (tpl template, role map[string]any) {
	t.Helper()
	tpl, more := readTemplateWith(t, twoAccounts)
	var callers []any
	for name, o := range more.Outputs {
		if strings.HasPrefix(name, "WorkloadCaller") {
			callers = append(callers, tpl.text(t, o.Value))
		}
	}
	there := "arn:aws:elasticloadbalancing:" + scenario.Away + ":" + workload + ":"
	given := map[string]any{"HubRoles": callers, "ExternalId": externalID,
		"Rules":     []any{there + "listener-rule/app/partners-alb/*"},
		"Listeners": []any{there + "listener/app/partners-alb/*"}}
	return tpl, filled(more.Workload.Resources["Role"].Properties, given).(map[string]any)
}

// filled is v with parameters in the place of references to them.
func filled(v any, given map[string]any) any {
	switch v := v.(type) {
	case map[string]any:
		if p, is := v["Ref"].(string); is && given[p] != nil {
			return given[p]
		}
		out := map[string]any{}
		for k := range v {
			out[k] = filled(v[k], given)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = filled(v[i], given)
		}
		return out
	}
	return v
}

// trust is a role's trust policy, as AWS STS enforces it.
func trust(t *testing.T, role map[string]any) sts.Trust {
	t.Helper()
	statements := role["AssumeRolePolicyDocument"].(map[string]any)["Statement"].([]any)
	s := statements[0].(map[string]any)
	var out sts.Trust
	for _, arn := range s["Principal"].(map[string]any)["AWS"].([]any) {
		out.Callers = append(out.Callers, arn.(string))
	}
	condition := s["Condition"].(map[string]any)["StringEquals"].(map[string]any)
	if out.ExternalID, _ = condition["sts:ExternalId"].(string); out.ExternalID == "" || len(statements) != 1 ||
		s["Action"] != "sts:AssumeRole" || s["Effect"] != "Allow" || len(out.Callers) != 3 {
		t.Fatalf("the role trusts %v", statements)
	}
	return out
}

// newWorldOfAccounts deploys both templates.
func newWorldOfAccounts(t *testing.T) (w *world, role map[string]any) {
	t.Helper()
	tpl, role := hub(t)
	w = newWorld(t, tpl, workload)
	w.Stack.STS.SetRole(workloadRole, trust(t, role))
	w.deployRule(t, "notifier", w.deployNotifier(t))
	return w, role
}

// refusedThere are the calls that were made in the other account and are not allowed by the role, and how many were
// made.
func (w *world) refusedThere(t *testing.T, role map[string]any) (refused []string, made int) {
	t.Helper()
	var statements []map[string]any
	for _, p := range role["Policies"].([]any) {
		for _, s := range p.(map[string]any)["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			statements = append(statements, s.(map[string]any))
		}
	}
	for _, r := range w.requests {
		if r.actor != workload {
			continue
		}
		made++
		if !slices.ContainsFunc(statements, func(s map[string]any) bool { return w.tpl.allows(t, s, r) }) {
			refused = append(refused, r.String())
		}
	}
	return refused, made
}

func TestTwoAccountsAsTheTemplatesDeployThem(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]string{"a rotation": "", "a rollback": "TestSecret"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, role := newWorldOfAccounts(t)
			w.Stack.Faults.Observe(w.call)
			if fails != "" {
				w.refuse(t, fails)
			}
			r := w.scheduled(t, scenario.Client)
			if (r.Status == asl.Succeeded) != (fails == "") || fails != "" && *r.Error != "RolledBack" {
				t.Fatalf("ended as %+v: %s", r, aws.ToString(r.Cause))
			}
			changed := map[string]int{}
			for _, r := range w.requests {
				if strings.HasSuffix(r.action, ":ModifyRule") {
					changed[r.actor]++
				}
				if strings.HasSuffix(r.action, ":AssumeRole") {
					changed["sessions"]++
				}
			}
			if changed[workload] < 2 || changed["updatealb"] < 2 || changed["sessions"] < 3 {
				t.Errorf("rules were changed by %v", changed)
			}
			if refused, made := w.refusedThere(t, role); len(refused) > 0 || made < 10 {
				t.Errorf("of %d calls in the other account, %q are not allowed by the role there", made, refused)
			}
			other := replaced(role, func(s string) string { return strings.Replace(s, "app/partners", "app/other", 1) })
			if refused, _ := w.refusedThere(t, other.(map[string]any)); len(refused) < 2 ||
				!strings.Contains(refused[0],
					"elasticloadbalancing:ModifyRule") {
				t.Errorf("by a role for another load balancer, refused are %q", refused)
			}
			w.requests = slices.DeleteFunc(w.requests, func(r request) bool { return r.actor == workload })
			checkCalls(t, w)
			if live := w.Stack.IdP.Store().Secrets(w.ClientID); len(live) != 1 ||
				(live[0].ID == w.FirstSecretID) != (fails != "") {
				t.Errorf("the identity provider holds %+v", live)
			}
		})
	}
}

// Whoever is not one of the hub's functions, or comes for another hub, does not get the role; and a wrong role is found
// before anything is made.
func TestTheRoleIsAssumedByTheHubsFunctionsOnly(t *testing.T) {
	t.Parallel()
	w, role := newWorldOfAccounts(t)
	hubs := trust(t, role).Callers
	for _, c := range []struct {
		caller, externalID string
		may                bool
	}{
		{hubs[0], externalID, true}, {hubs[1], externalID, true}, {hubs[2], externalID, true},
		{hubs[0], "alb-oidc-rotator-999999999999", false}, {hubs[0], "", false},
		{"arn:aws:iam::" + account + ":role/AnotherStackRoleplan", externalID, false},
		{"arn:aws:iam::" + account + ":role/" + w.tpl.role(t, "createsecret"), externalID, false},
	} {
		w.Stack.STS.SetCaller("AKIATRIES", c.caller)
		cfg := w.Stack.AWS(scenario.Home)
		cfg.Credentials = credentials.NewStaticCredentialsProvider("AKIATRIES", "local", "")
		in := &awssts.AssumeRoleInput{RoleArn: aws.String(workloadRole), RoleSessionName: aws.String("session")}
		if c.externalID != "" {
			in.ExternalId = &c.externalID
		}
		if _, err := awssts.NewFromConfig(cfg).AssumeRole(t.Context(), in); (err == nil) != c.may {
			t.Errorf("%s with %q: %v", c.caller, c.externalID, err)
		}
	}
	for name, change := range map[string]func(*sts.Trust){
		"another external id": func(t *sts.Trust) { t.ExternalID = "of-another-hub" },
		"another stack's roles": func(t *sts.Trust) {
			t.Callers = []string{"arn:aws:iam::" + account + ":role/AnotherStackRoleplan"}
		},
		"another account": func(t *sts.Trust) { t.Account = "333344445555" },
	} {
		changed := trust(t, role)
		change(&changed)
		w, _ := newWorldOfAccounts(t)
		w.Stack.STS.SetRole(workloadRole, changed)
		r := w.scheduled(t, scenario.Client)
		if aws.ToString(r.Error) != "Refused" || !strings.Contains(aws.ToString(r.Cause), workloadRole) {
			t.Errorf("%s: ended as %s: %s", name, aws.ToString(r.Error), aws.ToString(r.Cause))
		}
		if live := w.Stack.IdP.Store().Secrets(w.ClientID); len(live) != 1 || live[0].ID != w.FirstSecretID {
			t.Errorf("%s: the identity provider holds %+v", name, live)
		}
	}
}

// A role that somebody deletes in a grace period: people hear which role, in which account, and what to do; once it is
// back, a redrive or the next execution ends it.
func TestARoleThatVanishedIsToldAndGoneOnWith(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"redrive", "the next execution"} {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			w, role := newWorldOfAccounts(t)
			api := sfn.NewFromConfig(w.Stack.AWS(scenario.Home))
			begun, err := api.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: aws.String(started),
				Input: aws.String(`{"client": "orders-web"}`)})
			if err != nil {
				t.Fatal(err)
			}
			w.pass(t, 30*time.Minute) // it is in its grace period
			w.Stack.STS.DeleteRole(workloadRole)
			w.pass(t, 3*24*time.Hour) // a rollback tries for long
			r, err := w.Stack.StepFunctions.Wait(t.Context(), *begun.ExecutionArn)
			if err != nil || r.Status != asl.Failed {
				t.Fatalf("ended as %+v (%v)", r, err)
			}
			told := ""
			for _, m := range w.Stack.SNS.Messages(w.TopicARN) {
				if m.Attributes["outcome"] == "needsAttention" {
					told = m.Message
				}
			}
			for _, says := range []string{workloadRole, "account " + workload,
				"deploy infra/workload-role.yaml in account " + workload +
					" again", "redrive-execution"} {
				if !strings.Contains(told, says) {
					t.Errorf("people do not hear %q:\n%s", says, told)
				}
			}
			if live := w.Stack.IdP.Store().Secrets(w.ClientID); len(live) != 2 {
				t.Errorf("the identity provider holds %+v", live)
			}
			w.Stack.STS.SetRole(workloadRole, trust(t, role))
			if next == "redrive" {
				if _, err := api.RedriveExecution(t.Context(),
					&sfn.RedriveExecutionInput{ExecutionArn: begun.ExecutionArn}); err != nil {
					t.Fatal(err)
				}
				r, err = w.Stack.StepFunctions.Wait(t.Context(), *begun.ExecutionArn)
			} else {
				r = w.scheduled(t, scenario.Client)
			}
			live := w.Stack.IdP.Store().Secrets(w.ClientID)
			if err != nil || len(live) != 1 || w.journal(t, scenario.JournalTable)["owner"] != nil {
				t.Errorf("ended as %+v (%v), the identity provider holds %+v", r, err, live)
			}
		})
	}
}
