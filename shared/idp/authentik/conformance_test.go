package authentik_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/authentik"
	"alboidc.internal/shared/idp/authentik/authentiktest"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/imitation"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

// start serves authentik as releases up to 2026.8 are, or as those from 2026.11 on, whose secrets are objects.
func start(t *testing.T, objects bool) *imitationtest.Vendor {
	change := "authentik.updateProvider"
	if objects {
		change = "authentik.updateSecret"
	}
	v := imitationtest.Start(t, authentiktest.Imitation, map[idptest.Operation]string{
		idptest.Check: "authentik.listProviders", idptest.Create: change, idptest.Remove: change,
		idptest.Enable: change}, first, second)
	double(v).SetObjects(objects)
	return v
}

func double(v *imitationtest.Vendor) *authentiktest.Authentik {
	return v.Double.(*authentiktest.Authentik)
}

func imitated(t *testing.T, v *imitationtest.Vendor, clientID string) *authentik.Client {
	t.Helper()
	c, err := authentik.New(v.Settings(""), idp.Client{Name: "orders-web", ClientID: clientID}, v.Deps())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, objects := range map[string]bool{"up to 2026.8": false, "from 2026.11 on": true} {
		t.Run(name+", as a pair", func(t *testing.T) {
			t.Parallel()
			idptest.Run(t, idptest.Subject{
				Exceptions: idptest.NeedsNoRequest(idptest.List,
					"authentik lists no secrets; the token endpoint is asked"),
				New: func(t *testing.T) (idp.Provider, idptest.Backend) {
					v := start(t, objects)
					return idptest.WithSlots(t, v, []string{first, second}, func(b withoutids.Env) idp.Provider {
						return withoutids.Pair(first, imitated(t, v, first), second, imitated(t, v, second), b)
					})
				}})
		})
		t.Run(name+", in place", func(t *testing.T) {
			t.Parallel()
			idptest.Run(t, idptest.Subject{Exceptions: idptest.InOneSlot(),
				New: func(t *testing.T) (idp.Provider, idptest.Backend) {
					v := start(t, objects)
					return idptest.WithSlots(t, v, []string{first}, func(b withoutids.Env) idp.Provider {
						return withoutids.InPlace(imitated(t, v, first), b)
					})
				}})
		})
	}
}

func TestClientsThatDifferAreRefusedAsAPair(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		objects bool
		both    map[string]any
		one     map[string]any
		want    []string
	}{
		"alike":                          {},
		"alike, with objects":            {objects: true},
		"alike, with settings in common": {both: map[string]any{"sub_mode": "user_email", "of_next_year": 1}},
		"each with the issuer of its application": {both: map[string]any{"issuer_mode": "per_provider"},
			want: []string{"differ in issuer_mode (that of application orders-web and that of application " +
				"orders-web-second)"}},
		"different": {one: map[string]any{"grant_types": []string{"authorization_code"}, "sub_mode": "user_email",
			"signing_key": "another", "name": "another", "of_next_year": map[string]string{"x": "y"}},
			want: []string{"differ in grant_types", "differ in of_next_year (nothing and a value that is not shown)",
				"differ in signing_key", "differ in sub_mode (hashed_user_id and user_email)"}},
	} {
		v := start(t, tt.objects)
		double(v).SetClient(first, tt.both)
		double(v).SetClient(second, tt.both)
		if tt.one != nil {
			double(v).SetClient(second, tt.one)
		}
		p := withoutids.Pair(first, imitated(t, v, first), second, imitated(t, v, second), withoutids.Env{})
		r, err := p.(idp.Reviewer).Review(t.Context())
		if err != nil || len(r.Refusals) != len(tt.want) || len(r.Warnings) != 0 {
			t.Errorf("%s: %+v (%v)", name, r, err)
		}
		for _, want := range tt.want {
			if !slices.ContainsFunc(r.Refusals, func(s string) bool { return strings.Contains(s, want) }) {
				t.Errorf("%s: %q is not among %q", name, want, r.Refusals)
			}
		}
	}
}

