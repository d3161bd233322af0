package auth0test_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/idp"
	adapter "alboidc.internal/shared/idp/auth0"
	"alboidc.internal/shared/idp/auth0/auth0test"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/face"
	"alboidc.internal/shared/idp/idptest/facetest"
	"alboidc.internal/shared/idp/slots"
	"alboidc.internal/shared/secret"
)

const first, second = "first", "second"

func start(t *testing.T) *facetest.Vendor {
	return facetest.Start(t, auth0test.New, map[idptest.Operation]string{idptest.Check: "auth0.getClient",
		idptest.Create: "auth0.updateClient", idptest.Remove: "auth0.updateClient", idptest.Enable: "auth0.updateClient"}, first, second)
}

func application(t *testing.T, v *facetest.Vendor, clientID string) *adapter.Application {
	t.Helper()
	a, err := adapter.New([]byte(`{"tenantUrl": "`+v.URL+`", "clientSecret": {"clientId": "`+auth0test.RotatorID+`", "secretArn": "`+facetest.AdminARN+`"}}`),
		idp.Client{Name: "orders-web", ClientID: clientID}, v.Deps())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTheRotatorsAdapterConformsHere(t *testing.T) {
	t.Parallel()
	idptest.Run(t, idptest.Subject{
		Exceptions: idptest.NeedsNoRequest(idptest.List, "Auth0 lists no secrets; the token endpoint is asked"),
		New: func(t *testing.T) (idp.Provider, idptest.Backend) {
			v := start(t)
			p, b := idptest.WithSlots(t, v, []string{first, second}, func(b slots.Book) idp.Provider {
				return slots.Pair(first, application(t, v, first), second, application(t, v, second), b)
			})
			return p, b
		}})
}

func TestApplicationsThatDifferAreRefusedAsAPair(t *testing.T) {
	t.Parallel()
	v := start(t)
	review := func() []string {
		p := slots.Pair(first, application(t, v, first), second, application(t, v, second), slots.Book{})
		r, err := p.(idp.Reviewer).Review(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r.Refusals
	}
	if r := review(); len(r) != 0 {
		t.Errorf("two that are alike: %v", r)
	}
	v.Face.(*auth0test.Auth0).SetApplication(second, map[string]any{"callbacks": []string{"https://other.example.com/oauth2/idpresponse"},
		"grant_types": []string{"authorization_code"}, "token_endpoint_auth_method": "client_secret_post", "organization_usage": "require"})
	got := strings.Join(review(), "\n")
	for _, want := range []string{"differ in callbacks", "differ in grant_types", "authenticate by client_secret_basic and client_secret_post", "differ in organization_usage"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not among the refusals:\n%s", want, got)
		}
	}
}

func TestASecretIsNotAcceptedBeforeItHasSpread(t *testing.T) {
	t.Parallel()
	v := start(t)
	v.Face.(*auth0test.Auth0).SetSpread(30 * time.Second)
	if err := application(t, v, first).Set(t.Context(), secret.New("a-value-of-ours")); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]bool{29 * time.Second: false, 30 * time.Second: true} {
		if got := v.Store.Accepts(first, "a-value-of-ours", facetest.Noon().Add(after)); got != want {
			t.Errorf("accepted after %s: %t", after, got)
		}
	}
	if v.Store.Accepts(first, "initial-secret-of-"+first, facetest.Noon()) {
		t.Error("the secret before it is still accepted")
	}
}

func TestWhatTheFaceDoesNotKnowIsRefused(t *testing.T) {
	t.Parallel()
	v := start(t)
	token := func(form url.Values) (int, map[string]any) {
		return send(t, v, http.MethodPost, "/oauth/token", "", form.Encode())
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {auth0test.RotatorID}, "client_secret": {v.Face.AdminToken()}, "audience": {v.URL + "/api/v2/"}}
	_, granted := token(form)
	bearer, _ := granted["access_token"].(string)
	form.Set("audience", "https://other")
	if status, body := token(form); status != http.StatusForbidden || body["error"] != "access_denied" {
		t.Errorf("another audience: %d %v", status, body)
	}
	form.Set("client_secret", "wrong")
	if status, body := token(form); status != http.StatusUnauthorized || body["error"] != "access_denied" {
		t.Errorf("a wrong secret: %d %v", status, body)
	}
	for request, want := range map[string]int{
		"GET /api/v2/clients/first?fields=client_id":             http.StatusNotImplemented,
		"GET /api/v2/clients/third":                              http.StatusNotFound,
		"POST /api/v2/clients/first/rotate-secret":               http.StatusNotImplemented,
		`PATCH /api/v2/clients/first {"callbacks": []}`:          http.StatusBadRequest,
		`PATCH /api/v2/clients/first {"client_secret": ""}`:      http.StatusBadRequest,
		`PATCH /api/v2/clients/third {"client_secret": "value"}`: http.StatusNotFound,
	} {
		part := strings.SplitN(request, " ", 3)
		body := strings.Join(part[2:], "")
		if status, answer := send(t, v, part[0], part[1], bearer, body); status != want || answer["statusCode"] != float64(want) {
			t.Errorf("%s: %d %v, want %d", request, status, answer, want)
		}
	}
	if status, _ := send(t, v, http.MethodGet, "/api/v2/clients/first", "another", ""); status != http.StatusUnauthorized {
		t.Errorf("another token: %d", status)
	}
}

func send(t *testing.T, v *facetest.Vendor, method, path, bearer, body string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, v.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if bearer == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := v.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	var out map[string]any
	_ = json.Unmarshal(b, &out)
	return resp.StatusCode, out
}

func TestTheTokenEndpointAnswersAsAuth0Does(t *testing.T) {
	t.Parallel()
	f := start(t).Face
	for r, want := range map[face.Refusal]string{face.WrongSecret: "401 access_denied", face.InvalidCode: "403 invalid_grant", face.UnsupportedGrant: "400 unsupported_grant_type"} {
		e := f.TokenError(r)
		if got := fmt.Sprintf("%d %s", e.Status, e.Code); got != want {
			t.Errorf("%s: %s, want %s", r, got, want)
		}
	}
}
