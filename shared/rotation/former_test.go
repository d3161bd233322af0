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
	for _, c := range []struct{ in, want string }{
		{former + `"config":{"a":1},"state":"CreateSecret"`, present + `"config":{"a":1},"state":"CreateSecret"`},
		{`"action":"disable",` + former + `"state":"S"`, `"action":"disable",` + present + `"state":"S"`},
		{former + request + `"started":"s"`, `"action":"decide",` + present + request + `"started":"s"`},
		{former + request + `"undo":true`, `"action":"decide",` + present + request + `"undo":true`},
		{former + request + `"discoverOnly":true,"undo":true`,
			`"action":"discover",` + present + request + `"undo":true`},
		{former + request + `"discoverOnly":false,"undo":true`,
			`"action":"decide",` + present + request + `"undo":true`},
		{former + measure + `"state":"Measure"`, `"action":"measure",` + present + measure + `"state":"Measure"`},
		{former + `"target":{"name":"t"}`, present + `"targets":[{"name":"t"}]`},
		{present + `"target":{"name":"t"}`, present + `"targets":[{"name":"t"}]`},
		{present + `"action":"decide"`, present + `"action":"decide"`}, // not former
		{`"state":"Plan"`, `"state":"Plan"`},
		{`"state"`, `"state"`}, // no JSON
	} {
		if got := string(rotation.RewriteFormer([]byte(`{` + c.in + `}`))); got != `{`+c.want+`}` {
			t.Errorf("%s\nis rewritten to %s\nwant             %s", c.in, got, c.want)
		}
	}
}
