package entra_test

import (
	"net/http"
	"regexp"
	"testing"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/entra"
	"alboidc.internal/shared/idp/idptest/httpvendor"
)

var guid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// script counts the requests for access tokens, which it answers besides.
type script struct {
	*httpvendor.Script
	tokens int
}

// play expects requests to Microsoft Graph, each with a client-request-id of its own.
func play(t *testing.T, exchanges ...httpvendor.Exchange) *script {
	t.Helper()
	s, ids := &script{Script: httpvendor.Play(t, "Bearer "+adminToken, exchanges...)}, map[string]bool{}
	s.Aside = func(w http.ResponseWriter, r *http.Request) bool {
		id := r.Header.Get("client-request-id")
		if !guid.MatchString(id) || ids[id] {
			t.Errorf("the client-request-id %q is no new GUID", id)
		}
		ids[id] = true
		if r.URL.Path != "/"+tenant+"/oauth2/v2.0/token" {
			return false
		}
		s.tokens++
		httpvendor.Write(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": adminToken})
		return true
	}
	return s
}

// provider is one with a client secret and further settings (each followed by a comma).
func provider(t *testing.T, s *script, more string) idp.Provider {
	t.Helper()
	p, err := entra.New(settings(s.URL, more+withSecret), client, deps(t, s.Server, adminSecret))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
