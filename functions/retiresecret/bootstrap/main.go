// Command bootstrap is the Lambda function retiresecret.
package main

import (
	"context"

	"alboidc.internal/functions/internal/lambdaboot"
	"alboidc.internal/functions/retiresecret"
	"alboidc.internal/functions/session"
	"alboidc.internal/shared/rotation"
)

func main() {
	lambdaboot.Start("retiresecret", func(d session.Deps) func(context.Context, rotation.RetireInput) (rotation.RetireOutput, error) {
		return retiresecret.Handler{Deps: d}.Handle
	}, lambdaboot.IdentityProvider, lambdaboot.WebIdentity)
}
