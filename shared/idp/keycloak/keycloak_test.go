package keycloak_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/imitation"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/idp/keycloak"
	"alboidc.internal/shared/secret"
)

const (
	clientID    = "orders-web"
	id          = "c1f3a9d2-7e64-4b08-9a5d-2f80c6b1e437"
	rotatorID   = "alb-secret-rotator"
	secretARN   = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:keycloak-AbCdEf"
	adminSecret = "secret-of-the-rotators-client"
	adminToken  = "eyJ0.access-token.0"
	withSecret  = `"clientSecret": {"clientId": "` + rotatorID + `", "secretArn": "` + secretARN + `"}`
	realm       = "/admin/realms/staff"
	at          = realm + "/clients/" + id
	findPath    = realm + "/clients?clientId=" + clientID
	tokenPath   = "/realms/staff/protocol/openid-connect/token"
)

// now is the time of both sides.
var now = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func epoch(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// covered and rotated are attributes of a client that a policy covers: its secret ends in 30 days, and the one before
// in 2.
var (
	covered = `"client.secret.creation.time": "1772000000", "client.secret.expiration.time": "` +
		epoch(now.Add(30*24*time.Hour)) + `"`
	rotated = `, "client.secret.rotated": "canary", "client.secret.rotated.expiration.time": "` +
		epoch(now.Add(48*time.Hour)) + `"`
)

// representation of a client as Keycloak shows it, shortened.
func representation(attributes string) string {
	return `{"id": "` + id + `", "clientId": "` + clientID +
		`", "name": "Orders", "enabled": true, "protocol": "openid-connect", "publicClient": false, "bearerOnly": false,
 "standardFlowEnabled": true, "serviceAccountsEnabled": true, "authorizationServicesEnabled": true, "clientAuthenticatorType": "client-secret", "secret": "canary",
 "redirectUris": ["https://orders.example.com/oauth2/idpresponse"], "webOrigins": [], "fullScopeAllowed": true, "defaultClientScopes": ["profile", "email"],
 "attributes": {"use.refresh.tokens": "true", "saml.signing.private.key": "canary", "of.next.year": "canary", ` + attributes + `},
 "protocolMappers": [{"id": "1", "name": "groups", "protocol": "openid-connect", "protocolMapper": "oidc-group-membership-mapper", "config": {"claim.name": "groups", "note": "canary"}}],
 "access": {"view": true, "configure": true, "manage": true}}`
}

func find(attributes string) imitationtest.Exchange {
	return imitationtest.Exchange{Request: "GET " + findPath, Status: 200, Answer: "[" +
		representation(attributes) + "]"}
}

// shows is find where the client has that secret.
func shows(value, attributes string) imitationtest.Exchange {
	e := find(attributes)
	e.Answer = strings.Replace(e.Answer, `"secret": "canary"`, `"secret": "`+value+`"`, 1)
	return e
}

// kept is what every update sends back as it was read.
const kept = `"clientId": "orders-web", "serviceAccountsEnabled": true, "authorizationServicesEnabled": true, "webOrigins": []`

func put(more string) imitationtest.Exchange {
	return imitationtest.Exchange{Request: "PUT " + at, Body: `{` + kept + more + `}`, Status: 204}
}

func read(value string) imitationtest.Exchange {
	return imitationtest.Exchange{Request: "GET " + at + "/client-secret", Status: 200,
		Answer: `{"type": "secret", "value": "` + value + `"}`}
}

func readRotated(value string) imitationtest.Exchange {
	e := imitationtest.Exchange{Request: "GET " + at + "/client-secret/rotated", Status: 200,
		Answer: `{"type": "secret", "value": "` + value + `"}`}
	if value == "" {
		e.Status, e.Answer = 404, `{"error": "Client does not have a rotated secret"}`
	}
	return e
}

var drop = imitationtest.Exchange{Request: "DELETE " + at + "/client-secret/rotated", Status: 204}

// issue answers a request for an access token.
func issue(t *testing.T, w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != tokenPath {
		return false
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(rotatorID+":"+adminSecret))
	if r.FormValue("grant_type") != "client_credentials" || r.Header.Get("Authorization") != basic ||
		r.Form.Has("client_secret") {
		t.Errorf("the token request is %v by %q", r.Form, r.Header.Get("Authorization"))
	}
	imitation.WriteJSON(w, http.StatusOK, map[string]any{"access_token": adminToken, "token_type": "Bearer",
		"expires_in": 60})
	return true
}

func newClient(t *testing.T, s *httptest.Server) *keycloak.Client {
	t.Helper()
	c, err := keycloak.New([]byte(`{"serverUrl": "`+s.URL+`/", "realm": "staff", `+withSecret+`}`),
		idp.Client{Name: "orders-web", ClientID: clientID},
		imitationtest.Deps(t, s, map[string]string{secretARN: adminSecret + "\n"}, now))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func play(t *testing.T, exchanges ...imitationtest.Exchange) *keycloak.Client {
	t.Helper()
	s := imitationtest.Play(t, "Bearer "+adminToken, exchanges...)
	s.Aside = func(w http.ResponseWriter, r *http.Request) bool { return issue(t, w, r) }
	return newClient(t, s.Server)
}

func TestTheSlotsAreRead(t *testing.T) {
	t.Parallel()
	end := now.Add(30 * 24 * time.Hour)
	over := `, "client.secret.rotated.expiration.time": "` + epoch(now.Add(-time.Second)) + `"`
	shown := func(more string) imitationtest.Exchange { return shows("now", more) }
	without := func(old, new string) imitationtest.Exchange {
		e := shown(covered)
		e.Answer = strings.Replace(e.Answer, old, new, 1)
		return e
	}
	for name, tt := range map[string]struct {
		answers     []imitationtest.Exchange
		previous    string
		ends, until time.Time
	}{
		"without a policy":          {[]imitationtest.Exchange{shown(`"x": "y"`)}, "", time.Time{}, time.Time{}},
		"with one, not yet rotated": {[]imitationtest.Exchange{shown(covered)}, "", end, time.Time{}},
		"rotated": {[]imitationtest.Exchange{shown(covered + rotated), readRotated("then")}, "then", end,
			now.Add(48 * time.Hour)},
		"rotated, its value hidden": {[]imitationtest.Exchange{shown(covered +
			`, "client.secret.rotated.creation.time": "1772000000"`), readRotated("then")}, "then", end, end},
		"rotated, and the current one is over": {[]imitationtest.Exchange{shown(`"client.secret.expiration.time": "` +
			epoch(now.Add(-time.Second)) + `"` + rotated), readRotated("then")}, "then", now.Add(-time.Second),
			now.Add(-time.Second)},
		"rotated, and over": {[]imitationtest.Exchange{shown(covered + over)}, "", end, time.Time{}},
		"rotated, and Keycloak does not take it": {[]imitationtest.Exchange{shown(covered + rotated), readRotated("")},
			"", end, time.Time{}},
		"a secret that is not shown": {[]imitationtest.Exchange{without(`"secret": "now",`, ``), read("now")}, "", end,
			time.Time{}},
		"a secret that is masked": {[]imitationtest.Exchange{without(`"secret": "now"`, `"secret": "**********"`),
			read("now")}, "", end, time.Time{}},
		"a client that may only be looked at": {[]imitationtest.Exchange{without(`"manage": true`, `"manage": false`),
			read("now")}, "", end, time.Time{}},
	} {
		got, err := play(t, tt.answers...).Slots(t.Context())
		if err != nil || !got.Readable || !got.Current.Equal(secret.New("now")) ||
			got.Previous.IsZero() != (tt.previous == "") ||
			tt.previous != "" && !got.Previous.Equal(secret.New(tt.previous)) || !got.PreviousUntil.Equal(tt.until) ||
			!got.CurrentUntil.Equal(tt.ends) {
			t.Errorf("%s: the slots are wrong, until %s and %s (%v)", name, got.CurrentUntil, got.PreviousUntil, err)
		}
	}
	none := read("")
	none.Answer = `{"type": "secret"}`
	if _, err := play(t, without(`"secret": "now",`, ``), none).Slots(t.Context()); !failure.Is(err,
		failure.Precondition) {
		t.Errorf("a client without a secret: %v", err)
	}
}

func TestANewSecretIsMadeOnlyWhereAPolicyKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	make := imitationtest.Exchange{Request: "POST " + at + "/client-secret", Body: `{}`, Status: 200,
		Answer: `{"type": "secret", "value": "new"}`}
	v, err := play(t, find(covered), put(""), find(covered), make).Shift(t.Context())
	if err != nil || !v.Equal(secret.New("new")) {
		t.Errorf("the value is not that of the answer (%v)", err)
	}
	// what Slots has read right before is not read again; what a change may have made different is
	c := play(t, find(covered), put(""), find(covered), make, find(covered), put(""), find(`"x": "y"`))
	if _, err := c.Slots(t.Context()); err != nil {
		t.Error(err)
	}
	if v, err = c.Shift(t.Context()); err != nil || !v.Equal(secret.New("new")) {
		t.Errorf("after a look at the slots: the value is not that of the answer (%v)", err)
	}
	if _, err = c.Shift(t.Context()); !failure.Is(err, failure.Precondition) {
		t.Errorf("a second shift goes by what the first has changed: %v", err)
	}
	if _, err := play(t, find(covered), put(""), shows("another", covered+rotated)).Shift(t.Context()); !failure.Is(err,
		failure.Precondition) || !strings.Contains(err.Error(), "at the same time") {
		t.Errorf("one that somebody makes meanwhile is pushed out, and the one in use with it: %v", err)
	}
	if _, err := play(t, find(covered), put(""), find(`"x": "y"`)).Shift(t.Context()); !failure.Is(err,
		failure.Precondition) || !strings.Contains(err.Error(), "identityProvider.clientPair") {
		t.Errorf("a policy that does not cover the client any more: %v", err)
	}
	if _, err := play(t, find(`"x": "y"`)).Shift(t.Context()); !failure.Is(err, failure.Precondition) ||
		!strings.Contains(err.Error(), "--features=client-secret-rotation") {
		t.Errorf("no policy: %v", err)
	}
	// an update would replace a secret that has ended
	if _, err := play(t, find(`"client.secret.expiration.time": "`+epoch(now)+`"`)).Shift(t.Context()); !failure.Is(err,
		failure.Precondition) || !strings.Contains(err.Error(),
		"has ended the client's secret at 2026-03-01T10:00:00Z") {
		t.Errorf("an ended secret: %v", err)
	}
	make.Answer = `{"type": "secret"}`
	if _, err := play(t, find(covered), put(""), find(covered), make).Shift(t.Context()); !failure.Is(err,
		failure.Unavailable) {
		t.Errorf("an answer without a secret: %v", err)
	}
}

func TestASecretIsPutBackAndTheOthersEnd(t *testing.T) {
	t.Parallel()
	set := put(`, "secret": "old", "attributes": {}`)
	if err := play(t, find(covered+rotated), set, shows("old", covered+rotated), readRotated("old"),
		drop).Restore(t.Context(), secret.New("old")); err != nil {
		t.Error(err)
	}
	if err := play(t, find(`"x": "y"`), set, shows("old", `"x": "y"`)).Restore(t.Context(),
		secret.New("old")); err != nil {
		t.Error(err)
	}
	if err := play(t, find(covered), set, shows("another", covered)).Restore(t.Context(),
		secret.New("old")); !failure.Is(err, failure.Unavailable) {
		t.Errorf("not put back: %v", err)
	}
	if err := play(t, find(covered), drop).DropPrevious(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestASingleSecretIsSetOnlyWithoutAPolicy(t *testing.T) {
	t.Parallel()
	if err := play(t, find(`"x": "y"`), put(`, "secret": "ours", "attributes": {}`), read("ours")).Set(t.Context(),
		secret.New("ours")); err != nil {
		t.Error(err)
	}
	if err := play(t, find(`"x": "y"`), put(`, "secret": "ours", "attributes": {}`), read("another")).Set(t.Context(),
		secret.New("ours")); !failure.Is(err, failure.Unavailable) {
		t.Errorf("not set: %v", err)
	}
	forbidden := read("ours")
	forbidden.Status, forbidden.Answer = 403, "{}"
	if err := play(t, find(`"x": "y"`), put(`, "secret": "ours", "attributes": {}`), forbidden).Set(t.Context(),
		secret.New("ours")); !failure.Is(err, failure.Unavailable) {
		t.Errorf("a read that fails after the change says that nothing happened: %v", err)
	}
	c := play(t, find(covered), find(covered), find(`"x": "y"`))
	if err := c.Set(t.Context(), secret.New("ours")); !failure.Is(err, failure.Precondition) ||
		!strings.Contains(err.Error(), "leave out identityProvider.clientPair") {
		t.Errorf("with a policy: %v", err)
	}
	if r, err := c.ReviewSet(t.Context()); err != nil || len(r.Refusals) != 1 || !strings.Contains(r.Refusals[0],
		"leave out identityProvider.clientPair") {
		t.Errorf("the review is %+v (%v)", r, err)
	}
	if r, err := c.ReviewSet(t.Context()); err != nil || len(r.Refusals) != 0 {
		t.Errorf("without a policy the review is %+v (%v)", r, err)
	}
}

// policies are the answers about profiles and policies: one policy that is switched on, with a profile for each
// configuration.
func policies(configurations ...string) []imitationtest.Exchange {
	var profiles, policies []string
	for n, c := range configurations {
		profiles = append(profiles, fmt.Sprintf(
			`{"name": "f%d", "executors": [{"executor": "pkce-enforcer", "configuration": {"auto-configure": true}}, {"executor": "secret-rotation", "configuration": {%s}}]}`, n, c))
		policies = append(policies,
			fmt.Sprintf(`{"name": "p%d", "enabled": true, "conditions": [], "profiles": ["fapi-1-baseline", "f%d"]}`, n,
				n))
	}
	profiles = append(profiles,
		`{"name": "off", "executors": [{"executor": "secret-rotation", "configuration": {"rotated-expiration-period": 1}}]}`)
	policies = append(policies, `{"name": "off", "enabled": false, "profiles": ["off"]}`,
		`{"name": "unset", "profiles": ["off"]}`)
	return []imitationtest.Exchange{
		{Request: "GET " + realm + "/client-policies/profiles", Status: 200, Answer: `{"profiles": [` +
			strings.Join(profiles, ",") + `]}`},
		{Request: "GET " + realm + "/client-policies/policies", Status: 200, Answer: `{"policies": [` +
			strings.Join(policies, ",") + `]}`}}
}

func TestThePolicyDecidesHowLongTheOldSecretIsKept(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		attributes string
		policies   []imitationtest.Exchange
		grace      time.Duration
		refuses    string
		warns      []string
	}{
		"its defaults": {covered, policies(``), 46 * time.Hour,
			"", []string{"policy p0 ends every secret 720h0m0s after it was made"}},
		"a cleared field": {covered, policies(
			`"expiration-period": 2505600, "rotated-expiration-period": "", "remaining-expiration-period": 864000`),
			46 * time.Hour, "", []string{"696h0m0s after"}},
		"all fields cleared": {covered, policies(`"expiration-period": "", "rotated-expiration-period": null`),
			46 * time.Hour, "", []string{"720h0m0s after"}},
		"its own times": {covered,
			policies(`"expiration-period": 7776000, "rotated-expiration-period": 1209600`), 334 * time.Hour,
			"", []string{"2160h0m0s after"}},
		"the shorter of two": {covered, policies(``, `"rotated-expiration-period": "86400"`), 22 * time.Hour,
			"", []string{"policy p1"}},
		"one that keeps nothing": {covered, policies(`"rotated-expiration-period": 0`), 0,
			"set rotated-expiration-period of its executor secret-rotation to gracePeriodSeconds and 2h0m0s more", nil},
		"none that is switched on": {covered, policies(), 0, "identityProvider.clientPair", nil},
		"none has touched it":      {`"x": "y"`, nil, 0, "log in once", nil},
		"the secret has ended": {`"client.secret.expiration.time": "1772000000"`,
			policies(`"rotated-expiration-period": "172800"`), 46 * time.Hour, "", []string{"720h0m0s after"}},
		"policies that may not be read": {covered, []imitationtest.Exchange{{Request: "GET " + realm +
			"/client-policies/profiles", Status: 403, Answer: `{"error": "unknown_error"}`}}, 0,
			"give the service account of alb-secret-rotator the roles manage-clients and view-realm of client " +
				"realm-management", nil},
	} {
		r, err := play(t, append([]imitationtest.Exchange{find(tt.attributes)},
			tt.policies...)...).ReviewShift(t.Context())
		if err != nil || r.MaxGrace != tt.grace || len(r.Warnings) != len(tt.warns) ||
			(len(r.Refusals) == 0) != (tt.refuses == "") || !strings.Contains(strings.Join(r.Refusals,
			""), tt.refuses) {
			t.Errorf("%s: %+v (%v)", name, r, err)
			continue
		}
		if over := name == "the secret has ended"; over != strings.Contains(r.Ended,
			"has ended the client's secret at") {
			t.Errorf("%s: it says %q", name, r.Ended)
		}
		for n, want := range tt.warns {
			if !strings.Contains(r.Warnings[n], want) {
				t.Errorf("%s: warned %q, want %q", name, r.Warnings[n], want)
			}
		}
	}
}

func TestCheckSaysWhyAClientCannotBeRotated(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		old, new string
		kind     failure.Kind
		says     string
	}{
		"a good client passes": {"", "", "", ""},
		"another authenticator": {`"client-secret"`, `"client-jwt"`, failure.Precondition,
			"the authenticator Client Id and Secret"},
		"a public client": {`"publicClient": false`, `"publicClient": true`, failure.Precondition,
			"client authentication on"},
		"a SAML client": {"openid-connect", "saml", failure.Precondition, "OpenID Connect client"},
		"no standard flow": {`"standardFlowEnabled": true`,
			`"standardFlowEnabled": false`, failure.Precondition, "standard flow"},
		"a disabled one": {`"enabled": true`, `"enabled": false`, failure.Precondition, "enable it"},
		"rights to look only": {`"manage": true`, `"manage": false`, failure.IdPRejected,
			"roles manage-clients and view-realm of client realm-management"},
		"another client": {`"clientId": "orders-web"`, `"clientId": "other"`, failure.Unavailable,
			"not understood"},
		"an id that is a path": {`"id": "` + id, `"id": "../users`, failure.Unavailable, "not understood"},
		"an id of its own":     {`"id": "` + id, `"id": "Orders_web é/1.0`, "", ""},
		"an answer that is no list": {representation(covered), `{"a": 1}], "b": [`, failure.Unavailable,
			"not understood"},
		"an answer with two clients": {representation(covered), representation(covered) + "," + representation(covered),
			failure.Unavailable, "not understood"},
		"no client": {representation(covered), "", failure.IdPRejected,
			"shows the rotator no client orders-web in realm staff"},
	} {
		e := find(covered)
		e.Answer = strings.Replace(e.Answer, tt.old, tt.new, 1)
		err := play(t, e).Check(t.Context())
		if (err == nil) != (tt.kind == "") || err != nil && (!failure.Is(err, tt.kind) ||
			!strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "canary")) {
			t.Errorf("%s: %v, want %s with %q", name, err, tt.kind, tt.says)
		}
	}
}

