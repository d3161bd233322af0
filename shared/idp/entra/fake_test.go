package entra_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/entra"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/httpvendor"
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
	httpvendor.Faults
	made    int
	secrets []credential
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
	f := &fake{}
	f.add(nil, "2028-03-01T10:00:00Z")
	mux := http.NewServeMux()
	app := "/v1.0/applications(appId='" + appID + "')"
	mux.HandleFunc("GET "+app, f.handle(f.get, idptest.Check, idptest.List))
	mux.HandleFunc("POST "+app+"/addPassword", f.handle(f.addPassword, idptest.Create))
	mux.HandleFunc("POST "+app+"/removePassword", f.handle(f.removePassword, idptest.Remove))
	mux.HandleFunc("POST /"+tenant+"/oauth2/v2.0/token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("client_secret") != adminSecret {
			httpvendor.Write(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
			return
		}
		httpvendor.Write(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": adminToken})
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

// handle authenticates, applies the faults in force, and answers with what effect returns. Check and List are one
// request here.
func (f *fake) handle(effect func(r *http.Request) (int, any), ops ...idptest.Operation) http.HandlerFunc {
	handle := f.Handle(effect, ops...)
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+adminToken {
			httpvendor.Write(w, http.StatusUnauthorized, graphError("InvalidAuthenticationToken"))
			return
		}
		handle(w, r)
	}
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
	f.Lock()
	defer f.Unlock()
	return f.secrets[0].KeyID, secret.New(*f.secrets[0].SecretText)
}

func (f *fake) IDs() []string {
	f.Lock()
	defer f.Unlock()
	var out []string
	for _, c := range f.secrets {
		out = append(out, c.KeyID)
	}
	return out
}

func (f *fake) Accepts(v secret.Value) bool {
	f.Lock()
	defer f.Unlock()
	return slices.ContainsFunc(f.secrets, func(c credential) bool { return *c.SecretText == v.Reveal() })
}

// deps are the dependencies of a provider that talks to a test server and reads a stored credential; "" is none.
func deps(t *testing.T, s *httptest.Server, stored string) idp.Deps {
	t.Helper()
	secrets := map[string]string{}
	if stored != "" {
		secrets[secretARN] = stored
	}
	return httpvendor.Deps(t, s, secrets, now)
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
