// Package auth0 sets the client secret of an application at Auth0 (Management API v2, /api/v2/clients/{id}). An
// application has exactly one secret: a new one ends the old one, within 30 seconds (Auth0 docs, "Rotate Client
// Secrets"). So two applications take turns (idp.ClientPair), or logins fail for a while (idp.InPlace).
package auth0

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

const vendor = "Auth0"

// Application is one application at Auth0.
type Application struct {
	checked  idp.Checked[map[string]json.RawMessage]
	client   idp.Client
	settings Settings
	api      *httpclient.API
	tokens   *clientcredentials.Tokens
}

var (
	_ idp.Setter         = (*Application)(nil)
	_ idp.Reviewer       = (*Application)(nil)
	_ idp.TraitsReporter = (*Application)(nil)
)

// New returns the application with the client's id. It makes no request.
func New(raw json.RawMessage, c idp.Client, d idp.Deps) (*Application, error) {
	s, err := idp.ParseSettings(raw, (*Settings).check)
	if err != nil {
		return nil, err
	}
	if !idp.IsID(c.ClientID) {
		return nil, failure.New(failure.InvalidInput, "clientId, identityProvider.clientPair: must be the client id "+
			"of an application at Auth0")
	}
	a := &Application{client: c, settings: s}
	// Auth0 docs, "Authenticate with Private Key JWT": the audience of the assertion is the tenant's issuer
	proof := s.Proof(d.Access(), s.TenantURL+"/", false)
	a.tokens = &clientcredentials.Tokens{Operation: "give the rotator an access token", URL: s.TenantURL +
		"/oauth/token", Proof: proof,
		Form: url.Values{"audience": {s.TenantURL + "/api/v2/"}},
		API:  d.API(httpclient.API{Vendor: vendor, ErrorCode: errorCode, Explain: a.explainToken})}
	a.api = d.API(httpclient.API{Vendor: vendor, Authorize: a.tokens.Authorize, ErrorCode: errorCode,
		Explain: a.explain})
	return a, nil
}

// Capabilities implements idp.Registration.
func (a *Application) Capabilities() idp.Capabilities { return capabilities() }

// Capabilities are those of an application with these settings.
func Capabilities(raw json.RawMessage, _ idp.Client) (idp.Capabilities, error) {
	_, err := idp.ParseSettings(raw, (*Settings).check)
	return capabilities(), err
}

// capabilities: the token endpoint answers 401 access_denied to a wrong secret and 403 invalid_grant to an invented
// code (observed by others; documented is neither, so the probe's control decides).
func capabilities() idp.Capabilities {
	return idp.Capabilities{Model: idp.SingleSlot, MaxSecrets: 1, UniqueIDs: true, Probe: idp.ProbeSpec{
		Grant:    idp.AuthorizationCode,
		Accepted: []string{"invalid_grant"},
		Rejected: []string{"access_denied", "invalid_client"},
	}}
}

// Of a pair, these may differ: who an application is, and how it presents itself to people. How it authenticates,
// Review and Check tell.
var differ = strings.Fields("client_id name description logo_uri tenant created_at updated_at " +
	"token_endpoint_auth_method client_authentication_methods")

// shown are the others that are known (Management API v2, "Get a client"; go-auth0, management.Client), but for what
// may hold anything: add-ons and metadata, by which Actions may decide.
var shown = strings.Fields("allowed_clients allowed_logout_urls allowed_origins app_type " +
	"async_approval_notification_channels callbacks compliance_level cross_origin_authentication " +
	"cross_origin_loc custom_login_page_on default_organization grant_types initiate_login_uri is_first_party " +
	"is_token_endpoint_ip_header_trusted jwt_configuration oidc_conformant oidc_backchannel_logout oidc_logout " +
	"organization_discovery_methods organization_require_behavior organization_usage par_request_expiry " +
	"refresh_token require_proof_of_possession require_pushed_authorization_requests session_transfer " +
	"signed_request_object skip_non_verifiable_callback_uri_confirmation_prompt sso sso_disabled " +
	"token_exchange token_quota web_origins")

// get reads the application. What is a secret, which Auth0 sends along to who has the scope read:client_keys, is
// dropped at once.
func (a *Application) get(ctx context.Context) (map[string]json.RawMessage, error) {
	const operation = "read the application"
	var app map[string]json.RawMessage
	err := a.api.Do(ctx, httpclient.Request{Operation: operation, Method: http.MethodGet, URL: a.url()}, &app)
	if err != nil {
		return nil, err
	}
	if text(app["client_id"]) == "" {
		return nil, a.api.NotUnderstood(operation)
	}
	for _, name := range []string{"client_secret", "encryption_key", "signing_keys"} {
		delete(app, name)
	}
	return app, nil
}

