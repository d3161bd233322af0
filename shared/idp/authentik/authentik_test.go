package authentik_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/authentik"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/secret"
)

const (
	first, second = "orders-web", "orders-web-second"
	tokenARN      = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:authentik-AbCdEf"
	object        = "5d2f1f8e-5f0b-4a58-9a1c-0d6a7f4f7b11"
	withToken     = `"apiToken": {"secretArn": "` + tokenARN + `"}`
)

// registered is the documented shape (API schema 2026.8, OAuth2Provider), shortened, and with neither form of secret.
const registered = `{"pk": 7, "name": "Orders", "client_type": "confidential", "client_id": "` + first +
	`", "secret": null, "grant_types": ["refresh_token", "authorization_code"], "redirect_uris": [{"matching_mode":
 "strict", "url": "https://orders.example.com/oauth2/idpresponse", "redirect_uri_type": "authorization"}],
 "assigned_application_slug": "orders", "issuer_mode": "per_provider", "signing_key":
 "0b9b6a0e-3c0e-4b0e-8a55-2a4b6f4a2b11", "encryption_key": null, "sub_mode": "hashed_user_id", "logout_uri": ""}`

// with is that client with a secret of its own in either form.
func with(secretIs string) string { return strings.Replace(registered, `"secret": null`, secretIs, 1) }

func answer(client string) string { return `{"pagination": {"count": 1}, "results": [` + client + `]}` }

var (
	old   = with(`"client_secret": "canary"`)
	newer = with(`"secret": "` + object + `"`)

	find  = imitationtest.Exchange{Request: "GET /api/v3/providers/oauth2/?client_id=" + first, Status: 200}
	users = imitationtest.Exchange{Request: "GET /api/v3/secrets/secrets/" + object + "/used_by/", Status: 200,
		Answer: `[{"app": "authentik_providers_oauth2", "model_name": "oauth2provider", "pk": "7", "name": "Orders",
 "action": "none"}]`}
)

func answering(e imitationtest.Exchange, status int, body string) imitationtest.Exchange {
	e.Status, e.Answer = status, body
	return e
}

