package invocation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/versions"
)

// Value reads the client secret of a version in the form in which it was stored, whatever the configuration says now.
// It fails with ErrNotFound, or with Precondition if nothing tells where in the text the secret is.
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

// form returns the JSON key by which to read a version's text: the first that fits of the one noted when it was stored,
// the configured one, none, one that another version was stored by, and the only member that can be a client secret;
// false if none fits. What is read is proven at the token endpoint before anything rests on it.
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

// readings returns what the client secret of a version may be: one value if the journal notes the form, or if it does
// not know the version and the configured form fits; otherwise every text in it that is not public.
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

// Same reports whether a version holds the same secret as another one, which is in use. told is false if the first
// version is gone or cannot be read.
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
		its = []secret.Value{v} // this one is proven to be accepted; other members that both texts share prove nothing
	}
	return versions.Same(mine, its), len(mine) > 0, nil
}

// MustFit fails unless a version is stored as the configuration says: other readers of the secret must find it there
// before and after a rotation. label is the version's label.
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
		return s.MustHaveItsClientID(ctx, version, label)
	}
	if !versions.Same(readBy(t, configured), readBy(t, *noted)) {
		return failure.New(failure.Precondition,
			"secret.jsonKey: member %q of %s (version %s) is not the client secret "+
				"that is rotated here, that is in %q: put secret.jsonKey back, or store the client secret in its new "+
				"place as a new version",
			configured, label, version, *noted)
	}
	return s.MustHaveItsClientID(ctx, version, label)
}

// MustHaveItsClientID fails if the client id that is stored beside a version's secret is not that of the registration
// which the secret belongs to: whoever reads both could not log in. Beside a dead secret, which a repair replaces, it
// may be any. what names the version.
func (s *Invocation) MustHaveItsClientID(ctx context.Context, version, what string) error {
	key := s.Config.Secret.ClientIDKey
	if key == "" || s.CurrentEnded && version == s.stays {
		return nil
	}
	t, err := s.Store.Text(ctx, version)
	if err != nil {
		return err
	}
	id, err := s.ClientID(ctx, rotation.Ref{VersionID: version})
	if err != nil {
		return err
	}
	is := "is not there, or no text"
	if v, err := t.Secret(key); err == nil {
		if v.Equal(secret.New(id)) {
			return nil
		}
		is = "is not that"
		if s.IsClientID(v) {
			is = "is the pair's other one"
		}
	}
	return failure.New(failure.Precondition, "secret.clientIdKey: the secret in %s (version %s) belongs to client id "+
		"%s, and member %q, from which followers read the client id, %s: store both of one registration as a new "+
		"version, as `rotator adopt` does", what, version, id, key, is)
}

// IsClientID reports whether a stored text is one of the client's ids.
func (s *Invocation) IsClientID(v secret.Value) bool {
	return slices.ContainsFunc(s.Config.ClientIDs(), func(id string) bool { return v.Equal(secret.New(id)) })
}

// readBy returns the client secret that a key finds in a text; none if the key does not fit.
func readBy(t versions.Text, key string) []secret.Value {
	v, err := t.Secret(key)
	if err != nil {
		return nil
	}
	return []secret.Value{v}
}

// Oddities returns what is odd about the form of a refused secret, and what to do about it: most often it ends with the
// line break of the file that it was stored from.
func (s *Invocation) Oddities(ctx context.Context, version string) string {
	v, err := s.Value(ctx, version)
	if err != nil {
		return ""
	}
	return versions.Oddities(v)
}

// MustBeSendable fails if load balancers cannot send the secret of a version, though the identity provider accepts it:
// the rotation could neither go back to it nor go on with it. what names the secret.
func (s *Invocation) MustBeSendable(ctx context.Context, version, what string) error {
	v, err := s.Value(ctx, version)
	if err != nil || !versions.EndsInLineBreak(v) {
		return err
	}
	return failure.New(failure.Precondition, "%s (version %s) ends with a line break, which a load balancer cannot "+
		"send, though the identity provider accepts it: store it again without", what, version)
}
