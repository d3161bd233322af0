package entra_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/entra"
	"alboidc.internal/shared/idp/entra/entratest"
	"alboidc.internal/shared/idp/idptest/face"
	"alboidc.internal/shared/idp/idptest/facetest"
	"alboidc.internal/shared/secret"
)

const (
	appPath   = "/v1.0/applications(appId='" + appID + "')"
	selection = "?$select=id,appId,signInAudience,passwordCredentials"
	version   = "5f0e9c0a-6d6f-5b0e-9a55-0c4f6f1d7a11"
	key1      = "11111111-2222-4333-8444-555555555551"
	key2      = "11111111-2222-4333-8444-555555555552"
	key3      = "11111111-2222-4333-8444-555555555553"
	key9      = "11111111-2222-4333-8444-555555555559"
	made      = "kX8~example-value-only-in-this-answer"
)

// registration is the documented shape of an application, shortened to what is selected.
const registration = `{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#applications(id,appId,signInAudience,passwordCredentials)/$entity",
 "id": "` + objectID + `", "appId": "` + appID + `", "signInAudience": "AzureADMyOrg", "passwordCredentials": [
 {"customKeyIdentifier": null, "displayName": "made by hand", "endDateTime": "2026-03-01T10:00:00Z", "hint": "abc", "keyId": "` + key1 + `", "secretText": null, "startDateTime": "2024-03-01T10:00:00Z"},
 {"customKeyIdentifier": null, "displayName": "alb-oidc-rotation/` + version + `", "endDateTime": "2026-09-01T10:00:00.1234567Z", "hint": "kX8", "keyId": "` + key2 + `", "secretText": null, "startDateTime": "2026-02-01T10:00:00Z"},
 {"customKeyIdentifier": null, "displayName": null, "endDateTime": "2027-03-01T10:00:00Z", "hint": "zzz", "keyId": "` + key3 + `", "secretText": null, "startDateTime": "2025-03-01T10:00:00Z"}]}`

const (
	adminSecret = "abc8Q~client-secret-of-the-rotator"
	adminToken  = "eyJ0.access-token.0"
)

// now is the time of both sides.
var now = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

var guid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// play expects requests to Microsoft Graph, each with a client-request-id of its own; it gives an access token besides.
func play(t *testing.T, exchanges ...facetest.Exchange) *facetest.Script {
	t.Helper()
	s, ids := facetest.Play(t, "Bearer "+adminToken, exchanges...), map[string]bool{}
	s.Aside = func(w http.ResponseWriter, r *http.Request) bool {
		id := r.Header.Get("client-request-id")
		if !guid.MatchString(id) || ids[id] {
			t.Errorf("the client-request-id %q is no new GUID", id)
		}
		ids[id] = true
		if r.URL.Path != "/"+entratest.TenantID+"/oauth2/v2.0/token" {
			return false
		}
		face.WriteJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": adminToken})
		return true
	}
	return s
}

