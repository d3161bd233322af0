package demo

import (
	"strings"
	"testing"

	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stack"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/statemachine"
)

func TestEveryStateThatCanBeMadeToFailIsOneOfTheMachine(t *testing.T) {
	t.Parallel()
	for _, f := range failures() {
		if !strings.Contains(statemachine.Definition, `"`+f.state+`": {`) {
			t.Errorf("there is no state %s", f.state)
		}
		if statemachine.Sentence(f.state) == "" {
			t.Errorf("state %s is not shown", f.state)
		}
		var i fault.Injector
		for _, vendor := range registry.Types() {
			w := &world{Deployment: &scenario.Deployment{Stack: &stack.Stack{Vendor: vendor}, FirstSecretID: "ocs1",
				SecretARN: "arn:aws:secretsmanager:eu-central-1:111122223333:secret:x"}}
			for _, r := range f.rules(w) {
				if _, err := i.Add(r); err != nil {
					t.Errorf("%s at %s: %v", f.state, vendor, err)
				}
			}
		}
	}
}

func TestTheStateToFailIsFoundInAnyCase(t *testing.T) {
	t.Parallel()
	if f, err := findFault("testsecret"); err != nil || f.state != "TestSecret" {
		t.Errorf("found %v, %v", f, err)
	}
	if f, err := findFault(""); f != nil || err != nil {
		t.Errorf("without a state: %v, %v", f, err)
	}
	if _, err := findFault("nonsense"); err == nil || !strings.Contains(err.Error(), "FAIL=nonsense") ||
		!strings.Contains(err.Error(), "CreateSecret, VerifyNewSecret, SetSecret") {
		t.Errorf("answered %v", err)
	}
}
