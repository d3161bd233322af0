// Package entra manages the client secrets of an app registration in Microsoft Entra ID (Microsoft Graph v1.0:
// application, addPassword, removePassword). A registration holds many secrets at once; Entra ID makes their values and
// shows them once. Its directory is replicated: a list may lag behind a change, and a new secret is not accepted by
// every token server at once, nor a removed one refused by every one.
package entra

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
)

// personalLimit is how many secrets a registration can have that allows personal Microsoft accounts (Microsoft identity
// platform docs, "Validation differences by supported account types"). Without those the limit is some hundreds.
const personalLimit = 2

// Provider is one app registration in Entra ID.
type Provider struct {
	client     idp.Client
	settings   Settings
	now        func() time.Time
	api        *httpclient.API
	credential *credential
	checked    idp.Checked[application]
}

var _ idp.Provider = (*Provider)(nil)

// New returns the provider for one client. It makes no request.
func New(raw json.RawMessage, c idp.Client, d idp.Deps) (idp.Provider, error) {
	s, err := parse(raw, c)
	if err != nil {
		return nil, err
	}
	if !guidPattern.MatchString(c.ClientID) {
		return nil, failure.New(failure.InvalidInput,
			"clientId: must be the application (client) id of the app registration, a GUID")
	}
	if s.ClientSecret != nil && strings.EqualFold(s.ClientSecret.ClientID, c.ClientID) {
		return nil, failure.New(failure.InvalidInput,
			"%s: must be another app registration than the one that is rotated", idp.Setting("clientSecret.clientId"))
	}
	p := &Provider{client: c, settings: s, now: d.Now, credential: newCredential(s, d)}
	p.api = d.API(httpclient.API{Vendor: vendor, Authorize: p.authorize, ErrorCode: errorCode, Transient: transient,
		Explain: p.explain})
	return p, nil
}

// Capabilities implements idp.Provider.
func (p *Provider) Capabilities() idp.Capabilities { return capabilities(p.settings) }

// Capabilities are those of a provider with these settings.
func Capabilities(raw json.RawMessage, c idp.Client) (idp.Capabilities, error) {
	s, err := parse(raw, c)
	return capabilities(s), err
}

// capabilities: the probe asks for a token for Microsoft Graph: with an invented code Entra ID complains about the code
// before it looks at the secret, so that a wrong one looks like a good one. Any client that has a service principal in
// the tenant gets such a token, and so has every one that users can log in to; without a granted permission the token
// permits nothing. A token for the client itself is refused where it requires assignment (docs/adr/0032).
func capabilities(s Settings) idp.Capabilities {
	c := idp.Capabilities{
		Model:     idp.NamedSet,
		UniqueIDs: true,
		KeepsTag:  true,
		TellsEnd:  true,
		Probe: idp.ProbeSpec{
			Grant: idp.ClientCredentials,
			Scope: s.GraphURL + "/.default",
			// version 1, which aliases may use, knows no scopes
			Resource: s.GraphURL,
			Rejected: []string{wrongSecret, expiredSecret},
			Other:    otherAnswers,
			// a new secret reaches Microsoft's servers one after the other: one success does not prove all of them
			InARow: 10, IntervalSeconds: 6,
		},
	}
	if s.PersonalAccounts {
		c.MaxSecrets = personalLimit
	}
	return c
}

// application is what we read of an app registration.
type application struct {
	ID             string     `json:"id"`
	AppID          string     `json:"appId"`
	SignInAudience string     `json:"signInAudience"`
	Passwords      []password `json:"passwordCredentials"`
}

// password is a passwordCredential. Its secretText is only ever read from the answer that creates it.
type password struct {
	KeyID       string     `json:"keyId"`
	DisplayName string     `json:"displayName"`
	Start       time.Time  `json:"startDateTime"`
	End         *time.Time `json:"endDateTime"`
}

// secret describes the credential. An expired one is refused and stays listed until somebody removes it, which is what
// idp.Disabled says of a secret.
func (p password) secret(now time.Time) idp.Secret {
	s := idp.Secret{ID: p.KeyID, Status: idp.Active, Created: p.Start, Tag: tagOf(p.DisplayName)}
	if p.End != nil {
		s.Until = *p.End
	}
	if p.End != nil && !now.Before(*p.End) {
		s.Status = idp.Disabled
	}
	return s
}

// Check implements idp.Provider.
func (p *Provider) Check(ctx context.Context) error {
	a, err := p.checked.Renew(ctx, func(ctx context.Context) (application, error) {
		return p.read(ctx, "read the app registration")
	})
	if err != nil {
		return err
	}
	switch a.SignInAudience {
	case "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount":
		if !p.settings.PersonalAccounts {
			return failure.New(failure.Precondition,
				"the app registration %s allows personal Microsoft accounts, and can therefore have only %d secrets; "+
					"set %s to true, so that this is respected", p.client.ClientID, personalLimit,
				idp.Setting("personalAccounts"))
		}
	}
	return nil
}

// List implements idp.Provider. A change may show only after some seconds.
func (p *Provider) List(ctx context.Context) ([]idp.Secret, error) {
	a, err := p.checked.Share(ctx, func(ctx context.Context) (application, error) {
		return p.read(ctx, "list the app registration's secrets")
	})
	if err != nil {
		return nil, err
	}
	now := p.now()
	out := make([]idp.Secret, 0, len(a.Passwords))
	for _, x := range a.Passwords {
		out = append(out, x.secret(now))
	}
	return out, nil
}

// read reads the registration, and makes sure that it is the client's: whatever is done next is done to that one.
func (p *Provider) read(ctx context.Context, operation string) (application, error) {
	var a application
	err := p.do(ctx, http.MethodGet, "?$select=id,appId,signInAudience,passwordCredentials", operation, nil, &a)
	if err != nil {
		return application{}, err
	}
	if a.ID == "" || a.AppID == "" || a.Passwords == nil {
		return application{}, p.api.NotUnderstood(operation)
	}
	for _, x := range a.Passwords {
		if !guidPattern.MatchString(x.KeyID) {
			return application{}, p.api.NotUnderstood(operation)
		}
	}
	if !strings.EqualFold(a.AppID, p.client.ClientID) {
		return application{}, failure.New(failure.Precondition,
			"the app registration with object id %s has another client id than %s; "+
				"correct %s, or leave it out", p.settings.ApplicationObjectID, p.client.ClientID,
			idp.Setting("applicationObjectId"))
	}
	return a, nil
}
