package cognito_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/secret"
)

// fake is the part of Cognito that the conformance suite needs: an app client with its secrets.
type fake struct {
	*httptest.Server
	mu      sync.Mutex
	made    int
	secrets []stored
	faults  map[idptest.Operation]idptest.Fault
}

type stored struct{ id, value string }

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{faults: map[idptest.Operation]idptest.Fault{}}
	f.add("initial-secret-of-the-app-client")
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// add must be called with the lock held, or before anybody else knows of f.
func (f *fake) add(value string) stored {
	f.made++
	s := stored{fmt.Sprintf("%s--%d", clientID, 1772359200+f.made), value}
	f.secrets = append(f.secrets, s)
	return s
}

// request holds the parameters of all operations.
type request struct{ UserPoolID, ClientID, ClientSecret, ClientSecretID string }

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operations := map[string]struct {
		op     idptest.Operation
		effect func(request) (code string, answer any)
	}{
		"DescribeUserPoolClient":     {idptest.Check, f.describe},
		"ListUserPoolClientSecrets":  {idptest.List, f.list},
		"AddUserPoolClientSecret":    {idptest.Create, f.create},
		"DeleteUserPoolClientSecret": {idptest.Remove, f.delete},
	}
	o, known := operations[strings.TrimPrefix(r.Header.Get("X-Amz-Target"), targets)]
	var in request
	if !known || json.NewDecoder(r.Body).Decode(&in) != nil || in.UserPoolID != poolID || in.ClientID != clientID {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	f.mu.Lock()
	fault := f.faults[o.op]
	f.mu.Unlock()
	if fault.Before(w, r) {
		return
	}
	f.mu.Lock()
	code, answer := o.effect(in)
	f.mu.Unlock()
	fault.After()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if code != "" {
		w.WriteHeader(http.StatusBadRequest)
		answer = map[string]string{"__type": code, "message": idptest.Canary}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (f *fake) describe(request) (string, any) { return "", json.RawMessage(goodClient) }

func (f *fake) list(request) (string, any) {
	out := []map[string]any{}
	for _, s := range f.secrets {
		out = append(out, map[string]any{"ClientSecretId": s.id, "ClientSecretCreateDate": 1772359200.123})
	}
	return "", map[string]any{"ClientSecrets": out}
}

func (f *fake) create(in request) (string, any) {
	if len(f.secrets) == 2 {
		return "LimitExceededException", nil
	}
	return "", map[string]any{"ClientSecretDescriptor": map[string]any{"ClientSecretId": f.add(in.ClientSecret).id, "ClientSecretCreateDate": 1772359200.123}}
}

func (f *fake) delete(in request) (string, any) {
	i := slices.IndexFunc(f.secrets, func(s stored) bool { return s.id == in.ClientSecretID })
	switch {
	case i < 0:
		return "ResourceNotFoundException", nil
	case len(f.secrets) == 1:
		return "InvalidParameterException", nil
	}
	f.secrets = slices.Delete(f.secrets, i, i+1)
	return "", map[string]any{}
}

func (f *fake) Current() (string, secret.Value) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.secrets[0].id, secret.New(f.secrets[0].value)
}

func (f *fake) IDs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, s := range f.secrets {
		out = append(out, s.id)
	}
	return out
}

func (f *fake) Accepts(v secret.Value) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.secrets, func(s stored) bool { return s.value == v.Reveal() })
}

func (f *fake) Break(op idptest.Operation, fault idptest.Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[op] = fault
}

// TestConformance lets the SDK repeat requests, as it does in production: no repeat may do harm.
func TestConformance(t *testing.T) {
	t.Parallel()
	idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
		f := newFake(t)
		return newProvider(t, f.URL, 3), f
	}})
}

// goodClient is the documented shape of DescribeUserPoolClient's answer, shortened.
const goodClient = `{"UserPoolClient": {"UserPoolId": "` + poolID + `", "ClientId": "` + clientID + `", "ClientName": "orders",
 "ClientSecret": "canary-of-the-first-secret-0123456789", "AllowedOAuthFlows": ["code"], "AllowedOAuthFlowsUserPoolClient": true,
 "AllowedOAuthScopes": ["openid"], "CallbackURLs": ["https://orders.example.com/oauth2/idpresponse"], "CreationDate": 1772359200.123}}`
