// Package registry lists the identity providers that a client's configuration can name.
package registry

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/auth0"
	"alboidc.internal/shared/idp/authentik"
	"alboidc.internal/shared/idp/cognito"
	"alboidc.internal/shared/idp/entra"
	"alboidc.internal/shared/idp/hydra"
	"alboidc.internal/shared/idp/keycloak"
	"alboidc.internal/shared/idp/lambda"
	"alboidc.internal/shared/idp/manual"
	"alboidc.internal/shared/idp/okta"
	"alboidc.internal/shared/idp/pingone"
)

// provider is a kind of identity provider. build makes what manages a registration, and makes no request; describe says
// what it could do, from its settings alone. Both report problems of the settings. ends says when the rotator's own
// credential there ends; nil if none has an end.
type provider struct {
	build    func(settings json.RawMessage, c idp.Client, d idp.Deps) (idp.Registration, error)
	describe func(settings json.RawMessage, c idp.Client) (idp.Capabilities, error)
	ends     func(settings json.RawMessage) idp.CredentialEnd
}

// providers has one line for each folder of a provider.
func providers() map[string]provider {
	return map[string]provider{
		"auth0":     of(auth0.New, auth0.Capabilities),
		"authentik": of(authentik.New, authentik.Capabilities),
		"cognito":   of(cognito.New, cognito.Capabilities),
		"entra":     of(entra.New, entra.Capabilities).ending(entra.CredentialEnd),
		"hydra":     of(hydra.New, hydra.Capabilities),
		"lambda":    of(lambda.New, lambda.CapabilitiesOf),
		"keycloak":  of(keycloak.New, keycloak.Capabilities),
		"manual":    of(manual.New, manual.Capabilities),
		"okta":      of(okta.New, okta.Capabilities),
		"pingone":   of(pingone.New, pingone.Capabilities),
	}
}

// of is a provider whose New returns a registration of any type.
func of[R idp.Registration](make func(json.RawMessage, idp.Client, idp.Deps) (R, error),
	describe func(json.RawMessage, idp.Client) (idp.Capabilities, error)) provider {
	return provider{describe: describe, build: func(settings json.RawMessage, c idp.Client,
		d idp.Deps) (idp.Registration, error) {
		return make(settings, c, d)
	}}
}

func (p provider) ending(ends func(json.RawMessage) idp.CredentialEnd) provider {
	p.ends = ends
	return p
}

// Types lists the kinds of provider in alphabetical order.
func Types() []string { return slices.Sorted(maps.Keys(providers())) }

// New returns what manages a client's registration. It makes no request; InvalidInput names each wrong field.
func New(kind string, settings json.RawMessage, c idp.Client, d idp.Deps) (idp.Registration, error) {
	p, err := find(kind)
	if err != nil {
		return nil, err
	}
	if d.HTTP == nil || d.Secret == nil || d.AWS == nil || d.WebIdentity == nil || d.Now == nil || d.Sleep == nil {
		return nil, failure.New(failure.Internal,
			"an identity provider needs all of idp.Deps: an HTTP client, a way to read secrets, AWS, and a clock")
	}
	return p.build(settings, c, d)
}

// Capabilities returns those that New's result would have.
func Capabilities(kind string, settings json.RawMessage, c idp.Client) (idp.Capabilities, error) {
	p, err := find(kind)
	if err != nil {
		return idp.Capabilities{}, err
	}
	return p.describe(settings, c)
}

// CredentialEnd is when the rotator's own credential at a provider ends, by its settings.
func CredentialEnd(kind string, settings json.RawMessage) idp.CredentialEnd {
	if p := providers()[kind]; p.ends != nil {
		return p.ends(settings)
	}
	return idp.CredentialEnd{}
}

// Check reports what is wrong with a provider's kind and settings. It needs nothing else that New needs.
func Check(kind string, settings json.RawMessage) error {
	_, err := Capabilities(kind, settings, idp.Client{})
	return err
}

func find(kind string) (provider, error) {
	p, ok := providers()[kind]
	if !ok {
		return p, failure.New(failure.InvalidInput, "identityProvider.type: %q is not known; allowed here: %s",
			kind, strings.Join(Types(), ", "))
	}
	return p, nil
}
