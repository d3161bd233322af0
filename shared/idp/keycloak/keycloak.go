// Package keycloak manages the client secret of a client at Keycloak (admin API, /admin/realms/{realm}/clients). Where
// the server has the feature client-secret-rotation and a client policy with the executor secret-rotation covers the
// client, it keeps the secret before the current one, for as long as the policy says (idp.CurrentPrevious). Without, a
// client has one secret: two clients take turns (idp.ClientPair), or logins fail for a while (idp.InPlace).
package keycloak

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

const vendor = "Keycloak"

// clockSkew is how far Keycloak's clock may be ahead.
const clockSkew = time.Minute

// Client is one client at Keycloak.
type Client struct {
	checked  idp.Checked[registration]
	seen     *registration // by Slots, until something is changed or made by it
	url      string        // of the client, once it is found
	client   idp.Client
	settings Settings
	now      func() time.Time
	api      *httpclient.API
	tokens   *clientcredentials.Tokens
}

var (
	_ idp.PreviousDropper = (*Client)(nil)
	_ idp.Setter          = (*Client)(nil)
	_ idp.ShiftReviewer   = (*Client)(nil)
	_ idp.EndedShifter    = (*Client)(nil)
	_ idp.SetReviewer     = (*Client)(nil)
	_ idp.TraitsReporter  = (*Client)(nil)
)

// New returns the client. It makes no request.
func New(raw json.RawMessage, c idp.Client, d idp.Deps) (*Client, error) {
	s, err := idp.ParseSettings(raw, (*Settings).check)
	if err != nil {
		return nil, err
	}
	k := &Client{client: c, settings: s, now: d.Now}
	issuer := s.ServerURL + idp.Path("realms", s.RotatorRealm)
	// Keycloak's JWT client authentication takes the realm's issuer as the audience, in all releases, and compares it
	// as it writes it itself: of what a realm's name may hold and idp.Path escapes, it leaves the apostrophe as it is
	audience := strings.ReplaceAll(issuer, "%27", "'")
	k.tokens = &clientcredentials.Tokens{Operation: "give the rotator an access token", URL: issuer +
		"/protocol/openid-connect/token",
		Proof: s.Proof(d.Access(), audience, true),
		API:   d.API(httpclient.API{Vendor: vendor, ErrorCode: errorCode, Explain: k.explainToken})}
	k.api = d.API(httpclient.API{Vendor: vendor, Authorize: k.tokens.Authorize, ErrorCode: errorCode,
		Explain: k.explain})
	return k, nil
}

// Capabilities implements idp.Registration.
func (k *Client) Capabilities() idp.Capabilities { return capabilities() }

// Capabilities are those of a client with these settings.
func Capabilities(raw json.RawMessage, _ idp.Client) (idp.Capabilities, error) {
	_, err := idp.ParseSettings(raw, (*Settings).check)
	return capabilities(), err
}

// capabilities: a wrong secret is 401 unauthorized_client, an unknown client 401 invalid_client, an invented code
// invalid_grant (ClientIdAndSecretAuthenticator, AuthorizationCodeGrantType).
func capabilities() idp.Capabilities {
	return idp.Capabilities{Model: idp.CurrentPrevious, MaxSecrets: 2, CanSet: true, TellsEnd: true,
		Probe: idp.ProbeSpec{
			Grant:    idp.AuthorizationCode,
			Accepted: []string{"invalid_grant"},
			Rejected: []string{"unauthorized_client"},
			Other: []idp.OtherAnswer{{Code: "invalid_client", Means: "the realm has no client with this client id, " +
				"or it is disabled"}},
		}}
}

