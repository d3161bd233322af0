package rotation_test

import (
	"encoding/json"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
)

// What is accepted names a client, says the same when it is written and read again, and never lengthens a grace period.
func FuzzExecutionInput(f *testing.F) {
	for _, seed := range []string{`{"client": "orders-web"}`, `{"client": "a", "reason": "a leak", "emergency": true}`,
		`{"client": "a", "dryRun": true, "gracePeriodSeconds": 0}`, `{"client": "a", "measure": true}`,
		`{"client": "a", "measure": true, "dryRun": true}`, `{"client": "a", "emergency": true, "measure": false}`,
		`{"client": "a", "gracePeriodSeconds": 31536001}`, `{"client": "a", "gracePeriodSeconds": 1e3}`,
		`{"client": null}`, `{"Client": "a"}`, `{"client": "a", "client": "b"}`, `{"client": "a"} {}`, `null`, `[]`, ``,
		`{"clinet": "a"}`, `"a"`, `{"client": "\ud800"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		r, err := rotation.ParseRequest(input)
		if err != nil {
			if !failure.Is(err, failure.InvalidInput) {
				t.Error(err)
			}
			return
		}
		written, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := rotation.ParseRequest(written)
		if rewritten, _ := json.Marshal(again); err != nil || string(rewritten) != string(written) {
			t.Errorf("%s is read as %s (%v)", written, rewritten, err)
		}
		if short := r.Shorten(); r.Client == "" || short != nil && (*short < 0 || *short > 366*24*time.Hour) ||
			r.Emergency && (short == nil || *short != 0) || r.Measure && (r.DryRun || r.Emergency || short != nil) {
			t.Errorf("%s is accepted", written)
		}
	})
}