func play(t *testing.T, exchanges ...imitationtest.Exchange) *authentik.Client {
	t.Helper()
	s := imitationtest.Play(t, "Bearer the-token", exchanges...)
	c, err := authentik.New([]byte(`{"serverUrl": "`+s.URL+`/", `+withToken+`}`), idp.Client{Name: "orders-web",
		ClientID: first, CallbackURL: "https://orders.example.com/oauth2/idpresponse"}, imitationtest.Deps(t, s.Server,
		map[string]string{tokenARN: "the-token\n"},
		time.Unix(1772359200, 0)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheSecretIsSetAsDocumented(t *testing.T) {
	t.Parallel()
	for name, exchanges := range map[string][]imitationtest.Exchange{
		"up to 2026.8": {answering(find, 200, answer(old)), {Request: "PATCH /api/v3/providers/oauth2/7/",
			Body: `{"client_secret": "a-value-of-ours"}`, Status: 200,
			Answer: strings.Replace(old, "canary", "a-value-of-ours", 1)}},
		"from 2026.11 on": {answering(find, 200, answer(newer)), users, {Request: "PATCH /api/v3/secrets/secrets/" +
			object + "/", Body: `{"value": "a-value-of-ours"}`, Status: 200, Answer: `{"pk": "` + object +
			`", "name": "Orders client secret", "type": "text", "managed": null}`}},
	} {
		if err := play(t, exchanges...).Set(t.Context(), secret.New("a-value-of-ours")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAClientIsReadAndItsSecretForgotten(t *testing.T) {
	t.Parallel()
	c := play(t, answering(find, 200, answer(old)))
	if err := c.Check(t.Context()); err != nil {
		t.Error(err)
	}
	traits, err := c.Traits(t.Context())
	want := map[string]string{"client_type": "confidential", "grant_types": "authorization_code refresh_token",
		"issuer_mode": "that of application orders", "sub_mode": "hashed_user_id",
		"signing_key": "0b9b6a0e-3c0e-4b0e-8a55-2a4b6f4a2b11", "redirect_uris": "{matching_mode=strict " +
			"redirect_uri_type=authorization url=https://orders.example.com/oauth2/idpresponse}"}
	if err != nil || fmt.Sprint(traits) != fmt.Sprint(want) {
		t.Errorf("the traits are %v (%v), want %v", traits, err, want)
	}
	if r, err := c.Review(t.Context()); err != nil || r.AuthMethod != "" || len(r.Warnings) != 0 {
		t.Errorf("the review is %+v (%v)", r, err)
	}
	unsigned := strings.Replace(old, `"signing_key":
 "0b9b6a0e-3c0e-4b0e-8a55-2a4b6f4a2b11"`, `"signing_key": null`, 1)
	r, err := play(t, answering(find, 200, answer(unsigned))).Review(t.Context())
	if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "HS256") {
		t.Errorf("without a signing key the review is %+v (%v)", r, err)
	}
}

func TestCheckSaysWhyAClientCannotBeRotated(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		old, new string
		kind     failure.Kind
		says     string
	}{
		"as it is":        {"", "", "", ""},
		"a public client": {"confidential", "public", failure.Precondition, "not of type Confidential"},
		"a regular expression as redirect URI": {`"strict", "url": "https://orders.example.com/oauth2/idpresponse"`,
			`"regex", "url": "https://[a-z]+\\.example\\.com/.*"`, "", ""},
		"one that is not Go's": {`"strict", "url": "https://orders.example.com/oauth2/idpresponse"`,
			`"regex", "url": "https://(?!admin).*"`, "", ""},
		"a part of an expression": {`"strict", "url": "https://orders.example.com/oauth2/idpresponse"`,
			`"regex", "url": "https://orders|shop"`, failure.Precondition, "may not redirect to callbackUrl"},
		"another redirect URI": {"/oauth2/idpresponse", "/callback", failure.Precondition,
			"add https://orders.example.com/oauth2/idpresponse to its redirect URIs"},
		"for after a logout": {`"redirect_uri_type": "authorization"`, `"redirect_uri_type": "logout"`,
			failure.Precondition, "may not redirect to callbackUrl"},
		"a release before 2024.12": {`"redirect_uris": [{"matching_mode":
 "strict", "url": "https://orders.example.com/oauth2/idpresponse", "redirect_uri_type": "authorization"}]`,
			`"redirect_uris": "https://orders.example.com/oauth2/idpresponse"`, failure.Unavailable, "not understood"},
		"no authorization code": {`, "authorization_code"`, ``, failure.Precondition,
			"may not use the grant authorization_code"},
		"a release without grant types": {`"grant_types": ["refresh_token", "authorization_code"], `, ``, "", ""},
		"another client":                {first, second, failure.Unavailable, "not understood"},
		"no secret in any form":         {`"client_secret": "canary", `, ``, failure.Unavailable, "not understood"},
		"no secret object": {`"client_secret": "canary"`, `"secret": null`, failure.Precondition,
			"has no secret"},
		"no client": {answer(old), `{"pagination": {}, "results": []}`, failure.Precondition,
			"shows the rotator no OAuth2/OpenID provider with client id " + first},
		"something that is no answer": {`"results"`, `"result"`, failure.Unavailable, "not understood"},
	} {
		err := play(t, answering(find, 200, strings.Replace(answer(old), tt.old, tt.new, 1))).Check(t.Context())
		if (err == nil) != (tt.kind == "") || err != nil && (!failure.Is(err, tt.kind) ||
			!strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "canary")) {
			t.Errorf("%s: %v, want %s with %q", name, err, tt.kind, tt.says)
		}
	}
	err := play(t, answering(find, 200, answer(newer)), answering(users, 200, "[]")).Check(t.Context())
	if !failure.Is(err, failure.Unavailable) {
		t.Errorf("a list of users without the client: %v", err)
	}
}

func TestRefusalsAreExplained(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		answer string
		kind   failure.Kind
		says   string
	}{
		"no right": {403, `{"detail": "vendor", "code": "permission_denied"}`, failure.IdPRejected,
			"its user lacks a permission for client orders-web: to view and change"},
		"another token": {403, `{"detail": "vendor"}`, failure.IdPRejected,
			"the token in " + tokenARN + " has expired"},
		"gone": {404, `{"detail": "vendor"}`, failure.IdPRejected,
			"shows the rotator no OAuth2/OpenID provider"},
		"a value that is not taken": {400, `{"client_secret": ["vendor"]}`, failure.IdPRejected,
			"refused to set the client's secret: HTTP 400"},
		"too much":     {429, `{"detail": "vendor"}`, failure.Throttled, "HTTP 429"},
		"it starts up": {503, `{"error": "authentik starting"}`, failure.Unavailable, "HTTP 503"},
		"no echo": {200, strings.Replace(old, "canary", "vendor", 1), failure.Unavailable,
			"answer to the request to set the client's secret is not understood"},
	} {
		err := play(t, answering(find, 200, answer(old)), imitationtest.Exchange{
			Request: "PATCH /api/v3/providers/oauth2/7/", Body: `{"client_secret": "a-value-of-ours"}`,
			Status: tt.status,
			Answer: tt.answer}).Set(t.Context(), secret.New("a-value-of-ours"))
		if !failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(),
			"vendor") || strings.Contains(err.Error(), "ours") {
			t.Errorf("%s: %v, want %s with %q", name, err, tt.kind, tt.says)
		}
	}
}

func TestSettingsAreRefusedFieldByField(t *testing.T) {
	t.Parallel()
	const p = "identityProvider.settings"
	for settings, want := range map[string]string{
		`{"serverUrl": "https://sso.example.com/", ` + withToken + `}`:  "",
		`{"serverUrl": "https://example.com/login", ` + withToken + `}`: "",
		`{` + withToken + `}`:                                              p + ".serverUrl: is missing",
		`{"serverUrl": "https://sso.example.com"}`:                         p + ".apiToken.secretArn: must be the ARN",
		`{"serverUrl": "https://sso.example.com", "apiToken": "canary"}`:   p + ".apiToken",
		`{"serverUrl": "https://s.example.com/api/v3", ` + withToken + `}`: p + ".serverUrl: must be the URL before",
		`{"serverUrl": "https://s.example.com/application/o/orders/", ` + withToken + `}`: p +
			".serverUrl: must be the URL before",
	} {
		_, err := authentik.Capabilities([]byte(settings), idp.Client{})
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "canary")) {
			t.Errorf("%s: %v, want %q", settings, err, want)
		}
	}
	_, err := authentik.New([]byte(`{"serverUrl": "https://sso.example.com", `+withToken+`}`),
		idp.Client{ClientID: "a/../b"},
		idp.Deps{})
	if !failure.Is(err, failure.InvalidInput) {
		t.Errorf("a client id that would lead elsewhere: %v", err)
	}
}
