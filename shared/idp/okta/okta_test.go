package okta_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/secret"
)

const (
	appPath     = "/api/v1/apps/0oaApp"
	secretsPath = appPath + "/credentials/secrets"
	ownValue    = "own-value-made-by-the-rotator-0123456789abcdef"
	createBody  = `{"client_secret": "` + ownValue + `", "status": "ACTIVE"}`
)

// listed is the documented shape of the answer with an app's secrets; one shows its value, as was seen.
const listed = `[
 {"id": "ocs1", "status": "ACTIVE", "client_secret": "value-of-the-vendor", "secret_hash": "0f3kQw8tRz1uYb6nMx2vLA",
  "created": "2026-03-01T10:00:00.000Z", "lastUpdated": "2026-03-01T10:00:00.000Z",
  "_links": {"deactivate": {"href": "https://example.okta.com/x", "hints": {"allow": ["POST"]}}}},
 {"id": "ocs2", "status": "INACTIVE", "secret_hash": "Zf3kQw8tRz1uYb6nMx2vLA",
  "created": "2026-04-01T10:00:00.000Z", "lastUpdated": "2026-04-02T10:00:00.000Z",
  "_links": {"activate": {"href": "https://example.okta.com/y"}, "delete": {"href": "https://example.okta.com/z"}}}]`

// disabler is the provider as the tests use it.
type disabler interface {
	idp.Provider
	idp.Disabler
}

func adapter(t *testing.T, v *imitationtest.Vendor) disabler {
	t.Helper()
	return newProvider(t, v.URL, withToken, v.Deps()).(disabler)
}

func create(ctx context.Context, p disabler) error {
	_, err := p.Create(ctx, idp.CreateRequest{Value: secret.New(ownValue), Tag: "v"})
	return err
}

