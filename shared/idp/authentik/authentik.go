// Package authentik sets the client secret of an OAuth2/OpenID provider, as authentik calls a client (API v3,
// /providers/oauth2/). A client has one secret, and a new one ends the old one at once. So two of them take turns
// (idp.ClientPair), or logins fail for a while (idp.InPlace). From release 2026.11 on the value is in an object of its
// own (/secrets/secrets/), which several clients can share.
package authentik

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

const vendor = "authentik"

// Client is one OAuth2/OpenID provider at authentik.
type Client struct {
	checked  idp.Checked[registration]
	client   idp.Client
	settings Settings
	api      *httpclient.API
}

var (
	_ idp.Setter         = (*Client)(nil)
	_ idp.Reviewer       = (*Client)(nil)
	_ idp.TraitsReporter = (*Client)(nil)
)

// New returns the client with that client id. It makes no request.
func New(raw json.RawMessage, c idp.Client, d idp.Deps) (*Client, error) {
	s, err := idp.ParseSettings(raw, (*Settings).check)
	if err != nil {
		return nil, err
	}
	if !idp.IsID(c.ClientID) {
		return nil, failure.New(failure.InvalidInput, "clientId, identityProvider.clientPair: must be the client id "+
			"of an OAuth2/OpenID provider at authentik")
	}
	k := &Client{client: c, settings: s}
	token := clientcredentials.Stored{Read: d.Secret, ARN: s.APIToken.SecretARN, What: "an authentik API token"}
	k.api = d.API(httpclient.API{Vendor: vendor, Authorize: token.Authorize, ErrorCode: errorCode, Explain: k.explain})
	return k, nil
}

// Capabilities implements idp.Registration.
func (k *Client) Capabilities() idp.Capabilities { return capabilities() }

// Capabilities are those of a client with these settings.
func Capabilities(raw json.RawMessage, _ idp.Client) (idp.Capabilities, error) {
	_, err := idp.ParseSettings(raw, (*Settings).check)
	return capabilities(), err
}

// capabilities: the token endpoint compares the secret before it looks at the redirect URI and the code (authentik's
// repository, providers/oauth2/views/token.py). A redirect URI that is not registered is refused by invalid_client,
// too, in the same words, so Check looks for it: no refusal counts without that.
func capabilities() idp.Capabilities {
	return idp.Capabilities{Model: idp.SingleSlot, MaxSecrets: 1, Probe: idp.ProbeSpec{
		Grant:    idp.AuthorizationCode,
		Accepted: []string{"invalid_grant"},
		Rejected: []string{"invalid_client"},
	}}
}

// registration is what is read of a client. Its secret is among what releases before 2026.11 send; it is not kept.
type registration struct {
	PK         int      `json:"pk"`
	ClientID   string   `json:"client_id"`
	ClientType string   `json:"client_type"`
	GrantTypes []string `json:"grant_types"`
	// Redirects are a list since release 2024.12.
	Redirects  []redirect `json:"redirect_uris"`
	SigningKey string     `json:"signing_key"`
	IssuerMode string     `json:"issuer_mode"`
	Slug       string     `json:"assigned_application_slug"`
	// Secret is the id of the object that holds the value, from release 2026.11 on.
	Secret string `json:"secret"`

	traits map[string]string
	// hasObject: the value is in an object of its own; hasValue: it is here.
	hasObject, hasValue bool
}

// UnmarshalJSON reads a client and keeps of it what is needed.
func (r *registration) UnmarshalJSON(b []byte) error {
	type plain registration
	if err := json.Unmarshal(b, (*plain)(r)); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	_, r.hasObject = all["secret"]
	_, r.hasValue = all["client_secret"]
	r.traits = withoutids.Traits(all, differ, shown)
	if r.IssuerMode != "global" {
		r.traits["issuer_mode"] = "that of application " + r.Slug
	}
	return nil
}

// Of a pair, these may differ: who a client is, and where its secret is.
var differ = strings.Fields("pk name client_id client_secret secret assigned_application_slug " +
	"assigned_application_name assigned_backchannel_application_slug assigned_backchannel_application_name")

