package eventbridge

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestPatternsMatchAsEventBridgeDocumentsThem(t *testing.T) {
	t.Parallel()
	const event = `{"source":"aws.states","detail-type":"Step Functions Execution Status Change","resources":["arn:a","arn:b"],
		"detail":{"status":"TIMED_OUT","name":"orders-web-1","count":3,"stopped":null,"redriven":false,"nested":{"deep":"x"},"list":[{"k":"v1"},{"k":"v2"}],"empty":[]}}`
	var fields map[string]any
	if err := json.Unmarshal([]byte(event), &fields); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pattern string
		want    bool
	}{
		"one of the values":                {`{"detail":{"status":["ABORTED","TIMED_OUT"]}}`, true},
		"none of the values":               {`{"detail":{"status":["ABORTED","FAILED"]}}`, false},
		"all fields must match":            {`{"source":["aws.states"],"detail":{"status":["FAILED"]}}`, false},
		"a number":                         {`{"detail":{"count":[3.0]}}`, true},
		"null":                             {`{"detail":{"stopped":[null]}}`, true},
		"false":                            {`{"detail":{"redriven":[false]}}`, true},
		"null is not a missing field":      {`{"detail":{"missing":[null]}}`, false},
		"a nested field":                   {`{"detail":{"nested":{"deep":["x"]}}}`, true},
		"one element of a list":            {`{"resources":["arn:b"]}`, true},
		"a field in one element of a list": {`{"detail":{"list":{"k":["v2"]}}}`, true},
		"a prefix":                         {`{"detail":{"name":[{"prefix":"orders-"}]}}`, true},
		"another prefix":                   {`{"detail":{"name":[{"prefix":"hr-"}]}}`, false},
		"a prefix of a number":             {`{"detail":{"count":[{"prefix":"3"}]}}`, false},
		"anything but this":                {`{"detail":{"status":[{"anything-but":"TIMED_OUT"}]}}`, false},
		"anything but these": {`{"detail":{"status":[{"anything-but":["RUNNING","SUCCEEDED"]}]}}`,
			true},
		"anything but with this prefix": {`{"detail":{"name":[{"anything-but":{"prefix":"orders-"}}]}}`,
			false},
		"anything but with these prefixes": {`{"detail":{"name":[{"anything-but":{"prefix":["hr-","orders-"]}}]}}`,
			false},
		"anything but with those prefixes": {`{"detail":{"name":[{"anything-but":{"prefix":["hr-","it-"]}}]}}`,
			true},
		"anything but needs the field":            {`{"detail":{"missing":[{"anything-but":"x"}]}}`, false},
		"a field that exists":                     {`{"detail":{"status":[{"exists":true}]}}`, true},
		"a field that does not exist":             {`{"detail":{"missing":[{"exists":false}]}}`, true},
		"a field that exists though not wanted":   {`{"detail":{"status":[{"exists":false}]}}`, false},
		"an object is not a leaf that exists":     {`{"detail":{"nested":[{"exists":true}]}}`, false},
		"an empty list does not exist":            {`{"detail":{"empty":[{"exists":true}]}}`, false},
		"a field below one that is a leaf":        {`{"detail":{"status":{"deep":["x"]}}}`, false},
		"exact or comparison, whichever fits":     {`{"detail":{"status":["FAILED",{"prefix":"TIMED"}]}}`, true},
		"a field below a missing one not present": {`{"absent":{"deep":[{"exists":false}]}}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := compile(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.matches(fields); got != c.want {
				t.Errorf("%s matches: %t, want %t", c.pattern, got, c.want)
			}
		})
	}
}

func TestPatternsThatAreRefused(t *testing.T) {
	t.Parallel()
	for text, unknown := range map[string]string{
		`{"detail":{"n":[{"numeric":[">",1]}]}}`:             "numeric",
		`{"detail":{"s":[{"suffix":".png"}]}}`:               "suffix",
		`{"$or":[{"source":["a"]},{"source":["b"]}]}`:        "$or",
		`{"source":[{"anything-but":{"prefix":["x",1]}}]}`:   `anything-but with {"prefix":["x",1]}`,
		`{"source":[{"anything-but":{"suffix":"x"}}]}`:       `anything-but with {"suffix":"x"}`,
		`{"source":[{"prefix":{"equals-ignore-case":"x"}}]}`: `prefix with {"equals-ignore-case":"x"}`,
		`{}`:                                     "",
		`[]`:                                     "",
		`{"source":"a"}`:                         "",
		`{"source":[]}`:                          "",
		`{"source":[["a"]]}`:                     "",
		`{"source":[{"exists":1}]}`:              "",
		`{"source":[{"prefix":"a","exists":1}]}`: "",
		`{"source":[{"anything-but":true}]}`:     "",
		`{"source":["a"]} x`:                     "",
	} {
		_, err := compile(text)
		var got unknownMatcher
		if err == nil || errors.As(err, &got) != (unknown != "") || string(got) != unknown {
			t.Errorf("%s: error %v, want unknown matcher %q", text, err, unknown)
		}
	}
}
