package entra_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/entra"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/secret"
)

const (
	tenant    = "aaaaaaaa-0000-4000-8000-000000000001"
	appID     = "bbbbbbbb-0000-4000-8000-000000000002"
	objectID  = "cccccccc-0000-4000-8000-000000000003"
	rotatorID = "dddddddd-0000-4000-8000-000000000004"
	secretARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:entra-AbCdEf"

	adminSecret = "abc8Q~client-secret-of-the-rotator"
	adminToken  = "eyJ0.access-token.0"
)

// now is the time of both sides.
var now = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// fake is the part of Entra ID that the conformance suite needs: a registration with its secrets, addressed by its
// client id (Microsoft Graph v1.0).
type fake struct {
	*httptest.Server
	mu      sync.Mutex
	made    int
	secrets []credential
	faults  map[idptest.Operation]idptest.Fault
}

type credential struct {
	KeyID       string  `json:"keyId"`
	DisplayName *string `json:"displayName"`
	Hint        string  `json:"hint"`
	Start       string  `json:"startDateTime"`
	End         string  `json:"endDateTime"`
	SecretText  *string `json:"secretText"`
	Custom      *string `json:"customKeyIdentifier"`
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{faults: map[idptest.Operation]idptest.Fault{}}
	f.add(nil, "2028-03-01T10:00:00Z")
	mux := http.NewServeMux()
	app := "/v1.0/applications(appId='" + appID + "')"
	mux.HandleFunc("GET "+app, f.handle("", f.get))
	mux.HandleFunc("POST "+app+"/addPassword", f.handle(idptest.Create, f.addPassword))
	mux.HandleFunc("POST "+app+"/removePassword", f.handle(idptest.Remove, f.removePassword))
	mux.HandleFunc("POST /"+tenant+"/oauth2/v2.0/token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("client_secret") != adminSecret {
			write(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
			return
		}
		write(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": adminToken})
	})
	f.Server = httptest.NewTLSServer(mux)
	t.Cleanup(f.Close)
	return f
}

// add must be called with the lock held, or before anybody else knows of f.
func (f *fake) add(name *string, end string) credential {
	f.made++
	value := fmt.Sprintf("k%02d8Q~value-made-by-the-fake-entra", f.made)
	c := credential{KeyID: fmt.Sprintf("eeeeeeee-0000-4000-8000-%012d", f.made), DisplayName: name, Hint: value[:3],
		Start: "2026-03-01T10:00:00Z", End: end, SecretText: &value}
	f.secrets = append(f.secrets, c)
	return c
}

// handle authenticates, applies the fault in force, and answers with what effect returns. An operation without a name
// is Check or List, which are one request here: a fault of either is in force.
func (f *fake) handle(op idptest.Operation, effect func(r *http.Request) (int, any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		fault := f.faults[op]
		f.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer "+adminToken {
			write(w, http.StatusUnauthorized, graphError("InvalidAuthenticationToken"))
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

func graphError(code string) map[string]any {
	return map[string]any{"error": map[string]any{"code": code, "message": idptest.Canary, "innerError": map[string]any{"request-id": "r"}}}
}

func (f *fake) get(*http.Request) (int, any) {
	list := []credential{}
	for _, c := range f.secrets {
		c.SecretText = nil
		list = append(list, c)
	}
	return http.StatusOK, map[string]any{"id": objectID, "appId": appID, "signInAudience": "AzureADMyOrg", "passwordCredentials": list}
}

func (f *fake) addPassword(r *http.Request) (int, any) {
	var body struct {
		PasswordCredential struct {
			DisplayName *string `json:"displayName"`
			EndDateTime string  `json:"endDateTime"`
		} `json:"passwordCredential"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil {
		return http.StatusBadRequest, graphError("Request_BadRequest")
	}
	return http.StatusOK, f.add(body.PasswordCredential.DisplayName, body.PasswordCredential.EndDateTime)
}

func (f *fake) removePassword(r *http.Request) (int, any) {
	var body struct{ KeyID string }
	_ = json.NewDecoder(r.Body).Decode(&body)
	i := slices.IndexFunc(f.secrets, func(c credential) bool { return c.KeyID == body.KeyID })
	if i < 0 {
		return http.StatusBadRequest, graphError("Request_BadRequest")
	}
	f.secrets = slices.Delete(f.secrets, i, i+1)
	return http.StatusNoContent, nil
}

func (f *fake) Current() (string, secret.Value) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.secrets[0].KeyID, secret.New(*f.secrets[0].SecretText)
}

func (f *fake) IDs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, c := range f.secrets {
		out = append(out, c.KeyID)
	}
	return out
}

func (f *fake) Accepts(v secret.Value) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.secrets, func(c credential) bool { return *c.SecretText == v.Reveal() })
}

func (f *fake) Break(op idptest.Operation, fault idptest.Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if op == idptest.Check || op == idptest.List {
		op = ""
	}
	f.faults[op] = fault
}

// deps are the dependencies of a provider that talks to a test server.
func deps(t *testing.T, s *httptest.Server, stored string) idp.Deps {
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
			if arn != secretARN || stored == "" {
				return secret.Value{}, failure.New(failure.AccessDenied, "no access to %s", arn)
			}
			return secret.New(stored), nil
		},
		Now:   func() time.Time { return now },
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
}

const withSecret = `"clientSecret": {"clientId": "` + rotatorID + `", "secretArn": "` + secretARN + `"}`

func settings(url, more string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"tenantId": %q, "graphUrl": %q, "loginUrl": %q, %s}`, tenant, url, url, more))
}

var client = idp.Client{Name: "orders-web", ClientID: appID}

func TestConformance(t *testing.T) {
	t.Parallel()
	idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
		f := newFake(t)
		p, err := entra.New(settings(f.URL, withSecret), client, deps(t, f.Server, adminSecret+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		return p, f
	}})
}