// shown are the others that are known (API schema 2026.8, OAuth2Provider).
var shown = strings.Fields("access_code_validity access_token_validity authentication_flow authorization_flow " +
	"backchannel_logout_uri client_type component encryption_key frontchannel_logout_uri grant_types " +
	"include_claims_in_id_token invalidation_flow issuer_mode jwt_federation_providers jwt_federation_sources " +
	"logout_method logout_uri meta_model_name property_mappings redirect_uris refresh_token_threshold " +
	"refresh_token_validity signing_key sub_mode verbose_name verbose_name_plural")

func (k *Client) url(path string) string { return k.settings.ServerURL + "/api/v3/" + path }

// find reads the client by its client id, which authentik keeps unique.
func (k *Client) find(ctx context.Context) (registration, error) {
	const operation = "find the client"
	var answer struct {
		Results []registration `json:"results"`
	}
	err := k.api.Do(ctx, httpclient.Request{Operation: operation, Method: http.MethodGet,
		URL: k.url("providers/oauth2/?client_id=" + url.QueryEscape(k.client.ClientID))}, &answer)
	switch {
	case err != nil:
		return registration{}, err
	case answer.Results == nil:
		return registration{}, k.api.NotUnderstood(operation)
	case len(answer.Results) == 0:
		return registration{}, failure.New(failure.Precondition, "%s", k.absent())
	}
	r := answer.Results[0]
	if len(answer.Results) > 1 || r.ClientID != k.client.ClientID || r.PK == 0 || !r.hasObject && !r.hasValue {
		return registration{}, k.api.NotUnderstood(operation)
	}
	return r, nil
}

func (k *Client) absent() string {
	return fmt.Sprintf("authentik shows the rotator no OAuth2/OpenID provider with client id %s: correct clientId, "+
		"identityProvider.clientPair or %s, or let the token's user view that provider", k.client.ClientID,
		idp.Setting("serverUrl"))
}

// Check implements idp.Registration.
func (k *Client) Check(ctx context.Context) error {
	r, err := k.checked.Renew(ctx, k.find)
	if err != nil {
		return err
	}
	switch {
	case r.ClientType != "confidential":
		return failure.New(failure.Precondition, "authentik client %s is not of type Confidential, so it has no "+
			"client secret that is asked for; load balancers need one", k.client.ClientID)
	case r.GrantTypes != nil && !slices.Contains(r.GrantTypes, "authorization_code"):
		// of such a client the token endpoint answers invalid_grant whatever the secret
		return failure.New(failure.Precondition, "authentik client %s may not use the grant authorization_code, by "+
			"which load balancers log users in; add it to its grant types", k.client.ClientID)
	case k.client.CallbackURL != "" && !slices.ContainsFunc(r.Redirects, k.returns):
		return failure.New(failure.Precondition,
			"authentik client %s may not redirect to callbackUrl, and so authentik "+
				"refuses even right secrets: add %s to its redirect URIs, or correct callbackUrl", k.client.ClientID,
			k.client.CallbackURL)
	}
	return k.checkObject(ctx, r)
}

// redirect is a redirect URI, or a regular expression for some.
type redirect struct {
	Mode string `json:"matching_mode"`
	URL  string `json:"url"`
	Type string `json:"redirect_uri_type"` // "authorization" or, for after a logout, "logout"
}

// returns reports whether a redirect URI allows callbackUrl. An expression that only Python understands may.
func (k *Client) returns(u redirect) bool {
	if u.Type == "logout" {
		return false
	}
	if u.Mode != "regex" {
		return u.URL == k.client.CallbackURL
	}
	expression, err := regexp.Compile("^(?:" + u.URL + ")$")
	return err != nil || expression.MatchString(k.client.CallbackURL)
}

// user is one that uses a secret object.
type user struct {
	App   string `json:"app"`
	Model string `json:"model_name"`
	PK    string `json:"pk"`
}

