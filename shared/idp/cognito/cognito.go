// Package cognito manages the client secrets of an app client of an Amazon Cognito user pool (Amazon Cognito user pools
// API reference: AddUserPoolClientSecret, ListUserPoolClientSecrets, DeleteUserPoolClientSecret). An app client has one
// or two secrets, and both are valid; none can be switched off, and one that was deleted is gone for good.
//
// It serves authenticate-oidc actions, which hold a client secret. The authenticate-cognito actions of a load balancer
// hold none, and are not rotated.
package cognito

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
)

// maxSecrets is how many secrets an app client can have (API reference, AddUserPoolClientSecret).
const maxSecrets = 2

// api is the part of Amazon Cognito that is used.
type api interface {
	DescribeUserPoolClient(context.Context, *cognitoidentityprovider.DescribeUserPoolClientInput,
		...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.DescribeUserPoolClientOutput, error)
	ListUserPoolClientSecrets(context.Context, *cognitoidentityprovider.ListUserPoolClientSecretsInput,
		...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.ListUserPoolClientSecretsOutput, error)
	AddUserPoolClientSecret(context.Context, *cognitoidentityprovider.AddUserPoolClientSecretInput,
		...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.AddUserPoolClientSecretOutput, error)
	DeleteUserPoolClientSecret(context.Context, *cognitoidentityprovider.DeleteUserPoolClientSecretInput,
		...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.DeleteUserPoolClientSecretOutput, error)
}

var _ api = (*cognitoidentityprovider.Client)(nil)

// Provider is one app client of a user pool.
type Provider struct {
	clientID, poolID string
	api              api
	checked          idp.Checked[[]idp.Secret]
}

var _ idp.Provider = (*Provider)(nil)

// New returns the provider for one client. It makes no request.
func New(raw json.RawMessage, c idp.Client, d idp.Deps) (idp.Provider, error) {
	s, err := idp.ParseSettings(raw, (*Settings).check)
	if err != nil {
		return nil, err
	}
	return &Provider{clientID: c.ClientID, poolID: s.UserPoolID,
		api: cognitoidentityprovider.NewFromConfig(d.AWS(s.region()))}, nil
}

// Capabilities implements idp.Provider.
func (p *Provider) Capabilities() idp.Capabilities { return capabilities() }

// Capabilities are those of a provider with these settings.
func Capabilities(raw json.RawMessage, _ idp.Client) (idp.Capabilities, error) {
	_, err := idp.ParseSettings(raw, (*Settings).check)
	return capabilities(), err
}

// capabilities: the token endpoint answers every refusal with HTTP 400: a wrong secret is
// invalid_client, an invented code invalid_grant (Amazon Cognito developer guide, "Token endpoint").
// unauthorized_client, an app client without the code grant, is no proof either way: nothing says that Cognito looks at
// the secret first. Check finds such a client.
func capabilities() idp.Capabilities {
	return idp.Capabilities{
		Model:        idp.NamedSet,
		UniqueIDs:    true,
		MaxSecrets:   maxSecrets,
		AcceptsValue: true,
		Probe: idp.ProbeSpec{
			Grant:    idp.AuthorizationCode,
			Accepted: []string{"invalid_grant"},
			Rejected: []string{"invalid_client"},
		},
	}
}

// Check implements idp.Provider. Whether the app client is confidential is told by its list of secrets:
// DescribeUserPoolClient says so only by showing a secret, and it need not show one of several.
func (p *Provider) Check(ctx context.Context) error {
	const operation = "read the app client"
	out, err := p.api.DescribeUserPoolClient(ctx,
		&cognitoidentityprovider.DescribeUserPoolClientInput{UserPoolId: &p.poolID, ClientId: &p.clientID})
	if err != nil {
		return p.explain(err, operation)
	}
	c := out.UserPoolClient
	if c == nil || aws.ToString(c.ClientId) != p.clientID || aws.ToString(c.UserPoolId) != p.poolID {
		return notUnderstood(operation)
	}
	if !aws.ToBool(c.AllowedOAuthFlowsUserPoolClient) ||
		!slices.Contains(c.AllowedOAuthFlows, types.OAuthFlowTypeCode) {
		return failure.New(failure.Precondition,
			"app client %s of user pool %s may not use the authorization code grant, which "+
				"load balancers log in with; allow it in the app client's login pages configuration", p.clientID,
			p.poolID)
	}
	list, err := p.checked.Renew(ctx, p.list)
	if err == nil && len(list) == 0 {
		err = failure.New(failure.Precondition,
			"app client %s of user pool %s has no client secret, so there is nothing to rotate; "+
				"a public app client cannot get one: create a confidential one and put it on the load balancers",
			p.clientID, p.poolID)
	}
	return err
}

// List implements idp.Provider.
func (p *Provider) List(ctx context.Context) ([]idp.Secret, error) {
	return p.checked.Share(ctx, p.list)
}

// list reads the secrets. The answer holds all of them: it is never paged (API reference, ListUserPoolClientSecrets).
func (p *Provider) list(ctx context.Context) ([]idp.Secret, error) {
	const operation = "list the app client's secrets"
	out, err := p.api.ListUserPoolClientSecrets(ctx,
		&cognitoidentityprovider.ListUserPoolClientSecretsInput{UserPoolId: &p.poolID, ClientId: &p.clientID})
	if err != nil {
		return nil, p.explain(err, operation)
	}
	// a page that is not the last would make the secrets of the next look removed
	if out.ClientSecrets == nil || aws.ToString(out.NextToken) != "" {
		return nil, notUnderstood(operation)
	}
	list := make([]idp.Secret, 0, len(out.ClientSecrets))
	for _, s := range out.ClientSecrets {
		if aws.ToString(s.ClientSecretId) == "" {
			return nil, notUnderstood(operation)
		}
		list = append(list, idp.Secret{ID: *s.ClientSecretId, Status: idp.Active,
			Created: aws.ToTime(s.ClientSecretCreateDate)})
	}
	return list, nil
}
