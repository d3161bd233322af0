package invocation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/versions"
)

// Value reads the client secret of a version in the form in which it was stored, whatever the configuration says now.
// ErrNotFound, or Precondition if nothing tells where in its text the secret is.
func (s *Invocation) Value(ctx context.Context, version string) (secret.Value, error) {
	t, err := s.Store.Text(ctx, version)
	if err != nil {
		return secret.Value{}, err
	}
	return s.read(version, t)
}

func (s *Invocation) read(version string, t versions.Text) (secret.Value, error) {
	key, ok := s.form(version, t)
	if !ok && s.Config.Secret.JSONKey == "" && !t.Fits("") && len(t.Keys()) > 0 {
		return secret.Value{}, failure.New(failure.Precondition, "secret.jsonKey: version %s holds a JSON object "+
			"with %s, and nothing says which of them is the client secret: name it in secret.jsonKey", version,
			t.Members())
	}
	return t.Secret(key)
}

// form is the JSON key by which a version's text is read: the one that was written down when it was stored, the
// configured one, none, one that another version was stored by, or the only member that can be a client secret. false
// if none of them fits the text. What is read is proven at the token endpoint before anything rests on it.
func (s *Invocation) form(version string, t versions.Text) (key string, ok bool) {
	forms := []string{s.Config.Secret.JSONKey, ""}
	if noted := s.entry(version).JSONKey; noted != nil {
		forms = append([]string{*noted}, forms...)
	}
	if s.journal != nil {
		for _, v := range slices.Sorted(maps.Keys(s.journal.Secrets)) {
			if noted := s.entry(v).JSONKey; noted != nil {
				forms = append(forms, *noted)
			}
		}
	}
	if i := slices.IndexFunc(forms, t.Fits); i >= 0 {
		return forms[i], true
	}
	keys := slices.DeleteFunc(t.Keys(), func(key string) bool { return s.public(t, key) })
	if len(keys) > 1 {
		keys = slices.DeleteFunc(keys, func(key string) bool {
			return !strings.Contains(strings.ToLower(key), "secret")
		})
	}
	if len(keys) == 1 {
		return keys[0], true
	}
	return s.Config.Secret.JSONKey, false
}

// public reports whether a member holds what everybody may know: the client id, or where the identity provider is.
func (s *Invocation) public(t versions.Text, key string) bool {
	v, err := t.Secret(key)
	return err == nil && versions.Same([]secret.Value{v}, s.publicTexts())
}

func (s *Invocation) publicTexts() []secret.Value {
	p := s.Config.IdentityProvider
	var out []secret.Value
	for _, text := range append(s.Config.ClientIDs(), s.Config.Name, s.Config.Issuer, s.Config.CallbackURL,
		p.AuthorizationEndpoint, p.TokenEndpoint) {
		out = append(out, secret.New(text))
	}
	return out
}

// readings are what the client secret of a version may be: one where it is written down how it was stored, or, for a
// version that the journal does not know, where it is as the configuration says. Otherwise every text in it.
func (s *Invocation) readings(version string, t versions.Text) []secret.Value {
	e := s.entry(version)
	key := s.Config.Secret.JSONKey
	if e.JSONKey != nil {
		key = *e.JSONKey
	}
	if (e.JSONKey != nil || e.State == "") && t.Fits(key) {
		return readBy(t, key)
	}
	public := s.publicTexts()
	return slices.DeleteFunc(t.Readings(), func(v secret.Value) bool {
		return versions.Same([]secret.Value{v}, public)
	})
}

// Same reports whether a version holds the same secret as another one, which is in use. told is false if the first is
// gone or cannot be read, so that its text tells nothing.
func (s *Invocation) Same(ctx context.Context, version, other string) (same, told bool, err error) {
	a, err := s.Store.Text(ctx, version)
	if errors.Is(err, versions.ErrNotFound) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	b, err := s.Store.Text(ctx, other)
	if err != nil {
		return false, false, err
	}
	mine, its := s.readings(version, a), s.readings(other, b)
	if v, err := s.read(other, b); err == nil {
		its = []secret.Value{v} // what is proven to be accepted; members that both texts have say nothing
	}
	return versions.Same(mine, its), len(mine) > 0, nil
}

// MustFit fails unless a version is stored as the configuration says: what reads the secret besides must find it there
// before a rotation and after it. label is the one that the version has.
func (s *Invocation) MustFit(ctx context.Context, version, label string) error {
	t, err := s.Store.Text(ctx, version)
	if err != nil {
		return err
	}
	configured := s.Config.Secret.JSONKey
	if !t.Fits(configured) {
		if _, err := t.Secret(configured); err != nil {
			return err
		}
		return failure.New(failure.Precondition, "secret.jsonKey: %s (version %s) holds a JSON object "+
			"with %s, and secret.jsonKey is not configured: name the member with the client secret in it, or store "+
			"the client secret alone as a new version", label, version, t.Members())
	}
	noted := s.entry(version).JSONKey
	if noted == nil || !t.Fits(*noted) {
		return nil
	}
	if !versions.Same(readBy(t, configured), readBy(t, *noted)) {
		return failure.New(failure.Precondition,
			"secret.jsonKey: member %q of %s (version %s) is not the client secret "+
				"that is rotated here, that is in %q: put secret.jsonKey back, or store the client secret in its new "+
				"place as a new version",
			configured, label, version, *noted)
	}
	return nil
}

// readBy is the client secret of a text by a key; none if that does not fit.
func readBy(t versions.Text, key string) []secret.Value {
	v, err := t.Secret(key)
	if err != nil {
		return nil
	}
	return []secret.Value{v}
}

// Oddities say, of a secret that is refused, what is odd about its form, and what to do: most often it has the line
// break of the file that it was stored from.
func (s *Invocation) Oddities(ctx context.Context, version string) string {
	v, err := s.Value(ctx, version)
	if err != nil {
		return ""
	}
	return versions.Oddities(v)
}

// MustBeSendable fails if the secret of a version is one that load balancers cannot send, though the identity provider
// accepts it: the rotation could not go back to it, or not go on with it. what names the secret.
func (s *Invocation) MustBeSendable(ctx context.Context, version, what string) error {
	v, err := s.Value(ctx, version)
	if err != nil || !versions.EndsInLineBreak(v) {
		return err
	}
	return failure.New(failure.Precondition, "%s (version %s) ends with a line break, which a load balancer cannot "+
		"send, though the identity provider accepts it: store it again without", what, version)
}
