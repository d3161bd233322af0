// Command bootstrap is the Lambda function promotesecret.
package main

import (
	"context"

	"alboidc.internal/functions/internal/lambdaboot"
	"alboidc.internal/functions/promotesecret"
	"alboidc.internal/functions/session"
	"alboidc.internal/shared/rotation"
)

func main() {
	lambdaboot.Start("promotesecret", func(d session.Deps) func(context.Context, rotation.PromoteInput) (rotation.PromoteOutput, error) {
		return promotesecret.Handler{Deps: d}.Handle
	}, lambdaboot.Probes)
}
