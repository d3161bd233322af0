package idptest

import (
	"context"
	"fmt"

	"alboidc.internal/shared/idp"
)

// Judge applies the rule of that name.
func Judge(ctx context.Context, name string, p idp.Provider, b Backend, exception string) error {
	for _, r := range rules() {
		if r.name == name {
			return judge(ctx, r, p, b, exception)
		}
	}
	return fmt.Errorf("there is no rule %q", name)
}
