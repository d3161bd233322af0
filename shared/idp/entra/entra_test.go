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
	"alboidc.internal/shared/idp/idptest/imitation"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/secret"
)

const (
	appPath = "/v1.0/applications(appId='" + appID + "')"
	version = "5f0e9c0a-6d6f-5b0e-9a55-0c4f6f1d7a11"
	key1    = "11111111-2222-4333-8444-555555555551"
	key2    = "11111111-2222-4333-8444-555555555552"
	key3    = "11111111-2222-4333-8444-555555555553"
)

// registration is the documented shape of an application, shortened to what is selected.
const registration = `{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#applications(id,appId,signInAudience,passwordCredentials)/$entity",
 "id": "` + objectID + `", "appId": "` + appID + `", "signInAudience": "AzureADMyOrg", "passwordCredentials": [
 {"customKeyIdentifier": null, "displayName": "made by hand", "endDateTime": "2026-03-01T10:00:00Z", "hint": "abc", "keyId": "` + key1 + `", "secretText": null, "startDateTime": "2024-03-01T10:00:00Z"},
 {"customKeyIdentifier": null, "displayName": "alb-oidc-rotation/` + version + `", "endDateTime": "2026-09-01T10:00:00.1234567Z", "hint": "kX8", "keyId": "` + key2 + `", "secretText": null, "startDateTime": "2026-02-01T10:00:00Z"},
 {"customKeyIdentifier": null, "displayName": null, "endDateTime": "2027-03-01T10:00:00Z", "hint": "zzz", "keyId": "` + key3 + `", "secretText": null, "startDateTime": "2025-03-01T10:00:00Z"}]}`

func TestListReadsIDsDatesAndOurTagsOnly(t *testing.T) {
	t.Parallel()
	v := newTenant(t)
	v.Clock.Advance(-2 * time.Hour) // when the first secret ends
	v.Answer("GET "+appPath, 200, registration)
	got, err := newProvider(t, v, bySecret, "").List(t.Context())
	want := []idp.Secret{
		// expired this very moment
		{ID: key1, Status: idp.Disabled, Created: time.Date(2024, 3, 1, 10, 0, 0, 0, time.UTC),
			Until: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)},
		{ID: key2, Status: idp.Active, Created: time.Date(2026, 2, 1, 10, 0, 0, 0, time.UTC),
			Until: time.Date(2026, 9, 1, 10, 0, 0, 123456700, time.UTC), Tag: version},
		{ID: key3, Status: idp.Active, Created: time.Date(2025, 3, 1, 10, 0, 0, 0, time.UTC),
			Until: time.Date(2027, 3, 1, 10, 0, 0, 0, time.UTC)},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("List is %+v, %v; want %+v", got, err, want)
	}
}

func TestOnlyTheExactPrefixMakesATag(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"alb-oidc-rotation/v1": "v1", "alb-oidc-rotation": "", "Alb-Oidc-Rotation/v1": "", " alb-oidc-rotation/v1": "",
		"x/alb-oidc-rotation/v1": "", "v1": "",
	} {
		v := newTenant(t)
		v.Answer("GET "+appPath, 200,
			fmt.Sprintf(`{"id": %q, "appId": %q, "passwordCredentials": [{"keyId": %q, "displayName": %q}]}`,
				objectID, appID, key1, name))
		got, err := newProvider(t, v, bySecret, "").List(t.Context())
		if err != nil || len(got) != 1 || got[0].Tag != want {
			t.Errorf("%q: List is %+v, %v; want the tag %q", name, got, err, want)
		}
	}
}

