package okta_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/httpvendor"
	"alboidc.internal/shared/idp/okta"
	"alboidc.internal/shared/secret"
)

const (
	tokenARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:okta-token-AbCdEf"
	keyARN   = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:okta-key-AbCdEf"
	apiToken = "00exampleTokenOfTheAdmin"
)

// fake is the part of Okta that the conformance suite needs: an app with its secrets (Okta Management API, Application
// SSO Public Keys).
type fake struct {
	*httptest.Server
	httpvendor.Faults
	made    int
	secrets []*object
}

type object struct {
	ID           string `json:"id"`
	Status       string `json:"status"`
	ClientSecret string `json:"client_secret,omitempty"`
	Created      string `json:"created"`
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{}
	f.add("initial-secret-of-the-okta-app-0123456789")
	mux := http.NewServeMux()
	app := "/api/v1/apps/0oaApp"
	mux.HandleFunc("GET "+app, f.handle(f.app, idptest.Check))
	mux.HandleFunc("GET "+app+"/credentials/secrets", f.handle(f.list, idptest.List))
	mux.HandleFunc("POST "+app+"/credentials/secrets", f.handle(f.create, idptest.Create))
	mux.HandleFunc("DELETE "+app+"/credentials/secrets/{id}", f.handle(f.delete, idptest.Remove))
	mux.HandleFunc("POST "+app+"/credentials/secrets/{id}/lifecycle/deactivate", f.handle(f.deactivate, idptest.Disable))
	mux.HandleFunc("POST "+app+"/credentials/secrets/{id}/lifecycle/activate", f.handle(f.activate, idptest.Enable))
	f.Server = httptest.NewTLSServer(mux)
	t.Cleanup(f.Close)
	return f
}

// add must be called with the lock held, or before anybody else knows of f.
func (f *fake) add(value string) *object {
	f.made++
	o := &object{ID: fmt.Sprintf("ocs%d", f.made), Status: "ACTIVE", ClientSecret: value, Created: "2026-03-01T10:00:00.000Z"}
	f.secrets = append(f.secrets, o)
	return o
}

// handle authenticates, applies the fault in force, and answers with what effect returns.
func (f *fake) handle(effect func(r *http.Request) (int, any), op idptest.Operation) http.HandlerFunc {
	handle := f.Handle(effect, op)
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "SSWS "+apiToken {
			httpvendor.Write(w, http.StatusUnauthorized, oktaError("E0000011"))
			return
		}
		handle(w, r)
	}
}

func oktaError(code string) map[string]any {
	return map[string]any{"errorCode": code, "errorSummary": idptest.Canary, "errorId": "oae1", "errorCauses": []any{}}
}

func (f *fake) app(*http.Request) (int, any) { return http.StatusOK, json.RawMessage(goodApp) }

func (f *fake) list(*http.Request) (int, any) {
	out := []object{}
	for _, o := range f.secrets {
		hidden := *o
		hidden.ClientSecret = ""
		out = append(out, hidden)
	}
	return http.StatusOK, out
}

func (f *fake) create(r *http.Request) (int, any) {
	var body struct {
		ClientSecret string `json:"client_secret"`
		Status       string `json:"status"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.Status != "ACTIVE" || len(f.secrets) >= 2 {
		return http.StatusBadRequest, oktaError("E0000001")
	}
	return http.StatusCreated, f.add(body.ClientSecret)
}

func (f *fake) at(r *http.Request) int {
	return slices.IndexFunc(f.secrets, func(o *object) bool { return o.ID == r.PathValue("id") })
}

func (f *fake) delete(r *http.Request) (int, any) {
	i := f.at(r)
	switch {
	case i < 0:
		return http.StatusNotFound, oktaError("E0000007")
	case f.secrets[i].Status != "INACTIVE":
		return http.StatusBadRequest, oktaError("E0000001")
	}
	f.secrets = slices.Delete(f.secrets, i, i+1)
	return http.StatusNoContent, nil
}

func (f *fake) deactivate(r *http.Request) (int, any) {
	active := 0
	for _, o := range f.secrets {
		if o.Status == "ACTIVE" {
			active++
		}
	}
	return f.set(r, "INACTIVE", active > 1)
}

func (f *fake) activate(r *http.Request) (int, any) { return f.set(r, "ACTIVE", true) }

func (f *fake) set(r *http.Request, status string, allowed bool) (int, any) {
	i := f.at(r)
	switch {
	case i < 0:
		return http.StatusNotFound, oktaError("E0000007")
	case !allowed:
		return http.StatusBadRequest, oktaError("E0000001")
	}
	f.secrets[i].Status = status
	return http.StatusOK, f.secrets[i]
}

func (f *fake) Current() (string, secret.Value) {
	f.Lock()
	defer f.Unlock()
	return f.secrets[0].ID, secret.New(f.secrets[0].ClientSecret)
}

func (f *fake) IDs() []string {
	f.Lock()
	defer f.Unlock()
	var out []string
	for _, o := range f.secrets {
		out = append(out, o.ID)
	}
	return out
}

func (f *fake) Accepts(v secret.Value) bool {
	f.Lock()
	defer f.Unlock()
	return slices.ContainsFunc(f.secrets, func(o *object) bool { return o.Status == "ACTIVE" && o.ClientSecret == v.Reveal() })
}

func settings(url, more string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"orgUrl": %q, "appId": "0oaApp", %s}`, url, more))
}

const withToken = `"apiToken": {"secretArn": "` + tokenARN + `"}`

func TestConformance(t *testing.T) {
	t.Parallel()
	idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
		f := newFake(t)
		d := httpvendor.Deps(t, f.Server, map[string]string{tokenARN: apiToken + "\n"}, time.Unix(1772359200, 0))
		p, err := okta.New(settings(f.URL, withToken), idp.Client{Name: "orders-web", ClientID: "0oaClient"}, d)
		if err != nil {
			t.Fatal(err)
		}
		return p, f
	}})
}

// goodApp is the documented shape of an app integration, shortened.
var goodApp = strings.TrimSpace(`
{"id": "0oaApp", "name": "oidc_client", "label": "Orders", "status": "ACTIVE", "signOnMode": "OPENID_CONNECT",
 "credentials": {"oauthClient": {"autoKeyRotation": true, "client_id": "0oaClient", "token_endpoint_auth_method": "client_secret_basic"}},
 "settings": {"oauthClient": {"grant_types": ["authorization_code", "refresh_token"], "redirect_uris": ["https://orders.example.com/oauth2/idpresponse"]}}}
`)