func (a *Application) url() string {
	return a.settings.TenantURL + idp.Path("api", "v2", "clients", a.client.ClientID)
}

// text is a JSON string, "" for anything else.
func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// Check implements idp.Registration.
func (a *Application) Check(ctx context.Context) error {
	app, err := a.checked.Renew(ctx, a.get)
	if err != nil {
		return err
	}
	const advice = "load balancers need a Regular Web Application with the grant authorization_code and a client " +
		"secret, by Post or Basic"
	switch method := text(app["token_endpoint_auth_method"]); {
	case text(app["client_id"]) != a.client.ClientID:
		return failure.New(failure.Precondition, "Auth0 answered with another application than %s", a.client.ClientID)
	case withoutids.IsSet(app["client_authentication_methods"]):
		return failure.New(failure.Precondition,
			"Auth0 application %s authenticates by a private key or a certificate; %s", a.client.ClientID, advice)
	case method != "" && method != "client_secret_post" && method != "client_secret_basic":
		return failure.New(failure.Precondition, "Auth0 application %s has no client secret to authenticate with; %s",
			a.client.ClientID, advice)
	case !slices.Contains(texts(app["grant_types"]), "authorization_code"):
		return failure.New(failure.Precondition, "Auth0 application %s may not use the grant authorization_code; %s",
			a.client.ClientID, advice)
	}
	return nil
}

func texts(raw json.RawMessage) []string {
	var out []string
	_ = json.Unmarshal(raw, &out)
	return out
}

// Review implements idp.Reviewer.
func (a *Application) Review(ctx context.Context) (idp.Review, error) {
	app, err := a.checked.Get(ctx, a.get)
	return idp.Review{AuthMethod: text(app["token_endpoint_auth_method"])}, err
}

// Traits implements idp.TraitsReporter.
func (a *Application) Traits(ctx context.Context) (map[string]string, error) {
	app, err := a.checked.Get(ctx, a.get)
	return withoutids.Traits(app, differ, shown), err
}

// change is the body of the request that sets the secret (Management API v2, "Update a client").
type change struct {
	ClientSecret string `json:"client_secret"`
}

// Set implements idp.Setter. Of the answer, which has the secret in it, only the client id is read.
func (a *Application) Set(ctx context.Context, v secret.Value) error {
	const operation = "set the application's secret"
	var answer struct {
		ClientID string `json:"client_id"`
	}
	err := a.api.Do(ctx, httpclient.Request{Operation: operation, Method: http.MethodPatch, URL: a.url(),
		JSON: change{ClientSecret: v.Reveal()}}, &answer)
	if err == nil && answer.ClientID != a.client.ClientID {
		err = a.api.NotUnderstood(operation)
	}
	return err
}

// explain says what the operator can do about a refusal of the Management API.
func (a *Application) explain(s *httpclient.StatusError) string {
	switch {
	case s.Status == http.StatusUnauthorized:
		return fmt.Sprintf("the access token of %s is not taken: check that %s is the tenant's own domain, not a "+
			"custom one", a.settings.ClientID(), idp.Setting("tenantUrl"))
	case s.Status == http.StatusForbidden:
		return fmt.Sprintf("grant the machine-to-machine application %s the scopes read:clients, update:clients and "+
			"update:client_keys of the Management API", a.settings.ClientID())
	case s.Status == http.StatusNotFound:
		return fmt.Sprintf("there is no application with client id %s in this tenant; correct clientId, "+
			"identityProvider.clientPair or %s", a.client.ClientID, idp.Setting("tenantUrl"))
	default:
		return ""
	}
}

// explainToken says what the operator can do when Auth0 gives no access token.
func (a *Application) explainToken(s *httpclient.StatusError) string {
	switch s.Code {
	case "access_denied", "invalid_client", "unauthorized_client":
		return a.tokens.Proof.Advice() + "; authorize it for the Auth0 Management API"
	default:
		return ""
	}
}

// errorCode reads the code of an error answer of the Management API (errorCode), or of the token endpoint (error). The
// error of the former is the status in words, and says nothing more.
func errorCode(body []byte) string {
	var e struct {
		ErrorCode string `json:"errorCode"`
		Error     string `json:"error"`
		Status    int    `json:"statusCode"`
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	if e.Status == 0 && codePattern.MatchString(e.Error) {
		return e.Error
	}
	if codePattern.MatchString(e.ErrorCode) {
		return e.ErrorCode
	}
	return ""
}