// Check implements idp.Registration.
func (k *Client) Check(ctx context.Context) error {
	r, err := k.checked.Renew(ctx, k.find)
	if err != nil {
		return err
	}
	const advice = "load balancers need an OpenID Connect client with client authentication on, the authenticator " +
		"Client Id and Secret, and the standard flow"
	switch {
	case !r.Access.Manage || !r.Access.Configure:
		return failure.New(failure.IdPRejected, "Keycloak lets the rotator only look at client %s: %s",
			k.client.ClientID, k.roles())
	case r.Protocol != "openid-connect" || r.PublicClient || r.BearerOnly ||
		r.ClientAuthenticatorType != "client-secret":
		return failure.New(failure.Precondition,
			"Keycloak client %s does not authenticate by a plain client secret; %s", k.client.ClientID, advice)
	case !r.StandardFlowEnabled:
		return failure.New(failure.Precondition,
			"Keycloak client %s may not use the standard flow (authorization code); %s", k.client.ClientID, advice)
	case !r.Enabled:
		return failure.New(failure.Precondition,
			"Keycloak client %s is disabled; enable it, or remove the client from the rotation", k.client.ClientID)
	}
	return nil
}

// Traits implements idp.TraitsReporter.
func (k *Client) Traits(ctx context.Context) (map[string]string, error) {
	r, err := k.checked.Get(ctx, k.find)
	return r.traits, err
}

// stored is the answer to requests about a secret (CredentialRepresentation).
type stored struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Slots implements idp.PreviousKeeper. The client itself shows the current secret to whoever may manage it
// (ClientsResource.getClients), and by its attributes whether there is a rotated one. Whether Keycloak still takes that
// one, which it does not without the feature, only a request for it tells.
func (k *Client) Slots(ctx context.Context) (idp.Slots, error) {
	k.seen = nil
	r, err := k.checked.Share(ctx, k.find)
	if err != nil {
		return idp.Slots{}, err
	}
	current := r.secret
	if current.IsZero() {
		if current, err = k.current(ctx, r); err != nil {
			return idp.Slots{}, err
		}
	}
	out := idp.Slots{Readable: true, Current: current, CurrentUntil: r.Attributes.SecretEnds.time()}
	// an expired one is shown until something removes it
	if until := r.Attributes.RotatedEnds.time(); r.rotated && (until.IsZero() || until.After(k.now())) {
		if out.Previous, err = k.previous(ctx, r); err == nil && !out.Previous.IsZero() {
			out.PreviousUntil = until
			if ends := out.CurrentUntil; until.IsZero() || !ends.IsZero() && ends.Before(until) {
				out.PreviousUntil = ends // with the current one the whole client ends
			}
		}
	}
	if err == nil {
		k.seen = &r
	}
	return out, err
}

// previous is the client's rotated secret; zero if there is none.
func (k *Client) previous(ctx context.Context, r registration) (secret.Value, error) {
	const operation = "read the client's rotated secret"
	var answer stored
	err := k.do(ctx, http.MethodGet, r.rotatedURL(), operation, nil, &answer)
	if s, ok := httpclient.Status(err); ok && s.Status == http.StatusNotFound {
		return secret.Value{}, nil
	}
	if err == nil && answer.Value == "" {
		err = k.api.NotUnderstood(operation)
	}
	return secret.New(answer.Value), err
}

// current is the client's current secret.
func (k *Client) current(ctx context.Context, r registration) (secret.Value, error) {
	const operation = "read the client's secret"
	var answer stored
	if err := k.do(ctx, http.MethodGet, r.secretURL(), operation, nil, &answer); err != nil {
		return secret.Value{}, err
	}
	switch {
	case answer.Type != "secret":
		return secret.Value{}, k.api.NotUnderstood(operation)
	case answer.Value == "":
		return secret.Value{}, failure.New(failure.Precondition, "Keycloak client %s has no secret", k.client.ClientID)
	}
	return secret.New(answer.Value), nil
}

// Shift implements idp.PreviousKeeper. Whether a policy covers the client cannot be asked, and without one a new secret
// ends the old one. But each update shows it: with a policy the attribute of the secret's end stays, without Keycloak
// removes it (ClientResource.update). So the client is first updated with nothing new.
func (k *Client) Shift(ctx context.Context) (secret.Value, error) {
	r, err := k.lastSeen(ctx)
	if err != nil {
		return secret.Value{}, err
	}
	if err := k.checkCovered(r); err != nil {
		return secret.Value{}, err
	}
	if err := k.update(ctx, r, secret.Value{}); err != nil {
		return secret.Value{}, err
	}
	was := r.secret
	if r, err = k.find(ctx); err != nil {
		return secret.Value{}, err
	}
	if !was.IsZero() && !r.secret.Equal(was) { // it is the previous one now, which the next would end
		return secret.Value{}, failure.New(failure.Precondition, "Keycloak client %s got another secret at the same "+
			"time, by somebody or by its policy: store that as AWSCURRENT once the load balancers use it",
			k.client.ClientID)
	}
	if err := k.checkCovered(r); err != nil {
		return secret.Value{}, err
	}
	return k.make(ctx, r)
}

