package pingone_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/imitation"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/idp/pingone"
	"alboidc.internal/shared/secret"
)

const (
	envID       = "aaaaaaaa-0000-4000-8000-000000000001"
	appID       = "bbbbbbbb-0000-4000-8000-000000000002"
	workerID    = "cccccccc-0000-4000-8000-000000000003"
	secretARN   = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:pingone-AbCdEf"
	adminSecret = "secret-of-the-worker-application"
	adminToken  = "eyJ0.access-token.0"
	withSecret  = `"clientSecret": {"clientId": "` + workerID + `", "secretArn": "` + secretARN + `"}`
	appPath     = "/v1/environments/" + envID + "/applications/" + appID
	mediaType   = "application/vnd.pingidentity.secret+json"
)

// now is the time of both sides; the previous secret is asked for 720 hours, less one.
var (
	now   = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	until = `{"previous": {"expiresAt": "2026-03-31T09:00:00.000Z"}}`
)

const app = `{"id": "` + appID + `", "name": "Orders", "enabled": true, "type": "WEB_APP", "protocol": "OPENID_CONNECT",
 "grantTypes": ["AUTHORIZATION_CODE", "REFRESH_TOKEN"], "tokenEndpointAuthMethod": "CLIENT_SECRET_POST", "redirectUris": ["https://orders.example.com/oauth2/idpresponse"]}`

func basic(id, value string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+value))
}

// issue answers a request for an access token.
func issue(t *testing.T, w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != "/"+envID+"/as/token" {
		return false
	}
	if r.FormValue("grant_type") != "client_credentials" ||
		r.Header.Get("Authorization") != basic(workerID, adminSecret) || r.Form.Has("client_secret") {
		t.Errorf("the token request is %v by %q", r.Form, r.Header.Get("Authorization"))
	}
	imitation.WriteJSON(w, http.StatusOK, map[string]any{"access_token": adminToken, "token_type": "Bearer",
		"expires_in": 3600})
	return true
}