// TestRequestsAreAsDocumented shows the requests as they are, each with a client-request-id of its own.
func TestRequestsAreAsDocumented(t *testing.T) {
	t.Parallel()
	const token = "eyJ0.access-token.0"
	add := imitationtest.Exchange{Request: "POST " + appPath + "/addPassword", Status: 200,
		Body: `{"passwordCredential": {"displayName": "alb-oidc-rotation/` + version +
			`", "endDateTime": "2026-08-28T10:00:00Z"}}`,
		Answer: `{"@odata.context": "x", "keyId": "` + key3 +
			`", "hint": "kX8", "secretText": "kX8~made", "customKeyIdentifier": null}`}
	short := add
	short.Body = strings.Replace(add.Body, "2026-08-28", "2026-03-31", 1)
	s := imitationtest.Play(t, "Bearer "+token,
		imitationtest.Exchange{Request: "GET " + appPath + "?$select=id,appId,signInAudience,passwordCredentials",
			Status: 200, Answer: registration},
		add, imitationtest.Exchange{Request: "POST " + appPath + "/removePassword", Body: `{"keyId": "` + key2 + `"}`,
			Status: 204}, short)
	guid, ids := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`),
		map[string]bool{}
	s.Aside = func(w http.ResponseWriter, r *http.Request) bool {
		id := r.Header.Get("client-request-id")
		if !guid.MatchString(id) || ids[id] {
			t.Errorf("the client-request-id %q is no new GUID", id)
		}
		ids[id] = true
		isToken := r.URL.Path == "/"+entratest.TenantID+"/oauth2/v2.0/token"
		if isToken {
			imitation.WriteJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599,
				"access_token": token})
		}
		return isToken
	}
	provider := func(more string) idp.Provider {
		d := imitationtest.Deps(t, s.Server, map[string]string{secretARN: "of-the-rotator\n"},
			time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC))
		p, err := entra.New(settings(s.URL, more+withSecret), client, d)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := provider("")
	if _, err := p.List(t.Context()); err != nil {
		t.Error(err)
	}
	got, err := p.Create(t.Context(), idp.CreateRequest{Tag: version})
	if err != nil || got.ID != key3 || got.Value.Reveal() != "kX8~made" {
		t.Errorf("Create is %+v, %v", got, err)
	}
	if err := p.Remove(t.Context(), key2); err != nil { // without a look at the list
		t.Error(err)
	}
	if err := create(t.Context(), provider(`"secretLifetimeDays": 30, `)); err != nil {
		t.Error(err)
	}
}

func create(ctx context.Context, p idp.Provider) error {
	_, err := p.Create(ctx, idp.CreateRequest{Tag: version})
	return err
}

func TestCreateWithAValueAsksNobody(t *testing.T) {
	t.Parallel()
	v := newTenant(t)
	_, err := newProvider(t, v, bySecret,
		"").Create(t.Context(), idp.CreateRequest{Value: secret.New("own"), Tag: version})
	if !failure.Is(err, failure.Internal) || v.Asked("entra.addPassword") != 0 {
		t.Errorf("Create with a value: %v", err)
	}
}

func refuse(operation string, status int, code string) func(*imitationtest.Vendor) {
	return func(v *imitationtest.Vendor) { v.Refuse("entra."+operation, status, code) }
}

func answerToAdd(status int, body string) func(*imitationtest.Vendor) {
	return func(v *imitationtest.Vendor) { v.Answer("POST "+appPath+"/addPassword", status, body) }
}

func TestRefusalsAreExplained(t *testing.T) {
	t.Parallel()
	const notFound, concurrent, noSecrets = "Request_ResourceNotFound", "Directory_ConcurrencyViolation",
		"CredentialTypeNotAllowedAsPerAppPolicy"
	remove := func(ctx context.Context, p idp.Provider) error { return p.Remove(ctx, key1) } // not there
	policy := func(p entratest.Policy) func(*imitationtest.Vendor) {
		return func(v *imitationtest.Vendor) { v.Double.(*entratest.Entra).SetPolicy(p) }
	}
	for _, tt := range []struct {
		name    string
		prepare func(*imitationtest.Vendor)
		call    func(context.Context, idp.Provider) error
		kind    failure.Kind // "" is success
		says    string
	}{
		{"a secret that Graph does not find counts as removed", refuse("removePassword", 404, notFound), remove,
			"", ""},
		{"an app that is not there is no removal", func(v *imitationtest.Vendor) {
			v.Refuse("entra.removePassword", 404, notFound)
			v.Refuse("entra.getApplication", 404, notFound)
		}, remove, failure.IdPRejected, "there is no app registration " + appID},
		{"a removal without rights is no removal", refuse("removePassword", 403, "Authorization_RequestDenied"),
			remove, failure.IdPRejected, "Application.ReadWrite.OwnedBy"},
		{"a removal beside another change is tried again", refuse("removePassword", 400, concurrent),
			remove, failure.Throttled, "other changes at the same time"},
		{"a creation beside another change is tried again", refuse("addPassword", 409, concurrent),
			create, failure.Throttled, "other changes at the same time"},
		{"a throttled creation says how long to wait", refuse("addPassword", 429, ""),
			create, failure.Throttled, "asked to wait 2s"},
		{"a creation without ownership is explained", func(v *imitationtest.Vendor) {
			_ = v.Double.(*entratest.Entra).RegisterRotator(entratest.Rotator{ClientID: rotatorID,
				Secret: v.Double.AdminToken(), NotOwned: []string{appID}})
		}, create, failure.IdPRejected,
			"make its service principal an owner of app " + appID + ": HTTP 403 Authorization_RequestDenied"},
		{"a policy against secrets is explained", policy(entratest.Policy{NoSecrets: true}),
			create, failure.IdPRejected, "forbids new client secrets"},
		{"so it is when it comes as a 400", refuse("addPassword", 400, noSecrets),
			create, failure.IdPRejected, "forbids new client secrets"},
		{"a policy against long lives is explained", policy(entratest.Policy{MaxLifetime: 90 * 24 * time.Hour}), create,
			failure.IdPRejected,
			"does not allow secrets that live 180 days: lower identityProvider.settings.secretLifetimeDays"},
		{"a token that is not taken is explained", refuse("addPassword", 401, ""), create, failure.IdPRejected,
			"same cloud"},
		{"a failed dependency leaves open what happened", answerToAdd(424,
			`{"error": {"code": "FailedDependency", "message": "canary"}}`),
			create, failure.Unavailable, "HTTP 424 FailedDependency"},
		{"a server error that is not Graph's", answerToAdd(503, "<html>canary"), create, failure.Unavailable,
			"HTTP 503"},
		{"a code that is not Graph's", answerToAdd(403, `{"error": {"code": "canary-canary"}}`), create,
			failure.IdPRejected, "HTTP 403"},
		{"an answer without the value is not understood", answerToAdd(200, `{"keyId": "`+key3+`"}`),
			create, failure.Unavailable, "not understood"},
		{"an answer without an id is not understood", answerToAdd(200, `{"secretText": "canary"}`),
			create, failure.Unavailable, "not understood"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := newTenant(t)
			tt.prepare(v)
			err := tt.call(t.Context(), newProvider(t, v, bySecret, ""))
			imitationtest.WantFailure(t, err, tt.kind, tt.says, v.Double.AdminToken())
			if ids := v.Named(appID).IDs(); len(ids) != 1 || v.Asked("entra.addPassword") > 1 {
				t.Errorf("there are the secrets %v after %d requests", ids, v.Asked("entra.addPassword"))
			}
		})
	}
}

func TestARegistrationForPersonalAccountsHasRoomForTwo(t *testing.T) {
	t.Parallel()
	v := newTenant(t)
	v.Double.(*entratest.Entra).SetSignInAudience(appID, "AzureADandPersonalMicrosoftAccount")
	p := newProvider(t, v, bySecret, `"personalAccounts": true, `)
	if err := create(t.Context(), p); err != nil || p.Capabilities().MaxSecrets != 2 {
		t.Errorf("MaxSecrets is %d, want 2; a second secret: %v", p.Capabilities().MaxSecrets, err)
	}
	imitationtest.WantFailure(t, create(t.Context(), p), failure.IdPRejected, "2 secrets, which is the limit")
	if got := newProvider(t, v, bySecret, "").Capabilities().MaxSecrets; got != 0 {
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
		{"undeclared personal accounts", "AzureADMyOrg", "AzureADandPersonalMicrosoftAccount", "", failure.Precondition,
			"personalAccounts to true"},
		{"only personal accounts, undeclared", "AzureADMyOrg", "PersonalMicrosoftAccount", "", failure.Precondition,
			"personalAccounts to true"},
		{"declared personal accounts pass", "AzureADMyOrg", "AzureADandPersonalMicrosoftAccount",
			`"personalAccounts": true, `, "", ""},
		{"another registration", `"appId": "` + appID, `"appId": "` + rotatorID, "", failure.Precondition,
			"another client id"},
		{"something that is no registration", `"id": "`, `"noid": "`, "", failure.Unavailable, "not understood"},
		{"a registration without its secrets", `"passwordCredentials"`, `"keyCredentials"`, "", failure.Unavailable,
			"not understood"},
		{"a secret without a usable id", key2, "../x", "", failure.Unavailable, "not understood"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer := strings.Replace(registration, tt.old, tt.new, 1)
			if tt.old != "" && answer == registration {
				t.Fatal("the case changes nothing")
			}
			v := newTenant(t)
			v.Answer("GET "+appPath, 200, answer)
			imitationtest.WantFailure(t, newProvider(t, v, bySecret, tt.more).Check(t.Context()), tt.kind, tt.says)
		})
	}
}

// A token for the client itself is refused where it requires assignment. What answers mean, package probe shows.
func TestTheProbeIsATokenForMicrosoftGraph(t *testing.T) {
	t.Parallel()
	v := newTenant(t)
	c := newProvider(t, v, bySecret, "").Capabilities()
	want := idp.ProbeSpec{Grant: idp.ClientCredentials, Scope: v.URL + "/.default", Resource: v.URL,
		Rejected: []string{"AADSTS7000215", "AADSTS7000222"}, InARow: 10, IntervalSeconds: 6}
	if len(c.Probe.Other) == 0 {
		t.Error("nothing is told apart")
	}
	c.Probe.Other = nil
	if !reflect.DeepEqual(c.Probe, want) || c.AcceptsValue || !c.KeepsTag || c.CanDisable {
		t.Errorf("the capabilities are %+v", c)
	}
}

func TestTheClientMustBeAnAppRegistrationOfItsOwn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]idp.Client{"no GUID": {ClientID: "orders-web"},
		"the rotator itself": {ClientID: strings.ToUpper(rotatorID)}} {
		_, err := entra.New(settings("https://graph.example.com", withSecret), c, idp.Deps{})
		if !failure.Is(err, failure.InvalidInput) || !strings.Contains(err.Error(), "clientId: must be") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
