package okta

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

const (
	// scopes that the calls of this package need (Okta Management API reference, Application SSO Public Keys).
	scopes = "okta.apps.manage okta.apps.read"
	// assertionLife is short: an assertion is used at once. Okta allows an hour.
	assertionLife = 5 * time.Minute
	// early is how long before its end an access token is no longer used.
	early = time.Minute
)

// serviceApp is an OAuth service app: it gets access tokens from the organisation's own authorization server by
// client_credentials with private_key_jwt (Okta developer docs, "Implement OAuth for Okta with a service app";
// RFC 7523, section 2.2).
type serviceApp struct {
	ServiceApp
	tokenURL string
	read     func(ctx context.Context, arn string) (secret.Value, error)
	now      func() time.Time
	api      *httpclient.API

	mu    sync.Mutex
	token secret.Value
	until time.Time
}

func newServiceApp(s Settings, d idp.Deps) *serviceApp {
	a := &serviceApp{ServiceApp: *s.ServiceApp, tokenURL: s.OrgURL + "/oauth2/v1/token", read: d.Secret, now: d.Now}
	a.api = &httpclient.API{Vendor: vendor, HTTP: d.HTTP, Now: d.Now, Sleep: d.Sleep, ErrorCode: errorCode, Explain: a.explain}
	return a
}

func (a *serviceApp) authorize(ctx context.Context, r *http.Request) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token.IsZero() || !a.now().Before(a.until) {
		if err := a.fetch(ctx); err != nil {
			return err
		}
	}
	r.Header.Set("Authorization", "Bearer "+a.token.Reveal())
	return nil
}

// fetch gets a new access token.
func (a *serviceApp) fetch(ctx context.Context) error {
	const operation = "give the service app an access token"
	assertion, err := a.assertion(ctx)
	if err != nil {
		return err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	asked := a.now()
	err = a.api.Do(ctx, httpclient.Request{Operation: operation, Method: http.MethodPost, URL: a.tokenURL, Form: url.Values{
		"grant_type":            {"client_credentials"},
		"scope":                 {scopes},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion.Reveal()},
	}}, &answer)
	if s, ok := httpclient.Status(err); ok && (s.Code == "invalid_dpop_proof" || s.Code == "use_dpop_nonce") {
		return a.needsDPoP()
	}
	if err != nil {
		return err
	}
	if !tokenPattern.MatchString(answer.AccessToken) || answer.ExpiresIn < 0 {
		return a.api.NotUnderstood(operation)
	}
	if !strings.EqualFold(answer.TokenType, "Bearer") {
		return a.needsDPoP()
	}
	a.token = secret.New(answer.AccessToken)
	a.until = asked.Add(time.Duration(min(answer.ExpiresIn, 86400))*time.Second - early)
	return nil
}

// explain says what the operator can do when Okta gives no token.
func (a *serviceApp) explain(s *httpclient.StatusError) string {
	switch s.Code {
	case "invalid_client":
		return fmt.Sprintf("check that the service app %s is active, and that the public key with id %s is registered there, is active "+
			"and belongs to the private key in %s", a.ClientID, a.KeyID, a.KeySecretARN)
	case "invalid_scope":
		return fmt.Sprintf("grant the service app %s the scopes %s", a.ClientID, scopes)
	default:
		return ""
	}
}

func (a *serviceApp) needsDPoP() error {
	return failure.New(failure.Precondition, "Okta demands DPoP of the service app %s, which is not supported; "+
		"switch off \"Require Demonstrating Proof of Possession (DPoP) header in token requests\" there", a.ClientID)
}

func (a *serviceApp) unknown() string {
	return fmt.Sprintf("the access token of the service app %s is not valid any more: check that the app is active", a.ClientID)
}

func (a *serviceApp) forbidden(appID string) string {
	return fmt.Sprintf("the service app %s may not manage app %s: besides the scope okta.apps.manage it needs the Application Administrator role for it",
		a.ClientID, appID)
}

// assertion is a signed statement that we are the service app (RFC 7523, section 3).
func (a *serviceApp) assertion(ctx context.Context) (secret.Value, error) {
	stored, err := a.read(ctx, a.KeySecretARN)
	if err != nil {
		return secret.Value{}, fmt.Errorf("reading the private key of the Okta service app: %w", err)
	}
	key, err := parseKey(stored, a.KeyID)
	if err != nil {
		return secret.Value{}, failure.Wrap(failure.Precondition, err, "the secret %s is not usable as the private key of the Okta service app", a.KeySecretARN)
	}
	now := a.now()
	signed, err := signJWT(key, a.KeyID, map[string]any{
		"iss": a.ClientID,
		"sub": a.ClientID,
		"aud": a.tokenURL,
		"iat": now.Unix(),
		"exp": now.Add(assertionLife).Unix(),
		"jti": rand.Text(),
	})
	if err != nil {
		return secret.Value{}, failure.New(failure.Internal, "the request for an Okta access token cannot be signed")
	}
	return secret.New(signed), nil
}

// signJWT makes a JWS in compact form, signed by RS256 (RFC 7515, section 3.1; RFC 7518, section 3.3).
func signJWT(key *rsa.PrivateKey, keyID string, claims map[string]any) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "RS256", "kid": keyID, "typ": "JWT"})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signing := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	digest := sha256.Sum256([]byte(signing))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		return "", err
	}
	return signing + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
