// Package okta manages the client secrets of an app integration at Okta (Okta Management API, Application SSO Public
// Keys: /api/v1/apps/{appId}/credentials/secrets). An app holds at most two secrets, inactive ones included; both may
// be active, and one that was deactivated can be activated again until it is deleted.
package okta

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

// maxSecrets is how many secrets an app can have (Okta developer docs, "Client secret rotation and key management").
const maxSecrets = 2

// Provider is one app integration at Okta.
type Provider struct {
	checked    idp.Checked[app]
	client     idp.Client
	settings   Settings
	api        *httpclient.API
	credential credential
}

var (
	_ idp.Provider = (*Provider)(nil)
	_ idp.Disabler = (*Provider)(nil)
	_ idp.Reviewer = (*Provider)(nil)
)

// New returns the provider for one client. It makes no request.
func New(raw json.RawMessage, c idp.Client, d idp.Deps) (idp.Provider, error) {
	s, err := idp.ParseSettings(raw, (*Settings).check)
	if err != nil {
		return nil, err
	}
	p := &Provider{client: c, settings: s, credential: newCredential(s, d)}
	p.api = d.API(httpclient.API{Vendor: vendor, Authorize: p.credential.authorize, ErrorCode: errorCode,
		Transient: transient, Explain: p.explain})
	return p, nil
}

// Capabilities implements idp.Provider.
func (p *Provider) Capabilities() idp.Capabilities { return capabilities() }

// Capabilities are those of a provider with these settings.
func Capabilities(raw json.RawMessage, _ idp.Client) (idp.Capabilities, error) {
	_, err := idp.ParseSettings(raw, (*Settings).check)
	return capabilities(), err
}

// capabilities: a token endpoint of Okta authenticates the client before it looks at the code:
// a wrong secret is invalid_client, an invented code invalid_grant. unauthorized_client is a client that was
// authenticated but may not use the grant (RFC 6749, section 5.2).
func capabilities() idp.Capabilities {
	return idp.Capabilities{
		Model:        idp.NamedSet,
		UniqueIDs:    true,
		MaxSecrets:   maxSecrets,
		AcceptsValue: true,
		CanDisable:   true,
		Probe: idp.ProbeSpec{
			Grant:    idp.AuthorizationCode,
			Accepted: []string{"invalid_grant", "unauthorized_client"},
			Rejected: []string{"invalid_client"},
			Other: []idp.OtherAnswer{ // its own form was seen, the form of RFC 6749 is documented
				{Code: "errorCode invalid_client", Means: unknownClient},
				{Code: "invalid_client", Text: "Invalid value for 'client_id' parameter", Means: unknownClient},
			},
		},
	}
}

const unknownClient = "the client id is unknown at this authorization server, or the app is not active: check " +
	"clientId, issuer and identityProvider.tokenEndpoint"

// app is what we read of an app integration.
type app struct {
	ID          string `json:"id"`
	Status      string `json:"status"`
	SignOnMode  string `json:"signOnMode"`
	Credentials struct {
		OAuthClient struct {
			ClientID   string `json:"client_id"`
			AuthMethod string `json:"token_endpoint_auth_method"`
		} `json:"oauthClient"`
	} `json:"credentials"`
	Settings struct {
		OAuthClient struct {
			GrantTypes []string `json:"grant_types"`
		} `json:"oauthClient"`
	} `json:"settings"`
}

// Check implements idp.Provider.
func (p *Provider) Check(ctx context.Context) error {
	a, err := p.checked.Renew(ctx, p.read)
	if err != nil {
		return err
	}
	return p.checkSuits(a)
}

// Review implements idp.Reviewer.
func (p *Provider) Review(ctx context.Context) (idp.Review, error) {
	a, err := p.checked.Get(ctx, p.read)
	return idp.Review{AuthMethod: a.Credentials.OAuthClient.AuthMethod}, err
}

func (p *Provider) read(ctx context.Context) (app, error) {
	const operation = "read the app"
	var a app
	if err := p.do(ctx, http.MethodGet, "", operation, nil, &a); err != nil {
		return app{}, err
	}
	if a.ID == "" {
		return app{}, p.api.NotUnderstood(operation)
	}
	return a, nil
}

// checkSuits says why an app's client secret cannot be rotated, or nil.
func (p *Provider) checkSuits(a app) error {
	client := a.Credentials.OAuthClient
	switch {
	case a.SignOnMode != "OPENID_CONNECT":
		return failure.New(failure.Precondition,
			"Okta app %s is not an OpenID Connect app; set %s to the one with client id %s",
			p.settings.AppID, idp.Setting("appId"), p.client.ClientID)
	case client.ClientID != p.client.ClientID:
		return failure.New(failure.Precondition,
			"Okta app %s has another client id than %s; set %s to the app of this client",
			p.settings.AppID, p.client.ClientID, idp.Setting("appId"))
	case a.Status != "ACTIVE":
		return failure.New(failure.Precondition,
			"Okta app %s is not active; activate it, or remove the client from the rotation", p.settings.AppID)
	}
	if g := a.Settings.OAuthClient.GrantTypes; len(g) > 0 && !slices.Contains(g, "authorization_code") {
		return failure.New(failure.Precondition, "Okta app %s may not use the grant authorization_code, by which load "+
			"balancers log users in", p.settings.AppID)
	}
	switch client.AuthMethod {
	case "", "client_secret_basic", "client_secret_post":
		return nil
	default:
		return failure.New(failure.Precondition,
			"Okta app %s does not authenticate by a plain client secret, which is all that load balancers can do; "+
				"set its client authentication to client secret (switching to a public key deletes all secrets)",
			p.settings.AppID)
	}
}

// object is a secret of an app. Reads show its value, as was seen; whether all do is not documented.
type object struct {
	ID           string    `json:"id"`
	Status       string    `json:"status"`
	Created      time.Time `json:"created"`
	ClientSecret string    `json:"client_secret"`
}

func (o object) secret() (idp.Secret, bool) {
	s := idp.Secret{ID: o.ID, Created: o.Created}
	if o.ClientSecret != "" {
		s.Value = secret.New(o.ClientSecret)
	}
	switch o.Status {
	case "ACTIVE":
		s.Status = idp.Active
	case "INACTIVE":
		s.Status = idp.Disabled
	default:
		return s, false
	}
	return s, idp.IsID(o.ID)
}

// List implements idp.Provider. Okta does not page these lists.
func (p *Provider) List(ctx context.Context) ([]idp.Secret, error) {
	const operation = "list the app's secrets"
	var objects []object
	if err := p.do(ctx, http.MethodGet, "/credentials/secrets", operation, nil, &objects); err != nil {
		return nil, err
	}
	if objects == nil {
		return nil, p.api.NotUnderstood(operation)
	}
	out := make([]idp.Secret, 0, len(objects))
	for _, o := range objects {
		s, ok := o.secret()
		if !ok {
			return nil, p.api.NotUnderstood(operation)
		}
		out = append(out, s)
	}
	return out, nil
}