// checkObject fails unless the client's secret is its own: setting a shared one would end the other's, which may be
// the registration in use.
func (k *Client) checkObject(ctx context.Context, r registration) error {
	if !r.hasObject {
		return nil
	}
	const operation = "list what uses the client's secret"
	if !idp.IsID(r.Secret) {
		return failure.New(failure.Precondition, "authentik client %s has no secret; give it one", k.client.ClientID)
	}
	var users []user
	if err := k.api.Do(ctx, httpclient.Request{Operation: operation, Method: http.MethodGet,
		URL: k.objectURL(r) + "used_by/"}, &users); err != nil {
		return err
	}
	own := user{"authentik_providers_oauth2", "oauth2provider", strconv.Itoa(r.PK)}
	switch {
	case !slices.Contains(users, own):
		return k.api.NotUnderstood(operation)
	case len(users) > 1:
		return failure.New(failure.Precondition, "the secret of authentik client %s is shared by %d objects, and all "+
			"would get the new value: give this client a secret of its own", k.client.ClientID, len(users))
	}
	return nil
}

func (k *Client) objectURL(r registration) string {
	return k.url("secrets/secrets/" + url.PathEscape(r.Secret) + "/")
}

// Review implements idp.Reviewer. authentik takes both authentication methods.
func (k *Client) Review(ctx context.Context) (idp.Review, error) {
	r, err := k.checked.Get(ctx, k.find)
	var out idp.Review
	if err == nil && r.SigningKey == "" {
		out.Warnings = append(out.Warnings, fmt.Sprintf("authentik client %s has no signing key, so its ID tokens are "+
			"signed with the client secret (HS256): choose a signing key unless logins work like that",
			k.client.ClientID))
	}
	return out, err
}

// Traits implements idp.TraitsReporter.
func (k *Client) Traits(ctx context.Context) (map[string]string, error) {
	r, err := k.checked.Get(ctx, k.find)
	return r.traits, err
}

// change is the body of the request that sets the value: of a client up to release 2026.8, of its secret since.
type change struct {
	ClientSecret string `json:"client_secret,omitempty"`
	Value        string `json:"value,omitempty"`
}

// Set implements idp.Setter. A field that a release does not know it ignores, so the client is looked at first, and the
// answer must show that the change was made.
func (k *Client) Set(ctx context.Context, v secret.Value) error {
	const operation = "set the client's secret"
	r, err := k.find(ctx)
	if err == nil {
		err = k.checkObject(ctx, r)
	}
	if err != nil {
		return err
	}
	request := httpclient.Request{Operation: operation, Method: http.MethodPatch,
		URL: k.url("providers/oauth2/" + strconv.Itoa(r.PK) + "/"), JSON: change{ClientSecret: v.Reveal()}}
	if r.hasObject {
		request.URL, request.JSON = k.objectURL(r), change{Value: v.Reveal()}
	}
	var answer struct {
		PK           any    `json:"pk"`
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	}
	if err := k.api.Do(ctx, request, &answer); err != nil {
		return err
	}
	made := answer.ClientID == k.client.ClientID && secret.New(answer.ClientSecret).Equal(v)
	if r.hasObject {
		made = answer.PK == r.Secret // the value is not shown
	}
	if !made {
		return k.api.NotUnderstood(operation)
	}
	return nil
}

// explain says what the operator can do about a refusal. A token that is not taken and a right that is missing have the
// same status.
func (k *Client) explain(s *httpclient.StatusError) string {
	switch s.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Sprintf("the token in %s has expired or is not an API token, or its user lacks a permission for "+
			"client %s: to view and change the OAuth2/OpenID provider, and from release 2026.11 on to view, "+
			"change and "+
			"rotate its secret", k.settings.APIToken.SecretARN, k.client.ClientID)
	case http.StatusNotFound:
		return k.absent()
	default:
		return ""
	}
}

var codePattern = regexp.MustCompile(`^[a-z_]{1,40}$`)

// errorCode reads the code of an error answer, which not all have; the detail is in the words of the user's language.
func errorCode(body []byte) string {
	var e struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(body, &e) != nil || !codePattern.MatchString(e.Code) {
		return ""
	}
	return e.Code
}
