package strictjson_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/strictjson"
)

type embedded struct {
	Common string `json:"common"`
}

type inner struct {
	URL  string `json:"url"`
	Port *int   `json:"port,omitempty"`
}

type document struct {
	embedded
	Name     string            `json:"name"`
	Count    int               `json:"count"`
	Big      int64             `json:"big"`
	On       bool              `json:"on"`
	Inner    inner             `json:"inner"`
	Pointer  *inner            `json:"pointer,omitempty"`
	List     []inner           `json:"list"`
	Tags     map[string]string `json:"tags"`
	Raw      json.RawMessage   `json:"raw"`
	Any      any               `json:"any"`
	Untagged string
	Hidden   string `json:"-"`
}

func TestEveryProblemIsReportedWithItsPath(t *testing.T) {
	t.Parallel()
	const allowed = "any, big, common, count, inner, list, name, on, pointer, raw, tags"
	tests := []struct {
		name, doc string
		want      []strictjson.Problem
	}{
		{"nothing", ``, []strictjson.Problem{{"at", "is not JSON"}}},
		{"half an object", `{"name": "x"`, []strictjson.Problem{{"at", "is not JSON"}}},
		{"two values", `{} {}`, []strictjson.Problem{{"at", "has text after the JSON value"}}},
		{"a brace too many", `{}}`, []strictjson.Problem{{"at", "has text after the JSON value"}}},
		{"a bracket too many", `{}]`, []strictjson.Problem{{"at", "has text after the JSON value"}}},
		{"words after the value", `{} x`, []strictjson.Problem{{"at", "has text after the JSON value"}}},
		{"a list", `[]`, []strictjson.Problem{{"at", "must be an object"}}},
		{"an unknown field",
			`{"nmae": "x"}`, []strictjson.Problem{{"at.nmae",
				"is not known; did you mean name? allowed here: " + allowed}}},
		{"a field in another case",
			`{"Name": "x"}`, []strictjson.Problem{{"at.Name",
				"is not known; did you mean name? allowed here: " + allowed}}},
		{"a Go name without a tag", `{"Untagged": "x"}`, []strictjson.Problem{{"at.Untagged",
			"is not known; allowed here: " + allowed}}},
		{"a hidden field",
			`{"Hidden": "x"}`, []strictjson.Problem{{"at.Hidden", "is not known; allowed here: " + allowed}}},
		{"a field given twice", `{"name": "x", "name": "y"}`, []strictjson.Problem{{"at.name", "is given twice"}}},
		{"a deep field given twice", `{"list": [{}, {"url": "x", "url": "y"}]}`, []strictjson.Problem{{"at.list[1].url",
			"is given twice"}}},
		{"a number as a string", `{"name": 1}`, []strictjson.Problem{{"at.name", "must be a string"}}},
		{"a string as a number", `{"count": "1"}`, []strictjson.Problem{{"at.count", "must be a whole number"}}},
		{"a fraction", `{"count": 1.5}`, []strictjson.Problem{{"at.count", "must be a whole number, not 1.5"}}},
		{"a number that is too big", `{"big": 9223372036854775808}`, []strictjson.Problem{{"at.big",
			"must be a whole number, not 9223372036854775808"}}},
		{"a string as a bool", `{"on": "true"}`, []strictjson.Problem{{"at.on", "must be true or false"}}},
		{"a string as an object", `{"inner": "x"}`, []strictjson.Problem{{"at.inner", "must be an object"}}},
		{"an object as a list", `{"list": {}}`, []strictjson.Problem{{"at.list", "must be a list"}}},
		{"a list as a map", `{"tags": []}`, []strictjson.Problem{{"at.tags", "must be an object"}}},
		{"a wrong value in a map", `{"tags": {"a": 1}}`, []strictjson.Problem{{"at.tags.a", "must be a string"}}},
		{"behind a pointer", `{"pointer": {"port": "x"}}`, []strictjson.Problem{{"at.pointer.port",
			"must be a whole number"}}},
		{"several at once", `{"count": "x", "list": [{"url": 1}, {"uri": ""}], "zzz": 1}`, []strictjson.Problem{
			{"at.count", "must be a whole number"}, {"at.list[0].url", "must be a string"},
			{"at.list[1].uri", "is not known; did you mean url? allowed here: port, url"}, {"at.zzz",
				"is not known; allowed here: " + allowed}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var d document
			got := strictjson.Decode([]byte(tt.doc), &d, "at")
			if !slices.Equal([]strictjson.Problem(got), tt.want) {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
			if !reflect.DeepEqual(d, document{}) {
				t.Errorf("the target was filled: %+v", d)
			}
		})
	}
}

func TestAGoodDocumentIsRead(t *testing.T) {
	t.Parallel()
	var d document
	ps := strictjson.Decode([]byte(
		` {"common": "c", "name": "n", "count": -3, "big": 9223372036854775807, "on": true, "inner": {"url": "u", "port": 1},
		"pointer": null, "list": [{"url": "l"}], "tags": {"a": "b"}, "raw": {"x": [1, 2.5]}, "any": [1]} `+"\n"), &d, "")
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	if d.Common != "c" || d.Name != "n" || d.Count != -3 || d.Big != 1<<63-1 || !d.On || d.Inner.URL != "u" ||
		*d.Inner.Port != 1 || d.Pointer != nil || len(d.List) != 1 || d.List[0].URL != "l" || d.Tags["a"] != "b" ||
		string(d.Raw) != `{"x": [1, 2.5]}` {
		t.Errorf("got %+v", d)
	}
}

func TestProblemsBecomeOneFailure(t *testing.T) {
	t.Parallel()
	var ps strictjson.Problems
	if err := ps.Err("the document"); err != nil {
		t.Errorf("no problem gave %v", err)
	}
	ps.Add("a.b", "must be %d", 1)
	ps.Add("", "is not JSON")
	err := ps.Err("the document")
	if !failure.Is(err, failure.InvalidInput) ||
		err.Error() != "the document is not valid: a.b: must be 1; is not JSON" {
		t.Errorf("got %v", err)
	}
}

func TestJoinMakesPaths(t *testing.T) {
	t.Parallel()
	if strictjson.Join("", "a") != "a" || strictjson.Join("a[0]", "b") != "a[0].b" {
		t.Error("Join is wrong")
	}
}
