package asl_test

import (
	"encoding/json"
	"strings"
	"testing"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/statemachine"
)

// The state machine and the functions check the execution's input each by itself. What the one lets through, the other
// must not refuse once the lock is taken.
func FuzzCheckInput(f *testing.F) {
	var definition struct{ States map[string]json.RawMessage }
	if err := json.Unmarshal([]byte(statemachine.Definition), &definition); err != nil {
		f.Fatal(err)
	}
	check := machine("CheckInput", `"CheckInput": `+string(definition.States["CheckInput"])+`, "InvalidInput": `+
		string(definition.States["InvalidInput"])+`, "LoadClient": {"Type": "Succeed"}`)
	for _, seed := range []string{`{"client": "orders-web"}`, `{"client": "a", "reason": "x", "emergency": true}`,
		`{"client": "a", "dryRun": true, "gracePeriodSeconds": 0}`, `{"client": "a", "measure": true, "dryRun": false}`,
		`{"client": "a", "gracePeriodSeconds": 31536000.0}`, `{"client": "a", "gracePeriodSeconds": 1.5}`,
		`{"client": "a", "gracePeriodSeconds": -1e0}`, `{"client": "A"}`, `{"client": ["a"]}`,
		`{"client": "a", "x": 1}`,
		`{"client": "a", "reason": ["x"]}`, `{"client": "a", "measure": [true]}`, `[{"client": "a"}]`, `"a"`,
		`null`, `{}`,
		`{"client": "a\n"}`, `{"client": "a", "emergency": true, "dryRun": false}`, `{"client": "a", "dryRun": null}`,
		`{"client": "a", "reason": "` + strings.Repeat("é", 257) + `"}`, `{"client": "a", "": 1}`,
		`{"client": "a", "fleet": ""}`, `{"client": "a", "fleet": "all"}`,
		`{"client": "a", "fleet": "arn:aws:states:eu-central-1:111122223333:execution:fleet:x"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		var value any
		if json.Unmarshal([]byte(document), &value) != nil {
			t.Skip("Step Functions starts no execution with it")
		}
		input, err := json.Marshal(value) // as the state machine passes it on
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, noTasks)
		ended := w.run(check, string(input))
		r, err := rotation.ParseRequest(input)
		switch passes := ended.Status == asl.Succeeded; {
		case passes && (err != nil || !config.NameOK(r.Client)):
			t.Errorf("the state machine lets %s through, of which the functions say: %v", input, err)
		case !passes && (ended.Status != asl.Failed || *ended.Error != "InvalidInput"):
			t.Errorf("%s ends as %s", input, text(ended.Error, ended.Cause))
		case r.Heals() || r.BeforeEnd(): // which the state machine judges by the execution's name, too
		case !passes && err == nil && config.NameOK(r.Client) && !strings.Contains(string(input), "null"):
			t.Errorf("the state machine refuses %s: %s", input, text(ended.Cause))
		}
	})
}
