// Command bootstrap is the Lambda function smoketest.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"alboidc.internal/functions/internal/lambdaboot"
	"alboidc.internal/functions/session"
	"alboidc.internal/functions/smoketest"
	"alboidc.internal/shared/probe/metrics"
	"alboidc.internal/shared/rotation"
)

func main() {
	lambdaboot.Start("smoketest", func(d session.Deps) func(context.Context, rotation.SmokeInput) (rotation.SmokeOutput, error) {
		client := func(region string) metrics.CloudWatch { return cloudwatch.NewFromConfig(d.AWS(region)) }
		reader := metrics.New(lambdaboot.ByRegion(client), d.Now)
		d.AuthErrors, d.LoginsStopped = reader.AuthErrors, reader.LoginsStopped
		return smoketest.Handler{Deps: d}.Handle
	}, lambdaboot.Probes, lambdaboot.Balancers)
}