func newApplication(t *testing.T, s *httptest.Server) *pingone.Application {
	t.Helper()
	a, err := pingone.New([]byte(`{"environmentId": "`+envID+`", "apiUrl": "`+s.URL+`/", "authUrl": "`+s.URL+`", `+
		withSecret+`}`),
		idp.Client{Name: "orders-web", ClientID: appID},
		imitationtest.Deps(t, s, map[string]string{secretARN: adminSecret + "\n"}, now))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func play(t *testing.T, exchanges ...imitationtest.Exchange) *pingone.Application {
	t.Helper()
	s := imitationtest.Play(t, "Bearer "+adminToken, exchanges...)
	s.Aside = func(w http.ResponseWriter, r *http.Request) bool { return issue(t, w, r) }
	return newApplication(t, s.Server)
}

func TestTheSlotsAreRead(t *testing.T) {
	t.Parallel()
	const environment = `"environment": {"id": "` + envID + `"}, `
	for name, tt := range map[string]struct {
		answer            string
		current, previous string
		until, used       string
		kind              failure.Kind
	}{
		"one": {`{` + environment + `"secret": "now"}`, "now", "", "", "", ""},
		"two": {`{` + environment +
			`"secret": "now", "previous": {"secret": "then", "expiresAt": "2026-03-08T10:00:00.5Z", "lastUsed": "2026-03-01T09:02:03Z"}}`, "now", "then", "2026-03-08T10:00:00.5Z", "2026-03-01T09:02:03Z", ""},
		"an ended": {`{` + environment +
			`"secret": "now", "previous": {"secret": "then", "expiresAt": "2026-03-01T09:59:59Z"}}`, "now", "", "",
			"", ""},
		"nothing": {`{` + environment + `"id": "x"}`, "", "", "", "", failure.Unavailable},
	} {
		got, err := play(t, imitationtest.Exchange{Request: "GET " + appPath + "/secret", Status: 200,
			Answer: tt.answer}).Slots(t.Context())
		if tt.kind != "" {
			if !failure.Is(err, tt.kind) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || !got.Readable || !got.Current.Equal(secret.New(tt.current)) ||
			got.Previous.IsZero() != (tt.previous == "") || tt.previous != "" &&
			!got.Previous.Equal(secret.New(tt.previous)) {
			t.Errorf("%s: the slots are wrong (%v)", name, err)
		}
		for what, pair := range map[string][2]string{"until": {tt.until, stamp(got.PreviousUntil)},
			"used": {tt.used, stamp(got.PreviousUsed)}} {
			if pair[0] != pair[1] {
				t.Errorf("%s: %s %s, want %s", name, what, pair[1], pair[0])
			}
		}
	}
}

func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format(time.RFC3339Nano)
}

func TestAShiftKeepsThePreviousSecretAsLongAsPossible(t *testing.T) {
	t.Parallel()
	v, err := play(t, imitationtest.Exchange{Request: "POST " + appPath + "/secret", Body: until, Status: 200,
		Answer: `{"secret": "new", "previous": {"secret": "old", "expiresAt": "2026-03-31T09:00:00.000Z"}}`}).Shift(
		t.Context())
	if err != nil || !v.Equal(secret.New("new")) {
		t.Errorf("the value is not that of the answer (%v)", err)
	}
}

func TestASecretIsPutBackWhereValuesAreTaken(t *testing.T) {
	t.Parallel()
	set := imitationtest.Exchange{Request: "POST " + appPath + "/secret", Body: `{"secret": "old"}`,
		ContentType: mediaType, Status: 200, Answer: `{"secret": "old"}`}
	read := func(answer string) imitationtest.Exchange {
		return imitationtest.Exchange{Request: "GET " + appPath + "/secret", Status: 200, Answer: answer}
	}
	drop := imitationtest.Exchange{Request: "DELETE " + appPath + "/secret", Status: 204}
	for name, exchanges := range map[string][]imitationtest.Exchange{
		"alone": {set, read(`{"secret": "old"}`)},
		"and the new ended": {set,
			read(`{"secret": "old", "previous": {"secret": "new", "expiresAt": "2026-03-31T09:00:00Z"}}`), drop},
	} {
		if err := play(t, exchanges...).Restore(t.Context(), secret.New("old")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := play(t, set, read(`{"secret": "another"}`)).Restore(t.Context(), secret.New("old")); !failure.Is(err,
		failure.Unavailable) {
		t.Errorf("not put back: %v", err)
	}
	for status, kept := range map[int]bool{400: true, 415: true, 403: false, 404: false, 503: false} {
		refused := set
		refused.Status, refused.Answer = status,
			`{"id": "x", "code": "INVALID_DATA", "message": "vendor", "details": [{"code": "INVALID_VALUE", "target": "secret", "message": "vendor"}]}`
		err := play(t, refused).Restore(t.Context(), secret.New("old"))
		if err == nil || errors.Is(err, idp.ErrKept) != kept || strings.Contains(err.Error(), "vendor") || kept &&
			!strings.Contains(err.Error(), "HTTP 4") {
			t.Errorf("HTTP %d: %v, kept should be %t", status, err, kept)
		}
	}
}

func TestAnErrorThatPassesIsNoRefusalOfTheValue(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]string{400: `"UNEXPECTED_ERROR"`, 408: `"REQUEST_TIMEOUT"`, 424: `"X"`} {
		err := play(t, imitationtest.Exchange{Request: "POST " + appPath + "/secret", Body: `{"secret": "old"}`,
			ContentType: mediaType, Status: status,
			Answer: `{"code": ` + code + `, "message": "An unexpected error occurred"}`}).Restore(t.Context(),
			secret.New("old"))
		if !failure.Is(err, failure.Unavailable) || errors.Is(err, idp.ErrKept) {
			t.Errorf("HTTP %d: %v", status, err)
		}
	}
}

func TestAnAnswerThatIsNotPingOnesIsNoRefusalOfTheValue(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]failure.Kind{`<html>vendor`: failure.Unavailable,
		`{"message": "vendor"}`: failure.IdPRejected, `{"code": "INVALID_DA`: failure.IdPRejected,
		"": failure.IdPRejected} {
		err := play(t, imitationtest.Exchange{Request: "POST " + appPath + "/secret", Body: `{"secret": "old"}`,
			ContentType: mediaType, Status: 400, Answer: answer}).Restore(t.Context(), secret.New("old"))
		if errors.Is(err, idp.ErrKept) {
			t.Errorf("%q: %v", answer, err)
		}
		imitationtest.WantFailure(t, err, want, "HTTP 400", "vendor")
	}
}

func TestAPreviousSecretThatIsGoneIsDropped(t *testing.T) {
	t.Parallel()
	drop := imitationtest.Exchange{Request: "DELETE " + appPath + "/secret", Status: 404,
		Answer: `{"code": "NOT_FOUND"}`}
	read := imitationtest.Exchange{Request: "GET " + appPath + "/secret", Status: 200, Answer: `{"secret": "now"}`}
	if err := play(t, drop, read).DropPrevious(t.Context()); err != nil {
		t.Error(err)
	}
	read.Status, read.Answer = 404, `{"code": "NOT_FOUND"}`
	if err := play(t, drop, read).DropPrevious(t.Context()); !failure.Is(err, failure.IdPRejected) {
		t.Errorf("no application: %v", err)
	}
}

func TestCheckSaysWhyAnApplicationCannotBeRotated(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		old, new string
		kind     failure.Kind
		says     string
	}{
		"a good application passes": {"", "", "", ""},
		"another application":       {appID, workerID, failure.Precondition, "another application than"},
		"a SAML application": {"OPENID_CONNECT", "SAML", failure.Precondition,
			"not an OpenID Connect application"},
		"a disabled one": {`"enabled": true`, `"enabled": false`, failure.Precondition, "enable it"},
		"a private key": {"CLIENT_SECRET_POST", "PRIVATE_KEY_JWT", failure.Precondition,
			"Client Secret Basic or Post"},
		"a public client": {"CLIENT_SECRET_POST", "NONE", failure.Precondition,
			"Client Secret Basic or Post"},
		"no authorization code":       {"AUTHORIZATION_CODE", "IMPLICIT", failure.Precondition, "authorization_code"},
		"something that is no answer": {`{"id"`, `{"noid"`, failure.Unavailable, "not understood"},
	} {
		err := play(t, imitationtest.Exchange{Request: "GET " + appPath, Status: 200,
			Answer: strings.Replace(app, tt.old, tt.new, 1)}).Check(t.Context())
		if (err == nil) != (tt.kind == "") || err != nil && (!failure.Is(err, tt.kind) ||
			!strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v, want %s with %q", name, err, tt.kind, tt.says)
		}
	}
	r, err := play(t, imitationtest.Exchange{Request: "GET " + appPath, Status: 200, Answer: app}).Review(t.Context())
	if err != nil || r.AuthMethod != "client_secret_post" || r.MaxGrace != 29*24*time.Hour {
		t.Errorf("the review is %+v (%v)", r, err)
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
		"no right": {403,
			`{"id": "x", "code": "ACCESS_FAILED", "message": "vendor", "details": [{"code": "INSUFFICIENT_PERMISSIONS", "message": "vendor"}]}`, failure.IdPRejected, "applications:set:secret for environment " + envID + ", and at least the roles that the application has itself: HTTP 403 ACCESS_FAILED.INSUFFICIENT_PERMISSIONS"},
		"another region": {401, `{"id": "x", "code": "ACCESS_FAILED", "message": "vendor"}`, failure.IdPRejected,
			"belong to the same region: HTTP 401 ACCESS_FAILED"},
		"no application": {404, `{"id": "x", "code": "NOT_FOUND", "message": "vendor"}`, failure.IdPRejected,
			"there is no application " + appID},
		"too much": {429, `{"id": "x", "code": "REQUEST_LIMITED", "message": "vendor"}`, failure.Throttled,
			"HTTP 429 REQUEST_LIMITED"},
		"an outage": {500, "vendor", failure.Unavailable, "HTTP 500"},
	} {
		_, err := play(t, imitationtest.Exchange{Request: "POST " + appPath + "/secret", Body: until, Status: tt.status,
			Answer: tt.answer}).Shift(t.Context())
		if !failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(),
			"vendor") {
			t.Errorf("%s: %v, want %s with %q", name, err, tt.kind, tt.says)
		}
	}
	s := imitationtest.Play(t, "")
	s.Aside = func(w http.ResponseWriter, r *http.Request) bool {
		imitation.WriteJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client",
			"error_description": "vendor"})
		return true
	}
	if err := newApplication(t, s.Server).Check(t.Context()); !failure.Is(err, failure.IdPRejected) ||
		!strings.Contains(err.Error(),
			"is sent by Basic, PingOne's default for worker applications: HTTP 401 invalid_client") {
		t.Errorf("no token: %v", err)
	}
}

