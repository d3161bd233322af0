package eventbridge

import "testing"

func TestATemplateIsFilledFromTheEvent(t *testing.T) {
	t.Parallel()
	event := map[string]any{"id": `a "b"`, "detail": map[string]any{"arn": "arn:x", "count": 2.0}}
	x := transformer{Paths: map[string]string{"id": "$.id", "arn": "$.detail.arn", "count": "$.detail.count",
		"none": "$.detail.none.deeper"},
		Template: `{"id": <id>, "of": "x <arn> y", "count": "<count>", "n": <count>, "none": "<none>"}`}
	want := `{"id": "a \"b\"", "of": "x arn:x y", "count": "2", "n": 2, "none": ""}`
	if got := x.apply(event); got != want {
		t.Errorf("got %s", got)
	}
}
