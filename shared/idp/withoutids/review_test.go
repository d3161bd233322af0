package withoutids_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"alboidc.internal/shared/idp/withoutids"
)

func TestEverySettingIsComparedButForThoseThatMayDiffer(t *testing.T) {
	t.Parallel()
	traits := func(registration string) map[string]string {
		var all map[string]json.RawMessage
		if err := json.Unmarshal([]byte(registration), &all); err != nil {
			t.Fatal(err)
		}
		return withoutids.Traits(all, []string{"id", "secret"}, []string{"callbacks"})
	}
	for name, tt := range map[string]struct {
		first, second string
		alike         bool
	}{
		"what may differ":              {`{"id": "a", "secret": "canary"}`, `{"id": "b"}`, true},
		"what nobody knew":             {`{"of_next_year": "canary"}`, `{"of_next_year": "other"}`, false},
		"what only one has":            {`{"of_next_year": 1}`, `{}`, false},
		"what is off is absent":        {`{"a": false, "b": null, "c": [ ], "d": {"x": {}}, "e": ""}`, `{}`, true},
		"what is zero is not":          {`{"lifetime": 0}`, `{}`, false},
		"the order in a list":          {`{"callbacks": ["x", "y"]}`, `{"callbacks": ["y", "x"]}`, true},
		"one more in a list":           {`{"callbacks": ["x"]}`, `{"callbacks": ["x", "x"]}`, false},
		"a space in a list":            {`{"callbacks": ["x y"]}`, `{"callbacks": ["x", "y"]}`, false},
		"the order of members":         {`{"a": [{"x": 1, "y": 2}]}`, `{"a": [{"y": 2, "x": 1}]}`, true},
		"the order of objects":         {`{"a": [{"x": 1}, {"y": 2}]}`, `{"a": [{"y": 2}, {"x": 1}]}`, true},
		"one object or two":            {`{"a": [{"x": 1, "y": 2}]}`, `{"a": [{"x": 1}, {"y": 2}]}`, false},
		"a text that looks like more":  {`{"a": {"x": "1 y=2"}}`, `{"a": {"x": "1", "y": "2"}}`, false},
		"an object that is off inside": {`{"a": {"x": 1, "y": false}}`, `{"a": {"x": 1}}`, true},
		"white space":                  {`{"a": {"x":1}}`, `{"a": { "x" : 1 }}`, true},
	} {
		a, b := fmt.Sprint(traits(tt.first)), fmt.Sprint(traits(tt.second))
		if (a == b) != tt.alike || strings.Contains(a, "canary") {
			t.Errorf("%s: %s and %s, should be alike: %t", name, a, b, tt.alike)
		}
	}
	if got := traits(`{"callbacks": ["y", "x"], "jwt": {"alg": "RS256"}}`); got["callbacks"] != "x y" ||
		!strings.HasPrefix(got["jwt"], "digest ") {
		t.Errorf("shown is %v", got)
	}
}
