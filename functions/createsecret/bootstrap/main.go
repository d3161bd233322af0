// Command bootstrap is the Lambda function createsecret.
package main

import (
	"context"

	"alboidc.internal/functions/createsecret"
	"alboidc.internal/functions/internal/lambdaboot"
	"alboidc.internal/functions/session"
	"alboidc.internal/shared/rotation"
)

func main() {
	lambdaboot.Start("createsecret", func(d session.Deps) func(context.Context, rotation.CreateInput) (rotation.CreateOutput, error) {
		return createsecret.Handler{Deps: d}.Handle
	}, lambdaboot.IdentityProvider, lambdaboot.WebIdentity)
}
