package idp_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/fault"
)

func TestFaultsHitTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	w := start(t)
	code := w.code()
	add := func(r fault.Rule) {
		t.Helper()
		r.Service, r.Operation, r.Match, r.Times = "idp", "token", "grant_type=authorization_code", 1
		if _, err := w.faults.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	add(fault.Rule{Mode: fault.Refuse, Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable"})
	w.token(first, codeGrant(code)).must(t, http.StatusServiceUnavailable, "error", "temporarily_unavailable")
	add(fault.Rule{Mode: fault.Refuse, Code: "WrongJSON"})
	if a := w.token(first, codeGrant(code)); a.status != http.StatusOK || json.Valid([]byte(a.body)) {
		t.Fatalf("garbage was announced, got %d %s", a.status, a.body)
	}
	w.token(first, codeGrant(code)).must(t, http.StatusOK) // neither refusal used up the code

	code = w.code()
	add(fault.Rule{Mode: fault.Lose})
	r := form(t, w.Endpoints().Token, codeGrant(code))
	r.SetBasicAuth(clientID, first)
	if got, err := w.http.Do(r); err == nil {
		_ = got.Body.Close()
		t.Fatalf("a lost answer arrived with status %d", got.StatusCode)
	}
	w.token(first, codeGrant(code)).must(t, http.StatusBadRequest, "error", "invalid_grant") // it had taken effect

	add(fault.Rule{Mode: fault.Delay, Latency: 7 * time.Second})
	w.token(first, codeGrant(w.code())).must(t, http.StatusOK)
	if got := w.clock.Now().Sub(noon()); got != 7*time.Second {
		t.Fatalf("the answer took %s of the provider's time", got)
	}
}

func TestFaultsHitTheOtherEndpoints(t *testing.T) {
	t.Parallel()
	w := start(t)
	for operation, address := range map[string]string{"authorize": w.Endpoints().Authorization,
		"login":    w.URL() + "/login",
		"userinfo": w.Endpoints().UserInfo, "discovery": w.Issuer() + "/.well-known/openid-configuration",
		"keys": w.Issuer() + "/v1/keys"} {
		if _, err := w.faults.Add(fault.Rule{Service: "idp", Operation: operation, Mode: fault.Refuse, Status: 502,
			Times: 1}); err != nil {
			t.Fatal(err)
		}
		w.get(address).must(t, http.StatusBadGateway, "error", "server_error")
	}
}

func TestObserversOfFaultsSeeNoCredentials(t *testing.T) {
	t.Parallel()
	w := start(t)
	var seen []string
	w.faults.Observe(func(_, operation, text string) { seen = append(seen, operation+" "+text) })
	post := codeGrant(w.code())
	post.Set("client_id", clientID)
	post.Set("client_secret", first)
	w.do(form(t, w.Endpoints().Token, post))
	all := strings.Join(seen, "\n")
	for _, hidden := range []string{first, password, post.Get("code")} {
		if strings.Contains(all, hidden) {
			t.Errorf("a credential is in the text of a fault")
		}
	}
	if !strings.Contains(all,
		"token POST /oauth2/default/v1/token client_id=orders-web grant_type=authorization_code") {
		t.Errorf("the token request was not observed:\n%s", all)
	}
}

func TestATokenEndpointCanRefuseRightSecrets(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"all": "", "one": first} {
		w := start(t)
		w.Store().RefuseUntil(w.clock.Now().Add(40*time.Second), value)
		w.token(first, codeGrant("x")).must(t, http.StatusUnauthorized, "error", "invalid_client")
		if !w.Store().Accepts(clientID, first, w.clock.Now()) {
			t.Errorf("%s: the store has lost the secret", name)
		}
		w.clock.Advance(40 * time.Second)
		w.token(first, codeGrant("x")).must(t, http.StatusBadRequest, "error", "invalid_grant")
	}
	w := start(t)
	w.Store().RefuseUntil(w.clock.Now().Add(40*time.Second), "another")
	w.token(first, codeGrant("x")).must(t, http.StatusBadRequest, "error", "invalid_grant")
}
