package okta_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/facetest"
	"alboidc.internal/shared/secret"
)

const (
	appPath     = "/api/v1/apps/0oaApp"
	secretsPath = appPath + "/credentials/secrets"
	ownValue    = "own-value-made-by-the-rotator-0123456789abcdef"
)

var listed = facetest.Exchange{Request: "GET " + secretsPath, Status: 200, Answer: `[
 {"id": "ocs1", "status": "ACTIVE", "secret_hash": "0f3kQw8tRz1uYb6nMx2vLA", "created": "2026-03-01T10:00:00.000Z", "lastUpdated": "2026-03-01T10:00:00.000Z",
  "_links": {"deactivate": {"href": "https://example.okta.com/x", "hints": {"allow": ["POST"]}}}},
 {"id": "ocs2", "status": "INACTIVE", "secret_hash": "Zf3kQw8tRz1uYb6nMx2vLA", "created": "2026-04-01T10:00:00.000Z", "lastUpdated": "2026-04-02T10:00:00.000Z",
  "_links": {"activate": {"href": "https://example.okta.com/y"}, "delete": {"href": "https://example.okta.com/z"}}}]`}

// apiError is the documented shape of an error; its texts must not come through.
func apiError(code string) string {
	return `{"errorCode": "` + code + `", "errorSummary": "text of the vendor", "errorLink": "` + code +
		`", "errorId": "oaeEXAMPLE", "errorCauses": [{"errorSummary": "cause by the vendor"}]}`
}

const apiToken = "00exampleTokenOfTheAdmin"

// play expects requests with the API token.
func play(t *testing.T, exchanges ...facetest.Exchange) *facetest.Script {
	t.Helper()
	return facetest.Play(t, "SSWS "+apiToken, exchanges...)
}

func provider(t *testing.T, s *facetest.Script) disabler {
	t.Helper()
	d := facetest.Deps(t, s.Server, map[string]string{tokenARN: apiToken + "\n"}, time.Unix(1772359200, 0))
	return newProvider(t, s.URL, withToken, d).(disabler)
}

type disabler interface {
	idp.Provider
	idp.Disabler
}

func TestListReadsIDsStatesAndDates(t *testing.T) {
	t.Parallel()
	got, err := provider(t, play(t, listed)).List(t.Context())
	want := []idp.Secret{
		{ID: "ocs1", Status: idp.Active, Created: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)},
		{ID: "ocs2", Status: idp.Disabled, Created: time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("List is %+v, %v; want %+v", got, err, want)
	}
}

func TestCreateSendsTheCallersValue(t *testing.T) {
	t.Parallel()
	s := play(t, facetest.Exchange{Request: "POST " + secretsPath, Body: `{"client_secret": "` + ownValue + `", "status": "ACTIVE"}`, Status: 201,
		Answer: `{"id": "ocs3", "status": "ACTIVE", "client_secret": "` + ownValue + `", "secret_hash": "x", "created": "2026-03-01T10:00:00.000Z"}`})
	made, err := provider(t, s).Create(t.Context(), idp.CreateRequest{Value: secret.New(ownValue), Tag: "v"})
	if err != nil || made.ID != "ocs3" || made.Value.Reveal() != ownValue {
		t.Errorf("Create is %+v, %v", made, err)
	}
}

func TestCreateReportsAnotherValueThanTheCallers(t *testing.T) {
	t.Parallel()
	s := play(t, facetest.Exchange{Request: "POST " + secretsPath, Body: `{"client_secret": "` + ownValue + `", "status": "ACTIVE"}`, Status: 201,
		Answer: `{"id": "ocs3", "status": "ACTIVE", "client_secret": "value-of-the-vendor"}`})
	made, err := provider(t, s).Create(t.Context(), idp.CreateRequest{Value: secret.New(ownValue)})
	if err != nil || made.Value.Reveal() != "value-of-the-vendor" {
		t.Errorf("Create is %+v, %v; want the value that is valid", made, err)
	}
}

func TestCreateWithoutAValueAsksNobody(t *testing.T) {
	t.Parallel()
	if _, err := provider(t, play(t)).Create(t.Context(), idp.CreateRequest{Tag: "v"}); !failure.Is(err, failure.Internal) {
		t.Errorf("Create without a value: %v", err)
	}
}

