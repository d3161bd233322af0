package config

import (
	"fmt"
	"slices"
	"strings"

	"alboidc.internal/shared/strictjson"
)

// Alias is a further name of the identity provider: another host, custom domain or protocol version under which the
// same registration is reached, with the same client ids and secrets.
type Alias struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorizationEndpoint"`
	TokenEndpoint         string `json:"tokenEndpoint"`
	// UserInfoEndpoint may be left out. A plan warns of an action of this name that has another one.
	UserInfoEndpoint string `json:"userInfoEndpoint,omitempty"`
}

// OtherRegistration is a registration at another provider that happens to have the same client id. Its actions are not
// the client's.
type OtherRegistration struct {
	Issuer        string `json:"issuer"`
	TokenEndpoint string `json:"tokenEndpoint"`
}

// Names returns all names of the identity provider, the one from the client's own fields first.
func (c Client) Names() []Alias {
	p := c.IdentityProvider
	own := Alias{Issuer: c.Issuer, AuthorizationEndpoint: p.AuthorizationEndpoint, TokenEndpoint: p.TokenEndpoint}
	return append([]Alias{own}, c.Aliases...)
}

// TokenEndpoints returns where the client's secret is accepted, each once, the one from its own fields first. A secret
// counts as accepted or refused only if every endpoint says so.
func (c Client) TokenEndpoints() []string {
	var out []string
	for _, n := range c.Names() {
		if !slices.ContainsFunc(out, func(have string) bool { return SameURL(have, n.TokenEndpoint) }) {
			out = append(out, n.TokenEndpoint)
		}
	}
	return out
}

// SameRegistration reports whether two clients share a client id at the same provider, as far as their names tell.
// unique says that the vendor of one of them gives its ids to no other registration, under whatever name.
func SameRegistration(a, b Client, unique bool) bool {
	for _, id := range a.ClientIDs() {
		for _, other := range b.ClientIDs() {
			if unique && strings.EqualFold(id, other) || id == other && shareName(a, b) {
				return true
			}
		}
	}
	return false
}

// shareName reports whether two clients share an issuer or a token endpoint: neither serves two providers.
func shareName(a, b Client) bool {
	for _, n := range a.Names() {
		for _, o := range b.Names() {
			if SameURL(n.Issuer, o.Issuer) || SameURL(n.TokenEndpoint, o.TokenEndpoint) {
				return true
			}
		}
	}
	return false
}

// SameURL compares two https URLs as their servers would: it ignores the host's case and the default port. All else
// counts, even a slash at the end: issuers are compared as text (OpenID Connect Core 1.0, section 3.1.3.7).
func SameURL(a, b string) bool { return normal(a) == normal(b) }

func normal(s string) string {
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		return s
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	scheme = strings.ToLower(scheme)
	host := strings.TrimSuffix(strings.ToLower(rest[:end]), ":")
	if scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + host + rest[end:]
}

func (c Client) checkNames(ps *strictjson.Problems) {
	names := c.Names()
	for i, a := range c.Aliases {
		path := fmt.Sprintf("aliases[%d]", i)
		CheckURL(ps, path+".issuer", a.Issuer)
		CheckURL(ps, path+".authorizationEndpoint", a.AuthorizationEndpoint)
		CheckURL(ps, path+".tokenEndpoint", a.TokenEndpoint)
		if a.UserInfoEndpoint != "" {
			CheckURL(ps, path+".userInfoEndpoint", a.UserInfoEndpoint)
		}
		if slices.ContainsFunc(names[:i+1], func(n Alias) bool {
			return SameURL(n.Issuer, a.Issuer) && SameURL(n.TokenEndpoint, a.TokenEndpoint)
		}) {
			ps.Add(path,
				"is the client's own name, or is listed twice: remove it (hosts count in any case, with or without "+
					":443)")
		}
	}
	for i, o := range c.OtherRegistrations {
		path := fmt.Sprintf("otherRegistrations[%d]", i)
		CheckURL(ps, path+".issuer", o.Issuer)
		CheckURL(ps, path+".tokenEndpoint", o.TokenEndpoint)
		if slices.ContainsFunc(names, func(n Alias) bool {
			return SameURL(n.Issuer, o.Issuer) || SameURL(n.TokenEndpoint, o.TokenEndpoint)
		}) {
			ps.Add(path, "has an issuer or token endpoint of the client itself, so it is the same registration: "+
				"remove it, or make it an alias")
		}
	}
	for i, name := range c.AcceptElements {
		path := fmt.Sprintf("acceptElements[%d]", i)
		if !elementPattern.MatchString(name) {
			ps.Add(path, "must be the name of an element of an action, as the refusal gives it: letters and digits")
		}
		if slices.Contains(c.AcceptElements[:i], name) {
			ps.Add(path, "is listed twice")
		}
	}
}
