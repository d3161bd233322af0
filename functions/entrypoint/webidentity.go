package entrypoint

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/secret"
)

const (
	// signing is, of the two algorithms that STS offers (RS256, ES384), the one that every OpenID Connect relying party
	// has to support (OpenID Connect Core 1.0, section 15.1).
	signing = "RS256"
	// lifetime is a token's shortest lifetime, in seconds (STS API reference, GetWebIdentityToken): ours is used at
	// once.
	lifetime = 60
	// patience is how long STS may take, repeats included, before the call fails and the step is tried again.
	patience = 15 * time.Second
)

// webIdentity gets tokens that prove the function's AWS role to parties outside AWS: an identity provider that trusts
// the account's own issuer needs no stored credential of ours (IAM user guide, "Outbound identity federation").
type webIdentity struct{ sts *sts.Client }

// token returns a new token for the audience. It fails as package awserr says, with Precondition if the account has
// outbound identity federation switched off. A repeat is harmless.
func (w webIdentity) token(ctx context.Context, audience string) (secret.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := w.sts.GetWebIdentityToken(ctx, &sts.GetWebIdentityTokenInput{Audience: []string{audience},
		SigningAlgorithm: aws.String(signing), DurationSeconds: aws.Int32(lifetime)})
	var disabled *types.OutboundWebIdentityFederationDisabledException
	switch {
	case errors.As(err, &disabled):
		return secret.Value{}, awserr.As(failure.Precondition, err, "getting a web identity token for %s: the AWS "+
			"account has outbound identity federation switched off; enable it in IAM (account settings), or use "+
			"another kind of credential", audience)
	case awserr.KindOf(err) == failure.AccessDenied:
		return secret.Value{}, awserr.Wrap(err, "getting a web identity token for %s: the function's role needs "+
			"sts:GetWebIdentityToken for this audience", audience)
	case err != nil:
		return secret.Value{}, awserr.Wrap(err, "getting a web identity token for %s", audience)
	case aws.ToString(out.WebIdentityToken) == "":
		return secret.Value{}, failure.New(failure.Unavailable,
			"getting a web identity token for %s: the answer of STS holds none", audience)
	}
	return secret.New(*out.WebIdentityToken), nil
}