// ShiftEnded implements idp.EndedShifter. An update would replace a secret that has ended, so there is none first.
func (k *Client) ShiftEnded(ctx context.Context) (secret.Value, error) {
	r, err := k.lastSeen(ctx)
	if err != nil {
		return secret.Value{}, err
	}
	return k.make(ctx, r)
}

func (k *Client) make(ctx context.Context, r registration) (secret.Value, error) {
	const operation = "make a new secret"
	var answer stored
	if err := k.do(ctx, http.MethodPost, r.secretURL(), operation, struct{}{}, &answer); err != nil {
		return secret.Value{}, err
	}
	if answer.Value == "" {
		return secret.Value{}, k.api.NotUnderstood(operation)
	}
	return secret.New(answer.Value), nil
}

// checkCovered fails unless a policy keeps track of the client's secret, and has not ended it: an update would replace
// that.
func (k *Client) checkCovered(r registration) error {
	switch ends := r.Attributes.SecretEnds.time(); {
	case ends.IsZero():
		return failure.New(failure.Precondition, "%s", noOverlap)
	case !ends.After(k.now()):
		return failure.New(failure.Precondition, "%s", ended(ends))
	}
	return nil
}

// Set implements idp.Setter. Under a policy a value could be set, but would end when the policy says, and another be
// made.
func (k *Client) Set(ctx context.Context, v secret.Value) error {
	r, err := k.find(ctx)
	if err != nil {
		return err
	}
	if !r.Attributes.SecretEnds.time().IsZero() {
		return failure.New(failure.Precondition, "%s", policyOnSingle)
	}
	if err := k.update(ctx, r, v); err != nil {
		return err
	}
	current, err := k.current(ctx, r)
	switch {
	case err != nil: // any other kind would say that nothing happened
		return failure.Wrap(failure.Unavailable, err,
			"the client's secret was set, and whether that took effect cannot "+
				"be told")
	case !current.Equal(v): // the answer to an update is empty, so whatever stands in between may give it
		return k.api.NotUnderstood("set the client's secret")
	}
	return nil
}

// Restore implements idp.PreviousKeeper. If the current secret has ended, an update lets the policy replace it, also
// right after it was set: the value is then the rotated one, beside one that nobody knows. So it is set once more.
func (k *Client) Restore(ctx context.Context, v secret.Value) error {
	r, err := k.lastSeen(ctx)
	if err != nil {
		return err
	}
	err = k.update(ctx, r, v)
	if ends := r.Attributes.SecretEnds.time(); !ends.IsZero() && !ends.After(k.now().Add(clockSkew)) {
		s, readErr := k.Slots(ctx)
		if readErr != nil {
			return cmp.Or(err, readErr)
		}
		// whatever the answer to the first, which may have got lost
		if s.Previous.Equal(v) && s.CurrentUntil.After(ends) {
			err = k.update(ctx, *k.seen, v)
		}
	}
	if err != nil {
		return err
	}
	return withoutids.EndPrevious(ctx, k, v)
}

// update changes the client's secret; with a zero value nothing, and no attributes either: where the secret has just
// ended, that fails, instead of having the policy replace it. What Keycloak would reset if it were left out is sent as
// it was read.
func (k *Client) update(ctx context.Context, r registration, v secret.Value) error {
	body := r.keep
	operation := "update the client with nothing new"
	if !v.IsZero() {
		body.Secret, body.Attributes, operation = v.Reveal(), &struct{}{}, "set the client's secret"
	}
	return k.do(ctx, http.MethodPut, r.url, operation, body, nil)
}

