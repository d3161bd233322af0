// Package withoutids makes an idp.Provider out of registrations whose secrets have no ids: those with a current and a
// previous slot (CurrentPrevious), pairs of registrations with one slot each (ClientPair), one slot that is overwritten
// while it is in use (InPlace), and those whose secrets a person handles (ByHand).
//
// Without ids, a secret is known by its value, which is that of a version in Secrets Manager. So the version's id
// serves as the secret's id, and what the provider shows, or its token endpoint, tells whether it still has the secret.
package withoutids

import (
	"context"
	"io"
	"slices"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/versions"
)

// Version is a version of the client's secret.
type Version struct {
	ID string
	// ClientID is the registration that the version belongs to; "" if it is not written down.
	ClientID string
	// Value is zero if the version was never stored, or is gone.
	Value secret.Value
	// After: it was made after the one that is AWSCURRENT.
	After bool
	// Kept: it is no longer wanted, but the provider could not remove it.
	Kept bool
}

// Known are the versions of which the provider may have the secret.
type Known struct {
	// Current is the one with AWSCURRENT.
	Current Version
	// Others are what the journal holds as intended, live or kept, and AWSPENDING.
	Others []Version
	// Ended: Current is proven to be refused, and a repair replaces it. Nothing of it has to be kept.
	Ended bool
}

func (k Known) all() []Version { return append([]Version{k.Current}, k.Others...) }

// find returns the version with the id; false if it is not known.
func (k Known) find(id string) (Version, bool) {
	all := k.all()
	i := slices.IndexFunc(all, func(v Version) bool { return v.ID == id })
	if i < 0 || id == "" {
		return Version{}, false
	}
	return all[i], true
}

// withValue returns the version that has the value.
func (k Known) withValue(value secret.Value) (Version, bool) {
	for _, v := range k.all() {
		if !value.IsZero() && !v.Value.IsZero() && value.Equal(v.Value) {
			return v, true
		}
	}
	return Version{}, false
}

// Env is what a Provider of this package needs beside the registration.
type Env struct {
	// Known are the versions as they were last read. A Provider's caller fills it in, and again right before an act
	// that cannot be undone.
	Known *Known
	// Accepts reports whether the token endpoints accept a value as the secret of a client id. A refusal is proven: it
	// was seen several times, with right answers in between. An inconclusive answer is a failure.
	Accepts func(ctx context.Context, clientID string, value secret.Value) (bool, error)
	// Asks asks the token endpoints once, for what rests only on an acceptance; nil is Accepts.
	Asks func(ctx context.Context, clientID string, value secret.Value) (bool, error)
	// Rand is the source of the values that nobody is to know.
	Rand io.Reader
}

// known returns what was last read. It fails if nothing was: every secret would seem to be a stranger's.
func (b Env) known() (Known, error) {
	if b.Known == nil || b.Known.Current.ID == "" {
		return Known{}, failure.New(failure.Internal,
			"the versions of the secret were not read before the identity provider was asked")
	}
	return *b.Known, nil
}

// Capabilities returns those of a registration that is rotated by a model: its own, or what a model of this package
// makes of them.
func Capabilities(c idp.Capabilities, m idp.Model) idp.Capabilities {
	if m == idp.NamedSet {
		return c
	}
	out := idp.Capabilities{Model: m, Probe: c.Probe, AcceptsValue: true, UniqueIDs: c.UniqueIDs}
	switch m {
	case idp.CurrentPrevious:
		out.AcceptsValue, out.MaxSecrets, out.TellsEnd, out.TellsUse = false, c.MaxSecrets, c.TellsEnd, c.TellsUse
	case idp.InPlace:
		out.CanDisable = true
	}
	return out
}

// byValue is what providers that can only ask the token endpoint have in common.
type byValue struct{ Env }

// findAccepted returns the known versions whose value the token endpoint accepts. It fails if the one in use is not
// among them: then the answers about the others prove nothing.
func (b byValue) findAccepted(ctx context.Context, k Known, clientID func(Version) string) (map[string]bool, error) {
	out := map[string]bool{}
	accepts := b.Accepts
	if k.Ended { // then no refusal can be proven, and nothing rests on one
		accepts = b.askOnce
	}
	for _, v := range k.all() {
		if v.Value.IsZero() {
			continue
		}
		yes, err := accepts(ctx, clientID(v), v.Value)
		if err != nil {
			return nil, err
		}
		if v.ID == k.Current.ID && !yes && !k.Ended {
			return nil, failure.New(failure.SecretRefused, "the identity provider does not accept the secret stored "+
				"as AWSCURRENT (version %s): store the one that the load balancers use now%s", v.ID,
				versions.Oddities(v.Value))
		}
		out[v.ID] = yes
	}
	return out, nil
}

// askOnce asks the token endpoints once.
func (b byValue) askOnce(ctx context.Context, clientID string, v secret.Value) (bool, error) {
	if b.Asks == nil {
		return b.Accepts(ctx, clientID, v)
	}
	return b.Asks(ctx, clientID, v)
}

// list returns the accepted versions as secrets.
func list(k Known, accepted map[string]bool) []idp.Secret {
	out := []idp.Secret{}
	for _, v := range k.all() {
		if accepted[v.ID] {
			out = append(out, idp.Secret{ID: v.ID, Status: idp.Active})
		}
	}
	return out
}

// checkHasValue fails if a request has no value, which is a mistake of the caller.
func checkHasValue(r idp.CreateRequest) error {
	if r.Value.IsZero() {
		return failure.New(failure.Internal, "a secret for this identity provider must come with its value")
	}
	return nil
}
