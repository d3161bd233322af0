package probe

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

// Endpoint is the token endpoint of one client, and how the client authenticates there.
type Endpoint struct {
	TokenEndpoint string
	ClientID      string
	// CallbackURL is the registered redirect URI; it goes with an invented code.
	CallbackURL string
	// AuthMethod is client_secret_basic or client_secret_post, as registered at the identity provider.
	AuthMethod string
	Spec       idp.ProbeSpec
}

// Endpoints returns the token endpoints at which the secrets of a client id are proven, the client's own first, in the
// same order for every client id. Each must accept a secret that is in use, and refuse one that is gone.
func Endpoints(c config.Client, clientID string, spec idp.ProbeSpec) (out []Endpoint) {
	for _, at := range c.TokenEndpoints() {
		out = append(out, Endpoint{TokenEndpoint: at, ClientID: clientID, CallbackURL: c.CallbackURL,
			AuthMethod: c.IdentityProvider.AuthMethod(), Spec: spec})
	}
	return out
}

// Outcome is what a token endpoint says about a secret.
type Outcome string

const (
	// Accepted: the identity provider knows the secret.
	Accepted Outcome = "accepted"
	// Rejected: the identity provider does not know the secret.
	Rejected Outcome = "rejected"
	// Inconclusive: the answer says nothing about the secret.
	Inconclusive Outcome = "inconclusive"
)

// Verdict is an Outcome and the reason for it, e.g. "HTTP 400 invalid_grant".
type Verdict struct {
	Outcome Outcome
	Reason  string
}

// Credential asks a token endpoint whether it accepts a secret. It leaves traces in the identity provider's audit log:
// a failed exchange of a code that begins with "probe-", or a token for the client itself.
type Credential struct {
	// HTTP sends the requests; its redirects are not followed and its cookies not sent.
	HTTP *http.Client
	// Rand is the source of invented codes and wrong secrets.
	Rand io.Reader
	// Now and Sleep are the clock, for waits that the endpoint asks for; nil is the machine's.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
}

// Classify asks once, and judges the answer of the endpoint's own code by the Spec. The verdict means nothing if the
// endpoint answers a wrong secret in the same way: see Calibrate. If the endpoint asks for a short wait, Classify asks
// again after it; a longer wait is in the failure, for the caller.
//
// Failures: Throttled (too many requests), Unavailable (no answer, or none of the token endpoint's), Precondition
// (address or certificate), InvalidInput.
func (c Credential) Classify(ctx context.Context, e Endpoint, value secret.Value) (Verdict, error) {
	if c.Now == nil || c.Sleep == nil {
		c.Now, c.Sleep = time.Now, httpclient.Sleep
	}
	for try := 1; ; try++ {
		v, err := c.ask(ctx, e, value)
		wait := findWait(err)
		if wait == 0 || !httpclient.Fits(ctx, wait, try) || c.Sleep(ctx, wait) != nil {
			return v, err
		}
	}
}

