package versions

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/secret"
)

// Text is what a version holds: the client secret, or a JSON object that has it as a member. People store the same
// secret in one form today and in another tomorrow, so two different texts may hold the same secret.
type Text struct {
	// Created is when the version was stored; zero if Secrets Manager does not say.
	Created time.Time
	name    string // for errors
	whole   secret.Value
	binary  bool
}

// Text reads what a version holds, once, and changes nothing. It reads by version id, never by label: right after a
// write a label may still lead to the version before. A version that is not there after a few reads is ErrNotFound; a
// binary one can only be compared.
func (s *Store) Text(ctx context.Context, versionID string) (Text, error) {
	if t, read := s.texts[versionID]; read {
		return t, nil
	}
	out, err := s.read(ctx, versionID)
	if err != nil {
		return Text{}, err
	}
	return s.keep(versionID, out), nil
}

// keep returns what was read of a version, for this time and the next.
func (s *Store) keep(versionID string, out *secretsmanager.GetSecretValueOutput) Text {
	t := Text{Created: aws.ToTime(out.CreatedDate), name: "version " + versionID + " of " + s.arn}
	if t.binary = out.SecretString == nil; !t.binary {
		t.whole = secret.New(*out.SecretString)
	} else if utf8.Valid(out.SecretBinary) {
		t.whole = secret.New(string(out.SecretBinary))
	}
	s.texts[versionID] = t
	return t
}

// Secret returns the client secret: the member of that name, or, without a key, the whole text. It fails with
// Precondition if there is none.
func (t Text) Secret(key string) (secret.Value, error) {
	if t.binary {
		return secret.Value{}, failure.New(failure.Precondition,
			"%s is binary: store the client secret as text", t.name)
	}
	v := t.whole
	if key != "" {
		var err error
		if v, err = member(t.whole, key); err != nil {
			return secret.Value{}, failure.Wrap(failure.Precondition, err, "reading %s", t.name)
		}
	}
	if v.IsZero() {
		return secret.Value{}, failure.New(failure.Precondition, "%s holds no client secret", t.name)
	}
	return v, nil
}

// Fits reports whether the client secret can be where key says: a JSON object is never a client secret as a whole.
func (t Text) Fits(key string) bool {
	if key == "" && membersOf(t.whole) != nil {
		return false
	}
	_, err := t.Secret(key)
	return err == nil
}

// Keys returns the names of the members that are texts, sorted; none if the text is no JSON object.
func (t Text) Keys() []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(membersOf(t.whole))) {
		if t.Fits(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Readings returns all that the client secret may be: the whole text, and every text in its JSON. A binary version is
// read as text; if its bytes are no text, there are none.
func (t Text) Readings() []secret.Value {
	out := []secret.Value{t.whole}
	var value any
	if json.Unmarshal([]byte(strings.TrimPrefix(t.whole.Reveal(), bom)), &value) == nil {
		out = append(out, findTexts(value)...)
	}
	return slices.DeleteFunc(out, func(v secret.Value) bool { return trimBare(v) == "" })
}

// findTexts returns the texts in a JSON value.
func findTexts(value any) []secret.Value {
	var out []secret.Value
	switch value := value.(type) {
	case string:
		out = append(out, secret.New(value))
		var inner map[string]any // an object that was encoded twice
		if json.Unmarshal([]byte(value), &inner) == nil {
			out = append(out, findTexts(inner)...)
		}
	case []any:
		for _, v := range value {
			out = append(out, findTexts(v)...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			out = append(out, findTexts(value[key])...)
		}
	}
	return out
}

// Same reports whether two lists have a value in common, apart from what people and programs put around a secret when
// they store it.
func Same(a, b []secret.Value) bool {
	for _, x := range a {
		for _, y := range b {
			if v := trimBare(x); v != "" && secret.New(v).Equal(secret.New(trimBare(y))) {
				return true
			}
		}
	}
	return false
}

// bom is the byte order mark.
const bom = "\ufeff"

// trimBare returns a secret without the white space, quotes and byte order marks around it.
func trimBare(v secret.Value) string {
	return strings.TrimFunc(v.Reveal(), func(r rune) bool {
		return unicode.In(r, unicode.White_Space, unicode.Cc, unicode.Cf) || strings.ContainsRune(quotes, r)
	})
}