// DropPrevious implements idp.PreviousDropper. If there is none, Keycloak answers the same. Of the client it needs the
// realm's own id alone, which stays what it is.
func (k *Client) DropPrevious(ctx context.Context) error {
	r := registration{url: k.url}
	if r.url == "" {
		var err error
		if r, err = k.find(ctx); err != nil {
			return err
		}
	}
	return k.do(ctx, http.MethodDelete, r.rotatedURL(), "end the rotated secret", nil, nil)
}

// lastSeen returns the client as Slots, which callers look at first, has read it; it reads it if they did not.
func (k *Client) lastSeen(ctx context.Context) (registration, error) {
	if k.seen == nil {
		return k.find(ctx)
	}
	return *k.seen, nil
}

// find reads the client. Only a realm's own id leads to it, so it is looked for by its client id.
func (k *Client) find(ctx context.Context) (registration, error) {
	const operation = "read the client"
	var list []registration
	query := url.Values{"clientId": {k.client.ClientID}}
	if err := k.do(ctx, http.MethodGet, k.realmURL()+"/clients?"+query.Encode(), operation, nil, &list); err != nil {
		return registration{}, err
	}
	if len(list) == 0 {
		return registration{}, failure.New(failure.IdPRejected, "Keycloak shows the rotator no client %s in realm "+
			"%s: correct clientId, identityProvider.clientPair or %s; or %s",
			k.client.ClientID, k.settings.Realm, idp.Setting("realm"), k.roles())
	}
	r := list[0]
	if len(list) != 1 || r.ClientID != k.client.ClientID || !idp.IsID(r.ID) {
		return registration{}, k.api.NotUnderstood(operation)
	}
	r.url = k.realmURL() + idp.Path("clients", r.ID) // mostly a UUID; an imported client may have any
	k.url = r.url
	return r, nil
}

func (k *Client) realmURL() string {
	return k.settings.ServerURL + idp.Path("admin", "realms", k.settings.Realm)
}

func (k *Client) do(ctx context.Context, method, url, operation string, body, out any) error {
	if method != http.MethodGet {
		k.seen = nil
	}
	return k.api.Do(ctx, httpclient.Request{Operation: operation, Method: method, URL: url, JSON: body}, out)
}

// roles is what to grant.
func (k *Client) roles() string {
	owner := "realm-management"
	if k.settings.RotatorRealm != k.settings.Realm {
		owner = k.settings.Realm + "-realm"
	}
	return fmt.Sprintf("give the service account of %s the roles manage-clients and view-realm of client %s, or a "+
		"permission to manage this client", k.settings.ClientID(), owner)
}

// explain says what the operator can do about a refusal of the admin API.
func (k *Client) explain(s *httpclient.StatusError) string {
	switch s.Status {
	case http.StatusUnauthorized:
		return fmt.Sprintf("the access token of %s is not taken: check %s, and that its realm is %s (%s)",
			k.settings.ClientID(), idp.Setting("serverUrl"), k.settings.RotatorRealm, idp.Setting("rotatorRealm"))
	case http.StatusForbidden:
		return k.roles()
	case http.StatusNotFound:
		return fmt.Sprintf("there is no realm %s at %s, or the client is gone; correct %s", k.settings.Realm,
			k.settings.ServerURL, idp.SettingsPath)
	default:
		return ""
	}
}

// explainToken says what the operator can do when Keycloak gives no access token.
func (k *Client) explainToken(s *httpclient.StatusError) string {
	switch {
	case s.Code == "invalid_client" || s.Code == "unauthorized_client":
		return k.tokens.Proof.Advice() + "; its client needs the service accounts roles switched on"
	case s.Status == http.StatusNotFound:
		return fmt.Sprintf("there is no realm %s at %s; correct %s or %s", k.settings.RotatorRealm,
			k.settings.ServerURL, idp.Setting("rotatorRealm"), idp.Setting("serverUrl"))
	default:
		return ""
	}
}

var codePattern = regexp.MustCompile(`^[a-z_]{1,40}$`)

// errorCode reads the code of an error answer. The admin API mostly has prose in its place, which is left out.
func errorCode(body []byte) string {
	var e struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &e) != nil || !codePattern.MatchString(e.Error) {
		return ""
	}
	return e.Error
}