func TestChangesOfASecret(t *testing.T) {
	t.Parallel()
	deactivate := facetest.Exchange{Request: "POST " + secretsPath + "/ocs1/lifecycle/deactivate", Status: 200, Answer: `{"id": "ocs1", "status": "INACTIVE"}`}
	activate := facetest.Exchange{Request: "POST " + secretsPath + "/ocs2/lifecycle/activate", Status: 200, Answer: `{"id": "ocs2", "status": "ACTIVE"}`}
	remove := func(id string) facetest.Exchange {
		return facetest.Exchange{Request: "DELETE " + secretsPath + "/" + id, Status: 204}
	}
	failing := func(e facetest.Exchange, status int, code string) facetest.Exchange {
		e.Status, e.Answer = status, apiError(code)
		return e
	}
	tests := []struct {
		name string
		call func(disabler, context.Context) error
		play []facetest.Exchange
		kind failure.Kind // "" is success
		says string
	}{
		{"an active secret is deactivated before it is deleted",
			func(p disabler, ctx context.Context) error { return p.Remove(ctx, "ocs1") },
			[]facetest.Exchange{listed, deactivate, remove("ocs1")}, "", ""},
		{"an inactive secret is deleted at once",
			func(p disabler, ctx context.Context) error { return p.Remove(ctx, "ocs2") },
			[]facetest.Exchange{listed, remove("ocs2")}, "", ""},
		{"a secret that is not listed counts as removed",
			func(p disabler, ctx context.Context) error { return p.Remove(ctx, "ocs9") },
			[]facetest.Exchange{listed}, "", ""},
		{"a secret that vanishes before the delete counts as removed",
			func(p disabler, ctx context.Context) error { return p.Remove(ctx, "ocs2") },
			[]facetest.Exchange{listed, failing(remove("ocs2"), 404, "E0000007")}, "", ""},
		{"a secret that vanishes before the deactivation counts as removed",
			func(p disabler, ctx context.Context) error { return p.Remove(ctx, "ocs1") },
			[]facetest.Exchange{listed, failing(deactivate, 404, "E0000007")}, "", ""},
		{"a 404 that is not Okta's is no removal",
			func(p disabler, ctx context.Context) error { return p.Remove(ctx, "ocs2") },
			[]facetest.Exchange{listed, {Request: remove("ocs2").Request, Status: 404, Answer: "<html>not here"}}, failure.IdPRejected, "orgUrl"},
		{"an app that is not there is no removal",
			func(p disabler, ctx context.Context) error { return p.Remove(ctx, "ocs1") },
			[]facetest.Exchange{failing(listed, 404, "E0000007")}, failure.IdPRejected, "there is no app 0oaApp"},
		{"the only active secret cannot be removed",
			func(p disabler, ctx context.Context) error { return p.Remove(ctx, "ocs1") },
			[]facetest.Exchange{listed, failing(deactivate, 400, "E0000001")}, failure.Precondition, "only active secret"},
		{"a secret that somebody activates meanwhile is not deleted",
			func(p disabler, ctx context.Context) error { return p.Remove(ctx, "ocs2") },
			[]facetest.Exchange{listed, failing(remove("ocs2"), 400, "E0000001")}, failure.Precondition, "somebody activated it"},
		{"the only active secret cannot be disabled",
			func(p disabler, ctx context.Context) error { return p.Disable(ctx, "ocs1") },
			[]facetest.Exchange{listed, failing(deactivate, 400, "E0000001")}, failure.Precondition, "only active secret"},
		{"a disabled secret is not disabled again",
			func(p disabler, ctx context.Context) error { return p.Disable(ctx, "ocs2") },
			[]facetest.Exchange{listed}, "", ""},
		{"a secret that vanishes cannot be disabled",
			func(p disabler, ctx context.Context) error { return p.Disable(ctx, "ocs1") },
			[]facetest.Exchange{listed, failing(deactivate, 404, "E0000007")}, failure.Precondition, "has no secret ocs1"},
		{"a disabled secret is activated",
			func(p disabler, ctx context.Context) error { return p.Enable(ctx, "ocs2") },
			[]facetest.Exchange{listed, activate}, "", ""},
		{"an active secret is not activated again",
			func(p disabler, ctx context.Context) error { return p.Enable(ctx, "ocs1") },
			[]facetest.Exchange{listed}, "", ""},
		{"a third secret is refused in words",
			func(p disabler, ctx context.Context) error {
				_, err := p.Create(ctx, idp.CreateRequest{Value: secret.New(ownValue)})
				return err
			},
			[]facetest.Exchange{{Request: "POST " + secretsPath, Body: `{"client_secret": "` + ownValue + `", "status": "ACTIVE"}`, Status: 400, Answer: apiError("E0000001")}},
			failure.IdPRejected, "which is the limit"},
		{"a revoked token is explained",
			func(p disabler, ctx context.Context) error { return p.Remove(ctx, "ocs1") },
			[]facetest.Exchange{failing(listed, 401, "E0000011")}, failure.IdPRejected, "create a new one and store it in " + tokenARN},
		{"a secret that cannot be made now can be made later",
			func(p disabler, ctx context.Context) error {
				_, err := p.Create(ctx, idp.CreateRequest{Value: secret.New(ownValue)})
				return err
			},
			[]facetest.Exchange{{Request: "POST " + secretsPath, Body: `{"client_secret": "` + ownValue + `", "status": "ACTIVE"}`, Status: 423, Answer: apiError("E0000239")}},
			failure.Throttled, "HTTP 423 E0000239"},
		{"an organisation without the feature is told what it lacks",
			func(p disabler, ctx context.Context) error { return p.Remove(ctx, "ocs1") },
			[]facetest.Exchange{failing(listed, 401, "E0000015")}, failure.IdPRejected, "lacks the feature OAuth secrets and key management"},
		{"a server error that is not Okta's",
			func(p disabler, ctx context.Context) error { return p.Enable(ctx, "ocs2") },
			[]facetest.Exchange{listed, {Request: activate.Request, Status: 503, Answer: "<html>vendor"}}, failure.Unavailable, "HTTP 503"},
		{"a refusal with a code that is not Okta's",
			func(p disabler, ctx context.Context) error { return p.Enable(ctx, "ocs2") },
			[]facetest.Exchange{listed, failing(activate, 403, "code of the vendor")}, failure.IdPRejected, "HTTP 403"},
		{"missing rights are explained",
			func(p disabler, ctx context.Context) error { return p.Remove(ctx, "ocs2") },
			[]facetest.Exchange{listed, failing(remove("ocs2"), 403, "E0000006")}, failure.IdPRejected, "may not manage app 0oaApp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.call(provider(t, play(t, tt.play...)), t.Context())
			if tt.kind == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if !failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %s: %v; want %s with %q", failure.KindOf(err), err, tt.kind, tt.says)
			}
			for _, foreign := range []string{"vendor", ownValue, apiToken, "<html>"} {
				if strings.Contains(err.Error(), foreign) {
					t.Errorf("the error shows %q: %v", foreign, err)
				}
			}
		})
	}
}

