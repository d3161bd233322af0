package keycloak_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/httpvendor"
	"alboidc.internal/shared/idp/slots"
)

// fake is the part of Keycloak that the conformance suite needs: one client that a policy covers, with its secrets.
type fake struct {
	*httptest.Server
	httpvendor.Slots
	made int
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{Slots: httpvendor.Slots{Secrets: []string{"initial-secret-of-the-client"}}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+realm+"/clients", f.Handle(func(*http.Request) (int, any) {
		attributes := covered
		if len(f.Secrets) > 1 {
			attributes += `, "client.secret.rotated.expiration.time": "` + epoch(now.Add(48*time.Hour)) + `"`
		}
		return http.StatusOK, json.RawMessage("[" + representation(attributes) + "]")
	}, idptest.Check))
	mux.HandleFunc("GET "+at+"/client-secret", f.Handle(func(*http.Request) (int, any) { return http.StatusOK, credential(f.Secrets[0]) }, idptest.List))
	mux.HandleFunc("GET "+at+"/client-secret/rotated", f.Handle(func(*http.Request) (int, any) {
		if len(f.Secrets) == 1 {
			return http.StatusNotFound, map[string]string{"error": idptest.Canary}
		}
		return http.StatusOK, credential(f.Secrets[1])
	}))
	mux.HandleFunc("POST "+at+"/client-secret", f.Handle(func(*http.Request) (int, any) {
		f.made++
		f.Secrets = []string{strings.Repeat("new-", f.made) + "value-made-by-the-fake-keycloak", f.Secrets[0]}
		return http.StatusOK, credential(f.Secrets[0])
	}, idptest.Create))
	mux.HandleFunc("PUT "+at, f.Handle(func(r *http.Request) (int, any) {
		var in struct{ Secret string }
		if json.NewDecoder(r.Body).Decode(&in) != nil {
			return http.StatusBadRequest, map[string]string{"errorMessage": idptest.Canary}
		}
		if in.Secret != "" {
			f.Secrets[0] = in.Secret
		}
		return http.StatusNoContent, nil
	}))
	mux.HandleFunc("DELETE "+at+"/client-secret/rotated", f.Handle(func(*http.Request) (int, any) {
		f.Secrets = f.Secrets[:1]
		return http.StatusNoContent, nil
	}, idptest.Remove))
	f.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case issue(t, w, r):
		case r.Header.Get("Authorization") != "Bearer "+adminToken:
			httpvendor.Write(w, http.StatusUnauthorized, map[string]any{"error": idptest.Canary})
		default:
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func credential(value string) any { return map[string]string{"type": "secret", "value": value} }

func TestConformance(t *testing.T) {
	t.Parallel()
	idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
		f := newFake(t)
		p, b := idptest.WithSlots(t, f, []string{clientID}, func(b slots.Book) idp.Provider { return slots.Shifting(newClient(t, f.Server), b) })
		return p, b
	}})
}
