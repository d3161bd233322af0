package deployed_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/statemachine"
)

const (
	// ofAFleet is what both stacks of the example have otherwise with two clients more, client-0 in the stack itself
	// and client-1 in the further one; the tests of infra keep it up to date.
	ofAFleet = "../../infra/testdata/fleet.golden.json"
	fleet    = scenario.MachineName + statemachine.FleetSuffix
)

// fleetsEnd is what a fleet's last state is given.
type fleetsEnd struct {
	Outcome    string
	Rotated    int
	Failed     []struct{ Client, Outcome, Cause string }
	NotStarted []string
}

func (w *world) runFleet(t *testing.T, machine, input string) (asl.Result, fleetsEnd) {
	t.Helper()
	execution := w.begin(t, machine, input)
	r := w.ended(t, execution)
	events, err := w.Stack.StepFunctions.History(execution)
	if err != nil {
		t.Fatal(err)
	}
	var end fleetsEnd
	text := string(r.Output)
	for _, e := range events {
		if e.StateEntered != nil && e.StateEntered.Name == "FleetIncomplete" {
			text = e.StateEntered.Input
		}
	}
	if err := json.Unmarshal([]byte(text), &end); err != nil {
		t.Fatalf("ended as %s %s: %v", aws.ToString(r.Error), aws.ToString(r.Cause), err)
	}
	return r, end
}

// A canary in the stack itself, then a client of a further stack together with one whose load balancer is gone, which
// stops the fleet; and what is left by a fleet after a leak.
func TestAFleetDoesWhatItsRoleAllows(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(ofAFleet)
	var otherwise []more
	if err == nil {
		err = json.Unmarshal(text, &otherwise)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := inFurtherStack(t, readPlaced(t, otherwise...))
	if err := w.Publish(t.Context(), w.deploy(t, fleet)); err != nil {
		t.Fatal(err)
	}
	machine := w.tpl.text(t, w.tpl.properties(t, "AWS::StepFunctions::StateMachine", "StateMachineName",
		fleet)["DefinitionSubstitutions"].(map[string]any)["FleetToStart"])
	begun := w.Stack.Clock.Now()
	r, end := w.runFleet(t, machine, `{"all": true, "canary": "client-0", "perTenant": 2, "maxFailures": 0}`)
	if aws.ToString(r.Error) != "FleetIncomplete" || end.Outcome != "stopped" || end.Rotated != 2 ||
		len(end.Failed) != 1 ||
		!strings.Contains(fmt.Sprint(end.Failed), "{shop-web refused Plan failed with IdPRejected: loadbalancer/") ||
		!slices.Equal(end.NotStarted, []string{"client-1"}) {
		t.Fatalf("the fleet ended as %s %s: %+v", r.Status, aws.ToString(r.Cause), end)
	}
	r, end = w.runFleet(t, machine, `{"clients": ["client-1"], "emergency": true, "reason": "leaked"}`)
	if r.Status != asl.Succeeded || end.Rotated != 1 {
		t.Fatalf("after the leak it ended as %s %s: %+v", r.Status, aws.ToString(r.Cause), end)
	}
	w.requests = slices.DeleteFunc(w.requests, func(r request) bool { return r.actor == schedules }) // these are ours
	checkCalls(t, w)
	checkWhoReachesWhat(t, w, begun)
	checkRights(t, w, fleet, []string{
		"ChildrenControl", // Step Functions itself uses these two
		"Log", "Trace",
		"NotifyEncrypted", // and Amazon SNS this one
	})
}

// checkWhoReachesWhat wants the secret of a client to be reached by the role of the client's place, and to be another
// one now.
func checkWhoReachesWhat(t *testing.T, w *world, begun time.Time) {
	t.Helper()
	reached := map[string]bool{}
	for _, r := range w.requests {
		for name, place := range map[string]string{"client-0-": "", "client-1-": "-1",
			"orders-web/client-secret-": "-1"} {
			if !strings.Contains(r.resource, ":secret:"+name) {
				continue
			}
			if reached[name] = true; place == "" && r.role != "" || place != "" && !strings.HasSuffix(r.role, place) {
				t.Errorf("%s as %q", r, r.role)
			}
		}
	}
	if len(reached) != 3 {
		t.Errorf("the secrets of %v are reached, want those of three clients", reached)
	}
	for i, clientID := range []string{w.ClientID, fmt.Sprintf("0oa%016d", 0), fmt.Sprintf("0oa%016d", 1)} {
		live := w.Stack.IdP.Store().Secrets(clientID)
		if len(live) != 1 || live[0].Created.Before(begun) {
			t.Errorf("client %d has the secrets %+v", i, live)
		}
	}
}

// checkRights wants each right of an actor to be one that the calls need: without it one is refused. The statements
// that are named are for what makes no call here.
func checkRights(t *testing.T, w *world, actor string, others []string) {
	t.Helper()
	role, used := w.tpl.role(t, actor), map[string]bool{}
	for _, s := range w.tpl.statements(role) {
		sid := fmt.Sprint(s["Sid"])
		if slices.Contains(others, sid) {
			used[sid] = true
			continue
		}
		for _, property := range []string{"Action", "Resource"} {
			for i, one := range list(s[property]) {
				without := edited(t, w.tpl, actor, sid, func(s map[string]any) map[string]any {
					left := slices.Delete(slices.Clone(list(s[property])), i, i+1)
					if s[property] = left; len(left) == 0 {
						return nil
					}
					return s
				})
				if len(without.refused(t, w.requests)) == 0 {
					t.Errorf("%s may do %s without need: no call is refused without %v", actor, sid, one)
				}
			}
		}
	}
	if len(used) != len(others) {
		t.Errorf("of the statements %v, %s has %v", others, actor, used)
	}
}