func TestListReadsWhatIsThere(t *testing.T) {
	t.Parallel()
	v := org(t)
	v.Answer("GET "+secretsPath, 200, listed)
	got, err := adapter(t, v).List(t.Context())
	want := []idp.Secret{
		{ID: "ocs1", Status: idp.Active, Created: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
			Value: secret.New("value-of-the-vendor")},
		{ID: "ocs2", Status: idp.Disabled, Created: time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("List is %+v, %v; want %+v", got, err, want)
	}
}

func TestCreateReportsAnotherValueThanTheCallers(t *testing.T) {
	t.Parallel()
	v := org(t)
	v.Answer("POST "+secretsPath, 201, `{"id": "ocs3", "status": "ACTIVE", "client_secret": "value-of-the-vendor"}`)
	made, err := adapter(t, v).Create(t.Context(), idp.CreateRequest{Value: secret.New(ownValue)})
	if err != nil || made.Value.Reveal() != "value-of-the-vendor" {
		t.Errorf("Create is %+v, %v; want the value that is valid", made, err)
	}
}

func TestCreateWithoutAValueAsksNobody(t *testing.T) {
	t.Parallel()
	v := org(t)
	_, err := adapter(t, v).Create(t.Context(), idp.CreateRequest{Tag: "v"})
	if !failure.Is(err, failure.Internal) || v.Asked("okta.createSecret") != 0 {
		t.Errorf("Create without a value: %v", err)
	}
}

// besides adds an inactive secret to the one that is there, and returns its id.
func besides(t *testing.T, v *imitationtest.Vendor) string {
	t.Helper()
	const id = "ocsInactive"
	err := v.Store.Update(client.ClientID, func(e *clients.Edit) error {
		_, err := e.Add(clients.Secret{ID: id, Status: clients.Inactive}, "value-of-the-inactive-secret")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestNothingIsAskedThatIsSoAlready(t *testing.T) {
	t.Parallel()
	v := org(t)
	p, inactive := adapter(t, v), besides(t, v)
	active, _ := v.Named(client.ClientID).Current()
	ctx := t.Context()
	if err := errors.Join(p.Disable(ctx, inactive), p.Enable(ctx, active), p.Remove(ctx, inactive)); err != nil {
		t.Error(err)
	}
	if v.Asked("okta.deactivateSecret")+v.Asked("okta.activateSecret") != 0 {
		t.Error("the state of a secret was changed")
	}
}

func refuse(operation string, status int, code string) func(*imitationtest.Vendor) {
	return func(v *imitationtest.Vendor) { v.Refuse("okta."+operation, status, code) }
}

func answer(request string, status int, body string) func(*imitationtest.Vendor) {
	return func(v *imitationtest.Vendor) { v.Answer(request, status, body) }
}

func TestRefusalsAreExplained(t *testing.T) {
	t.Parallel()
	type call = func(ctx context.Context, p disabler, active, inactive string) error
	removeActive := func(ctx context.Context, p disabler, active, _ string) error { return p.Remove(ctx, active) }
	removeInactive := func(ctx context.Context, p disabler, _, inactive string) error { return p.Remove(ctx, inactive) }
	disable := func(ctx context.Context, p disabler, active, _ string) error { return p.Disable(ctx, active) }
	enable := func(ctx context.Context, p disabler, _, inactive string) error { return p.Enable(ctx, inactive) }
	creating := func(ctx context.Context, p disabler, _, _ string) error { return create(ctx, p) }
	const activate = "POST " + secretsPath + "/ocsInactive/lifecycle/activate"
	for _, tt := range []struct {
		name    string
		prepare func(*imitationtest.Vendor)
		call    call
		kind    failure.Kind // "" is success
		says    string
	}{
		{"a secret that vanishes before the delete counts as removed", refuse("deleteSecret", 404,
			"E0000007"), removeInactive, "", ""},
		{"a secret that vanishes before the deactivation counts as removed", refuse("deactivateSecret", 404,
			"E0000007"),
			removeActive, "", ""},
		{"a 404 that is not Okta's is no removal", answer("DELETE "+secretsPath+"/ocsInactive", 404, "{}"),
			removeInactive, failure.IdPRejected, "orgUrl"},
		{"a 404 of something in between is no removal",
			answer("DELETE "+secretsPath+"/ocsInactive", 404, "<html>not here"),
			removeInactive, failure.Unavailable, "not one of Okta's"},
		{"a 200 of something in between is no removal",
			answer("DELETE "+secretsPath+"/ocsInactive", 200, "<html>welcome"),
			removeInactive, failure.Unavailable, "not understood"},
		{"a firewall's 403 is no lack of rights", answer("POST "+secretsPath, 403, "<html>blocked"),
			creating, failure.Unavailable, "not one of Okta's"},
		{"an app that is not there is no removal", refuse("listSecrets", 404, "E0000007"),
			removeActive, failure.IdPRejected, "there is no app 0oaApp"},
		{"the only active secret cannot be removed", nil, removeActive, failure.Precondition, "only active secret"},
		{"a secret that somebody activates meanwhile is not deleted", refuse("deleteSecret", 400, "E0000001"),
			removeInactive, failure.Precondition, "somebody activated it"},
		{"the only active secret cannot be disabled", nil, disable, failure.Precondition, "only active secret"},
		{"a secret that vanishes cannot be disabled", refuse("deactivateSecret", 404, "E0000007"),
			disable, failure.Precondition, "has no secret ocs"},
		{"a third secret is refused in words", nil, creating, failure.IdPRejected, "which is the limit"},
		{"a revoked token is explained", refuse("listSecrets", 401, "E0000011"),
			removeActive, failure.IdPRejected, "create a new one and store it in " + tokenARN},
		{"a secret that cannot be made now can be made later", refuse("createSecret", 423, "E0000239"),
			creating, failure.Throttled, "HTTP 423 E0000239"},
		{"an organisation without the feature is told what it lacks", refuse("listSecrets", 401, "E0000015"),
			removeActive, failure.IdPRejected, "lacks the feature OAuth secrets and key management"},
		{"missing rights are explained", refuse("deleteSecret", 403, "E0000006"),
			removeInactive, failure.IdPRejected, "may not manage app 0oaApp"},
		{"so is an app that is an administrator", refuse("createSecret", 403, "E0000006"),
			creating, failure.IdPRejected, "an app that holds an administrator role itself cannot"},
		{"an outage with a limit's reset is an outage", refuse("deleteSecret", 503, "E0000010"),
			removeInactive, failure.Unavailable, "delete a secret: HTTP 503 E0000010"},
		{"a server error that is not Okta's", answer(activate, 503, "<html>canary"), enable, failure.Unavailable,
			"HTTP 503"},
		{"a refusal with a code that is not Okta's", answer(activate, 403, `{"errorCode": "canary-canary"}`),
			enable, failure.IdPRejected, "HTTP 403"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := org(t)
			active, value := v.Named(client.ClientID).Current()
			inactive := besides(t, v)
			if tt.prepare != nil {
				tt.prepare(v)
			}
			err := tt.call(t.Context(), adapter(t, v), active, inactive)
			imitationtest.WantFailure(t, err, tt.kind, tt.says,
				"<html>", ownValue, value.Reveal(), v.Double.AdminToken())
		})
	}
}

func TestTheRegisteredAuthenticationMethodIsTold(t *testing.T) {
	t.Parallel()
	r, err := adapter(t, org(t)).(idp.Reviewer).Review(t.Context())
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
		{"another client id", `"client_id": "0oaClient"`, `"client_id": "0oaOther"`, failure.Precondition,
			"another client id"},
		{"a public key", "client_secret_basic", "private_key_jwt", failure.Precondition,
			"set its client authentication to client secret"},
		{"no client authentication", "client_secret_basic", "none", failure.Precondition, "plain client secret"},
		{"a signed secret", "client_secret_basic", "client_secret_jwt", failure.Precondition, "plain client secret"},
		{"no authorization code", `"authorization_code", `, "", failure.Precondition, "the grant authorization_code"},
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
			v := org(t)
			v.Answer("GET "+appPath, 200, answer)
			imitationtest.WantFailure(t, adapter(t, v).Check(t.Context()), tt.kind, tt.says)
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
			v := org(t)
			v.Answer("GET "+secretsPath, 200, answer)
			_, err := adapter(t, v).List(t.Context())
			imitationtest.WantFailure(t, err, failure.Unavailable, "not understood")
		})
	}
}