func (c Credential) ask(ctx context.Context, e Endpoint, value secret.Value) (Verdict, error) {
	req, err := c.request(ctx, e, value)
	if err != nil {
		return Verdict{}, err
	}
	client := *c.HTTP
	client.CheckRedirect, client.Jar = lastResponse, nil // a redirected POST would take the secret to another host
	resp, err := client.Do(req)
	host := req.URL.Host
	if err != nil {
		return Verdict{}, explainNoAnswer("token endpoint "+host, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, broken := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	a, err := readAnswer(host, resp.StatusCode, resp.Header, body, c.Now())
	switch {
	case broken != nil && findWait(err) == 0:
		return Verdict{}, explainNoAnswer("token endpoint "+host, broken)
	case err != nil:
		return Verdict{}, err
	}
	return judge(e.Spec, a), nil
}

// Calibrate asks once with a deliberately wrong secret of the same shape as like, and returns nil if it is rejected:
// only then does an accepted secret mean something. It fails with Precondition if the wrong secret is accepted, with
// Unavailable if the answer says nothing about it, else as Classify does. One calibration serves many Classify calls:
// repeated wrong secrets look like an attack.
func (c Credential) Calibrate(ctx context.Context, e Endpoint, like secret.Value) error {
	v, err := c.askControl(ctx, e, like)
	switch {
	case err != nil:
		return err
	case v.Outcome == Inconclusive:
		return failure.New(failure.Unavailable,
			"whether the token endpoint rejects a deliberately wrong secret cannot be told: %s", v.Reason)
	case v.Outcome == Accepted:
		return failure.New(failure.Precondition, "%s", provesNothing(e, v))
	}
	return nil
}

// Differential is the control of Calibrate followed by Classify; unless the wrong secret is rejected, the verdict is
// inconclusive.
func (c Credential) Differential(ctx context.Context, e Endpoint, value secret.Value) (Verdict, error) {
	v, err := c.askControl(ctx, e, value)
	switch {
	case err != nil:
		return Verdict{}, err
	case v.Outcome == Inconclusive:
		return Verdict{Outcome: Inconclusive, Reason: "a deliberately wrong secret meets " + v.Reason}, nil
	case v.Outcome == Accepted:
		return Verdict{Outcome: Inconclusive, Reason: provesNothing(e, v)}, nil
	}
	return c.Classify(ctx, e, value)
}

// askControl asks with a deliberately wrong secret of the same shape as like.
func (c Credential) askControl(ctx context.Context, e Endpoint, like secret.Value) (Verdict, error) {
	wrong, err := makeWrong(like, c.Rand)
	if err != nil {
		return Verdict{}, err
	}
	return c.Classify(ctx, e, wrong)
}

func provesNothing(e Endpoint, v Verdict) string {
	return fmt.Sprintf("a deliberately wrong secret was not rejected (%s), so the token endpoint's answers with "+
		"grant %s prove nothing about a secret", v.Reason, e.Spec.Grant)
}

// request makes a token request as the load balancer would send it, with an invented code.
func (c Credential) request(ctx context.Context, e Endpoint, value secret.Value) (*http.Request, error) {
	if value.IsZero() || e.ClientID == "" {
		return nil, failure.New(failure.InvalidInput, "a probe at the token endpoint needs a client id and a secret")
	}
	u, err := httpsURL(e.TokenEndpoint)
	if err != nil {
		return nil, failure.New(failure.InvalidInput, "the token endpoint must be an absolute https URL")
	}
	form, err := c.grant(e)
	if err != nil {
		return nil, err
	}
	switch e.AuthMethod {
	case "client_secret_basic":
	case "client_secret_post":
		form.Set("client_id", e.ClientID)
		form.Set("client_secret", value.Reveal())
	default:
		return nil, failure.New(failure.InvalidInput,
			"the token endpoint's authentication method must be client_secret_basic or client_secret_post")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, failure.New(failure.InvalidInput, "the token endpoint must be an absolute https URL")
	}
	if e.AuthMethod == "client_secret_basic" {
		// RFC 6749, section 2.3.1: both parts are form-encoded before they become HTTP Basic credentials
		req.SetBasicAuth(url.QueryEscape(e.ClientID), url.QueryEscape(value.Reveal()))
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	return req, nil
}

func (c Credential) grant(e Endpoint) (url.Values, error) {
	form := url.Values{"grant_type": {string(e.Spec.Grant)}}
	switch e.Spec.Grant {
	case idp.AuthorizationCode:
		random := make([]byte, 16)
		if _, err := io.ReadFull(c.Rand, random); err != nil {
			return nil, fmt.Errorf("inventing a code: %w", err)
		}
		form.Set("code", "probe-"+hex.EncodeToString(random))
		form.Set("redirect_uri", e.CallbackURL)
	case idp.ClientCredentials:
		switch {
		case e.Spec.Resource != "" && !strings.Contains(e.TokenEndpoint, "/v2.0/"):
			form.Set("resource", e.Spec.Resource)
		case e.Spec.Scope != "":
			form.Set("scope", e.Spec.Scope)
		}
	default:
		return nil, failure.New(failure.InvalidInput, "the identity provider's probe has no known grant")
	}
	return form, nil
}
