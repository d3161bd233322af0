package cognito

import (
	"context"
	"errors"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

// valuePattern is what Cognito takes for a secret (API reference, AddUserPoolClientSecret, ClientSecret).
var valuePattern = regexp.MustCompile(`^[A-Za-z0-9_+]{24,64}$`)

// Create implements idp.Provider. Cognito keeps no display name: Tag is not sent.
func (p *Provider) Create(ctx context.Context, r idp.CreateRequest) (idp.Created, error) {
	const operation = "add a secret"
	if !valuePattern.MatchString(r.Value.Reveal()) {
		return idp.Created{}, failure.New(failure.Internal,
			"a secret for Amazon Cognito must come with its value, 24 to 64 letters, digits, _ and +")
	}
	in := &cognitoidentityprovider.AddUserPoolClientSecretInput{UserPoolId: &p.poolID, ClientId: &p.clientID,
		ClientSecret: aws.String(r.Value.Reveal())}
	out, err := p.api.AddUserPoolClientSecret(ctx, in, once)
	if refused(err) {
		return idp.Created{}, awserr.As(failure.IdPRejected, err,
			"Amazon Cognito refused to add a secret to app client %s of user pool %s; "+
				"most likely it has two, which is the limit: delete one that nothing uses", p.clientID, p.poolID)
	}
	if err != nil {
		return idp.Created{}, p.explain(err, operation)
	}
	made := out.ClientSecretDescriptor
	if made == nil || aws.ToString(made.ClientSecretId) == "" {
		return idp.Created{}, notUnderstood(operation)
	}
	value := r.Value
	if v := aws.ToString(made.ClientSecretValue); v != "" {
		// only a value that Cognito made is in the answer; the proof at the token endpoint decides whether it is ours
		value = secret.New(v)
	}
	return idp.Created{ID: *made.ClientSecretId, Value: value}, nil
}

// once keeps the SDK from repeating a request: a second AddUserPoolClientSecret would fill the client up, or be refused
// although the first one, whose answer got lost, has made the secret.
func once(o *cognitoidentityprovider.Options) { o.Retryer = aws.NopRetryer{} }

// Remove implements idp.Provider. Cognito refuses to delete the last secret of an app client.
func (p *Provider) Remove(ctx context.Context, id string) error {
	found, _, err := p.find(ctx, id)
	if err != nil || !found {
		return err
	}
	_, err = p.api.DeleteUserPoolClientSecret(ctx,
		&cognitoidentityprovider.DeleteUserPoolClientSecretInput{UserPoolId: &p.poolID,
			ClientId: &p.clientID, ClientSecretId: &id})
	if !refused(err) && !missing(err) {
		return p.explain(err, "delete a secret")
	}
	// what the code means here is not documented: only the list tells whether the secret is gone, or the last
	found, others, again := p.find(ctx, id)
	switch {
	case again != nil:
		return again
	case !found:
		return nil
	case others == 0:
		return awserr.As(failure.Precondition, err,
			"Amazon Cognito did not delete secret %s of app client %s: it is the last one; "+
				"add another one first", id, p.clientID)
	default:
		return awserr.As(failure.IdPRejected, err,
			"Amazon Cognito refused to delete secret %s of app client %s of user pool %s", id, p.clientID, p.poolID)
	}
}

// find looks a secret up in the list, and counts the others. ResourceNotFoundException would not do: it can also mean
// that there is no such app client, and then nothing is known about the secret.
func (p *Provider) find(ctx context.Context, id string) (found bool, others int, err error) {
	list, err := p.List(ctx)
	if err != nil {
		return false, 0, err
	}
	if slices.ContainsFunc(list, func(s idp.Secret) bool { return s.ID == id }) {
		return true, len(list) - 1, nil
	}
	return false, len(list), nil
}

// refused reports whether Cognito refused a change. Which of the two codes it has for a third secret, and which for
// deleting the last one, is not documented: only the call that was made tells them apart.
func refused(err error) bool {
	var limit *types.LimitExceededException
	var parameter *types.InvalidParameterException
	return errors.As(err, &limit) || errors.As(err, &parameter)
}

func missing(err error) bool {
	var e *types.ResourceNotFoundException
	return errors.As(err, &e)
}

// explain turns an error of the SDK into a failure that says what the operator can do about it.
func (p *Provider) explain(err error, operation string) error {
	var answer smithy.APIError
	switch kind := awserr.KindOf(err); {
	case err == nil:
		return nil
	case missing(err):
		return awserr.As(failure.Precondition, err,
			"Amazon Cognito could not %s: there is no app client %s in user pool %s; correct %s or clientId",
			operation, p.clientID, p.poolID, idp.Setting("userPoolId"))
	case kind == failure.AccessDenied:
		return awserr.As(failure.IdPRejected, err,
			"Amazon Cognito did not allow to %s; allow cognito-idp:DescribeUserPoolClient, ListUserPoolClientSecrets, "+
				"AddUserPoolClientSecret and DeleteUserPoolClientSecret on user pool %s to the functions' roles",
			operation,
			p.poolID)
	case kind == failure.Internal && errors.As(err, &answer):
		return awserr.As(failure.IdPRejected, err, "Amazon Cognito refused to %s of app client %s of user pool %s",
			operation, p.clientID, p.poolID)
	default:
		return awserr.Wrap(err, "Amazon Cognito could not %s", operation)
	}
}

func notUnderstood(operation string) error {
	return failure.New(failure.Unavailable, "the answer of Amazon Cognito to %s was not understood", operation)
}
