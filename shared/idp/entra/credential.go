package entra

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

// early is how long before its end an access token is no longer used.
const early = time.Minute

// proof makes the form field by which we prove at the token endpoint who we are.
type proof interface {
	// field is the name and the value of the field.
	field(ctx context.Context) (name string, value secret.Value, err error)
	// advice says what the operator can do when Entra ID does not take the proof.
	advice() string
}

// credential gets access tokens for Microsoft Graph by client_credentials (Microsoft identity platform docs, "OAuth 2.0
// client credentials flow").
type credential struct {
	clientID string
	tokenURL string
	scope    string
	proof    proof
	now      func() time.Time
	api      *httpclient.API

	mu    sync.Mutex
	token secret.Value
	until time.Time
}

func newCredential(s Settings, d idp.Deps) *credential {
	c := &credential{tokenURL: s.LoginURL + "/" + s.TenantID + "/oauth2/v2.0/token", scope: s.GraphURL + "/.default", now: d.Now}
	switch {
	case s.WebIdentity != nil:
		c.clientID, c.proof = s.WebIdentity.ClientID, federated{WebIdentity: *s.WebIdentity, get: d.WebIdentity}
	case s.Certificate != nil:
		c.clientID, c.proof = s.Certificate.ClientID, signed{Certificate: *s.Certificate, audience: c.tokenURL, read: d.Secret, now: d.Now}
	default:
		c.clientID, c.proof = s.ClientSecret.ClientID, stored{ClientSecret: *s.ClientSecret, read: d.Secret}
	}
	c.api = &httpclient.API{Vendor: vendor, HTTP: d.HTTP, Now: d.Now, Sleep: d.Sleep, ErrorCode: errorCode, Explain: c.explain,
		Authorize: func(_ context.Context, r *http.Request) error {
			r.Header.Set("client-request-id", newGUID())
			return nil
		}}
	return c
}

func (c *credential) authorize(ctx context.Context, r *http.Request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token.IsZero() || !c.now().Before(c.until) {
		if err := c.fetch(ctx); err != nil {
			return err
		}
	}
	r.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	return nil
}

var tokenPattern = regexp.MustCompile(`^[!-~]+$`)

// fetch gets a new access token.
func (c *credential) fetch(ctx context.Context) error {
	const operation = "give the rotator an access token"
	name, value, err := c.proof.field(ctx)
	if err != nil {
		return err
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.clientID}, "scope": {c.scope}, name: {value.Reveal()}}
	if name == "client_assertion" {
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	asked := c.now()
	if err := c.api.Do(ctx, httpclient.Request{Operation: operation, Method: http.MethodPost, URL: c.tokenURL, Form: form}, &answer); err != nil {
		return err
	}
	if !tokenPattern.MatchString(answer.AccessToken) || !strings.EqualFold(answer.TokenType, "Bearer") || answer.ExpiresIn < 0 {
		return c.api.NotUnderstood(operation)
	}
	c.token = secret.New(answer.AccessToken)
	c.until = asked.Add(time.Duration(min(answer.ExpiresIn, 86400))*time.Second - early)
	return nil
}

// explain says what the operator can do when Entra ID gives no token.
func (c *credential) explain(s *httpclient.StatusError) string {
	code, _, _ := strings.Cut(s.Code, ".")
	switch code {
	case "invalid_client":
		return c.proof.advice()
	case "unauthorized_client", "invalid_request", "invalid_grant":
		return fmt.Sprintf("check %s.tenantId, that app %s exists and is enabled there, and that no Conditional Access policy keeps it out", path, c.clientID)
	case "invalid_scope", "invalid_resource":
		return fmt.Sprintf("check that %s.graphUrl and %s.loginUrl belong to the same cloud", path, path)
	default:
		return ""
	}
}

// federated proves who we are by a token of AWS STS (Microsoft Entra docs, "Workload identity federation").
type federated struct {
	WebIdentity
	get func(ctx context.Context, audience string) (secret.Value, error)
}

func (f federated) field(ctx context.Context) (string, secret.Value, error) {
	if f.get == nil {
		return "", secret.Value{}, failure.New(failure.Internal, "this function was not given a way to get web identity tokens of AWS STS")
	}
	token, err := f.get(ctx, f.Audience)
	return "client_assertion", token, err
}

func (f federated) advice() string {
	return fmt.Sprintf("app %s needs a federated credential with the AWS account's issuer, the ARN of the function's role as subject, and the audience %s", f.ClientID, f.Audience)
}

// stored is a client secret from Secrets Manager. It is read for each access token, so that one replaced meanwhile
// counts at once.
type stored struct {
	ClientSecret
	read func(ctx context.Context, arn string) (secret.Value, error)
}

func (s stored) field(ctx context.Context) (string, secret.Value, error) {
	v, err := s.read(ctx, s.SecretARN)
	if err != nil {
		return "", secret.Value{}, fmt.Errorf("reading the client secret of the rotator's own app registration: %w", err)
	}
	text := strings.TrimSpace(v.Reveal())
	if !tokenPattern.MatchString(text) {
		return "", secret.Value{}, failure.New(failure.Precondition, "the secret %s does not hold a client secret, and nothing else, in plain text", s.SecretARN)
	}
	return "client_secret", secret.New(text), nil
}

func (s stored) advice() string {
	return fmt.Sprintf("the client secret in %s is not one of app %s, or has expired: store a valid one", s.SecretARN, s.ClientID)
}
