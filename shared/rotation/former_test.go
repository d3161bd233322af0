package rotation_test

import (
	"testing"

	"alboidc.internal/shared/rotation"
)

func TestFormerCallsAreRewritten(t *testing.T) {
	t.Parallel()
	const (
		former  = `"client":"a-web","execution":"arn:e",`
		present = `"call":{"client":"a-web","execution":"arn:e"},`
		measure = `"request":{"client":"a-web","measure":true},`
		request = `"request":{"client":"a-web"},`
	)
	for in, want := range map[string]string{
		`{` + former + `"state":"CreateSecret","config":{"a":1}}`: `{` + present + `"config":{"a":1},"state":"CreateSecret"}`,
		`{` + former + `"state":"S","action":"disable"}`:          `{"action":"disable",` + present + `"state":"S"}`,
		`{` + former + request + `"started":"s"}`:                 `{"action":"decide",` + present + request + `"started":"s"}`,
		`{` + former + request + `"state":"S","undo":true}`:       `{"action":"decide",` + present + request + `"state":"S","undo":true}`,
		`{` + former + request + `"discoverOnly":true}`:           `{"action":"discover",` + present + `"request":{"client":"a-web"}}`,
		`{` + former + request + `"discoverOnly":false}`:          `{"action":"decide",` + present + `"request":{"client":"a-web"}}`,
		`{` + former + measure + `"state":"Measure"}`:             `{"action":"measure",` + present + measure + `"state":"Measure"}`,
		`{` + present + `"state":"Plan","action":"decide"}`:       `{` + present + `"state":"Plan","action":"decide"}`, // not former
		`{"state":"Plan"}`: `{"state":"Plan"}`,
		`[`:                `[`,
	} {
		if got := string(rotation.RewriteFormer([]byte(in))); got != want {
			t.Errorf("%s\nis rewritten to %s\nwant            %s", in, got, want)
		}
	}
}
