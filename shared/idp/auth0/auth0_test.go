package auth0_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/auth0"
	"alboidc.internal/shared/idp/idptest/imitation"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/secret"
)

const (
	first, second = "AbCdEfGhIjKlMnOp", "QrStUvWxYz012345"
	secretARN     = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:auth0-AbCdEf"
	adminSecret   = "secret-of-the-machine-to-machine-application"
	adminToken    = "eyJ0.access-token.0"
	withSecret    = `"clientSecret": {"clientId": "m2m", "secretArn": "` + secretARN + `"}`
)

// application is the documented shape, shortened.
const application = `{"client_id": "` + first +
	`", "app_type": "regular_web", "token_endpoint_auth_method": "client_secret_post", "callbacks":
 ["https://orders.example.com/oauth2/idpresponse", "https://shop.example.com/oauth2/idpresponse"], "grant_types": ["authorization_code", "refresh_token"],
 "client_secret": "canary", "signing_keys": [{"cert": "canary"}], "name": "Orders", "client_metadata": {"tier": "canary"}, "global": false,
 "oidc_conformant": true, "is_first_party": true, "jwt_configuration": {"alg": "RS256", "lifetime_in_seconds": 36000, "secret_encoded": false},
 "refresh_token": {"rotation_type": "non-rotating", "expiration_type": "non-expiring"}}`

// issue answers a request for an access token.
func issue(t *testing.T, w http.ResponseWriter, r *http.Request, base string) bool {
	if r.URL.Path != "/oauth/token" {
		return false
	}
	_ = r.ParseForm()
	want := url.Values{"grant_type": {"client_credentials"}, "client_id": {"m2m"}, "client_secret": {adminSecret},
		"audience": {base + "/api/v2/"}}
	if r.Method != http.MethodPost || r.PostForm.Encode() != want.Encode() {
		t.Errorf("the token request is %s %s", r.Method, r.PostForm.Encode())
	}
	imitation.WriteJSON(w, http.StatusOK, map[string]any{"access_token": adminToken, "token_type": "Bearer",
		"expires_in": 86400})
	return true
}

