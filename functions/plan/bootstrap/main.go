// Command bootstrap is the Lambda function plan.
package main

import (
	"context"

	"alboidc.internal/functions/internal/lambdaboot"
	"alboidc.internal/functions/plan"
	"alboidc.internal/functions/session"
	"alboidc.internal/shared/rotation"
)

func main() {
	lambdaboot.Start("plan", func(d session.Deps) func(context.Context, rotation.PlanInput) (rotation.Plan, error) {
		return plan.Handler{Deps: d}.Handle
	}, lambdaboot.Balancers, lambdaboot.IdentityProvider, lambdaboot.WebIdentity)
}
