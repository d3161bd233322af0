package guarantees_test

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/fault"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares the path of an execution with testdata/paths/NAME.
func golden(t *testing.T, name string, path []string) {
	t.Helper()
	goldenFile(t, filepath.Join("testdata", "paths", name), strings.Join(path, "\n")+"\n")
}

func TestARotationWithAGracePeriodOfSevenDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	began := w.clock.Now()
	r, execution := w.rotate(plain)
	if r.Status != asl.Succeeded {
		t.Fatalf("%s: %s", text(r.Error), text(r.Cause))
	}
	golden(t, "rotated", w.path(execution))
	if took := w.clock.Now().Sub(began); took < grace {
		t.Errorf("the old secret was removed after %s, before the grace period was over", took)
	}
	if w.Stack.IdP.Store().Secrets(w.ClientID)[0].ID == w.FirstSecretID {
		t.Error("the old secret is still there")
	}
	w.atRest()
	w.mustRotate() // and the next one, from a secret that the system made itself
	w.atRest()
}

// caught are the states from which a failure rolls back, with the name of the state that calls the function.
var caught = map[string]string{
	"CreateSecret": "CreateSecret", "VerifyNewSecret": "VerifyNewSecret", "SetSecret": "SetTargetSecret",
	"PromoteSecret": "PromoteSecret",
	"TestSecret":    "TestSecret", "RediscoverTargets": "RediscoverTargets",
	"VerifyBeforeReassert": "VerifyBeforeReassert", "ReassertSecret": "ReassertTargetSecret",
	"TestBeforeFinish": "TestBeforeFinish", "DisableOldSecret": "DisableOldSecret",
	"TestAfterDisable": "TestAfterDisable",
}

func TestAFailureOfAnyStateRollsEverythingBack(t *testing.T) {
	t.Parallel()
	for state, caller := range caught {
		t.Run(state, func(t *testing.T) { failsFor(t, state, caller, plain) })
		if state != "TestSecret" && state != "VerifyBeforeReassert" { // these an emergency passes by
			t.Run("an emergency in "+state, func(t *testing.T) { failsFor(t, state, caller, emergency) })
		}
	}
}

// failsFor rolls an execution back from a state whose function fails for good.
func failsFor(t *testing.T, state, caller, input string) {
	t.Parallel()
	w := newWorld(t, quick)
	before := w.Stack.IdP.Store().Secrets(w.ClientID)
	w.fault(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"` + caller + `"`,
		Mode: fault.Refuse, Status: 403, Code: "AccessDeniedException"})
	r, execution := w.rotate(input)
	if r.Status != asl.Failed || text(r.Error) != "RolledBack" {
		t.Fatalf("ended as %s %s: %s", r.Status, text(r.Error), text(r.Cause))
	}
	if input == plain {
		golden(t, "rolled-back-from-"+state, w.path(execution))
	}
	if !strings.Contains(text(r.Cause), caller+" failed") && !strings.Contains(text(r.Cause), state+" failed") {
		t.Errorf("the cause does not name the state: %s", text(r.Cause))
	}
	w.atRest()
	after := w.Stack.IdP.Store().Secrets(w.ClientID)
	if len(after) != 1 || after[0].ID != before[0].ID {
		t.Errorf("the identity provider holds %+v, before it was %+v", after, before)
	}
	w.Stack.Faults.Clear()
	w.mustRotate()
	w.atRest()
}

// fault puts a fault in force.
func (w *world) fault(r fault.Rule) {
	w.t.Helper()
	if _, err := w.Stack.Faults.Add(r); err != nil {
		w.t.Fatal(err)
	}
}
