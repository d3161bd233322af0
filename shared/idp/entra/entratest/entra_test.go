package entratest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/entra/entratest"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitationtest"
)

const (
	appID    = "bbbbbbbb-0000-4000-8000-000000000002"
	objectID = "cccccccc-0000-4000-8000-000000000003"
	app      = "/v1.0/applications(appId='" + appID + "')"
	old      = "initial-secret-of-" + appID
)

// tenant is an Entra ID tenant with one registration that has one secret.
type tenant struct {
	*imitationtest.Vendor
	t     *testing.T
	entra *entratest.Entra
	token string // an access token of the rotator
	oldID string
}

func newTenant(t *testing.T) *tenant {
	t.Helper()
	v := imitationtest.Start(t, entratest.Imitation, nil)
	v.Register(clients.Client{ID: appID, AppID: objectID})
	x := &tenant{Vendor: v, t: t, entra: v.Double.(*entratest.Entra), oldID: v.Store.Secrets(appID)[0].ID}
	x.token = x.admin(url.Values{"client_secret": {v.Double.AdminToken()}}).must(t, http.StatusOK).text("access_token")
	return x
}

type answer struct {
	status int
	header http.Header
	body   string
	fields map[string]any
}

func (x *tenant) send(method, path, contentType, body string, change func(*http.Request)) answer {
	x.t.Helper()
	r, err := http.NewRequestWithContext(x.t.Context(), method, x.URL+path, strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if change != nil {
		change(r)
	}
	got, err := x.Client().Do(r)
	if err != nil {
		x.t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	content, err := io.ReadAll(got.Body)
	if err != nil {
		x.t.Fatal(err)
	}
	a := answer{status: got.StatusCode, header: got.Header, body: string(content)}
	_ = json.Unmarshal(content, &a.fields)
	return a
}

// graph calls Microsoft Graph as the rotator.
func (x *tenant) graph(method, path, body string) answer {
	x.t.Helper()
	kind := ""
	if body != "" {
		kind = "application/json"
	}
	return x.send(method, path, kind, body, func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+x.token)
		r.Header.Set("client-request-id", "id-of-the-client")
	})
}

// form calls the token endpoint.
func (x *tenant) form(values url.Values) answer {
	x.t.Helper()
	return x.send(http.MethodPost, "/"+entratest.TenantID+"/oauth2/v2.0/token",
		"application/x-www-form-urlencoded", values.Encode(), nil)
}

// admin asks for an access token as the rotator.
func (x *tenant) admin(more url.Values) answer {
	x.t.Helper()
	values := url.Values{"grant_type": {"client_credentials"}, "client_id": {entratest.RotatorID},
		"scope": {x.URL + "/.default"}}
	for k, v := range more {
		values[k] = v
	}
	return x.form(values)
}

// probe asks for a token as the client.
func (x *tenant) probe(secret string) answer {
	x.t.Helper()
	return x.form(url.Values{"grant_type": {"client_credentials"}, "client_id": {appID}, "client_secret": {secret},
		"scope": {appID + "/.default"}})
}

func (a answer) text(field string) string { s, _ := a.fields[field].(string); return s }