// Some attributes are secrets, and what a mapper does may hold anything.
func TestEveryTraitIsComparedAndOnlyHarmlessOnesAreShown(t *testing.T) {
	t.Parallel()
	other := find(covered)
	other.Answer = strings.NewReplacer(`"id": "1"`, `"id": "2"`, `["profile", "email"]`,
		`["email", "profile"]`).Replace(other.Answer)
	different := find(covered)
	different.Answer = strings.NewReplacer(`"note": "canary"`, `"note": "another"`, `"use.refresh.tokens": "true"`,
		`"use.refresh.tokens": "false"`, `"of.next.year": "canary"`, `"of.next.year": "x"`).Replace(different.Answer)
	c := play(t, find(covered), other, different)
	var got [3]map[string]string
	for n := range got {
		var err error
		if got[n], err = c.Traits(t.Context()); err != nil || strings.Contains(fmt.Sprint(got[n]), "canary") ||
			len(got[n]) != 12 {
			t.Fatalf("the traits are %v (%v)", got[n], err)
		}
	}
	if fmt.Sprint(got[0]) != fmt.Sprint(got[1]) || got[0]["defaultClientScopes"] != "email profile" {
		t.Errorf("ids and the order differ:\n%v\n%v", got[0], got[1])
	}
	for _, name := range []string{"protocol mapper groups", "attribute use.refresh.tokens", "attribute of.next.year"} {
		if got[0][name] == got[2][name] {
			t.Errorf("%s differs, and is not seen: %v", name, got[2])
		}
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
		"no right": {403, `{"error": "unknown_error", "error_description": "canary"}`, failure.IdPRejected,
			"roles manage-clients and view-realm of client realm-management, or a permission to manage this client: " +
				"HTTP 403 unknown_error"},
		"a bad token": {401, `{"error": "HTTP 401 Unauthorized canary"}`, failure.IdPRejected,
			"settings.rotatorRealm): HTTP 401"},
		"no realm": {404, `{"error": "Realm not found. canary"}`, failure.IdPRejected,
			"there is no realm staff at "},
		"too much":    {429, `canary`, failure.Throttled, "HTTP 429"},
		"an outage":   {503, `canary`, failure.Unavailable, "HTTP 503"},
		"a bad value": {400, `{"errorMessage": "canary"}`, failure.IdPRejected, "HTTP 400"},
	} {
		e := drop
		e.Status, e.Answer = tt.status, tt.answer
		err := play(t, find(covered), e).DropPrevious(t.Context())
		if !failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(),
			"canary") {
			t.Errorf("%s: %v, want %s with %q", name, err, tt.kind, tt.says)
		}
	}
	for status, tt := range map[int][2]string{401: {`{"error": "unauthorized_client", "error_description": "canary"}`,
		"service accounts roles switched on: HTTP 401 unauthorized_client"},
		404: {`{"error": "Realm does not exist"}`, "correct identityProvider.settings.rotatorRealm"}} {
		s := imitationtest.Play(t, "")
		s.Aside = func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(tt[0]))
			return true
		}
		if err := newClient(t, s.Server).Check(t.Context()); !failure.Is(err, failure.IdPRejected) ||
			!strings.Contains(err.Error(), tt[1]) || strings.Contains(err.Error(), "canary") {
			t.Errorf("no token, HTTP %d: %v", status, err)
		}
	}
}

