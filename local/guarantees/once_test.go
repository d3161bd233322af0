package guarantees_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/shared/fault"
)

// disturbOnce lets the first call of every Task go wrong, whatever way the execution takes.
func (w *world) disturbOnce(mode fault.Mode) {
	w.t.Helper()
	resources := map[string]string{}
	var definition map[string]any
	if err := json.Unmarshal([]byte(w.present()), &definition); err != nil {
		w.t.Fatal(err)
	}
	collectResources(definition, resources)
	var mu sync.Mutex
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks = append(w.hooks, func(_ string, e stepfunctions.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.StateEntered == nil || resources[e.StateEntered.Name] == "" {
			return
		}
		parts := strings.Split(resources[e.StateEntered.Name], ":") // arn:aws:states:::[aws-sdk:]service:operation
		service, operation := parts[len(parts)-2], parts[len(parts)-1]
		r := fault.Rule{Service: service, Operation: strings.ToUpper(operation[:1]) + operation[1:], Times: 1,
			Mode: mode}
		switch service {
		case "lambda":
			r.Match = `"state":"` + e.StateEntered.Name + `"`
		case "sfn":
			r.Service = "states"
		}
		delete(resources, e.StateEntered.Name)
		w.fault(r)
	})
}

// collectResources finds what every Task calls, inside Maps too.
func collectResources(machine map[string]any, resources map[string]string) {
	states, _ := machine["States"].(map[string]any)
	for name, s := range states {
		s, _ := s.(map[string]any)
		if resource, ok := s["Resource"].(string); ok {
			resources[name] = resource
		}
		if inner, ok := s["ItemProcessor"].(map[string]any); ok {
			collectResources(inner, resources)
		}
	}
}

// A single disturbance of any call must be survived by the same execution, and not only by the next.
func TestEveryCallMayFailOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare     func(*world)
		input, ends string
	}{
		"a rotation":    {func(*world) {}, plain, ""},
		"an emergency":  {func(*world) {}, emergency, ""},
		"a rollback":    {func(w *world) { w.failing("TestBeforeFinish") }, plain, "RolledBack"},
		"a take-over":   {func(w *world) { w.leave("GracePeriod") }, plain, ""},
		"a measurement": {func(*world) {}, `{"client": "orders-web", "measure": true}`, ""},
		"an emergency in a grace period": {func(w *world) {
			w.start(plain)
			w.pass(time.Hour)
		}, emergency, ""},
	} {
		for _, mode := range []fault.Mode{fault.Refuse, fault.Lose} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, quick)
				c.prepare(w)
				w.disturbOnce(mode)
				if r, execution := w.rotate(c.input); text(r.Error) != c.ends {
					t.Errorf("one disturbance ended the execution as %s: %s\n%v", text(r.Error), text(r.Cause),
						w.path(execution))
				}
				if name != "a measurement" && len(w.Stack.SNS.Messages(w.TopicARN)) == 0 {
					t.Error("one disturbance kept people from hearing of it")
				}
				w.pass(2 * time.Hour)
				w.atRest()
			})
		}
	}
}

// leave stops an execution as it enters a state.
func (w *world) leave(state string) {
	w.when(state, w.stop)
	w.rotate(plain)
}

// A function whose answer was lost at once goes on, and what it called takes effect at the last moment of the time to
// settle. Then the next step fails, so that a rollback begins as early as it can.
func TestWhatComesAtTheLastMomentHarmsNothing(t *testing.T) {
	t.Parallel()
	const rule, label = "elasticloadbalancing:ModifyRule", "secretsmanager:UpdateSecretVersionStage"
	graceless := `{"client": "orders-web", "gracePeriodSeconds": 0}`
	for _, c := range []struct{ late, call, fails, input string }{
		{"CreateSecret", "idp:okta.createSecret", "VerifyNewSecret", plain},
		{"SetTargetSecret", rule, "PromoteSecret", plain}, {"SetTargetSecret", rule, "PromoteSecret", graceless},
		{"PromoteSecret", label, "TestSecret", plain}, {"PromoteSecret", label, "ReassertTargetSecret", graceless},
		{"ReassertTargetSecret", rule, "TestBeforeFinish", plain},
		{"ReassertTargetSecret", rule, "TestBeforeFinish", graceless},
		{"DisableOldSecret", "idp:okta.deactivateSecret", "TestAfterDisable", plain},
		{"EnableOldSecret", "idp:okta.activateSecret", "TestAfterDisable", plain},
		{"RestoreTargetSecret", rule, "TestSecret", plain}, {"RestoreLabels", label, "TestSecret", plain},
		{"ReassertTargetOldSecret", rule, "TestSecret", plain},
		{"RemoveNewSecret", "idp:okta.deleteSecret", "TestSecret", plain},
	} {
		t.Run(c.late+" "+c.fails+" "+c.input, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.failing(c.fails)
			service, operation, _ := strings.Cut(c.call, ":")
			w.hook(c.late, func() {
				w.fault(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"` + c.late + `"`, Times: 1,
					Mode: fault.Drop})
				w.fault(fault.Rule{Service: service, Operation: operation, Times: 1, Mode: fault.Delay,
					Latency: lateBy})
			})
			if r, execution := w.rotate(c.input); text(r.Error) != "RolledBack" {
				t.Errorf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			if list := w.Stack.Faults.List(); strings.Contains(string(list), `"seen":0`) {
				t.Errorf("nothing came late: %s", list)
			}
			w.Stack.Faults.Clear()
			w.converge()
			w.pass(2 * time.Hour)
			w.atRest()
		})
	}
}

// hook runs f once, before a state that is entered does anything.
func (w *world) hook(state string, f func()) {
	var once sync.Once
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks = append(w.hooks, func(_ string, e stepfunctions.Event) {
		if e.StateEntered != nil && e.StateEntered.Name == state {
			once.Do(f)
		}
	})
}