func TestSettingsAreRefusedFieldByField(t *testing.T) {
	t.Parallel()
	const p = "identityProvider.settings"
	env, api, auth := `"environmentId": "`+envID+`"`, `"apiUrl": "https://api.pingone.eu"`,
		`"authUrl": "https://auth.pingone.eu"`
	for settings, want := range map[string]string{
		`{` + env + `,` + api + `,` + auth + `,` + withSecret + `}`: "",
		`{` + api + `,` + auth + `,` + withSecret + `}`: p +
			".environmentId: must be",
		`{` + env + `,` + auth + `,` + withSecret + `}`: p +
			".apiUrl: is missing",
		`{` + env + `,` + api + `,` + withSecret + `}`: p +
			".authUrl: is missing",
		`{` + env + `, "apiUrl": "https://api.pingone.eu/v1",` + auth + `,` + withSecret + `}`: p +
			".apiUrl: must be the region's URL",
		`{` + env + `,` + api + `, "authUrl": "https://auth.pingone.eu/` + envID + `/as",` + withSecret + `}`: p +
			".authUrl: must be the region's URL",
		`{` + env + `,` + api + `,` + auth + `}`: p +
			": needs exactly one of clientSecret and privateKey",
		`{` + env + `, "region": "canary"}`: p +
			".region: is not known; allowed here: apiUrl, authUrl, clientSecret, environmentId, privateKey",
	} {
		_, err := pingone.Capabilities([]byte(settings), idp.Client{})
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "canary")) {
			t.Errorf("%s: %v, want %q", settings, err, want)
		}
	}
	_, err := pingone.New([]byte(`{`+env+`,`+api+`,`+auth+`,`+withSecret+`}`), idp.Client{ClientID: "orders"},
		idp.Deps{})
	if !failure.Is(err, failure.InvalidInput) || !strings.Contains(err.Error(), "clientId: must be") {
		t.Errorf("a client id that is no UUID: %v", err)
	}
}