func TestSettingsAreRefusedFieldByField(t *testing.T) {
	t.Parallel()
	const p = "identityProvider.settings"
	server, realm := `"serverUrl": "https://sso.example.com/auth"`, `"realm": "staff"`
	for settings, want := range map[string]string{
		`{` + server + `,` + realm + `,` + withSecret + `}`:                           "",
		`{` + server + `,` + realm + `, "rotatorRealm": "master",` + withSecret + `}`: "",
		`{` + realm + `,` + withSecret + `}`: p +
			".serverUrl: is missing",
		`{"serverUrl": "http://sso.example.com",` + realm + `,` + withSecret + `}`: p +
			".serverUrl: must begin with https://",
		`{"serverUrl": "https://sso.example.com/realms/staff",` + realm + `,` + withSecret + `}`: p +
			".serverUrl: must be the URL before /realms and /admin",
		`{` + server + `,` + withSecret + `}`: p +
			".realm: must be the name",
		`{` + server + `, "realm": "Staff & guests",` + withSecret + `}`: "",
		`{` + server + `, "realm": "a/b",` + withSecret + `}`: p +
			".realm: must be the name",
		`{` + server + `,` + realm + `, "rotatorRealm": "?",` + withSecret + `}`: p +
			".rotatorRealm: must be the name",
		`{` + server + `,` + realm + `}`: p +
			": needs exactly one of clientSecret and privateKey",
		`{` + server + `, "password": "canary"}`: p +
			".password: is not known; allowed here: clientSecret, privateKey, realm, rotatorRealm, serverUrl",
	} {
		_, err := keycloak.Capabilities([]byte(settings), idp.Client{})
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "canary")) {
			t.Errorf("%s: %v, want %q", settings, err, want)
		}
	}
}

