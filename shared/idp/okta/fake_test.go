package okta_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
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
	mu      sync.Mutex
	made    int
	secrets []*object
	faults  map[idptest.Operation]idptest.Fault
}

type object struct {
	ID           string `json:"id"`
	Status       string `json:"status"`
	ClientSecret string `json:"client_secret,omitempty"`
	Created      string `json:"created"`
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{faults: map[idptest.Operation]idptest.Fault{}}
	f.add("initial-secret-of-the-okta-app-0123456789")
	mux := http.NewServeMux()
	app := "/api/v1/apps/0oaApp"
	mux.HandleFunc("GET "+app, f.handle(idptest.Check, f.app))
	mux.HandleFunc("GET "+app+"/credentials/secrets", f.handle(idptest.List, f.list))
	mux.HandleFunc("POST "+app+"/credentials/secrets", f.handle(idptest.Create, f.create))
	mux.HandleFunc("DELETE "+app+"/credentials/secrets/{id}", f.handle(idptest.Remove, f.delete))
	mux.HandleFunc("POST "+app+"/credentials/secrets/{id}/lifecycle/deactivate", f.handle(idptest.Disable, f.deactivate))
	mux.HandleFunc("POST "+app+"/credentials/secrets/{id}/lifecycle/activate", f.handle(idptest.Enable, f.activate))
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
func (f *fake) handle(op idptest.Operation, effect func(r *http.Request) (int, any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		fault := f.faults[op]
		f.mu.Unlock()
		if r.Header.Get("Authorization") != "SSWS "+apiToken {
			write(w, http.StatusUnauthorized, oktaError("E0000011"))
			return
		}
		if fault.Before(w, r) {
			return
		}
		f.mu.Lock()
		status, body := effect(r)
		f.mu.Unlock()
		fault.After()
		write(w, status, body)
	}
}

func write(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
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
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.secrets[0].ID, secret.New(f.secrets[0].ClientSecret)
}

func (f *fake) IDs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, o := range f.secrets {
		out = append(out, o.ID)
	}
	return out
}

func (f *fake) Accepts(v secret.Value) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.secrets, func(o *object) bool { return o.Status == "ACTIVE" && o.ClientSecret == v.Reveal() })
}

func (f *fake) Break(op idptest.Operation, fault idptest.Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[op] = fault
}

// deps are the dependencies of a provider that talks to a test server.
func deps(t *testing.T, s *httptest.Server, secrets map[string]string, now time.Time) idp.Deps {
	t.Helper()
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	client, err := httpclient.New(httpclient.Options{RootCAs: root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return idp.Deps{
		HTTP: client,
		Secret: func(_ context.Context, arn string) (secret.Value, error) {
			v, ok := secrets[arn]
			if !ok {
				return secret.Value{}, failure.New(failure.AccessDenied, "no access to %s", arn)
			}
			return secret.New(v), nil
		},
		Now:   func() time.Time { return now },
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
}

func settings(url, more string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"orgUrl": %q, "appId": "0oaApp", %s}`, url, more))
}

const withToken = `"apiToken": {"secretArn": "` + tokenARN + `"}`

func TestConformance(t *testing.T) {
	t.Parallel()
	idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
		f := newFake(t)
		d := deps(t, f.Server, map[string]string{tokenARN: apiToken + "\n"}, time.Unix(1772359200, 0))
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
