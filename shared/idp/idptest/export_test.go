package idptest

import (
	"context"
	"fmt"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/conformance"
)

// Judge applies the rule of that name.
func Judge(ctx context.Context, name string, p idp.Provider, b Backend, exception string) error {
	for _, r := range conformance.Rules() {
		if r.Name == name {
			return r.Judge(ctx, p, b, exception)
		}
	}
	return fmt.Errorf("there is no rule %q", name)
}
