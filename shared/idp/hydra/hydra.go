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
		key := clientcredentials.Stored{Read: d.Secret, ARN: s.APIKey.SecretARN, What: "the API key of the Ory project"}
		h.api.Authorize = func(ctx context.Context, r *http.Request) error {
			v, err := key.Text(ctx)
			if err != nil {
				return err
			}
			r.Header.Set("Authorization", "Bearer "+v.Reveal())
			return nil
		}
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
	return c, nil
}

// text is a JSON string, "" for anything else.
func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// Check implements idp.Registration.
func (h *Client) Check(ctx context.Context) error {
	c, err := h.get(ctx)
	if err != nil {
		return err
	}
	var grants []string
	_ = json.Unmarshal(c["grant_types"], &grants)
	if len(grants) == 0 { // Hydra's default (API reference, oAuth2Client)
		grants = []string{"authorization_code"}
	}
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
	}
	return nil
}

// method is the registered authentication method, "" for one that load balancers cannot use. The default is Basic
// (Hydra's API reference, oAuth2Client).
func method(c map[string]json.RawMessage) string {
	switch m := text(c["token_endpoint_auth_method"]); m {
	case "":
		return "client_secret_basic"
	case "client_secret_basic", "client_secret_post":
		return m
	}
	return ""
}

// Review implements idp.Reviewer.
func (h *Client) Review(ctx context.Context) (idp.Review, error) {
	c, err := h.get(ctx)
	return idp.Review{AuthMethod: method(c)}, err
}

// noRotation is what can be done with a Hydra that cannot rotate.
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
	var answer struct {
		Version string `json:"version"`
	}
	err := h.api.Do(ctx, httpclient.Request{Operation: "tell its version", Method: http.MethodGet,
		URL: h.settings.AdminURL + "/version"}, &answer)
	if _, answered := httpclient.Status(err); err != nil && !answered {
		return out, err
	}
	switch old, known := tooOld(answer.Version); {
	case err != nil || !known: // the Ory Network, or a build of somebody's own
		out.Warnings = append(out.Warnings,
			"whether this Hydra can rotate secrets is only known by doing it; if it cannot, nothing is changed")
	case old:
		out.Refusals = append(out.Refusals, noRotation)
	}
	return out, nil
}

var versionPattern = regexp.MustCompile(`^v(\d{1,4})\.(\d{1,4})\.(\d{1,4})`)

// tooOld tells whether a release cannot rotate: v26.2.0 is the last that certainly cannot (Hydra's repository: the
// commit that brought it is of July 2026). known is false for a text that is no release, or one of which it is not
// certain.
func tooOld(version string) (old, known bool) {
	m := versionPattern.FindStringSubmatch(version)
	if m == nil {
		return false, false
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1])
	}
	last := []int{26, 2, 0}
	switch {
	case slices.Compare(n[:], last) <= 0:
		return true, true
	case slices.Equal(n[:2], last[:2]): // a patch of the same release: not known
		return false, false
	}
	return false, true
}

// alike are the settings in which two clients of a pair must be the same.
var alike = []string{"redirect_uris", "grant_types", "response_types", "scope", "audience", "subject_type",
	"skip_consent", "access_token_strategy",
	"authorization_code_grant_access_token_lifespan", "authorization_code_grant_id_token_lifespan",
	"authorization_code_grant_refresh_token_lifespan",
	"refresh_token_grant_access_token_lifespan", "refresh_token_grant_id_token_lifespan",
	"refresh_token_grant_refresh_token_lifespan",
	"id_token_signed_response_alg", "userinfo_signed_response_alg", "sector_identifier_uri", "metadata"}

// Traits implements idp.TraitsReporter.
func (h *Client) Traits(ctx context.Context) (map[string]string, error) {
	c, err := h.get(ctx)
	return withoutids.PickTraits(c, alike...), err
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