func (a answer) must(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// mustFail checks the documented shape of an error of Microsoft Graph.
func (a answer) mustFail(t *testing.T, status int, code string) answer {
	t.Helper()
	a.must(t, status)
	e, _ := a.fields["error"].(map[string]any)
	inner, _ := e["innerError"].(map[string]any)
	if e["code"] != code || e["message"] == "" || inner["date"] != "2026-03-01T12:00:00" || inner["request-id"] == "" ||
		inner["client-request-id"] != "id-of-the-client" {
		t.Fatalf("not an error %s: %s", code, a.body)
	}
	return a
}

// mustRefuse checks the documented shape of an error of the token endpoint.
func (a answer) mustRefuse(t *testing.T, status int, code string, number int) answer {
	t.Helper()
	a.must(t, status)
	numbers, _ := a.fields["error_codes"].([]any)
	if a.text("error") != code || len(numbers) != 1 || numbers[0] != float64(number) ||
		!strings.HasPrefix(a.text("error_description"), "AADSTS") ||
		a.text("trace_id") == "" || a.text("correlation_id") == "" || !strings.HasSuffix(a.text("timestamp"), "Z") ||
		a.text("error_uri") == "" {
		t.Fatalf("not an error %s %d: %s", code, number, a.body)
	}
	return a
}

var guid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

const named = `{"passwordCredential": {"displayName": "alb-oidc-rotation/v2", "endDateTime": "2026-06-01T00:00:00Z"}}`

func TestASecretIsMadeHereShownOnceListedAndRemoved(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for _, address := range []string{app, "/v1.0/applications/" + objectID} {
		added := x.graph(http.MethodPost, address+"/addPassword", named).must(t, http.StatusOK)
		value, id := added.text("secretText"), added.text("keyId")
		if len(value) != 40 || added.text("hint") != value[:3] || !guid.MatchString(id) ||
			added.text("displayName") != "alb-oidc-rotation/v2" ||
			added.text("startDateTime") != "2026-03-01T12:00:00Z" ||
			added.text("endDateTime") != "2026-06-01T00:00:00Z" {
			t.Fatalf("added: %s", added.body)
		}
		read := x.graph(http.MethodGet, address, "").must(t, http.StatusOK)
		if read.text("id") != objectID || read.text("appId") != appID ||
			read.text("signInAudience") != "AzureADMyOrg" || strings.Contains(read.body, value) {
			t.Fatalf("read: %s", read.body)
		}
		second, _ := read.fields["passwordCredentials"].([]any)[1].(map[string]any)
		if second["keyId"] != id || second["hint"] != value[:3] || second["secretText"] != nil ||
			second["displayName"] != "alb-oidc-rotation/v2" {
			t.Fatalf("listed: %v", second)
		}
		x.probe(value).must(t, http.StatusOK)
		x.graph(http.MethodPost, address+"/removePassword", `{"keyId": "`+id+`"}`).must(t, http.StatusNoContent)
		x.probe(value).mustRefuse(t, http.StatusUnauthorized, "invalid_client", 7000215)
		x.graph(http.MethodPost, address+"/removePassword", `{"keyId": "`+id+`"}`).mustFail(t, http.StatusBadRequest,
			"Request_BadRequest")
	}
}

func TestASecretEndsWhenItsLifeDoes(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	value := x.graph(http.MethodPost, app+"/addPassword", `{"passwordCredential": {"displayName": "x"}}`).must(t,
		http.StatusOK)
	if value.text("endDateTime") != "2028-03-01T12:00:00Z" {
		t.Fatalf("the default end is %s", value.text("endDateTime"))
	}
	short := x.graph(http.MethodPost, app+"/addPassword",
		`{"passwordCredential": {"endDateTime": "2026-03-01T12:00:10Z"}}`).must(t, http.StatusOK).text("secretText")
	x.probe(short).must(t, http.StatusOK)
	x.Clock.Advance(10 * time.Second)
	x.probe(short).mustRefuse(t, http.StatusUnauthorized, "invalid_client", 7000215)
}

func TestAnAppThatRequiresAssignmentGetsNoTokenForItself(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.probe(old).must(t, http.StatusOK)
	x.entra.RequireAssignment(appID)
	x.probe(old).mustRefuse(t, http.StatusBadRequest, "invalid_grant", 501051)
	x.probe("wrong").mustRefuse(t, http.StatusUnauthorized, "invalid_client", 7000215)
	x.form(url.Values{"grant_type": {"client_credentials"}, "client_id": {appID}, "client_secret": {old},
		"scope": {x.URL + "/.default"}}).must(t, http.StatusOK)
}

func TestGraphRefusesWhatItShould(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.graph(http.MethodGet, "/v1.0/applications(appId='other')", "").mustFail(t, http.StatusNotFound,
		"Request_ResourceNotFound")
	x.graph(http.MethodGet, "/v1.0/applications/other", "").mustFail(t, http.StatusNotFound, "Request_ResourceNotFound")
	x.graph(http.MethodGet, "/v1.0/applications("+appID+")", "").mustFail(t, http.StatusBadRequest, "BadRequest")
	x.graph(http.MethodGet, app+"?$select=id,invented", "").mustFail(t, http.StatusBadRequest, "BadRequest")
	x.graph(http.MethodPost, app+"/addPassword", `{"passwordCredential": {"secretText": "mine"}}`).mustFail(t,
		http.StatusBadRequest, "Request_BadRequest")
	x.graph(http.MethodPost, app+"/addPassword",
		`{"passwordCredential": {"endDateTime": "2026-03-01T12:00:00Z"}}`).mustFail(t, http.StatusBadRequest,
		"Request_BadRequest")
	x.graph(http.MethodDelete, app, "").mustFail(t, http.StatusNotImplemented, "NotImplemented")
	x.graph(http.MethodGet, "/v1.0/users/alice", "").mustFail(t, http.StatusNotImplemented, "NotImplemented")
	x.entra.SetSignInAudience(appID, "PersonalMicrosoftAccount")
	x.graph(http.MethodPost, app+"/addPassword", named).must(t, http.StatusOK)
	x.graph(http.MethodPost, app+"/addPassword", named).mustFail(t, http.StatusBadRequest, "Request_BadRequest")
	x.token = "stranger"
	x.graph(http.MethodGet, app, "").mustFail(t, http.StatusUnauthorized, "InvalidAuthenticationToken")
	if got := len(x.Store.Secrets(appID)); got != 2 {
		t.Errorf("there are %d secrets", got)
	}
}

func TestPoliciesAndOwnershipAreHeldTo(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.entra.SetPolicy(entratest.Policy{NoSecrets: true})
	x.graph(http.MethodPost, app+"/addPassword", named).mustFail(t, http.StatusForbidden,
		"CredentialTypeNotAllowedAsPerAppPolicy")
	x.entra.SetPolicy(entratest.Policy{MaxLifetime: 30 * 24 * time.Hour})
	x.graph(http.MethodPost, app+"/addPassword", named).mustFail(t, http.StatusBadRequest,
		"CredentialInvalidLifetimeAsPerAppPolicy")
	x.entra.SetPolicy(entratest.Policy{})
	if err := x.entra.RegisterRotator(entratest.Rotator{ClientID: rotatorID, Secret: "s",
		NotOwned: []string{appID}}); err != nil {
		t.Fatal(err)
	}
	x.token = x.admin(url.Values{"client_id": {rotatorID}, "client_secret": {"s"}}).must(t,
		http.StatusOK).text("access_token")
	x.graph(http.MethodPost, app+"/addPassword", named).mustFail(t, http.StatusForbidden, "Authorization_RequestDenied")
	x.graph(http.MethodPost, app+"/removePassword", `{"keyId": "`+x.oldID+`"}`).mustFail(t, http.StatusForbidden,
		"Authorization_RequestDenied")
	if got := len(x.Store.Secrets(appID)); got != 1 {
		t.Errorf("there are %d secrets", got)
	}
}

func TestTokenServersLearnOfANewSecretOneAfterTheOther(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Store.SetActivationDelay(5 * time.Second)
	x.entra.SetReplicas(0, 10*time.Second)
	value := x.graph(http.MethodPost, app+"/addPassword", named).must(t, http.StatusOK).text("secretText")
	statuses := func() string {
		var b strings.Builder
		for range 4 {
			b.WriteString(map[int]string{200: "+", 401: "-"}[x.probe(value).status])
		}
		return b.String()
	}
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{0, "----"}, {5 * time.Second, "+-+-"}, {9 * time.Second, "+-+-"}, {time.Second, "++++"}} {
		x.Clock.Advance(step.after)
		if got := statuses(); got != step.want {
			t.Errorf("after %s more: %s, want %s", step.after, got, step.want)
		}
	}
	x.entra.SetReplicas()
	x.probe(old).must(t, http.StatusOK)
}

