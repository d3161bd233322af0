// Package cognito is the Amazon Cognito of the local stack: the operations on an app client's secrets, over the clients
// of the local identity provider when that has Cognito's face (Amazon Cognito user pools API reference).
package cognito

import (
	"context"
	"strings"
	"sync"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	face "alboidc.internal/shared/idp/cognito/cognitotest"
	"alboidc.internal/shared/idp/idptest/clients"
)

// Service is Amazon Cognito with one user pool, face.PoolID, in which all the clients of a store are.
type Service struct {
	clock clock.Clock
	store *clients.Store

	mu      sync.Mutex
	managed map[string]bool // clients that AddUserPoolClientSecret has been called for
}

var _ awsapi.Service = (*Service)(nil)

// New returns a Cognito over the clients of the local identity provider.
func New(c clock.Clock, store *clients.Store) *Service {
	return &Service{clock: c, store: store, managed: map[string]bool{}}
}

// SigningName implements awsapi.Service.
func (*Service) SigningName() string { return "cognito-idp" }

// Protocol implements awsapi.Service.
func (*Service) Protocol() awsapi.Protocol { return awsapi.JSON11 }

// Handle implements awsapi.Service.
func (s *Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch call.Operation {
	case "AddUserPoolClientSecret":
		return s.addSecret(call)
	case "ListUserPoolClientSecrets":
		return s.listSecrets(call)
	case "DeleteUserPoolClientSecret":
		return s.deleteSecret(call)
	case "DescribeUserPoolClient":
		return s.describeClient(call)
	default:
		return nil, awsapi.NotImplemented(call)
	}
}

// appClient is the parameters that all operations have.
type appClient struct{ UserPoolID, ClientID string }

// find returns the app client, which must be in the pool, and that in the call's Region.
func (s *Service) find(call *awsapi.Call, in appClient) (clients.Client, error) {
	if in.UserPoolID == "" || in.ClientID == "" {
		return clients.Client{}, errParameter("UserPoolId and ClientId must not be empty.")
	}
	if region, _, _ := strings.Cut(in.UserPoolID, "_"); in.UserPoolID != face.PoolID || region != call.Region {
		return clients.Client{}, errNotFound("User pool %s does not exist.", in.UserPoolID)
	}
	c, err := s.store.Client(in.ClientID)
	if err != nil {
		return clients.Client{}, errNotFound("User pool client %s does not exist.", in.ClientID)
	}
	return c, nil
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
func (s *Service) describeClient(call *awsapi.Call) (any, error) {
	var in appClient
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	c, err := s.find(call, in)
	if err != nil {
		return nil, err
	}
	out := userPoolClient{UserPoolID: in.UserPoolID, ClientName: c.Name, ClientID: c.ID, CreationDate: stamp(c.Created), LastModifiedDate: stamp(c.Created),
		CallbackURLs: c.RedirectURIs, AllowedOAuthFlows: []string{}, AllowedOAuthScopes: []string{"openid", "email", "profile"},
		SupportedIdentityProviders: []string{"COGNITO"}}
	for _, g := range c.GrantTypes {
		// a refresh token needs no permission of its own; the other flows are called as their grants
		if flow := map[string]string{"authorization_code": "code", "client_credentials": "client_credentials"}[g]; flow != "" {
			out.AllowedOAuthFlows, out.AllowedOAuthFlowsUserPoolClient = append(out.AllowedOAuthFlows, flow), true
		}
	}
	if !s.managed[c.ID] {
		out.ClientSecret, err = s.firstValue(c.ID)
	}
	return map[string]any{"UserPoolClient": out}, err
}

// firstValue is the value of the secret that a client was created with; "" for a public client.
func (s *Service) firstValue(clientID string) (value string, err error) {
	err = s.store.Update(clientID, func(e *clients.Edit) (err error) {
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
