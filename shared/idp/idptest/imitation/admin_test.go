package imitation_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/idp/idptest/imitation"
)

func TestAnAdminClientProvesItselfAndGetsTokensThatEnd(t *testing.T) {
	t.Parallel()
	noon := clock.NewVirtual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	a := imitation.NewAdmin(noon, "rotator:1")
	post := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(url.Values{"client_id": {a.ClientID},
		"client_secret": {a.Secret}}.Encode()))
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	basic := httptest.NewRequest(http.MethodPost, "/token", nil)
	basic.SetBasicAuth(url.QueryEscape(a.ClientID), a.Secret)
	wrong := httptest.NewRequest(http.MethodPost, "/token", nil)
	wrong.SetBasicAuth(url.QueryEscape(a.ClientID), "wrong")
	for _, tt := range []struct {
		r         *http.Request
		ok, basic bool
	}{{post, true, false}, {basic, true, true}, {wrong, false, true}} {
		_ = tt.r.ParseForm()
		if ok, b := a.Proves(tt.r); ok != tt.ok || b != tt.basic || !a.Is(tt.r) {
			t.Errorf("proves is %t by Basic %t, want %t, %t", ok, b, tt.ok, tt.basic)
		}
	}
	w := httptest.NewRecorder()
	a.Grant(w)
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.ExpiresIn != 3600 {
		t.Fatalf("the answer is %s", w.Body)
	}
	r := httptest.NewRequest(http.MethodGet, "/clients", nil)
	if a.Allows(r) {
		t.Error("allowed without a token")
	}
	r.Header.Set("Authorization", "Bearer "+answer.AccessToken)
	if !a.Allows(r) {
		t.Error("not allowed with a token")
	}
	noon.Advance(time.Hour)
	if a.Allows(r) {
		t.Error("allowed with a token that has ended")
	}
}
