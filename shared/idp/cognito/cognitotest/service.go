package cognitotest

import (
	"context"
	"regexp"
	"strings"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/idp/idptest/clients"
	sdk "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
)

// SigningName implements awsapi.Service.
func (*Cognito) SigningName() string { return "cognito-idp" }

// Protocol implements awsapi.Service.
func (*Cognito) Protocol() awsapi.Protocol { return awsapi.JSON11 }

var inputs = awsapi.InputsOf(sdk.AddUserPoolClientSecretInput{}, sdk.ListUserPoolClientSecretsInput{},
	sdk.DeleteUserPoolClientSecretInput{}, sdk.DescribeUserPoolClientInput{})

// Inputs implements awsapi.Modelled.
func (*Cognito) Inputs() awsapi.Inputs { return inputs }

// Handle implements awsapi.Service.
func (c *Cognito) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	switch call.Operation {
	case "AddUserPoolClientSecret":
		return c.addSecret(call)
	case "ListUserPoolClientSecrets":
		return c.listSecrets(call)
	case "DeleteUserPoolClientSecret":
		return c.deleteSecret(call)
	case "DescribeUserPoolClient":
		return c.describeClient(call)
	default:
		return nil, awsapi.NotImplemented(call)
	}
}

// appClient is the parameters that all operations have.
type appClient struct{ UserPoolID, ClientID string }

// poolID is the form of the id of a user pool (API reference, DescribeUserPoolClient).
var poolID = regexp.MustCompile(`^[\w-]+_[0-9a-zA-Z]+$`)

// find returns the app client, which must be in the pool, and that in the call's Region.
func (c *Cognito) find(call *awsapi.Call, in appClient) (clients.Client, error) {
	var limits awsapi.Constraints
	limits.Required("userPoolId", in.UserPoolID, 55)
	if in.UserPoolID != "" && !poolID.MatchString(in.UserPoolID) {
		limits.Break("'"+in.UserPoolID+"'", "userPoolId",
			`Member must satisfy regular expression pattern: [\w-]+_[0-9a-zA-Z]+`)
	}
	limits.Required("clientId", in.ClientID, 128)
	if refusal := limits.Refusal(); refusal != nil {
		return clients.Client{}, errParameter("%s", refusal.Message)
	}
	if region, _, _ := strings.Cut(in.UserPoolID, "_"); in.UserPoolID != PoolID || region != call.Region {
		return clients.Client{}, errNotFound("User pool %s does not exist.", in.UserPoolID)
	}
	client, err := c.env.Store.Client(in.ClientID)
	if err != nil {
		return clients.Client{}, errNotFound("User pool client %s does not exist.", in.ClientID)
	}
	return client, nil
}

// userPoolClient is the part of UserPoolClientType that concerns logins and secrets.
type userPoolClient struct {
	UserPoolID                      string           `json:"UserPoolId"`
	ClientName                      string           `json:"ClientName"`
	ClientID                        string           `json:"ClientId"`
	ClientSecret                    string           `json:"ClientSecret,omitempty"`
	CreationDate                    awsapi.Timestamp `json:"CreationDate"`
	LastModifiedDate                awsapi.Timestamp `json:"LastModifiedDate"`
	CallbackURLs                    []string         `json:"CallbackURLs"`
	AllowedOAuthFlows               []string         `json:"AllowedOAuthFlows"`
	AllowedOAuthScopes              []string         `json:"AllowedOAuthScopes"`
	AllowedOAuthFlowsUserPoolClient bool             `json:"AllowedOAuthFlowsUserPoolClient"`
	SupportedIdentityProviders      []string         `json:"SupportedIdentityProviders"`
}

// describeClient shows the client's secret in clear, as long as it is the one that the client was created with: once
// secrets were added, none of them is shown (observed, not documented).
func (c *Cognito) describeClient(call *awsapi.Call) (any, error) {
	var in appClient
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	client, err := c.find(call, in)
	if err != nil {
		return nil, err
	}
	out := userPoolClient{UserPoolID: in.UserPoolID, ClientName: client.Name, ClientID: client.ID,
		CreationDate: stamp(client.Created), LastModifiedDate: stamp(client.Created),
		CallbackURLs: client.RedirectURIs, AllowedOAuthFlows: []string{}, AllowedOAuthScopes: []string{"openid",
			"email", "profile"},
		SupportedIdentityProviders: []string{"COGNITO"}}
	for _, g := range client.GrantTypes {
		// a refresh token needs no permission of its own; the other flows are called as their grants
		if flow := map[string]string{"authorization_code": "code",
			"client_credentials": "client_credentials"}[g]; flow != "" {
			out.AllowedOAuthFlows, out.AllowedOAuthFlowsUserPoolClient = append(out.AllowedOAuthFlows, flow), true
		}
	}
	c.mu.Lock()
	managed := c.managed[client.ID]
	c.mu.Unlock()
	if !managed {
		out.ClientSecret, err = c.firstValue(client.ID)
	}
	return map[string]any{"UserPoolClient": out}, err
}

// firstValue is the value of the secret that a client was created with; "" for a public client.
func (c *Cognito) firstValue(clientID string) (value string, err error) {
	err = c.env.Store.Update(clientID, func(e *clients.Edit) (err error) {
		if all := e.All(); len(all) > 0 {
			value, err = e.Value(all[0].ID)
		}
		return err
	})
	return value, err
}

func stamp(t time.Time) awsapi.Timestamp { return awsapi.Timestamp{Time: t} }

func errParameter(format string, args ...any) error {
	return awsapi.Errorf("InvalidParameterException", format, args...)
}

func errNotFound(format string, args ...any) error {
	return awsapi.Errorf("ResourceNotFoundException", format, args...)
}
