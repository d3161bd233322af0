package guarantees_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/rotation"
)

// stopAtEntry stops an execution when it enters a state for the nth time.
func (w *world) stopAtEntry(state string, n int) {
	var mu sync.Mutex
	seen := 0
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks = append(w.hooks, func(execution string, e stepfunctions.Event) {
		if e.StateEntered == nil || e.StateEntered.Name != state {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if seen++; seen == n {
			w.clock.Go(func() { w.stop(execution) })
		}
	})
}

func (w *world) redrive(execution string) asl.Result {
	w.t.Helper()
	if _, err := w.sfn().RedriveExecution(context.Background(),
		&sfn.RedriveExecutionInput{ExecutionArn: &execution}); err != nil {
		w.t.Fatal(err)
	}
	return w.wait(execution)
}

// versionOf is the version of a rotation that was stopped with that value, or with the other.
func (w *world) versionOf(value string, with bool) string {
	w.t.Helper()
	_, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil || len(values) != 2 {
		w.t.Fatalf("there are %d versions (%v)", len(values), err)
	}
	for version, v := range values {
		if (v == value) == with {
			return version
		}
	}
	w.t.Fatal("both versions have the same value")
	return ""
}

// dies removes a version's secret at the identity provider, by another hand, and counts from then on how often it is
// put on a target or made current.
func (w *world) dies(version string) (writes func() int) {
	w.t.Helper()
	value := w.value(version)
	w.tolerant = true // who uses it is cut off, by that person
	id, _ := w.Stack.IdP.Store().Match(w.ClientID, value, w.clock.Now())
	if err := w.Stack.IdP.Store().Update(w.ClientID, func(e *clients.Edit) error { return e.Remove(id) }); err != nil {
		w.t.Fatal(err)
	}
	var mu sync.Mutex
	n := 0
	w.Stack.Faults.Observe(func(service, operation, text string) {
		mu.Lock()
		defer mu.Unlock()
		target := service == "elasticloadbalancing" && strings.HasPrefix(operation, "Modify") &&
			strings.Contains(text, value)
		label := operation == "UpdateSecretVersionStage" && strings.Contains(text, "AWSCURRENT") &&
			strings.Contains(text, `"MoveToVersionId":"`+version+`"`)
		if target || label {
			n++
		}
	})
	return func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// A redrive days later goes on with what was proven days ago. AWSCURRENT has not changed, so nobody is Superseded.
func TestARedriveDaysLaterWritesNoSecretThatIsGone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stop       string
		n          int
		back       bool // in a rollback: the old secret dies
		error, end string
	}{
		"SetSecret":         {"SetTargetSecret", 2, false, "RolledBack", ""},
		"PromoteSecret":     {"PromoteSecret", 1, false, "RolledBack", ""},
		"ReassertSecret":    {"ReassertTargetSecret", 2, false, "RolledBack", ""},
		"RestoreTargets":    {"RestoreTargetSecret", 2, true, "SecretRefused", "RestoreLabels"},
		"RestoreLabels":     {"RestoreLabels", 1, true, "SecretRefused", "RestoreLabels"},
		"ReassertOldSecret": {"ReassertTargetOldSecret", 2, true, "SecretRefused", "ReassertTargetOldSecret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			old := w.current()
			if c.back {
				w.failing("TestSecret")
			}
			w.addRules((c.n - 1) * rotation.TargetsPerCall) // so many calls of a round come before it
			if c.n == 1 {                                   // it has not done its work when it is stopped
				w.fault(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"` + c.stop + `"`,
					Mode: fault.Refuse, Status: 429, Code: "TooManyRequestsException"})
			}
			w.stopAtEntry(c.stop, c.n)
			r, execution := w.rotate(plain)
			if r.Status != asl.Aborted {
				t.Fatalf("ended as %s %s: %s", r.Status, text(r.Error), text(r.Cause))
			}
			w.pass(time.Hour)
			w.Stack.Faults.Clear()
			writes := w.dies(w.versionOf(old, c.back))
			w.pass(3 * 24 * time.Hour)
			r = w.redrive(execution)
			path := w.path(execution)
			if text(r.Error) != c.error || c.end != "" && path[len(path)-1] != c.end {
				t.Errorf("the redrive ended at %s as %s: %s", path[len(path)-1], text(r.Error), text(r.Cause))
			}
			if n := writes(); n > 0 {
				t.Errorf("the secret that is gone was written %d times: %v", n, path)
			}
			if !c.back {
				w.tolerant = false
				w.converge()
			}
		})
	}
}

// The same redrive goes on where the secret is accepted, also after an outage of the provider.
func TestARedriveDaysLaterGoesOnWithASecretThatLives(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ stop, ends string }{
		{"SetTargetSecret", ""}, {"PromoteSecret", ""}, {"ReassertTargetSecret", ""},
		{"RestoreTargetSecret", "RolledBack"}, {"RestoreLabels", "RolledBack"}, {"ReassertTargetOldSecret",
			"RolledBack"},
	} {
		t.Run(c.stop, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			if c.ends != "" {
				w.failing("TestSecret")
			}
			w.stopAtEntry(c.stop, 1)
			r, execution := w.rotate(plain)
			if r.Status != asl.Aborted {
				t.Fatalf("ended as %s %s: %s", r.Status, text(r.Error), text(r.Cause))
			}
			w.pass(3 * 24 * time.Hour)
			w.Stack.IdP.Store().RefuseUntil(w.clock.Now().Add(outage), "")
			if r := w.redrive(execution); text(r.Error) != c.ends || c.ends == "" && r.Status != asl.Succeeded {
				t.Errorf("the redrive ended as %s %s: %s\n%v", r.Status, text(r.Error), text(r.Cause),
					w.path(execution))
			}
			w.atRest()
		})
	}
}

// What came since the targets were searched for has the old secret, or the new one in a rollback, and a redrive of the
// last steps would take that away. They go back to the search instead.
func TestARedriveDaysLaterFindsTheTargetsThatCameSince(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stop  string
		ends  string // "" is Rotated
		input string
	}{
		"after every target was set again":                  {"AwaitReassertSpread", "", plain},
		"before the old secret is off":                      {"TestBeforeFinish", "", plain},
		"before the old secret goes":                        {"TestAfterDisable", "", plain},
		"before the new secret goes":                        {"AwaitRestoreSpread", "RolledBack", plain},
		"in an emergency, after every target was set again": {"AwaitReassertSpread", "", emergency},
		"in an emergency, after the search":                 {"DisableOldSecret", "", emergency},
		"in an emergency, before the old secret goes":       {"TestAfterDisable", "", emergency},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			old := w.current()
			if c.ends != "" {
				w.failing("TestAfterDisable")
			}
			w.stopAtEntry(c.stop, 1)
			r, execution := w.rotate(c.input)
			if r.Status != asl.Aborted {
				t.Fatalf("ended as %s %s: %s", r.Status, text(r.Error), text(r.Cause))
			}
			w.pass(3 * 24 * time.Hour)
			came := w.value(w.versionOf(old, c.ends == "")) // the secret that is about to go
			if w.enabled(came) {                            // else nobody could have put it on a target that works
				w.deployRule(func(o *elbtypes.AuthenticateOidcActionConfig) { o.ClientSecret = &came })
			}
			if r := w.redrive(execution); text(r.Error) != c.ends || c.ends == "" && r.Status != asl.Succeeded {
				t.Errorf("the redrive ended as %s %s: %s\n%v", r.Status, text(r.Error), text(r.Cause),
					w.path(execution))
			}
			w.atRest()
		})
	}
}

// enabled reports whether the identity provider accepts a value now: a rule with one that it does not would fail by
// whoever adds it.
func (w *world) enabled(value string) bool {
	return w.Stack.IdP.Store().Accepts(w.ClientID, value, w.clock.Now())
}
