package oktatest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/idp/okta/oktatest"
)

const (
	appID   = "0oa1gjh63g214q0Hq0g4"
	secrets = "/api/v1/apps/" + appID + "/credentials/secrets"
	old     = "initial-secret-of-" + appID
	fresh   = "own-value-made-by-the-rotator-0123456789abcdef"
)

// org is an Okta org with one app that has one secret.
type org struct {
	*imitationtest.Vendor
	t     *testing.T
	okta  *oktatest.Okta
	auth  string
	oldID string
}

func newOrg(t *testing.T) *org {
	t.Helper()
	v := imitationtest.Start(t, oktatest.Imitation, nil, appID)
	return &org{Vendor: v, t: t, okta: v.Double.(*oktatest.Okta), auth: "SSWS " + v.Double.AdminToken(),
		oldID: v.Store.Secrets(appID)[0].ID}
}

type answer struct {
	status int
	header http.Header
	body   string
	fields map[string]any
}

// call sends a request as the documentation has it: JSON in, JSON out.
func (o *org) call(method, path, body string) answer {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), method, o.URL+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	r.Header.Set("Authorization", o.auth)
	r.Header.Set("Accept", "application/json")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return o.read(o.Client().Do(r))
}

func (o *org) read(got *http.Response, err error) answer {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	content, err := io.ReadAll(got.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	a := answer{status: got.StatusCode, header: got.Header, body: string(content)}
	_ = json.Unmarshal(content, &a.fields)
	return a
}

func (a answer) must(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

func (a answer) mustFail(t *testing.T, status int, code string) answer {
	t.Helper()
	a.must(t, status)
	causes, hasCauses := a.fields["errorCauses"].([]any)
	if a.fields["errorCode"] != code || a.fields["errorLink"] != code || a.fields["errorSummary"] == "" ||
		!strings.HasPrefix(a.text("errorId"), "oae") || !hasCauses || (code == "E0000001" && len(causes) == 0) {
		t.Fatalf("not an %s error: %s", code, a.body)
	}
	return a
}

func (a answer) text(field string) string { s, _ := a.fields[field].(string); return s }

func (a answer) links() map[string]any { m, _ := a.fields["_links"].(map[string]any); return m }

func (o *org) accepts(value string) bool { return o.Store.Accepts(appID, value, o.Clock.Now()) }

func TestSecretLivesThroughCreateDeactivateActivateDelete(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	created := o.call(http.MethodPost, secrets, `{"client_secret":"`+fresh+`","status":"ACTIVE"}`).must(t,
		http.StatusCreated)
	id := created.text("id")
	if !strings.HasPrefix(id, "ocs") || len(id) != 20 || created.text("client_secret") != fresh ||
		created.text("status") != "ACTIVE" || created.text("created") != "2026-03-01T12:00:00.000Z" ||
		created.text("lastUpdated") != created.text("created") ||
		len(created.text("secret_hash")) != 22 || created.links()["deactivate"] == nil ||
		created.links()["delete"] != nil {
		t.Fatalf("created: %s", created.body)
	}
	if !o.accepts(fresh) || !o.accepts(old) {
		t.Fatal("both secrets must be live now")
	}
	o.Clock.Advance(time.Hour)
	path := secrets + "/" + o.oldID
	inactive := o.call(http.MethodPost, path+"/lifecycle/deactivate", "").must(t, http.StatusOK)
	if inactive.text("status") != "INACTIVE" || inactive.text("lastUpdated") != "2026-03-01T13:00:00.000Z" ||
		inactive.links()["activate"] == nil || inactive.links()["delete"] == nil || o.accepts(old) {
		t.Fatalf("deactivated: %s", inactive.body)
	}
	o.call(http.MethodPost, path+"/lifecycle/activate", "").must(t, http.StatusOK)
	if !o.accepts(old) {
		t.Fatal("an activated secret is refused")
	}
	o.call(http.MethodPost, path+"/lifecycle/deactivate", "").must(t, http.StatusOK)
	if gone := o.call(http.MethodDelete, path, "").must(t, http.StatusNoContent); gone.body != "" {
		t.Fatalf("deleted: %s", gone.body)
	}
	o.call(http.MethodDelete, path, "").mustFail(t, http.StatusNotFound, "E0000007")
	if !o.accepts(fresh) {
		t.Fatal("the remaining secret is refused")
	}
}

func TestOktaMakesTheValueWhenNoneIsGiven(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	created := o.call(http.MethodPost, secrets, `{}`).must(t, http.StatusCreated)
	if value := created.text("client_secret"); len(value) != 64 || !o.accepts(value) {
		t.Fatalf("a value of %d characters", len(value))
	}
}

func TestReadsShowTheValueUnlessTheyHideIt(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	created := o.call(http.MethodPost, secrets, `{"client_secret":"`+fresh+`"}`).must(t, http.StatusCreated)
	if one := o.call(http.MethodGet, secrets+"/"+created.text("id"), ""); one.text("client_secret") != fresh {
		t.Error("a read does not show the value")
	}
	if list := o.call(http.MethodGet, secrets, ""); !strings.Contains(list.body, fresh) ||
		!strings.Contains(list.body, old) {
		t.Error("a list does not show the values")
	}
	o.okta.HideValues()
	one := o.call(http.MethodGet, secrets+"/"+created.text("id"), "").must(t, http.StatusOK)
	list := o.call(http.MethodGet, secrets, "").must(t, http.StatusOK)
	app := o.call(http.MethodGet, "/api/v1/apps/"+appID, "").must(t, http.StatusOK)
	for _, a := range []answer{one, list, app} {
		if strings.Contains(a.body, fresh) || strings.Contains(a.body, old) || strings.Contains(a.body,
			"client_secret\"") {
			t.Errorf("a read shows a value: %s", strings.NewReplacer(fresh, "…", old, "…").Replace(a.body))
		}
	}
	if one.text("secret_hash") != created.text("secret_hash") {
		t.Error("the hash is not stable")
	}
	var objects []map[string]any
	if err := json.Unmarshal([]byte(list.body), &objects); err != nil || len(objects) != 2 ||
		objects[0]["id"] != o.oldID || objects[1]["id"] != created.text("id") {
		t.Errorf("list: %s", list.body)
	}
}

func TestThirdSecretIsRefusedEvenIfOneIsInactive(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.call(http.MethodPost, secrets, `{}`).must(t, http.StatusCreated)
	o.call(http.MethodPost, secrets+"/"+o.oldID+"/lifecycle/deactivate", "").must(t, http.StatusOK)
	o.call(http.MethodPost, secrets, `{"client_secret":"`+fresh+`"}`).mustFail(t, http.StatusBadRequest, "E0000001")
	if o.accepts(fresh) || len(o.Store.Secrets(appID)) != 2 {
		t.Fatal("a refused create had an effect")
	}
}

func TestOnlyActiveSecretStays(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	path := secrets + "/" + o.oldID
	o.call(http.MethodDelete, path, "").mustFail(t, http.StatusBadRequest, "E0000001")
	o.call(http.MethodPost, path+"/lifecycle/deactivate", "").mustFail(t, http.StatusBadRequest, "E0000001")
	spare := o.call(http.MethodPost, secrets, `{"status":"INACTIVE"}`).must(t, http.StatusCreated)
	o.call(http.MethodPost, path+"/lifecycle/deactivate", "").mustFail(t, http.StatusBadRequest, "E0000001")
	o.call(http.MethodPost, secrets+"/"+spare.text("id")+"/lifecycle/deactivate", "").must(t, http.StatusOK)
	if !o.accepts(old) {
		t.Fatal("the only active secret was taken away")
	}
}

func TestErrorsHaveOktasCodes(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.call(http.MethodGet, "/api/v1/apps/0oaNobody/credentials/secrets", "").mustFail(t, http.StatusNotFound,
		"E0000007")
	o.call(http.MethodGet, secrets+"/ocsNobody", "").mustFail(t, http.StatusNotFound, "E0000007")
	o.call(http.MethodGet, "/api/v1/users", "").mustFail(t, http.StatusNotFound, "E0000007")
	o.call(http.MethodPut, secrets, "{}").mustFail(t, http.StatusNotFound, "E0000007")
	o.call(http.MethodPost, secrets, `{"client_secret":`).mustFail(t, http.StatusBadRequest, "E0000003")
	o.call(http.MethodPost, secrets, `{"clientSecret":"x"}`).mustFail(t, http.StatusBadRequest, "E0000003")
	o.call(http.MethodPost, secrets, `{"status":"DELETED"}`).mustFail(t, http.StatusBadRequest, "E0000001")
	o.call(http.MethodPost, secrets, "").mustFail(t, http.StatusBadRequest, "E0000021")
	for _, auth := range []string{"", "SSWS wrong", "Bearer wrong", "Basic eDp5"} {
		o.auth = auth
		o.call(http.MethodGet, secrets, "").mustFail(t, http.StatusUnauthorized, "E0000011")
		o.call(http.MethodPost, secrets, "{}").mustFail(t, http.StatusUnauthorized, "E0000011")
	}
	if len(o.Store.Secrets(appID)) != 1 {
		t.Fatal("a refused request had an effect")
	}
}

func TestRateLimitIsAnnouncedAndEnforcedPerMinute(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.okta.SetRateLimit(2)
	for _, left := range []string{"1", "0"} {
		a := o.call(http.MethodGet, secrets, "").must(t, http.StatusOK)
		if a.header.Get("X-Rate-Limit-Limit") != "2" || a.header.Get("X-Rate-Limit-Remaining") != left {
			t.Fatalf("headers: %v", a.header)
		}
	}
	a := o.call(http.MethodPost, secrets, "{}").mustFail(t, http.StatusTooManyRequests, "E0000047")
	date, err := http.ParseTime(a.header.Get("Date"))
	if err != nil || !date.Equal(imitationtest.Noon()) ||
		a.header.Get("X-Rate-Limit-Reset") != strconv.FormatInt(imitationtest.Noon().Add(time.Minute).Unix(), 10) {
		t.Fatalf("headers: %v", a.header)
	}
	if len(o.Store.Secrets(appID)) != 1 {
		t.Fatal("a request over the limit had an effect")
	}
	o.Clock.Advance(time.Minute)
	o.call(http.MethodPost, secrets, "{}").must(t, http.StatusCreated)
}
