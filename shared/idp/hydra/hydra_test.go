package hydra_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/hydra"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/secret"
)

const (
	clientID  = "orders-web"
	secretARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:ory-AbCdEf"
	apiKey    = "ory_pat_example"
	at        = "/admin/clients/" + clientID
	withKey   = `"apiKey": {"secretArn": "` + secretARN + `"}`
)

// client is the documented shape, shortened.
const client = `{"client_id": "` + clientID +
	`", "client_name": "Orders", "redirect_uris": ["https://orders.example.com/oauth2/idpresponse"],
 "grant_types": ["refresh_token", "authorization_code"], "response_types": ["code"], "scope": "openid offline_access", "audience": [], "subject_type": "public",
 "token_endpoint_auth_method": "client_secret_post", "userinfo_signed_response_alg": "none", "metadata": {}, "skip_consent": true}`

func newClient(t *testing.T, s *httptest.Server, more string) *hydra.Client {
	t.Helper()
	c, err := hydra.New([]byte(`{"adminUrl": "`+s.URL+`/"`+more+`}`), idp.Client{Name: "orders-web",
		ClientID: clientID},
		imitationtest.Deps(t, s, map[string]string{secretARN: apiKey + "\n"}, time.Unix(1772359200, 0)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// play expects requests with the API key.
func play(t *testing.T, exchanges ...imitationtest.Exchange) *hydra.Client {
	t.Helper()
	return newClient(t, imitationtest.Play(t, "Bearer "+apiKey, exchanges...).Server,
		`, "removeAllPrevious": true, `+withKey)
}

func TestTheSecretIsRotatedAsDocumented(t *testing.T) {
	t.Parallel()
	rotate := imitationtest.Exchange{Request: "POST " + at + "/secrets/rotate", Status: 200, Answer: `{"client_id": "` +
		clientID + `", "client_secret": "made-by-hydra"}`}
	if v, err := play(t, rotate).Shift(t.Context()); err != nil || !v.Equal(secret.New("made-by-hydra")) {
		t.Errorf("the value is not that of the answer (%v)", err)
	}
	rotate.Answer = `{"client_id": "` + clientID + `"}`
	if _, err := play(t, rotate).Shift(t.Context()); !failure.Is(err, failure.Unavailable) {
		t.Errorf("an answer without a secret: %v", err)
	}
	set := imitationtest.Exchange{Request: "PATCH " + at,
		Body: `[{"op": "replace", "path": "/client_secret", "value": "of-ours"}]`, Status: 200, Answer: client}
	if err := play(t, set).Set(t.Context(), secret.New("of-ours")); err != nil {
		t.Error(err)
	}
	if err := play(t, set).Restore(t.Context(), secret.New("of-ours")); err != nil {
		t.Error(err)
	}
	set.Answer = `{}`
	if err := play(t, set).Set(t.Context(), secret.New("of-ours")); !failure.Is(err, failure.Unavailable) {
		t.Errorf("another answer: %v", err)
	}
}

func TestAHydraOfOnesOwnIsAskedWithoutACredential(t *testing.T) {
	t.Parallel()
	s := imitationtest.Play(t, "", imitationtest.Exchange{Request: "GET " + at, Status: 200, Answer: client})
	if err := newClient(t, s.Server, "").Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnOldHydraIsFoundOutWithoutAChange(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{`"v26.2.0"`: "refused", `"v2.2.0"`: "refused", `"v25.4.0"`: "refused",
		`"v26.3.0"`: "", `"v27.0.1-rc.1"`: "",
		`"v26.2.1"`: "warned", `"master"`: "warned", `7`: "warned"} {
		e := imitationtest.Exchange{Request: "GET /version", Status: 200, Answer: `{"version": ` + version + `}`}
		if version == "7" { // the Ory Network's gateway
			e.Status, e.Answer = 404, `{"error": {"id": "not_found"}}`
		}
		r, err := play(t, e).ReviewShift(t.Context())
		got := ""
		switch {
		case len(r.Refusals) == 1 && strings.Contains(r.Refusals[0], "identityProvider.clientPair"):
			got = "refused"
		case len(r.Warnings) == 1 && len(r.Refusals) == 0:
			got = "warned"
		}
		if err != nil || got != want {
			t.Errorf("version %s: %q %+v (%v), want %q", version, got, r, err, want)
		}
	}
	s := imitationtest.Play(t,
		"", imitationtest.Exchange{Request: "GET /version", Status: 200, Answer: `{"version": "v26.3.0"}`})
	r, err := newClient(t, s.Server, "").ReviewShift(t.Context())
	if err != nil || len(r.Refusals) != 1 || !strings.Contains(r.Refusals[0],
		"settings.removeAllPrevious: must be true") {
		t.Errorf("without the acknowledgement: %+v (%v)", r, err)
	}
}

func TestAHydraThatCannotRotateSaysSoAndNothingIsChanged(t *testing.T) {
	t.Parallel()
	rotate := imitationtest.Exchange{Request: "POST " + at + "/secrets/rotate", Status: 404,
		Answer: `404 page not found`}
	_, err := play(t, rotate, imitationtest.Exchange{Request: "GET " + at, Status: 200,
		Answer: client}).Shift(t.Context())
	if !failure.Is(err, failure.Precondition) || !strings.Contains(err.Error(), "identityProvider.clientPair") {
		t.Errorf("no such path: %v", err)
	}
	_, err = play(t, rotate, imitationtest.Exchange{Request: "GET " + at, Status: 404,
		Answer: `{"error": "not_found"}`}).Shift(t.Context())
	if !failure.Is(err, failure.IdPRejected) || !strings.Contains(err.Error(), "there is no client orders-web") {
		t.Errorf("no such client: %v", err)
	}
}

func TestCheckSaysWhyAClientCannotBeRotated(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		old, new string
		kind     failure.Kind
		says     string
	}{
		"a good client passes":      {"", "", "", ""},
		"the default method passes": {`"token_endpoint_auth_method": "client_secret_post", `, "", "", ""},
		"a private key": {"client_secret_post", "private_key_jwt", failure.Precondition,
			"client_secret_basic or client_secret_post"},
		"a public client": {"client_secret_post", "none", failure.Precondition,
			"client_secret_basic or client_secret_post"},
		"another client": {`"client_id": "orders-web"`, `"client_id": "other"`, failure.Precondition,
			"another client than orders-web"},
		"no grants, the default":      {`["refresh_token", "authorization_code"]`, `[]`, "", ""},
		"null for the default":        {`["refresh_token", "authorization_code"]`, `null`, "", ""},
		"no authorization code":       {`, "authorization_code"`, ``, failure.Precondition, "authorization_code"},
		"something that is no answer": {`"client_id"`, `"id"`, failure.Unavailable, "not understood"},
	} {
		err := play(t, imitationtest.Exchange{Request: "GET " + at, Status: 200, Answer: strings.Replace(client, tt.old,
			tt.new, 1)}).Check(t.Context())
		if (err == nil) != (tt.kind == "") || err != nil && (!failure.Is(err, tt.kind) ||
			!strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v, want %s with %q", name, err, tt.kind, tt.says)
		}
	}
	read := imitationtest.Exchange{Request: "GET " + at, Status: 200, Answer: client}
	h := play(t, read, read)
	if r, err := h.Review(t.Context()); err != nil || r.AuthMethod != "client_secret_post" {
		t.Errorf("the review is %+v (%v)", r, err)
	}
	traits, err := h.Traits(t.Context())
	if err != nil || len(traits) != 7 || traits["grant_types"] != "authorization_code refresh_token" ||
		traits["scope"] != "openid offline_access" || traits["skip_consent"] != "true" {
		t.Errorf("the traits are %v (%v)", traits, err)
	}
}

func TestAClientsIDMayHoldAnything(t *testing.T) {
	t.Parallel()
	const odd = "https://orders.example.com/ä b"
	s := imitationtest.Play(t, "", imitationtest.Exchange{Request: "POST /admin/clients/" +
		"https:%2F%2Forders.example.com%2F%C3%A4%20b/secrets/rotate", Status: 200,
		Answer: `{"client_id": "` + odd + `", "client_secret": "made-by-hydra"}`})
	c, err := hydra.New([]byte(`{"adminUrl": "`+s.URL+`"}`), idp.Client{ClientID: odd},
		imitationtest.Deps(t, s.Server, nil, time.Unix(1772359200, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Shift(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRefusalsAreExplained(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		answer string
		kind   failure.Kind
		says   string
	}{
		"no key": {401, `{"error": {"id": "session_inactive", "message": "vendor"}}`, failure.IdPRejected,
			"settings.apiKey, or whatever protects a Hydra of your own: HTTP 401 session_inactive"},
		"too much":  {429, `{"error": {"id": "too_many_requests"}}`, failure.Throttled, "HTTP 429 too_many_requests"},
		"an outage": {502, "vendor", failure.Unavailable, "HTTP 502"},
		"another at the same time": {400,
			`{"error": {"code": 400, "status": "Bad Request", "message": "Unable to serialize access due to a concurrent update in another session, vendor"}}`,
			failure.Throttled, "HTTP 400 concurrent_update"},
		"no secret": {400, `{"error": "invalid_request", "error_description": "vendor"}`, failure.IdPRejected,
			"HTTP 400 invalid_request"},
	} {
		_, err := play(t, imitationtest.Exchange{Request: "POST " + at + "/secrets/rotate", Status: tt.status,
			Answer: tt.answer}).Shift(t.Context())
		if !failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(),
			"vendor") {
			t.Errorf("%s: %v, want %s with %q", name, err, tt.kind, tt.says)
		}
	}
}

func TestSettingsAreRefusedFieldByField(t *testing.T) {
	t.Parallel()
	const p = "identityProvider.settings"
	for settings, want := range map[string]string{
		`{"adminUrl": "https://hydra-admin.example.com"}`:                                        "",
		`{"adminUrl": "https://example.com/hydra/", "removeAllPrevious": true, ` + withKey + `}`: "",
		`{}`:                                p + ".adminUrl: is missing",
		`{"adminUrl": "http://hydra:4445"}`: p + ".adminUrl: must begin with https://",
		`{"adminUrl": "https://hydra-admin.example.com/admin/clients"}`: p +
			".adminUrl: must be the URL before /admin/clients",
		`{"adminUrl": "https://x.example.com", "apiKey": {"secretArn": "canary"}}`: p +
			".apiKey.secretArn: must be the ARN",
		`{"adminUrl": "https://x.example.com", "key": "canary"}`: p +
			".key: is not known; allowed here: adminUrl, apiKey, removeAllPrevious",
	} {
		_, err := hydra.Capabilities([]byte(settings), idp.Client{})
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "canary")) {
			t.Errorf("%s: %v, want %q", settings, err, want)
		}
	}
	_, err := hydra.New([]byte(`{"adminUrl": "https://hydra-admin.example.com"}`), idp.Client{ClientID: "../b"},
		idp.Deps{})
	if !failure.Is(err, failure.InvalidInput) || !strings.Contains(err.Error(),
		"clientId, identityProvider.clientPair: must be") {
		t.Errorf("a client id with a path: %v", err)
	}
}
