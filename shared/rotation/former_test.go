package rotation_test

import (
	"testing"

	"alboidc.internal/shared/rotation"
)

func TestFormerCallsAreRewritten(t *testing.T) {
	t.Parallel()
	const caller = `"client":"orders-web","execution":"arn:e",`
	for former, want := range map[string]string{
		`{` + caller + `"state":"CreateSecret","config":{"a":1},"import":true}`: `{"call":{"client":"orders-web","execution":"arn:e"},` +
			`"config":{"a":1},"import":true,"state":"CreateSecret"}`,
		`{` + caller + `"state":"DisableOldSecret","action":"disable"}`: `{"action":"disable","call":{"client":"orders-web","execution":"arn:e"},` +
			`"state":"DisableOldSecret"}`,
		`{` + caller + `"state":"Plan","request":{"client":"orders-web"},"started":"s"}`: `{"action":"decide","call":{"client":"orders-web",` +
			`"execution":"arn:e"},"request":{"client":"orders-web"},"started":"s","state":"Plan"}`,
		`{` + caller + `"state":"RediscoverToRestore","request":{"client":"orders-web"},"discoverOnly":true,"undo":true}`: `{"action":"discover",` +
			`"call":{"client":"orders-web","execution":"arn:e"},"request":{"client":"orders-web"},"state":"RediscoverToRestore","undo":true}`,
		`{` + caller + `"state":"Measure","request":{"client":"orders-web","measure":true}}`: `{"action":"measure","call":{"client":"orders-web",` +
			`"execution":"arn:e"},"request":{"client":"orders-web","measure":true},"state":"Measure"}`,
		// not former, or not a call
		`{"call":{"client":"orders-web","execution":"arn:e"},"state":"Plan","action":"decide"}`: `{"call":{"client":"orders-web","execution":"arn:e"},` +
			`"state":"Plan","action":"decide"}`,
		`{"state":"Plan"}`: `{"state":"Plan"}`,
		`[`:                `[`,
	} {
		if got := string(rotation.Former([]byte(former))); got != want {
			t.Errorf("%s\nis rewritten to %s\nwant            %s", former, got, want)
		}
	}
}
