// Package pingone manages the client secret of an application at PingOne (Platform API,
// /v1/environments/{envID}/applications/{appID}/secret). An application has a current secret and, for 30 days at most,
// a previous one; PingOne makes the values, and tells when the previous one was used last.
package pingone

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

const vendor = "PingOne"

// A previous secret lives until the time that the request names, 720 hours from then at most (PingOne Platform API,
// "Update Application Secret"; pingcli reference). It is always asked for that long, less a margin for clocks: a
// rotation that is late must not lose the secret in use. The rotation ends it itself, when its grace period is over.
const (
	longest = 720*time.Hour - time.Hour
	// maxGrace leaves a day for what a rotation does besides.
	maxGrace = 29 * 24 * time.Hour
)

// Application is one application at PingOne.
type Application struct {
	checked  idp.Checked[application]
	client   idp.Client
	settings Settings
	now      func() time.Time
	api      *httpclient.API
	tokens   *clientcredentials.Tokens
}

var (
	_ idp.PreviousDropper = (*Application)(nil)
	_ idp.Reviewer        = (*Application)(nil)
)

// New returns the application of a client. It makes no request.
func New(raw json.RawMessage, c idp.Client, d idp.Deps) (*Application, error) {
	s, err := idp.ParseSettings(raw, (*Settings).check)
	if err != nil {
		return nil, err
	}
	if !guidPattern.MatchString(c.ClientID) {
		return nil, failure.New(failure.InvalidInput,
			"clientId: must be the id of an application at PingOne, a UUID: it is the client id too")
	}
	a := &Application{client: c, settings: s, now: d.Now}
	// PingOne docs, "Create a private key JWT": the token endpoint is a valid audience
	tokenURL := s.AuthURL + "/" + s.EnvironmentID + "/as/token"
	a.tokens = &clientcredentials.Tokens{Operation: "give the rotator an access token", URL: tokenURL,
		Proof: s.Proof(d.Access(), tokenURL, true),
		API:   d.API(httpclient.API{Vendor: vendor, ErrorCode: errorCode, Explain: a.explainToken})}
	a.api = d.API(httpclient.API{Vendor: vendor, Authorize: a.tokens.Authorize, ErrorCode: errorCode,
		Transient: transient, Explain: a.explain})
	return a, nil
}

// Capabilities implements idp.Registration.
func (a *Application) Capabilities() idp.Capabilities { return capabilities() }

// Capabilities are those of an application with these settings.
func Capabilities(raw json.RawMessage, _ idp.Client) (idp.Capabilities, error) {
	_, err := idp.ParseSettings(raw, (*Settings).check)
	return capabilities(), err
}

// capabilities: what the token endpoint answers is not documented beyond RFC 6749; the probe's control decides.
func capabilities() idp.Capabilities {
	return idp.Capabilities{Model: idp.CurrentPrevious, MaxSecrets: 2, TellsEnd: true, TellsUse: true, UniqueIDs: true,
		Probe: idp.ProbeSpec{
			Grant:    idp.AuthorizationCode,
			Accepted: []string{"invalid_grant"},
			Rejected: []string{"invalid_client"},
			Other: []idp.OtherAnswer{{Code: "invalid_client", Text: "Unsupported authentication method",
				Means: "the application's Token Endpoint Authentication Method is another one than " +
					"identityProvider.tokenEndpointAuthMethod says"}},
		}}
}

// application is what is read of an application (PingOne Platform API, "Applications OIDC settings data model").
type application struct {
	ID         string   `json:"id"`
	Enabled    bool     `json:"enabled"`
	Protocol   string   `json:"protocol"`
	GrantTypes []string `json:"grantTypes"`
	AuthMethod string   `json:"tokenEndpointAuthMethod"`
}

// methods are the authentication methods that load balancers can use.
var methods = map[string]string{"CLIENT_SECRET_BASIC": "client_secret_basic",
	"CLIENT_SECRET_POST": "client_secret_post"}

func (a *Application) get(ctx context.Context) (application, error) {
	const operation = "read the application"
	var app application
	if err := a.do(ctx, http.MethodGet, "", operation, nil, &app); err != nil {
		return application{}, err
	}
	if app.ID == "" {
		return application{}, a.api.NotUnderstood(operation)
	}
	return app, nil
}

