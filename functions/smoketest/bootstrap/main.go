// Command bootstrap is the Lambda function smoketest.
package main

import (
	"context"

	"alboidc.internal/functions/internal/lambdaboot"
	"alboidc.internal/functions/session"
	"alboidc.internal/functions/smoketest"
	"alboidc.internal/shared/rotation"
)

func main() {
	lambdaboot.Start("smoketest", func(d session.Deps) func(context.Context, rotation.SmokeInput) (rotation.SmokeOutput, error) {
		return smoketest.Handler{Deps: d}.Handle
	}, lambdaboot.IdentityProvider, lambdaboot.Metrics)
}