func TestASharedSecretIsNeitherTakenNorSet(t *testing.T) {
	t.Parallel()
	v := start(t, true)
	c := imitated(t, v, second)
	if err := c.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	double(v).Share(second, first)
	_ = imitated(t, v, first).Check(t.Context()) // the imitation knows the pair from now on
	for what, err := range map[string]error{"check": c.Check(t.Context()),
		"set": c.Set(t.Context(), secret.New("a-value-of-ours"))} {
		if !failure.Is(err, failure.Precondition) || !strings.Contains(err.Error(), "shared by 2 objects") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if v.Asked("authentik.updateSecret") != 0 || !v.Store.Accepts(first, "initial-secret-of-"+first,
		imitationtest.Noon()) {
		t.Error("the secret of the registration in use was overwritten")
	}
}

// Between two requests authentik is updated: a field that the new release does not know changes nothing.
func TestAFieldThatIsIgnoredIsNoChange(t *testing.T) {
	t.Parallel()
	v := start(t, true)
	c := imitated(t, v, first)
	if err := c.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.Answer("GET /api/v3/providers/oauth2/", 200, answer(strings.Replace(old, `"pk": 7`, `"pk": 1`, 1)))
	err := c.Set(t.Context(), secret.New("a-value-of-ours"))
	if !failure.Is(err, failure.Unavailable) || !v.Store.Accepts(first, "initial-secret-of-"+first,
		imitationtest.Noon()) {
		t.Errorf("a change that was not made is %v", err)
	}
}

// Before the secret authentik looks whether the client may use the grant, and after it, whether it has the redirect
// URI, which it refuses in the same words.
func TestTheTokenEndpointAnswersAsAuthentikDoes(t *testing.T) {
	t.Parallel()
	v := start(t, false)
	ask := func(change func(url.Values)) (int, string) {
		form := url.Values{"grant_type": {"authorization_code"}, "code": {"probe-1"}, "client_id": {first},
			"client_secret": {"initial-secret-of-" + first},
			"redirect_uri":  {"https://orders.example.com/oauth2/idpresponse"}}
		change(form)
		return v.Ask(form, "")
	}
	for name, tt := range map[string]struct {
		change func(url.Values)
		status int
		code   string
	}{
		"left to the provider": {func(url.Values) {}, http.StatusTeapot, ""},
		"another redirect URI": {func(f url.Values) { f.Set("redirect_uri", "https://o.example.com/") }, 400,
			"invalid_client"},
		"a grant that is not allowed, whatever the secret": {func(f url.Values) {
			f.Set("grant_type", "client_credentials")
			f.Set("client_secret", "wrong")
		}, 400, "invalid_grant"},
	} {
		if status, body := ask(tt.change); status != tt.status || !strings.Contains(body, tt.code) {
			t.Errorf("%s: HTTP %d %s", name, status, body)
		}
	}
	for r, want := range map[imitation.Refusal]string{imitation.WrongSecret: "invalid_client",
		imitation.UnknownClient: "invalid_client", imitation.InvalidCode: "invalid_grant",
		imitation.InvalidRefreshToken: "invalid_grant"} {
		if e := v.Double.TokenError(r); e.Status != 400 || e.Code != want || e.Extra["request_id"] == "" {
			t.Errorf("%s: %+v", r, e)
		}
	}
}

func TestWhatTheImitationDoesNotKnowIsRefused(t *testing.T) {
	t.Parallel()
	v := start(t, false)
	bearer := "Bearer " + v.Double.AdminToken()
	for request, want := range map[string]int{
		"GET /api/v3/core/users/me/":                                            http.StatusNotImplemented,
		"PATCH /api/v3/providers/oauth2/7/ {}":                                  http.StatusNotFound,
		"GET /api/v3/secrets/secrets/1/used_by/":                                http.StatusNotFound,
		`PATCH /api/v3/secrets/secrets/1/ {"value": "x"}`:                       http.StatusNotFound,
		`PATCH /api/v3/providers/oauth2/7/ {"redirect_uris": []}`:               http.StatusNotFound,
		"GET /api/v3/providers/oauth2/?client_id=third":                         http.StatusOK,
		"GET /api/v3/providers/oauth2/?client_id=" + first:                      http.StatusOK,
		`PATCH /api/v3/providers/oauth2/1/ {"redirect_uris": []}`:               http.StatusBadRequest,
		`PATCH /api/v3/providers/oauth2/1/ {"client_secret": "` + long() + `"}`: http.StatusBadRequest,
	} {
		_ = imitated(t, v, first).Check(t.Context()) // it gets its number
		if status, body := v.Send(request, bearer); status != want {
			t.Errorf("%s: HTTP %d %s, want %d", request, status, body, want)
		}
	}
	if status, body := v.Send("GET /api/v3/providers/oauth2/", "Bearer another"); status != http.StatusForbidden ||
		!strings.Contains(body, "Token invalid/expired") {
		t.Errorf("another token: HTTP %d %s", status, body)
	}
}

func long() string { return strings.Repeat("x", 256) }