func TestTheRegisteredAuthenticationMethodIsTold(t *testing.T) {
	t.Parallel()
	s := play(t, facetest.Exchange{Request: "GET /api/v1/apps/0oaApp", Status: 200, Answer: goodApp})
	r, err := provider(t, s).(idp.Reviewer).Review(t.Context())
	if err != nil || r.AuthMethod != "client_secret_basic" || len(r.Refusals)+len(r.Warnings) != 0 {
		t.Errorf("the review is %+v (%v)", r, err)
	}
}

func TestCheckSaysWhyAnAppCannotBeRotated(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, old, new string
		kind           failure.Kind // "" is success
		says           string
	}{
		{"a good app passes", "", "", "", ""},
		{"client_secret_post passes", "client_secret_basic", "client_secret_post", "", ""},
		{"another client id", `"client_id": "0oaClient"`, `"client_id": "0oaOther"`, failure.Precondition, "another client id"},
		{"a public key", "client_secret_basic", "private_key_jwt", failure.Precondition, "set its client authentication to client secret"},
		{"no client authentication", "client_secret_basic", "none", failure.Precondition, "plain client secret"},
		{"a signed secret", "client_secret_basic", "client_secret_jwt", failure.Precondition, "plain client secret"},
		{"a SAML app", "OPENID_CONNECT", "SAML_2_0", failure.Precondition, "not an OpenID Connect app"},
		{"an inactive app", `"status": "ACTIVE"`, `"status": "INACTIVE"`, failure.Precondition, "activate it"},
		{"something that is no app", `"id": "0oaApp"`, `"noid": "0oaApp"`, failure.Unavailable, "not understood"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer := strings.Replace(goodApp, tt.old, tt.new, 1)
			if tt.old != "" && answer == goodApp {
				t.Fatal("the case changes nothing")
			}
			err := provider(t, play(t, facetest.Exchange{Request: "GET " + appPath, Status: 200, Answer: answer})).Check(t.Context())
			if tt.kind == "" && err != nil || tt.kind != "" && (!failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("got %v; want %s with %q", err, tt.kind, tt.says)
			}
		})
	}
}

