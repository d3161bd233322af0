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
	"alboidc.internal/shared/idp/cognito"
	"alboidc.internal/shared/idp/entra"
	"alboidc.internal/shared/idp/hydra"
	"alboidc.internal/shared/idp/keycloak"
	"alboidc.internal/shared/idp/manual"
	"alboidc.internal/shared/idp/okta"
	"alboidc.internal/shared/idp/pingone"
)

// build makes what manages a registration, and makes no request; describe says what it could do. Both report problems
// of the settings.
type (
	build    func(settings json.RawMessage, c idp.Client, d idp.Deps) (idp.Registration, error)
	describe func(settings json.RawMessage, c idp.Client) (idp.Capabilities, error)
)

// builders and descriptions have one line per folder of package idp each. They are functions, and two, so that a program
// which only asks for capabilities does not link what talks to the providers.
func builders() map[string]build {
	return map[string]build{
		"auth0":    of(auth0.New),
		"cognito":  of(cognito.New),
		"entra":    of(entra.New),
		"hydra":    of(hydra.New),
		"keycloak": of(keycloak.New),
		"manual":   of(manual.New),
		"okta":     of(okta.New),
		"pingone":  of(pingone.New),
	}
}

func descriptions() map[string]describe {
	return map[string]describe{
		"auth0":    auth0.Capabilities,
		"cognito":  cognito.Capabilities,
		"entra":    entra.Capabilities,
		"hydra":    hydra.Capabilities,
		"keycloak": keycloak.Capabilities,
		"manual":   manual.Capabilities,
		"okta":     okta.Capabilities,
		"pingone":  pingone.Capabilities,
	}
}

// of makes a build of a provider's New, whatever it returns.
func of[R idp.Registration](make func(json.RawMessage, idp.Client, idp.Deps) (R, error)) build {
	return func(settings json.RawMessage, c idp.Client, d idp.Deps) (idp.Registration, error) {
		return make(settings, c, d)
	}
}

// Types lists the kinds of provider in alphabetical order.
func Types() []string { return slices.Sorted(maps.Keys(descriptions())) }

// New returns what manages a client's registration. It makes no request; InvalidInput names each wrong field.
func New(kind string, settings json.RawMessage, c idp.Client, d idp.Deps) (idp.Registration, error) {
	build, err := find(kind, builders())
	if err != nil {
		return nil, err
	}
	if d.HTTP == nil || d.Secret == nil || d.Now == nil {
		return nil, failure.New(failure.Internal, "an identity provider needs an HTTP client, a way to read secrets, and a clock")
	}
	return build(settings, c, d)
}

// Capabilities are what New's result would have.
func Capabilities(kind string, settings json.RawMessage, c idp.Client) (idp.Capabilities, error) {
	describe, err := find(kind, descriptions())
	if err != nil {
		return idp.Capabilities{}, err
	}
	return describe(settings, c)
}

// Check reports what is wrong with a provider's kind and settings, without anything that New needs besides.
func Check(kind string, settings json.RawMessage) error {
	_, err := Capabilities(kind, settings, idp.Client{})
	return err
}

func find[E any](kind string, entries map[string]E) (E, error) {
	e, ok := entries[kind]
	if !ok {
		return e, failure.New(failure.InvalidInput, "identityProvider.type: %q is not known; allowed here: %s",
			kind, strings.Join(Types(), ", "))
	}
	return e, nil
}
