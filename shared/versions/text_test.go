package versions_test

import (
	"context"
	"slices"
	"testing"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/versions"
)

// textOf is a version that holds stored.
func textOf(t *testing.T, stored string, binary bool) versions.Text {
	t.Helper()
	f := newStored(t, nil)
	if binary {
		f.binary(b, stored)
	} else {
		f.has(b, stored)
	}
	got, err := f.store("").Text(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTheSameSecretIsRecognisedInEveryForm(t *testing.T) {
	t.Parallel()
	const object = `{"clientId":"0oa1","clientSecret":"S3cret/1"}`
	for name, c := range map[string]struct {
		stored string
		binary bool
		same   bool
	}{
		"the text alone":                    {"S3cret/1", false, true},
		"with a line break":                 {"S3cret/1\r\n", false, true},
		"with spaces and a no-break space":  {" \tS3cret/1\u00a0", false, true},
		"in quotes":                         {`"S3cret/1"`, false, true},
		"in other quotes":                   {"“S3cret/1”\n", false, true},
		"as a JSON text with an escape":     {`"S3cret\/1"`, false, true},
		"with a byte order mark":            {"\ufeffS3cret/1", false, true},
		"as bytes":                          {"S3cret/1", true, true},
		"in another member":                 {`{"secret":"S3cret/1"}`, false, true},
		"in an object after a byte order":   {"\ufeff{\"secret\":\"S3cret/1\"}", false, true},
		"deeper in an object":               {`{"oidc":[{"secret":" S3cret/1"}]}`, false, true},
		"in an object that is a text":       {`"{\"secret\":\"S3cret/1\"}"`, false, true},
		"in an object that is a member":     {`{"oidc":"{\"secret\":\"S3cret/1\"}"}`, false, true},
		"another":                           {"s3cret/1", false, false},
		"part of it":                        {"S3cret", false, false},
		"only white space":                  {" \n", false, false},
		"bytes that are no text":            {"S3cret/1\xff", true, false},
		"an object without texts":           {`{"secret":1}`, false, false},
		"one that is longer by a character": {"S3cret/1=", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := textOf(t, object, false).Readings(), textOf(t, c.stored, c.binary).Readings()
			if versions.Same(a, b) != c.same || versions.Same(b, a) != c.same {
				t.Errorf("same is %v, want %v", !c.same, c.same)
			}
		})
	}
}

func TestATextFitsTheKeysByWhichItCanBeRead(t *testing.T) {
	t.Parallel()
	for stored, want := range map[string][]string{
		"S3cret": {""}, "": nil, `"S3cret"`: {""}, `[]`: {""},
		`{"a":"x","b":"","c":1,"d":"y"}`: {"a", "d"}, "\ufeff{\"a\":\"x\"}": {"a"}, `{}`: nil,
	} {
		text := textOf(t, stored, false)
		var got []string
		for _, key := range []string{"", "a", "b", "c", "d"} {
			if text.Fits(key) {
				got = append(got, key)
			}
		}
		if !slices.Equal(got, want) ||
			!slices.Equal(text.Keys(), slices.DeleteFunc(got, func(k string) bool { return k == "" })) {
			t.Errorf("%s fits %q and has %q, want %q", stored, got, text.Keys(), want)
		}
	}
	bytes := textOf(t, "S3cret", true)
	if _, err := bytes.Secret(""); bytes.Fits("") || !failure.Is(err, failure.Precondition) {
		t.Errorf("a binary version is used: %v", err)
	}
}
