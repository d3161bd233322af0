// Package hydra manages the client secret of an OAuth 2.0 client at Ory Hydra or the Ory Network (admin API,
// /admin/clients/{id}). A rotation keeps up to five earlier secrets accepted, until the secret is set, which ends all
// others; none is ever shown. Releases up to v26.2.0 cannot rotate: there a client has one secret that can be set.
package hydra

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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

const vendor = "Ory Hydra"

// Client is one OAuth 2.0 client at Hydra.
type Client struct {
	checked  idp.Checked[map[string]json.RawMessage]
	client   idp.Client
	settings Settings
	api      *httpclient.API
}

var (
	_ idp.PreviousKeeper = (*Client)(nil)
	_ idp.Setter         = (*Client)(nil)
	_ idp.Reviewer       = (*Client)(nil)
	_ idp.ShiftReviewer  = (*Client)(nil)
	_ idp.TraitsReporter = (*Client)(nil)
)

// New returns the OAuth 2.0 client. It makes no request.
func New(raw json.RawMessage, c idp.Client, d idp.Deps) (*Client, error) {
	s, err := idp.ParseSettings(raw, (*Settings).check)
	if err != nil {
		return nil, err
	}
	if !idp.IsID(c.ClientID) {
		return nil, failure.New(failure.InvalidInput,
			"clientId, identityProvider.clientPair: must be the id of a client at Hydra")
	}
	h := &Client{client: c, settings: s}
	h.api = d.API(httpclient.API{Vendor: vendor, ErrorCode: errorCode, Transient: transient, Explain: h.explain})
	if s.APIKey != nil {
		h.api.Authorize = clientcredentials.Stored{Read: d.Secret, ARN: s.APIKey.SecretARN,
			What: "the API key of the Ory project"}.Authorize
	}
	return h, nil
}

// Capabilities implements idp.Registration.
func (h *Client) Capabilities() idp.Capabilities { return capabilities() }

// Capabilities are those of a client with these settings.
func Capabilities(raw json.RawMessage, _ idp.Client) (idp.Capabilities, error) {
	_, err := idp.ParseSettings(raw, (*Settings).check)
	return capabilities(), err
}

// capabilities: the token endpoint authenticates the client, strictly by its registered method, before it looks at the
// grant: a wrong secret is invalid_client, an invented code invalid_grant. unauthorized_client is one that was
// authenticated.
func capabilities() idp.Capabilities {
	return idp.Capabilities{Model: idp.CurrentPrevious, CanSet: true, Probe: idp.ProbeSpec{
		Grant:    idp.AuthorizationCode,
		Accepted: []string{"invalid_grant", "unauthorized_client"},
		Rejected: []string{"invalid_client"},
		Other: []idp.OtherAnswer{{Code: "invalid_client", Text: ", but method ",
			Means: "the client is registered with another token_endpoint_auth_method than " +
				"identityProvider.tokenEndpointAuthMethod says"}},
	}}
}

func (h *Client) url(below string) string {
	return h.settings.AdminURL + idp.Path("admin", "clients", h.client.ClientID) + below
}

func (h *Client) get(ctx context.Context) (map[string]json.RawMessage, error) {
	const operation = "read the client"
	var c map[string]json.RawMessage
	if err := h.api.Do(ctx, httpclient.Request{Operation: operation, Method: http.MethodGet, URL: h.url("")},
		&c); err != nil {
		return nil, err
	}
	if text(c["client_id"]) == "" {
		return nil, h.api.NotUnderstood(operation)
	}
	for name, value := range byDefault {
		if !withoutids.IsSet(c[name]) {
			c[name] = json.RawMessage(value)
		}
	}
	return c, nil
}

// byDefault is what an empty setting means (API reference, oAuth2Client; seen on v2.3.0).
var byDefault = map[string]string{"grant_types": `["authorization_code"]`, "response_types": `["code"]`,
	"token_endpoint_auth_method": `"client_secret_basic"`, "userinfo_signed_response_alg": `"none"`}

// text is a JSON string, "" for anything else.
func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// Check implements idp.Registration.
func (h *Client) Check(ctx context.Context) error {
	c, err := h.checked.Renew(ctx, h.get)
	if err != nil {
		return err
	}
	var grants []string
	_ = json.Unmarshal(c["grant_types"], &grants)
	switch {
	case text(c["client_id"]) != h.client.ClientID:
		return failure.New(failure.Precondition, "Hydra answered with another client than %s", h.client.ClientID)
	case method(c) == "":
		return failure.New(failure.Precondition,
			"Hydra client %s does not authenticate by a plain client secret, which is all that load balancers can do; "+
				"set its token_endpoint_auth_method to client_secret_basic or client_secret_post", h.client.ClientID)
	case !slices.Contains(grants, "authorization_code"):
		return failure.New(failure.Precondition,
			"Hydra client %s may not use the grant authorization_code, by which load balancers log users in",
			h.client.ClientID)
	case withoutids.IsSet(c["jwks_uri"]):
		return h.checkTakesChanges(ctx)
	}
	return nil
}