// provider is one with a client secret and further settings, each followed by a comma.
func provider(t *testing.T, s *facetest.Script, more string) idp.Provider {
	t.Helper()
	p, err := entra.New(settings(s.URL, more+withSecret), client, facetest.Deps(t, s.Server, map[string]string{secretARN: adminSecret + "\n"}, now))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var listed = facetest.Exchange{Request: "GET " + appPath + selection, Status: 200, Answer: registration}

// apiError is the documented shape of an error; its texts must not come through.
func apiError(code string) string {
	return `{"error": {"code": "` + code + `", "message": "text of the vendor", "innerError": {"date": "2026-03-01T10:00:00", "request-id": "vendor", "client-request-id": "vendor"}}}`
}

var add = facetest.Exchange{Request: "POST " + appPath + "/addPassword", Status: 200,
	Body: `{"passwordCredential": {"displayName": "alb-oidc-rotation/` + version + `", "endDateTime": "2026-08-28T10:00:00Z"}}`,
	Answer: `{"@odata.context": "x", "keyId": "` + key9 + `", "displayName": "alb-oidc-rotation/` + version + `", "hint": "kX8", "startDateTime": "2026-03-01T10:00:00Z",
 "endDateTime": "2026-08-28T10:00:00Z", "secretText": "` + made + `", "customKeyIdentifier": null}`}

func remove(key string) facetest.Exchange {
	return facetest.Exchange{Request: "POST " + appPath + "/removePassword", Body: `{"keyId": "` + key + `"}`, Status: 204}
}

func failing(e facetest.Exchange, status int, code string) facetest.Exchange {
	e.Status, e.Answer = status, apiError(code)
	return e
}

func TestListReadsIDsDatesAndOurTagsOnly(t *testing.T) {
	t.Parallel()
	got, err := provider(t, play(t, listed), "").List(t.Context())
	want := []idp.Secret{
		{ID: key1, Status: idp.Disabled, Created: time.Date(2024, 3, 1, 10, 0, 0, 0, time.UTC), Until: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)}, // expired this very moment
		{ID: key2, Status: idp.Active, Created: time.Date(2026, 2, 1, 10, 0, 0, 0, time.UTC), Until: time.Date(2026, 9, 1, 10, 0, 0, 123456700, time.UTC), Tag: version},
		{ID: key3, Status: idp.Active, Created: time.Date(2025, 3, 1, 10, 0, 0, 0, time.UTC), Until: time.Date(2027, 3, 1, 10, 0, 0, 0, time.UTC)},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("List is %+v, %v; want %+v", got, err, want)
	}
}

func TestOnlyTheExactPrefixMakesATag(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"alb-oidc-rotation/v1": "v1", "alb-oidc-rotation": "", "Alb-Oidc-Rotation/v1": "", " alb-oidc-rotation/v1": "", "x/alb-oidc-rotation/v1": "", "v1": "",
	} {
		e := listed
		e.Answer = fmt.Sprintf(`{"id": %q, "appId": %q, "passwordCredentials": [{"keyId": %q, "displayName": %q}]}`, objectID, appID, key1, name)
		got, err := provider(t, play(t, e), "").List(t.Context())
		if err != nil || len(got) != 1 || got[0].Tag != want {
			t.Errorf("%q: List is %+v, %v; want the tag %q", name, got, err, want)
		}
	}
}

func TestCreateNamesTheSecretAndSetsItsEnd(t *testing.T) {
	t.Parallel()
	got, err := provider(t, play(t, add), "").Create(t.Context(), idp.CreateRequest{Tag: version})
	if err != nil || got.ID != key9 || got.Value.Reveal() != made {
		t.Errorf("Create is %+v, %v", got, err)
	}
	short := add
	short.Body = strings.Replace(add.Body, "2026-08-28", "2026-03-31", 1)
	if _, err := provider(t, play(t, short), `"secretLifetimeDays": 30, `).Create(t.Context(), idp.CreateRequest{Tag: version}); err != nil {
		t.Error(err)
	}
}

func TestCreateWithAValueAsksNobody(t *testing.T) {
	t.Parallel()
	_, err := provider(t, play(t), "").Create(t.Context(), idp.CreateRequest{Value: secret.New("own"), Tag: version})
	if !failure.Is(err, failure.Internal) {
		t.Errorf("Create with a value: %v", err)
	}
}