func TestAnInventedCodeIsRefusedBeforeTheSecretIsLookedAt(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	code := func(secret, code string) answer {
		return x.form(url.Values{"grant_type": {"authorization_code"}, "client_id": {appID}, "client_secret": {secret},
			"code": {code}, "redirect_uri": {"https://x"}})
	}
	for _, secret := range []string{old, "wrong"} {
		code(secret, "probe-0123456789abcdef").mustRefuse(t, http.StatusBadRequest, "invalid_grant", 9002313)
	}
	const wellFormed = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	code("wrong", wellFormed).mustRefuse(t, http.StatusUnauthorized, "invalid_client", 7000215)
	code(old, wellFormed).must(t, http.StatusTeapot) // the provider's to answer
}

func TestTheClientCredentialsGrantAnswersAsDocumented(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	ok := x.probe(old).must(t, http.StatusOK)
	if ok.text("token_type") != "Bearer" || ok.fields["expires_in"] != 3599.0 ||
		ok.fields["ext_expires_in"] != 3599.0 || ok.text("access_token") == "" {
		t.Errorf("answer: %s", ok.body)
	}
	good := url.Values{"grant_type": {"client_credentials"}, "client_id": {appID}, "client_secret": {old},
		"scope": {appID + "/.default"}}
	for name, c := range map[string]struct {
		field, value, code string
		status, number     int
	}{
		"a wrong secret":  {"client_secret", "wrong", "invalid_client", 401, 7000215},
		"no secret":       {"client_secret", "", "invalid_client", 401, 7000218},
		"an unknown app":  {"client_id", "other", "unauthorized_client", 400, 700016},
		"a foreign scope": {"scope", "openid", "invalid_scope", 400, 70011},
	} {
		values := url.Values{}
		for k, v := range good {
			values[k] = v
		}
		values.Set(c.field, c.value)
		t.Run(name, func(t *testing.T) { x.form(values).mustRefuse(t, c.status, c.code, c.number) })
	}
	basic := x.send(http.MethodPost, "/"+entratest.TenantID+"/oauth2/v2.0/token", "application/x-www-form-urlencoded",
		"grant_type=client_credentials&scope="+appID+"%2F.default",
		func(r *http.Request) { r.SetBasicAuth(appID, url.QueryEscape(old)) })
	basic.must(t, http.StatusOK)
	x.graph(http.MethodGet, app, "").must(t, http.StatusOK)
	x.token = ok.text("access_token")
	x.graph(http.MethodGet, app, "").mustFail(t, http.StatusUnauthorized, "InvalidAuthenticationToken")
}

func TestFaultsOfTheTokenEndpointHaveTheirNames(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for operation, call := range map[string]func() answer{
		"entra.adminToken": func() answer { return x.admin(url.Values{"client_secret": {x.entra.AdminToken()}}) },
		"token":            func() answer { return x.probe(old) },
	} {
		id, err := x.Faults.Add(fault.Rule{Service: "idp", Operation: operation, Mode: fault.Refuse,
			Status: http.StatusTooManyRequests})
		if err != nil {
			t.Fatal(err)
		}
		if a := call(); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") != "2" ||
			a.fields["error"] == nil {
			t.Errorf("%s: %d %s", operation, a.status, a.body)
		}
		x.Faults.Remove(id)
	}
	x.probe(old).must(t, http.StatusOK)
}
