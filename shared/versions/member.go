package versions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"alboidc.internal/shared/secret"
)

// errNotObject leaves out the JSON decoder's message, which quotes the text that it cannot read.
var errNotObject = errors.New("the stored value is not a JSON object, but secret.jsonKey is configured: " +
	"store a JSON object with that member as a new version, or leave out secret.jsonKey")

// membersOf returns the members of a JSON object; nil if it is none.
func membersOf(object secret.Value) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(strings.TrimPrefix(object.Reveal(), bom)), &members) != nil {
		return nil
	}
	return members
}

// member returns the text of member key of a JSON object.
func member(object secret.Value, key string) (secret.Value, error) {
	members := membersOf(object)
	if members == nil {
		return secret.Value{}, errNotObject
	}
	raw, ok := members[key]
	if !ok {
		return secret.Value{}, fmt.Errorf("the stored JSON object has no member %q, it has %s: name the one with the "+
			"client secret in secret.jsonKey", key, named(members))
	}
	var text *string
	if json.Unmarshal(raw, &text) != nil || text == nil {
		return secret.Value{}, fmt.Errorf("member %q of the stored JSON object is not text", key)
	}
	return secret.New(*text), nil
}

// Member is a member of a stored JSON object that is no secret, such as the client id. Without a key it is none.
type Member struct{ Key, Text string }

// withMembers returns the JSON object with member key set to v, and those that are given to their texts. Equal
// arguments give equal bytes: PutSecretValue recognises a repeat only if the whole value is the same.
func withMembers(object secret.Value, key string, v secret.Value, given []Member) (secret.Value, error) {
	members := membersOf(object)
	if members == nil {
		return secret.Value{}, errNotObject
	}
	texts := map[string]string{key: v.Reveal()}
	for _, m := range given {
		if m.Key != "" {
			texts[m.Key] = m.Text
		}
	}
	for key, text := range texts {
		raw, err := marshal(text)
		if err != nil {
			return secret.Value{}, fmt.Errorf("writing member %q failed", key)
		}
		members[key] = raw
	}
	whole, err := marshal(members)
	if err != nil {
		return secret.Value{}, errors.New("writing the JSON object failed")
	}
	return secret.New(string(whole)), nil
}

// marshal is json.Marshal, but writes < as it is, not as \u003c, over which readers that are not JSON parsers stumble.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