// Check implements idp.Registration.
func (a *Application) Check(ctx context.Context) error {
	app, err := a.checked.Renew(ctx, a.get)
	switch {
	case err != nil:
		return err
	case app.ID != a.client.ClientID:
		return failure.New(failure.Precondition, "PingOne answered with another application than %s", a.client.ClientID)
	case app.Protocol != "OPENID_CONNECT":
		return failure.New(failure.Precondition, "PingOne application %s is not an OpenID Connect application",
			a.client.ClientID)
	case !app.Enabled:
		return failure.New(failure.Precondition,
			"PingOne application %s is disabled; enable it, or remove the client from the rotation", a.client.ClientID)
	case methods[app.AuthMethod] == "":
		return failure.New(failure.Precondition, "PingOne application %s does not authenticate by a plain client "+
			"secret, which is all that load balancers can do; set its token endpoint authentication method to Client "+
			"Secret Basic or Post", a.client.ClientID)
	case !slices.Contains(app.GrantTypes, "AUTHORIZATION_CODE"):
		return failure.New(failure.Precondition,
			"PingOne application %s may not use the grant authorization_code, by which load balancers log users in",
			a.client.ClientID)
	}
	return nil
}

// Review implements idp.Reviewer.
func (a *Application) Review(ctx context.Context) (idp.Review, error) {
	app, err := a.checked.Get(ctx, a.get)
	return idp.Review{AuthMethod: methods[app.AuthMethod], MaxGrace: maxGrace}, err
}

// stored is the answer to all requests about the secret (PingOne Platform API, "Applications secret data model").
type stored struct {
	Secret   string `json:"secret"`
	Previous *struct {
		Secret    string    `json:"secret"`
		ExpiresAt time.Time `json:"expiresAt"`
		LastUsed  time.Time `json:"lastUsed"`
	} `json:"previous"`
}

// Slots implements idp.PreviousKeeper.
func (a *Application) Slots(ctx context.Context) (idp.Slots, error) {
	const operation = "read the application's secret"
	var answer stored
	if err := a.do(ctx, http.MethodGet, "/secret", operation, nil, &answer); err != nil {
		return idp.Slots{}, err
	}
	if answer.Secret == "" {
		return idp.Slots{}, a.api.NotUnderstood(operation)
	}
	out := idp.Slots{Readable: true, Current: secret.New(answer.Secret)}
	if p := answer.Previous; p != nil && p.Secret != "" && (p.ExpiresAt.IsZero() || p.ExpiresAt.After(a.now())) {
		out.Previous, out.PreviousUntil, out.PreviousUsed = secret.New(p.Secret), p.ExpiresAt, p.LastUsed
	}
	return out, nil
}

// previous is the body of the request that makes a secret.
type previous struct {
	Previous struct {
		ExpiresAt string `json:"expiresAt"`
	} `json:"previous"`
}

// Shift implements idp.PreviousKeeper.
func (a *Application) Shift(ctx context.Context) (secret.Value, error) {
	const operation = "make a new secret"
	var body previous
	body.Previous.ExpiresAt = a.now().Add(longest).UTC().Format("2006-01-02T15:04:05.000Z")
	var answer stored
	if err := a.do(ctx, http.MethodPost, "/secret", operation, body, &answer); err != nil {
		return secret.Value{}, err
	}
	if answer.Secret == "" {
		return secret.Value{}, a.api.NotUnderstood(operation)
	}
	return secret.New(answer.Secret), nil
}

// supplied is the body of the request that sets a value.
type supplied struct {
	Secret string `json:"secret"`
}

// mediaType of a request with a value of the caller's.
const mediaType = "application/vnd.pingidentity.secret+json"