func TestChangesAndRefusals(t *testing.T) {
	t.Parallel()
	create := func(p idp.Provider, ctx context.Context) error {
		_, err := p.Create(ctx, idp.CreateRequest{Tag: version})
		return err
	}
	removing := func(key string) func(idp.Provider, context.Context) error {
		return func(p idp.Provider, ctx context.Context) error { return p.Remove(ctx, key) }
	}
	gone := "Request_BadRequest" // what Graph says of "No credentials found to be removed."
	tests := []struct {
		name string
		call func(idp.Provider, context.Context) error
		play []facetest.Exchange
		kind failure.Kind // "" is success
		says string
	}{
		{"a secret is removed without a look at the list", removing(key2), []facetest.Exchange{remove(key2)}, "", ""},
		{"a secret that is refused and not listed counts as removed", removing(key9), []facetest.Exchange{failing(remove(key9), 400, gone), listed}, "", ""},
		{"so does one that Graph does not find", removing(key9), []facetest.Exchange{failing(remove(key9), 404, "Request_ResourceNotFound"), listed}, "", ""},
		{"one that is refused but listed is tried again", removing(key2), []facetest.Exchange{failing(remove(key2), 400, gone), listed}, failure.Unavailable, "may not agree yet"},
		{"an app that is not there is no removal", removing(key9),
			[]facetest.Exchange{failing(remove(key9), 404, "Request_ResourceNotFound"), failing(listed, 404, "Request_ResourceNotFound")}, failure.IdPRejected, "there is no app registration " + appID},
		{"a removal without rights is no removal", removing(key2), []facetest.Exchange{failing(remove(key2), 403, "Authorization_RequestDenied")}, failure.IdPRejected, "Application.ReadWrite.OwnedBy"},
		{"a removal beside another change is tried again", removing(key9), []facetest.Exchange{failing(remove(key9), 400, "Directory_ConcurrencyViolation")}, failure.Throttled, "other changes at the same time"},
		{"a creation beside another change is tried again", create, []facetest.Exchange{failing(add, 409, "Directory_ConcurrencyViolation")}, failure.Throttled, "other changes at the same time"},
		{"a throttled creation says how long to wait and is not repeated", create,
			[]facetest.Exchange{{Request: add.Request, Body: add.Body, Status: 429, Answer: apiError("TooManyRequests"), Header: map[string]string{"Retry-After": "17"}}}, failure.Throttled, "asked to wait 17s"},
		{"a creation without ownership is explained", create, []facetest.Exchange{failing(add, 403, "Authorization_RequestDenied")}, failure.IdPRejected,
			"make its service principal an owner of app " + appID + ": HTTP 403 Authorization_RequestDenied"},
		{"a policy against secrets is explained", create, []facetest.Exchange{failing(add, 400, "CredentialTypeNotAllowedAsPerAppPolicy")}, failure.IdPRejected, "forbids new client secrets"},
		{"so it is when it comes as a 403", create, []facetest.Exchange{failing(add, 403, "CredentialTypeNotAllowedAsPerAppPolicy")}, failure.IdPRejected, "forbids new client secrets"},
		{"a policy against long lives is explained", create, []facetest.Exchange{failing(add, 400, "CredentialInvalidLifetimeAsPerAppPolicy")}, failure.IdPRejected,
			"does not allow secrets that live 180 days: lower identityProvider.settings.secretLifetimeDays"},
		{"a token that is not taken is explained", create, []facetest.Exchange{failing(add, 401, "InvalidAuthenticationToken")}, failure.IdPRejected, "same cloud"},
		{"a failed dependency leaves open what happened", create, []facetest.Exchange{failing(add, 424, "FailedDependency")}, failure.Unavailable, "HTTP 424 FailedDependency"},
		{"a server error leaves open what happened", create, []facetest.Exchange{failing(add, 500, "InternalServerError")}, failure.Unavailable, "HTTP 500"},
		{"an answer without the value is not understood", create, []facetest.Exchange{{Request: add.Request, Body: add.Body, Status: 200, Answer: `{"keyId": "` + key9 + `"}`}}, failure.Unavailable, "not understood"},
		{"an answer without an id is not understood", create, []facetest.Exchange{{Request: add.Request, Body: add.Body, Status: 200, Answer: `{"secretText": "` + made + `"}`}}, failure.Unavailable, "not understood"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.call(provider(t, play(t, tt.play...), ""), t.Context())
			if tt.kind == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if !failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %s: %v; want %s with %q", failure.KindOf(err), err, tt.kind, tt.says)
			}
			for _, foreign := range []string{"vendor", made, adminSecret, adminToken} {
				if strings.Contains(err.Error(), foreign) {
					t.Errorf("the error shows %q: %v", foreign, err)
				}
			}
		})
	}
}