func TestAnswersThatAreNotUnderstoodAreUnavailable(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"null":              `null`,
		"an object":         `{}`,
		"no id":             `[{"status": "ACTIVE"}]`,
		"an unknown status": `[{"id": "ocs1", "status": "EXPIRED"}]`,
		"an id with a path": `[{"id": "../ocs1", "status": "ACTIVE"}]`,
		"nothing":           ``,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := provider(t, play(t, facetest.Exchange{Request: "GET " + secretsPath, Status: 200, Answer: answer})).List(t.Context())
			if !failure.Is(err, failure.Unavailable) {
				t.Errorf("List: %v, want %s", err, failure.Unavailable)
			}
		})
	}
}

func TestAThrottledListIsTriedAgainButACreateIsNot(t *testing.T) {
	t.Parallel()
	throttled := facetest.Exchange{Status: 429, Answer: apiError("E0000047"), Header: map[string]string{
		"X-Rate-Limit-Reset": "1772359202", "Date": time.Unix(1772359200, 0).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")}}
	list, create := throttled, throttled
	list.Request = "GET " + secretsPath
	create.Request, create.Body = "POST "+secretsPath, `{"client_secret": "`+ownValue+`", "status": "ACTIVE"}`
	p := provider(t, play(t, list, listed, create))
	if _, err := p.List(t.Context()); err != nil {
		t.Errorf("List: %v", err)
	}
	_, err := p.Create(t.Context(), idp.CreateRequest{Value: secret.New(ownValue)})
	if !failure.Is(err, failure.Throttled) || !strings.Contains(err.Error(), "asked to wait 3s") {
		t.Errorf("Create: %v", err)
	}
}

func TestAnUnusableTokenIsNotSent(t *testing.T) {
	t.Parallel()
	s := play(t)
	for name, tt := range map[string]struct {
		stored map[string]string
		want   failure.Kind
	}{
		"one with a space": {map[string]string{tokenARN: "two words"}, failure.Precondition},
		"an empty one":     {map[string]string{tokenARN: "\n"}, failure.Precondition},
		"one out of reach": {nil, failure.AccessDenied},
	} {
		p := newProvider(t, s.URL, withToken, facetest.Deps(t, s.Server, tt.stored, time.Unix(0, 0)))
		if _, err := p.List(t.Context()); !failure.Is(err, tt.want) || strings.Contains(err.Error(), "two words") {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// goodApp is the documented shape of an app integration, shortened.
const goodApp = `{"id": "0oaApp", "name": "oidc_client", "label": "Orders", "status": "ACTIVE", "signOnMode": "OPENID_CONNECT",
 "credentials": {"oauthClient": {"autoKeyRotation": true, "client_id": "0oaClient",
  "token_endpoint_auth_method": "client_secret_basic"}},
 "settings": {"oauthClient": {"grant_types": ["authorization_code", "refresh_token"],
  "redirect_uris": ["https://orders.example.com/oauth2/idpresponse"]}}}`
