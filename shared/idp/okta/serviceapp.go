package okta

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
)

// scopes that the calls of this package need (Okta Management API reference, Application SSO Public Keys).
const scopes = "okta.apps.manage okta.apps.read"

// serviceApp is an OAuth service app: it gets access tokens from the organisation's own authorization server by
// client_credentials with private_key_jwt (Okta developer docs, "Implement OAuth for Okta with a service app").
type serviceApp struct {
	clientcredentials.KeySettings
	tokens *clientcredentials.Tokens
}

func newServiceApp(s Settings, d idp.Deps) *serviceApp {
	a := &serviceApp{KeySettings: *s.ServiceApp}
	tokenURL := s.OrgURL + "/oauth2/v1/token"
	proof := a.Proof(d.Access(), tokenURL, "the private key of the Okta service app")
	explain := func(s *httpclient.StatusError) string {
		switch s.Code {
		case "invalid_client":
			return proof.Advice()
		case "invalid_scope":
			return fmt.Sprintf("grant the service app %s the scopes %s", a.ClientID, scopes)
		default:
			return ""
		}
	}
	a.tokens = &clientcredentials.Tokens{Operation: "give the service app an access token", URL: tokenURL,
		Form: url.Values{"scope": {scopes}}, Proof: proof,
		API: d.API(httpclient.API{Vendor: vendor, ErrorCode: errorCode, Explain: explain})}
	return a
}

func (a *serviceApp) authorize(ctx context.Context, r *http.Request) error {
	err := a.tokens.Authorize(ctx, r)
	s, refused := httpclient.Status(err)
	if errors.Is(err, clientcredentials.ErrNotBearer) || refused && (s.Code == "invalid_dpop_proof" ||
		s.Code == "use_dpop_nonce") {
		return failure.New(failure.Precondition, "Okta demands DPoP of the service app %s, which is not supported; "+
			"switch off \"Require Demonstrating Proof of Possession (DPoP) header in token requests\" there",
			a.ClientID)
	}
	return err
}

func (a *serviceApp) unknown() string {
	return fmt.Sprintf("the access token of the service app %s is not valid any more: check that the app is active",
		a.ClientID)
}

func (a *serviceApp) forbidden(appID string) string {
	return fmt.Sprintf("the service app %s may not manage app %s: besides the scope okta.apps.manage it needs the "+
		"Application Administrator role for it",
		a.ClientID, appID)
}