func newApplication(t *testing.T, s *httptest.Server, clientID string) *auth0.Application {
	t.Helper()
	a, err := auth0.New([]byte(`{"tenantUrl": "`+s.URL+`/", `+withSecret+`}`), idp.Client{Name: "orders-web",
		ClientID: clientID},
		imitationtest.Deps(t, s, map[string]string{secretARN: adminSecret + "\n"}, time.Unix(1772359200, 0)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func play(t *testing.T, exchanges ...imitationtest.Exchange) *auth0.Application {
	t.Helper()
	s := imitationtest.Play(t, "Bearer "+adminToken, exchanges...)
	s.Aside = func(w http.ResponseWriter, r *http.Request) bool { return issue(t, w, r, s.URL) }
	return newApplication(t, s.Server, first)
}

func TestTheSecretIsSetAsDocumented(t *testing.T) {
	t.Parallel()
	a := play(t, imitationtest.Exchange{Request: "PATCH /api/v2/clients/" + first,
		Body: `{"client_secret": "a-value-of-ours"}`, Status: 200,
		Answer: `{"client_id": "` + first + `", "client_secret": "a-value-of-ours"}`})
	if err := a.Set(t.Context(), secret.New("a-value-of-ours")); err != nil {
		t.Error(err)
	}
}

func TestAnApplicationIsReadAndItsSecretForgotten(t *testing.T) {
	t.Parallel()
	read := imitationtest.Exchange{Request: "GET /api/v2/clients/" + first, Status: 200, Answer: application}
	a := play(t, read)
	if err := a.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if r, err := a.Review(t.Context()); err != nil || r.AuthMethod != "client_secret_post" {
		t.Errorf("the review is %+v (%v)", r, err)
	}
	traits, err := a.Traits(t.Context())
	want := map[string]string{"app_type": "regular_web", "oidc_conformant": "true", "is_first_party": "true",
		"grant_types": "authorization_code refresh_token",
		"callbacks": "https://orders.example.com/oauth2/idpresponse " +
			"https://shop.example.com/oauth2/idpresponse",
		"jwt_configuration": "alg=RS256 lifetime_in_seconds=36000",
		"refresh_token":     "expiration_type=non-expiring rotation_type=non-rotating"}
	if err != nil || len(traits) != len(want)+1 || !strings.HasPrefix(traits["client_metadata"], "digest ") ||
		strings.Contains(fmt.Sprint(traits), "canary") {
		t.Errorf("the traits are %v (%v)", traits, err)
	}
	for k, v := range want {
		if traits[k] != v {
			t.Errorf("%s is %q, want %q", k, traits[k], v)
		}
	}
}

func TestCheckSaysWhyAnApplicationCannotBeRotated(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		old, new string
		kind     failure.Kind
		says     string
	}{
		"Basic passes":    {"client_secret_post", "client_secret_basic", "", ""},
		"a public client": {`"client_secret_post"`, `"none"`, failure.Precondition, "has no client secret"},
		"a private key": {`"app_type"`,
			`"client_authentication_methods": {"private_key_jwt": {"credentials": [{"id": "c"}]}}, "app_type"`,
			failure.Precondition, "by a private key"},
		"another application": {first, second, failure.Precondition, "another application than " + first},
		"no authorization code": {`"authorization_code", `, ``, failure.Precondition,
			"may not use the grant authorization_code"},
		"something that is no answer": {`"client_id"`, `"id"`, failure.Unavailable, "not understood"},
	} {
		a := play(t, imitationtest.Exchange{Request: "GET /api/v2/clients/" + first, Status: 200,
			Answer: strings.Replace(application, tt.old, tt.new, 1)})
		err := a.Check(t.Context())
		if (err == nil) != (tt.kind == "") || err != nil && (!failure.Is(err, tt.kind) ||
			!strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v, want %s with %q", name, err, tt.kind, tt.says)
		}
	}
}

func TestRefusalsAreExplained(t *testing.T) {
	t.Parallel()
	apiError := func(status int, code string) string {
		b, _ := json.Marshal(map[string]any{"statusCode": status, "error": "Vendor", "message": "vendor",
			"errorCode": code})
		return string(b)
	}
	for name, tt := range map[string]struct {
		status int
		answer string
		kind   failure.Kind
		says   string
	}{
		"no scope": {403, apiError(403, "insufficient_scope"), failure.IdPRejected,
			"the scopes read:clients, update:clients and update:client_keys of the Management API: HTTP 403 " +
				"insufficient_scope"},
		"a custom domain": {401, apiError(401, ""), failure.IdPRejected, "not a custom one: HTTP 401"},
		"no application": {404, apiError(404, "inexistent_client"), failure.IdPRejected,
			"there is no application with client id " + first},
		"too much":  {429, apiError(429, "too_many_requests"), failure.Throttled, "HTTP 429 too_many_requests"},
		"an outage": {503, "<html>vendor", failure.Unavailable, "HTTP 503"},
	} {
		err := play(t, imitationtest.Exchange{Request: "PATCH /api/v2/clients/" + first,
			Body: `{"client_secret": "a-value-of-ours"}`, Status: tt.status, Answer: tt.answer}).
			Set(t.Context(), secret.New("a-value-of-ours"))
		if !failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(),
			"vendor") || strings.Contains(err.Error(), "ours") {
			t.Errorf("%s: %v, want %s with %q", name, err, tt.kind, tt.says)
		}
	}
	s := imitationtest.Play(t, "")
	s.Aside = func(w http.ResponseWriter, r *http.Request) bool {
		imitation.WriteJSON(w, http.StatusUnauthorized, map[string]any{"error": "access_denied",
			"error_description": "vendor"})
		return true
	}
	err := newApplication(t, s.Server, first).Check(t.Context())
	if !failure.Is(err, failure.IdPRejected) || !strings.Contains(err.Error(),
		"authorize it for the Auth0 Management API: HTTP 401 access_denied") {
		t.Errorf("no token: %v", err)
	}
}

func TestSettingsAreRefusedFieldByField(t *testing.T) {
	t.Parallel()
	const p = "identityProvider.settings"
	for settings, want := range map[string]string{
		`{"tenantUrl": "https://example.eu.auth0.com", ` + withSecret + `}`: "",
		`{` + withSecret + `}`: p + ".tenantUrl: is missing",
		`{"tenantUrl": "https://example.eu.auth0.com/api/v2", ` + withSecret + `}`: p +
			".tenantUrl: must be the tenant's own domain",
		`{"tenantUrl": "https://example.eu.auth0.com"}`: p +
			": needs exactly one of clientSecret and privateKey",
		`{"tenantUrl": "https://example.eu.auth0.com", "token": "canary"}`: p +
			".token: is not known; allowed here: clientSecret, privateKey, tenantUrl",
	} {
		_, err := auth0.Capabilities([]byte(settings), idp.Client{})
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "canary")) {
			t.Errorf("%s: %v, want %q", settings, err, want)
		}
	}
	_, err := auth0.New([]byte(`{"tenantUrl": "https://example.eu.auth0.com", `+withSecret+`}`),
		idp.Client{ClientID: "../x"}, idp.Deps{})
	if !failure.Is(err, failure.InvalidInput) || !strings.Contains(err.Error(),
		"clientId, identityProvider.clientPair: must be") {
		t.Errorf("a client id with a path: %v", err)
	}
}