// Restore implements idp.PreviousKeeper. Setting values is documented for imported applications; whether another may is
// only known by trying. Without "previous" in the request, the one that was current ends at once.
func (a *Application) Restore(ctx context.Context, v secret.Value) error {
	const operation = "set a secret"
	err := a.api.Do(ctx, httpclient.Request{Operation: operation, Method: http.MethodPost, URL: a.url("/secret"),
		JSON: supplied{Secret: v.Reveal()}, Header: http.Header{"Content-Type": {mediaType}}}, nil)
	s, _ := httpclient.Status(err)
	// a 400 without a code of PingOne's may be anybody's
	if failure.Is(err, failure.IdPRejected) && (s.Status == http.StatusBadRequest && s.Code != "" ||
		s.Status == http.StatusUnsupportedMediaType) {
		return failure.Wrap(failure.Precondition, fmt.Errorf("%w: %w", idp.ErrKept, s),
			"PingOne takes no value from outside for application %s", a.client.ClientID)
	}
	if err != nil {
		return err
	}
	return withoutids.EndPrevious(ctx, a, v)
}

// DropPrevious implements idp.PreviousDropper.
func (a *Application) DropPrevious(ctx context.Context) error {
	err := a.do(ctx, http.MethodDelete, "/secret", "end the previous secret", nil, nil)
	if s, ok := httpclient.Status(err); ok && s.Status == http.StatusNotFound {
		// there is none, or no application: only reading tells
		if now, again := a.Slots(ctx); again == nil && now.Previous.IsZero() {
			return nil
		}
	}
	return err
}

func (a *Application) url(below string) string {
	return a.settings.APIURL + idp.Path("v1", "environments", a.settings.EnvironmentID, "applications",
		a.client.ClientID) + below
}

func (a *Application) do(ctx context.Context, method, below, operation string, body, out any) error {
	return a.api.Do(ctx, httpclient.Request{Operation: operation, Method: method, URL: a.url(below), JSON: body}, out)
}

// transient implements httpclient.API. UNEXPECTED_ERROR comes with status 400, too, and PingOne's own SDK tries it
// again (pingone-go-sdk-v2, retries).
func transient(code string) failure.Kind {
	if code, _, _ := strings.Cut(code, "."); code == "UNEXPECTED_ERROR" {
		return failure.Unavailable
	}
	return ""
}

// explain says what the operator can do about a refusal of the Platform API.
func (a *Application) explain(s *httpclient.StatusError) string {
	switch s.Status {
	case http.StatusUnauthorized:
		return fmt.Sprintf("the access token of worker application %s is not taken: check that %s and %s belong to "+
			"the same region", a.settings.ClientID(), idp.Setting("apiUrl"), idp.Setting("authUrl"))
	case http.StatusForbidden:
		return fmt.Sprintf("worker application %s needs a role with applications:read:secret, "+
			"applications:update:secret, applications:delete:secret and, for rollbacks, applications:set:secret "+
			"for environment %s, and at least the roles that the application has itself", a.settings.ClientID(),
			a.settings.EnvironmentID)
	case http.StatusNotFound:
		return fmt.Sprintf("there is no application %s in environment %s; correct clientId, %s or %s",
			a.client.ClientID, a.settings.EnvironmentID, idp.Setting("environmentId"), idp.Setting("apiUrl"))
	default:
		return ""
	}
}

// explainToken says what the operator can do when PingOne gives no access token.
func (a *Application) explainToken(s *httpclient.StatusError) string {
	switch s.Code {
	case "invalid_client", "unauthorized_client":
		return a.tokens.Proof.Advice() + "; a client secret is sent by Basic, PingOne's default for worker applications"
	default:
		return ""
	}
}

var codePattern = regexp.MustCompile(`^[A-Za-z_]{1,40}$`)

// errorCode reads the code of an error answer of the Platform API, with that of its first detail ("PingOne API error
// codes"), or of the token endpoint.
func errorCode(body []byte) string {
	var e struct {
		Code    string `json:"code"`
		Details []struct {
			Code string `json:"code"`
		} `json:"details"`
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	switch {
	case codePattern.MatchString(e.Error):
		return e.Error
	case !codePattern.MatchString(e.Code):
		return ""
	case len(e.Details) > 0 && codePattern.MatchString(e.Details[0].Code) && len(e.Code)+len(e.Details[0].Code) < 40:
		return e.Code + "." + e.Details[0].Code
	}
	return e.Code
}