func TestARegistrationForPersonalAccountsHasRoomForTwo(t *testing.T) {
	t.Parallel()
	const declared = `"personalAccounts": true, `
	p := provider(t, play(t, failing(add, 400, "Request_BadRequest")), declared)
	if got := p.Capabilities().MaxSecrets; got != 2 {
		t.Errorf("MaxSecrets is %d, want 2", got)
	}
	if _, err := p.Create(t.Context(), idp.CreateRequest{Tag: version}); !failure.Is(err, failure.IdPRejected) || !strings.Contains(err.Error(), "2 secrets, which is the limit") {
		t.Errorf("a third secret: %v", err)
	}
	if got := provider(t, play(t), "").Capabilities().MaxSecrets; got != 0 {
		t.Errorf("without personal accounts MaxSecrets is %d, want no small limit", got)
	}
}

func TestCheckSaysWhyARegistrationCannotBeRotated(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, old, new, more string
		kind                 failure.Kind // "" is success
		says                 string
	}{
		{"a good registration passes", "", "", "", "", ""},
		{"one for several tenants passes", "AzureADMyOrg", "AzureADMultipleOrgs", "", "", ""},
		{"the client id may be in capitals", appID, strings.ToUpper(appID), "", "", ""},
		{"undeclared personal accounts", "AzureADMyOrg", "AzureADandPersonalMicrosoftAccount", "", failure.Precondition, "personalAccounts to true"},
		{"only personal accounts, undeclared", "AzureADMyOrg", "PersonalMicrosoftAccount", "", failure.Precondition, "personalAccounts to true"},
		{"declared personal accounts pass", "AzureADMyOrg", "AzureADandPersonalMicrosoftAccount", `"personalAccounts": true, `, "", ""},
		{"another registration", `"appId": "` + appID, `"appId": "` + rotatorID, "", failure.Precondition, "another client id"},
		{"something that is no registration", `"id": "`, `"noid": "`, "", failure.Unavailable, "not understood"},
		{"a registration without its secrets", `"passwordCredentials"`, `"keyCredentials"`, "", failure.Unavailable, "not understood"},
		{"a secret without a usable id", key2, "../x", "", failure.Unavailable, "not understood"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := listed
			e.Answer = strings.Replace(registration, tt.old, tt.new, 1)
			if tt.old != "" && e.Answer == registration {
				t.Fatal("the case changes nothing")
			}
			err := provider(t, play(t, e), tt.more).Check(t.Context())
			if tt.kind == "" && err != nil || tt.kind != "" && (!failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("got %v; want %s with %q", err, tt.kind, tt.says)
			}
		})
	}
}

func TestTheProbeIsATokenForTheClientItself(t *testing.T) {
	t.Parallel()
	c := provider(t, play(t), "").Capabilities()
	want := idp.ProbeSpec{Grant: idp.ClientCredentials, Scope: appID + "/.default", Resource: appID, Rejected: []string{"invalid_client"}, InARow: 10, IntervalSeconds: 6}
	if !reflect.DeepEqual(c.Probe, want) || c.AcceptsValue || !c.KeepsTag || c.CanDisable {
		t.Errorf("the capabilities are %+v", c)
	}
}

func TestTheClientMustBeAnAppRegistrationOfItsOwn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]idp.Client{"no GUID": {ClientID: "orders-web"}, "the rotator itself": {ClientID: strings.ToUpper(rotatorID)}} {
		_, err := entra.New(settings("https://graph.example.com", withSecret), c, idp.Deps{})
		if !failure.Is(err, failure.InvalidInput) || !strings.Contains(err.Error(), "clientId: must be") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
