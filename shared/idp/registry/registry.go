// Package registry lists the identity providers that a client's configuration can name.
package registry

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/cognito"
	"alboidc.internal/shared/idp/entra"
	"alboidc.internal/shared/idp/okta"
)

// entry is one kind of provider. check reports problems of its settings; build does too, and makes no request.
type entry struct {
	build func(settings json.RawMessage, c idp.Client, d idp.Deps) (idp.Provider, error)
	check func(settings json.RawMessage) error
}

// entries has one line per folder of package idp.
var entries = map[string]entry{
	"cognito": {build: cognito.New, check: cognito.CheckSettings},
	"entra":   {build: entra.New, check: entra.CheckSettings},
	"okta":    {build: okta.New, check: okta.CheckSettings},
}

// Types lists the kinds of provider in alphabetical order.
func Types() []string { return slices.Sorted(maps.Keys(entries)) }

// New returns the provider of a client. It makes no request; InvalidInput names each wrong field.
func New(kind string, settings json.RawMessage, c idp.Client, d idp.Deps) (idp.Provider, error) {
	e, err := find(kind)
	if err != nil {
		return nil, err
	}
	if d.HTTP == nil || d.Secret == nil || d.Now == nil {
		return nil, failure.New(failure.Internal, "an identity provider needs an HTTP client, a way to read secrets, and a clock")
	}
	return e.build(settings, c, d)
}

// Check reports what is wrong with a provider's kind and settings, without anything that New needs besides.
func Check(kind string, settings json.RawMessage) error {
	e, err := find(kind)
	if err != nil {
		return err
	}
	return e.check(settings)
}

func find(kind string) (entry, error) {
	e, ok := entries[kind]
	if !ok {
		return entry{}, failure.New(failure.InvalidInput, "identityProvider.type: %q is not known; allowed here: %s",
			kind, strings.Join(Types(), ", "))
	}
	return e, nil
}