func TestRealmsAndIDsMayHoldAnything(t *testing.T) {
	t.Parallel()
	s := imitationtest.Play(t, "Bearer "+adminToken, imitationtest.Exchange{
		Request: "GET /admin/realms/st%20aff/clients?clientId=orders%26web%2F1", Status: 200,
		Answer: `[{"id": "o/1 é", "clientId": "orders&web/1"}]`},
		imitationtest.Exchange{Request: "DELETE /admin/realms/st%20aff/clients/o%2F1%20%C3%A9/client-secret/rotated",
			Status: 403, Answer: `{}`})
	s.Aside = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.EscapedPath() != "/realms/ma%20st%C3%A9r/protocol/openid-connect/token" {
			return false
		}
		imitation.WriteJSON(w, http.StatusOK, map[string]any{"access_token": adminToken, "token_type": "Bearer"})
		return true
	}
	c, err := keycloak.New([]byte(`{"serverUrl": "`+s.URL+`", "realm": "st aff", "rotatorRealm": "ma stér", `+
		withSecret+`}`),
		idp.Client{ClientID: "orders&web/1"},
		imitationtest.Deps(t, s.Server, map[string]string{secretARN: adminSecret}, now))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DropPrevious(t.Context()); !failure.Is(err, failure.IdPRejected) || !strings.Contains(err.Error(),
		"of client st aff-realm") {
		t.Error(err)
	}
}

func TestTheAudienceIsTheIssuerAsKeycloakWritesIt(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var audience string
	s := imitationtest.Play(t, "")
	s.Aside = func(w http.ResponseWriter, r *http.Request) bool {
		_ = r.ParseForm()
		payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(r.PostForm.Get("client_assertion")+"..", ".")[1])
		var claims struct {
			Audience string `json:"aud"`
		}
		_ = json.Unmarshal(payload, &claims)
		audience = claims.Audience
		w.WriteHeader(http.StatusBadRequest)
		return true
	}
	c, err := keycloak.New([]byte(`{"serverUrl": "`+s.URL+`", "realm": "l'étage \"2\"", "privateKey": `+
		`{"clientId": "rotator", "keyId": "k", "keySecretArn": "`+secretARN+`"}}`), idp.Client{ClientID: "orders-web"},
		imitationtest.Deps(t, s.Server, map[string]string{secretARN: string(pem.EncodeToMemory(&pem.Block{
			Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))}, now))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(t.Context()); err == nil || audience != s.URL+"/realms/l'%C3%A9tage%20%222%22" {
		t.Errorf("the audience is %s (%v)", audience, err)
	}
}