// checkTakesChanges fails at a Hydra that refuses every change of a client with jwks_uri, as releases up to v2.3.0 do
// (ory/hydra issue 3935, fixed after it): its secret could not be set, and a new one not be taken away again.
func (h *Client) checkTakesChanges(ctx context.Context) error {
	n, known, err := h.release(ctx)
	if err == nil && known && slices.Compare(n, []int{2, 3, 0}) <= 0 {
		err = failure.New(failure.Precondition, "Hydra client %s has a jwks_uri, and releases up to v2.3.0 refuse "+
			"every change of such a client: update Hydra to v25.4.0 or later, or remove jwks_uri, which load "+
			"balancers do not need", h.client.ClientID)
	}
	return err
}

// method is the registered authentication method, "" for one that load balancers cannot use.
func method(c map[string]json.RawMessage) string {
	switch m := text(c["token_endpoint_auth_method"]); m {
	case "client_secret_basic", "client_secret_post":
		return m
	}
	return ""
}

// Review implements idp.Reviewer.
func (h *Client) Review(ctx context.Context) (idp.Review, error) {
	c, err := h.checked.Get(ctx, h.get)
	return idp.Review{AuthMethod: method(c)}, err
}

// noRotation is what can be done with a Hydra that cannot rotate. v26.2.0 is the last that certainly cannot (Hydra's
// repository: the commit that brought it is of July 2026).
const noRotation = "this Hydra cannot keep an old secret beside a new one: use a release after v26.2.0, or a second " +
	"client like the first named in identityProvider.clientPair, or accept failing logins by " +
	"identityProvider.allowInterruption"

// ReviewShift implements idp.ShiftReviewer.
func (h *Client) ReviewShift(ctx context.Context) (idp.Review, error) {
	var out idp.Review
	if !h.settings.RemoveAllPrevious {
		out.Refusals = append(out.Refusals, idp.Setting("removeAllPrevious")+": must be true: Hydra ends all earlier "+
			"secrets of a client together, so those that somebody else still uses end with a rotation too")
	}
	n, known, err := h.release(ctx)
	last := []int{26, 2, 0}
	switch {
	case err != nil:
		return out, err
	case known && slices.Compare(n, last) <= 0:
		out.Refusals = append(out.Refusals, noRotation)
	case !known || slices.Equal(n[:2], last[:2]): // a patch of the same release may have it
		out.Warnings = append(out.Warnings,
			"whether this Hydra can rotate secrets is only known by doing it; if it cannot, nothing is changed")
	}
	return out, nil
}

var versionPattern = regexp.MustCompile(`^v(\d{1,4})\.(\d{1,4})\.(\d{1,4})`)

// release is the release that Hydra says it is, in three numbers; not known at the Ory Network, and with a build of
// somebody's own.
func (h *Client) release(ctx context.Context) (n []int, known bool, err error) {
	var answer struct {
		Version string `json:"version"`
	}
	err = h.api.Do(ctx, httpclient.Request{Operation: "tell its version", Method: http.MethodGet,
		URL: h.settings.AdminURL + "/version"}, &answer)
	if _, answered := httpclient.Status(err); err != nil && !answered {
		return nil, false, err
	}
	m := versionPattern.FindStringSubmatch(answer.Version)
	if m == nil {
		return nil, false, nil
	}
	for _, digits := range m[1:] {
		x, _ := strconv.Atoi(digits)
		n = append(n, x)
	}
	return n, true, nil
}

// Of a pair, these may differ: who a client is, how it presents itself to people, and what Hydra notes. How it
// authenticates, Review tells.
var differ = strings.Fields("client_id client_name client_secret client_secret_expires_at client_uri contacts " +
	"created_at logo_uri owner policy_uri registration_access_token registration_client_uri tos_uri updated_at " +
	"token_endpoint_auth_method")

