package doctor

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"alboidc.internal/shared/clientsfile"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/lambda"
)

// checkProviderFunction looks at the user's function that speaks to the identity provider: it is there, active, ends in
// time, and can do what the configuration says. No request that it gets is about a secret.
func (d *Doctor) checkProviderFunction(ctx context.Context, r *report, c config.Client) {
	arn := clientsfile.Client{Client: c}.FunctionARN()
	if arn == "" {
		return
	}
	const check = "identity provider"
	in := d.System.AWS(config.RegionOf(arn))
	f, err := awslambda.NewFromConfig(in).GetFunctionConfiguration(ctx,
		&awslambda.GetFunctionConfigurationInput{FunctionName: &arn})
	if r.unless(err, check, "the function "+arn, "the function "+arn+" does not exist, or not that alias or version",
		"correct identityProvider.settings.functionArn in clients.yaml, then make deploy") {
		if f.State != lambdatypes.StateActive && f.State != "" {
			r.add(Error, check, "see in the Lambda console what it needs", "the function %s is %s: %s", arn, f.State,
				aws.ToString(f.StateReason))
		}
		if limit := time.Duration(aws.ToInt32(f.Timeout)) * time.Second; limit > lambda.Patience {
			r.add(Warning, check, "give it a timeout of 15 s or less, publish a version, and move the alias",
				"the function %s may run for %s, and counts as lost after %s: what it does after that comes too late",
				arn,
				limit, lambda.Patience)
		}
	}
	err = lambda.Compare(ctx, c.IdentityProvider.Settings, idp.Client{Name: c.Name, Issuer: c.Issuer,
		ClientID: c.ClientID}, idp.Deps{AWS: d.System.AWS, Now: d.Now, Sleep: httpclient.Sleep})
	switch {
	case failure.Is(err, failure.IdPRejected): // who may invoke it can make secrets, which a doctor must not
		r.add(Unknown, check, "nothing: a dry run asks it, rotator plan "+c.Name,
			"what the function answers to capabilities is not known: you may not invoke it")
	case err != nil:
		r.add(Error, check, "rotator conformance says what the contract asks for: docs/identity-providers/lambda.md",
			"%v", err)
	}
}