// TestRequestsAreAsDocumented also shows that a list is tried again when it is throttled, and a create is not.
func TestRequestsAreAsDocumented(t *testing.T) {
	t.Parallel()
	const token = "00exampleTokenOfTheAdmin"
	throttled := imitationtest.Exchange{Request: "GET " + secretsPath, Status: 429, Answer: `{"errorCode": "E0000047"}`,
		Header: map[string]string{
			"X-Rate-Limit-Reset": "1772359202",
			"Date":               time.Unix(1772359200, 0).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")}}
	list, refused := throttled, throttled
	list.Status, list.Answer = 200, listed
	refused.Request, refused.Body = "POST "+secretsPath, createBody
	created := refused
	created.Status, created.Answer = 201, `{"id": "ocs3", "status": "ACTIVE", "client_secret": "`+ownValue+`"}`
	s := imitationtest.Play(t, "SSWS "+token, throttled, list, created, refused)
	d := imitationtest.Deps(t, s.Server, map[string]string{tokenARN: token + "\n"}, time.Unix(1772359200, 0))
	p := newProvider(t, s.URL, withToken, d).(disabler)
	if _, err := p.List(t.Context()); err != nil {
		t.Errorf("List: %v", err)
	}
	if err := create(t.Context(), p); err != nil {
		t.Errorf("Create: %v", err)
	}
	imitationtest.WantFailure(t, create(t.Context(), p), failure.Throttled, "asked to wait 3s")
}

func TestAnUnusableTokenIsNotSent(t *testing.T) {
	t.Parallel()
	v := org(t)
	for _, tt := range map[string]struct {
		stored map[string]string
		want   failure.Kind
	}{
		"one with a space": {map[string]string{tokenARN: "two words"}, failure.Precondition},
		"an empty one":     {map[string]string{tokenARN: "\n"}, failure.Precondition},
		"one out of reach": {nil, failure.AccessDenied},
	} {
		p := newProvider(t, v.URL, withToken, imitationtest.Deps(t, v.Server, tt.stored, imitationtest.Noon()))
		_, err := p.List(t.Context())
		imitationtest.WantFailure(t, err, tt.want, "", "two words")
	}
}

// goodApp is the documented shape of an app integration, shortened.
const goodApp = `{"id": "0oaApp", "name": "oidc_client", "label": "Orders", "status": "ACTIVE", "signOnMode": "OPENID_CONNECT",
 "credentials": {"oauthClient": {"autoKeyRotation": true, "client_id": "0oaClient",
  "token_endpoint_auth_method": "client_secret_basic"}},
 "settings": {"oauthClient": {"grant_types": ["authorization_code", "refresh_token"],
  "redirect_uris": ["https://orders.example.com/oauth2/idpresponse"]}}}`
