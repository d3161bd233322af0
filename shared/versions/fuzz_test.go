package versions

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/secret"
)

// hidden stands in texts where they hold a secret, which nothing that is said about them may show.
const hidden = "CANARYq7Xr2Vn9Kd4Tz8Lm5Bw1"

// What was put into a stored object is what is read from it, and everything else in it stays as it was; nothing that
// is said about a stored text shows a secret, whatever the text is.
func FuzzStoredSecret(f *testing.F) {
	for _, seed := range []string{hidden, `{"clientSecret":"` + hidden + `"}`, `{"clientSecret":"a","other":"b\u003c"}`,
		`{"` + hidden + `":1}`, `{"clientSecret":null}`, `{"clientSecret":{"a":["` + hidden + `"]}}`, `[]`, `null`,
		"\ufeff{\"clientSecret\":\"a\"}\r\n", `"` + hidden + `"`, "'" + hidden + "'\n", "SECRET=" + hidden, "\xff\x00",
		`"{\"clientSecret\":\"` + hidden + `\"}"`, `{"clientSecret":"a","clientSecret":"b"}`, `{"n":1e400,"m":0.10}`,
		`{"clientSecret":"a"`, `{"clientsecret":"a"}`, " ", ""} {
		f.Add(seed, "clientSecret", "new/<&>\"\\ é")
		f.Add(seed, "", hidden)
	}
	f.Fuzz(func(t *testing.T, stored, key, next string) {
		text := Text{name: "version v1", whole: secret.New(stored)}
		said := []string{Oddities(text.whole), text.Members()}
		value, err := text.Secret(key)
		if err != nil {
			said = append(said, err.Error())
			if !failure.Is(err, failure.Precondition) || !value.IsZero() {
				t.Errorf("a value with %v", err)
			}
		}
		if err == nil && trimBare(value) != "" && !Same([]secret.Value{value}, text.Readings()) {
			t.Error("the secret is none of the readings")
		}
		if fits := text.Fits(key); fits && err != nil || fits && !slices.Contains(text.Keys(), key) && key != "" {
			t.Errorf("it fits %q, but %v, and the keys are %q", key, err, text.Keys())
		}
		if r := text.Readings(); len(r) > 0 && !Same(r, r) {
			t.Error("it is not the same as itself")
		}
		if key != "" {
			said = append(said, put(t, text.whole, key, next)...)
		}
		for _, s := range said {
			if strings.Contains(s, hidden) {
				t.Errorf("the secret is shown: %s", s)
			}
		}
	})
}

// put puts a value into an object, and compares. It returns what was said.
func put(t *testing.T, object secret.Value, key, next string) []string {
	t.Helper()
	if strings.Contains(key, hidden) || !utf8.ValidString(key) {
		return nil // a key is from the configuration: JSON text, and shown
	}
	next = strings.ToValidUTF8(next, "") // a secret is text
	whole, err := withMembers(object, key, secret.New(next), nil)
	if err != nil {
		if !whole.IsZero() {
			t.Error("an object with an error")
		}
		return []string{err.Error()}
	}
	twice, err := withMembers(object, key, secret.New(next), nil)
	if err != nil || !whole.Equal(twice) {
		t.Error("a repeat gives another text")
	}
	got, err := member(whole, key)
	if err != nil || !got.Equal(secret.New(next)) {
		t.Errorf("another value is read than was put (%v)", err)
	}
	before, after := membersOf(object), membersOf(whole)
	delete(before, key)
	delete(after, key)
	if len(before) != len(after) {
		t.Errorf("%d other members became %d", len(before), len(after))
	}
	for name, was := range before {
		if same, err := marshal(was); err != nil || string(same) != string(after[name]) {
			t.Errorf("member %q changed (%v)", name, err)
		}
	}
	if !json.Valid([]byte(whole.Reveal())) {
		t.Error("what is stored is not JSON")
	}
	return nil
}