// shown are the others of Hydra's API reference (oAuth2Client), but for what may hold anything.
var shown = strings.Fields("access_token_strategy allowed_cors_origins audience " +
	"authorization_code_grant_access_token_lifespan authorization_code_grant_id_token_lifespan " +
	"authorization_code_grant_refresh_token_lifespan backchannel_logout_session_required " +
	"backchannel_logout_uri client_credentials_grant_access_token_lifespan " +
	"device_authorization_grant_access_token_lifespan device_authorization_grant_id_token_lifespan " +
	"device_authorization_grant_refresh_token_lifespan frontchannel_logout_session_required " +
	"frontchannel_logout_uri grant_types id_token_signed_response_alg implicit_grant_access_token_lifespan " +
	"implicit_grant_id_token_lifespan jwt_bearer_grant_access_token_lifespan jwks_uri " +
	"post_logout_redirect_uris redirect_uris refresh_token_grant_access_token_lifespan " +
	"refresh_token_grant_id_token_lifespan refresh_token_grant_refresh_token_lifespan " +
	"request_object_signing_alg request_uris response_types scope sector_identifier_uri skip_consent " +
	"skip_logout_consent subject_type token_endpoint_auth_signing_alg userinfo_signed_response_alg")

// Traits implements idp.TraitsReporter.
func (h *Client) Traits(ctx context.Context) (map[string]string, error) {
	c, err := h.checked.Get(ctx, h.get)
	return withoutids.Traits(c, differ, shown), err
}

// Slots implements idp.PreviousKeeper: Hydra shows no secrets.
func (h *Client) Slots(context.Context) (idp.Slots, error) { return idp.Slots{}, nil }

// Shift implements idp.PreviousKeeper.
func (h *Client) Shift(ctx context.Context) (secret.Value, error) {
	const operation = "rotate the secret"
	var answer struct {
		ClientID string `json:"client_id"`
		Secret   string `json:"client_secret"`
	}
	err := h.api.Do(ctx, httpclient.Request{Operation: operation, Method: http.MethodPost,
		URL: h.url("/secrets/rotate")}, &answer)
	if s, ok := httpclient.Status(err); ok && s.Status == http.StatusNotFound {
		// if the client is there, it is the path that is not
		if _, err = h.get(ctx); err == nil {
			err = failure.Wrap(failure.Precondition, s, "%s", noRotation)
		}
	}
	if err != nil {
		return secret.Value{}, err
	}
	if answer.ClientID != h.client.ClientID || answer.Secret == "" {
		return secret.Value{}, h.api.NotUnderstood(operation)
	}
	return secret.New(answer.Secret), nil
}

// patch is a JSON Patch (RFC 6902).
type patch struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value string `json:"value"`
}

// Set implements idp.Setter. It ends all earlier secrets.
func (h *Client) Set(ctx context.Context, v secret.Value) error {
	const operation = "set the secret"
	var answer struct {
		ClientID string `json:"client_id"`
	}
	err := h.api.Do(ctx, httpclient.Request{Operation: operation, Method: http.MethodPatch, URL: h.url(""),
		JSON: []patch{{Op: "replace", Path: "/client_secret", Value: v.Reveal()}}}, &answer)
	if err == nil && answer.ClientID != h.client.ClientID {
		err = h.api.NotUnderstood(operation)
	}
	return err
}

// Restore implements idp.PreviousKeeper.
func (h *Client) Restore(ctx context.Context, v secret.Value) error { return h.Set(ctx, v) }

// explain says what the operator can do about a refusal of the admin API.
func (h *Client) explain(s *httpclient.StatusError) string {
	switch s.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Sprintf("the admin API wants another credential: an API key of the Ory project in %s, or whatever "+
			"protects a Hydra of your own", idp.Setting("apiKey"))
	case http.StatusNotFound:
		return fmt.Sprintf("there is no client %s at %s; correct clientId, identityProvider.clientPair or %s",
			h.client.ClientID, h.settings.AdminURL, idp.Setting("adminUrl"))
	default:
		return ""
	}
}

var codePattern = regexp.MustCompile(`^[a-z_]{1,40}$`)

// codeConcurrent stands for Hydra's answer 400 to a change whose transaction the database undid because of another at
// the same time, which has a text only.
const codeConcurrent = "concurrent_update"

// transient implements httpclient.API.
func transient(code string) failure.Kind {
	if code == codeConcurrent {
		return failure.Throttled
	}
	return ""
}

// errorCode reads the code of an error answer: a text at Hydra, an object at the Ory Network's gateway.
func errorCode(body []byte) string {
	var e struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	if bytes.Contains(body, []byte("Unable to serialize access")) {
		return codeConcurrent
	}
	code := text(e.Error)
	if code == "" {
		var o struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(e.Error, &o)
		code = o.ID
	}
	if !codePattern.MatchString(code) {
		return ""
	}
	return code
}
