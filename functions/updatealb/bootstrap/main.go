// Command bootstrap is the Lambda function updatealb.
package main

import (
	"context"

	"alboidc.internal/functions/internal/lambdaboot"
	"alboidc.internal/functions/session"
	"alboidc.internal/functions/updatealb"
	"alboidc.internal/shared/rotation"
)

func main() {
	lambdaboot.Start("updatealb", func(d session.Deps) func(context.Context, rotation.UpdateInput) (rotation.UpdateOutput, error) {
		return updatealb.Handler{Deps: d}.Handle
	}, lambdaboot.Balancers, lambdaboot.Probes)
}
