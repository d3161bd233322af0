package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitation"
	"alboidc.internal/shared/idp/idptest/imitations"
	"alboidc.internal/shared/idp/keycloak/keycloaktest"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

// hidden stands in answers where they hold a secret.
const hidden = "CANARYq7Xr2Vn9Kd4Tz8Lm5Bw1"

const baseURL = "https://idp.test"

// vendor is the imitation of one vendor with a rotated client, in which one request is answered by something else.
type vendor struct {
	t      *testing.T
	store  *clients.Store
	clock  *clock.Virtual
	serve  http.Handler
	double imitation.Vendor

	provider idp.Provider
	known    withoutids.Known
	ids      []string // the client ids
	secrets  map[string]secret.Value

	calls, answerAt, status int
	header, body            string
	answered                bool
}

// ServeHTTP implements http.Handler.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Host != "idp.test" && r.URL.Host != "aws.test" || strings.Contains(r.URL.EscapedPath(), "..") {
		v.t.Errorf("a request goes to %s", r.URL)
	}
	if v.calls++; v.calls != v.answerAt {
		v.serve.ServeHTTP(w, r)
		return
	}
	v.answered = true
	for line := range strings.Lines(v.header) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		w.Header().Set(name, strings.TrimSpace(value))
	}
	w.WriteHeader(v.status)
	_, _ = io.WriteString(w, v.body)
}

// RoundTrip implements http.RoundTripper.
func (v *vendor) RoundTrip(r *http.Request) (*http.Response, error) {
	return awsapi.Config(v, "").HTTPClient.Do(r)
}

// start makes a vendor whose client is rotated by a pair, in place, or as the provider does by itself.
func start(t *testing.T, kind string, pair, interruption bool) *vendor {
	t.Helper()
	im := imitations.All[kind]
	v := &vendor{t: t, clock: clock.NewVirtual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
		ids:     []string{im.ClientID},
		secrets: map[string]secret.Value{}}
	v.store = clients.New(v.clock)
	var err error
	if v.double, err = im.New(imitation.Env{BaseURL: baseURL, Clock: v.clock, Store: v.store,
		Faults: &fault.Injector{}}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	v.double.Routes(mux)
	if tokens, ok := v.double.(imitation.Tokens); ok {
		mux.HandleFunc("POST "+v.double.Paths().Issuer+v.double.Paths().Token,
			func(w http.ResponseWriter, r *http.Request) {
				if r.ParseForm() != nil || !tokens.ServeToken(w, r) {
					w.WriteHeader(http.StatusTeapot)
				}
			})
	}
	v.serve = mux
	if service, ok := v.double.(awsapi.Service); ok {
		v.serve = awsapi.NewServer(v.clock, nil, service)
	}
	v.register(im.ClientID, im.AppID, "first")
	if pair {
		v.register(im.PairID, "", "idle")
		v.ids = append(v.ids, im.PairID)
	}
	v.build(kind, im, pair, interruption)
	return v
}

func (v *vendor) register(clientID, appID, name string) {
	v.t.Helper()
	if _, err := v.store.Register(clients.Client{ID: clientID, AppID: appID, Name: "orders-web",
		RedirectURIs: []string{"https://orders.example.com/oauth2/idpresponse"}}); err != nil {
		v.t.Fatal(err)
	}
	v.add(clientID, name, "Q1wE3rT5-"+name+"-"+hidden)
}

// add makes a secret as a person does.
func (v *vendor) add(clientID, name, value string) {
	v.t.Helper()
	v.secrets[name] = secret.New(value)
	if err := v.store.Update(clientID, func(e *clients.Edit) error {
		_, err := e.Add(clients.Secret{ID: v.double.NewSecretID(clientID)}, value)
		return err
	}); err != nil {
		v.t.Fatal(err)
	}
}

// build makes the provider as the functions do.
func (v *vendor) build(kind string, im imitation.Imitation, pair, interruption bool) {
	v.t.Helper()
	const admin = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:admin-AbCdEf"
	settings, err := json.Marshal(im.Settings(baseURL, im.AppID, admin))
	if err != nil {
		v.t.Fatal(err)
	}
	v.secrets["admin"] = secret.New(v.double.AdminToken())
	d := idp.Deps{HTTP: &http.Client{Transport: v, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}, Secret: func(context.Context, string) (secret.Value, error) { return v.secrets["admin"], nil },
		AWS: func(region string) aws.Config { return awsapi.Config(v, region) },
		WebIdentity: func(context.Context, string) (secret.Value, error) {
			return secret.Value{}, failure.New(failure.AccessDenied, "none")
		},
		Now: v.clock.Now, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
	registration := func(id string) idp.Registration {
		r, err := registry.New(kind, settings, idp.Client{Name: "orders-web", ClientID: id}, d)
		if err != nil {
			v.t.Fatal(err)
		}
		return r
	}
	first := registration(im.ClientID)
	model, err := first.Capabilities().Choose(pair, interruption)
	if err != nil {
		v.t.Skip(err)
	}
	v.known.Current = withoutids.Version{ID: "v1", ClientID: im.ClientID, Value: v.secrets["first"]}
	env := withoutids.Env{Known: &v.known, Rand: zeros{},
		Accepts: func(_ context.Context, id string, x secret.Value) (bool, error) { return v.accepts(id, x), nil }}
	if k, ok := v.double.(*keycloaktest.Keycloak); ok && (pair || interruption) {
		k.SetPolicy(nil)
	}
	switch model {
	case idp.CurrentPrevious:
		v.provider = withoutids.CurrentPrevious(first.(idp.PreviousKeeper), env)
	case idp.ClientPair:
		v.provider = withoutids.Pair(im.ClientID, first.(idp.Setter), im.PairID,
			registration(im.PairID).(idp.Setter), env)
	case idp.InPlace:
		v.provider = withoutids.InPlace(first.(idp.Setter), env)
	case idp.ByHand:
		v.provider = withoutids.ByHand(first, env)
	default:
		v.provider = first.(idp.Provider)
	}
}

// zeros is a source of numbers that are always the same.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func (v *vendor) accepts(clientID string, x secret.Value) bool {
	return v.store.Accepts(clientID, x.Reveal(), v.clock.Now())
}

// acceptsAny reports whether one of the client's registrations accepts a secret.
func (v *vendor) acceptsAny(x secret.Value) bool {
	return slices.ContainsFunc(v.ids, func(id string) bool { return v.accepts(id, x) })
}

// snapshot is what the vendor holds.
func (v *vendor) snapshot() string {
	var out []string
	for _, id := range v.ids {
		for _, s := range v.store.Secrets(id) {
			out = append(out, fmt.Sprintf("%s %s %s %v", id, s.ID, s.Status, s.Live(v.clock.Now())))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.secrets)) {
		out = append(out, fmt.Sprint(name, v.acceptsAny(v.secrets[name])))
	}
	return strings.Join(out, "\n")
}

// create makes the second secret, and makes it known.
func (v *vendor) create() (idp.Created, error) {
	r := idp.CreateRequest{Tag: "5f0e9c0a-6d6f-5b0e-9a55-0c4f6f1d7a11"}
	if v.provider.Capabilities().AcceptsValue {
		r.Value = secret.New("Zx8Cv7Bn6Mq5Lp4Ok3Ij2Uh1Yg0Tf9Rd8Es7Wa6Qb5Nv4Mc3")
		v.secrets["second"] = r.Value
	}
	if v.provider.Capabilities().MadeByHand() {
		v.add(v.ids[0], "second", r.Value.Reveal())
	}
	made, err := v.provider.Create(v.t.Context(), r)
	if err == nil {
		v.secrets["second"] = made.Value
	}
	return made, err
}

// operation is what is called, after the second secret was made or before, and whether it only reads.
type operation struct {
	name   string
	second bool
	reads  bool
	run    func(v *vendor, id string) error
}

var errNotOffered = errors.New("the provider does not offer it")

var operations = []operation{
	{"Check", false, true, func(v *vendor, _ string) error { return v.provider.Check(v.t.Context()) }},
	{"List", true, true, (*vendor).list},
	{"Create", false, false, func(v *vendor, _ string) error {
		made, err := v.create()
		if err == nil && (made.Value.IsZero() || !v.acceptsAny(made.Value) && !v.says(made.Value.Reveal()) &&
			!(v.plausible() && v.provider.Capabilities().AcceptsValue)) {
			v.t.Errorf("a secret that nobody made counts as made: %+v", made)
		}
		return err
	}},
	{"Remove", true, false, func(v *vendor, id string) error {
		err := v.provider.Remove(v.t.Context(), id)
		if err == nil && v.acceptsAny(v.secrets["second"]) && !v.plausible() && v.status != http.StatusNotFound {
			v.t.Error("a secret counts as removed that is accepted")
		}
		return err
	}},
	{"Disable", true, false, func(v *vendor, id string) error {
		d, ok := v.provider.(idp.Disabler)
		if !ok {
			return errNotOffered
		}
		err := d.Disable(v.t.Context(), id)
		if err == nil && v.acceptsAny(v.secrets["second"]) && !v.plausible() {
			v.t.Error("a secret counts as disabled that is accepted")
		}
		return err
	}},
	{"Review", true, true, func(v *vendor, _ string) error {
		if r, ok := v.provider.(idp.Reviewer); ok {
			_, err := r.Review(v.t.Context())
			return err
		}
		return errNotOffered
	}},
	{"FindLost", true, true, func(v *vendor, _ string) error {
		if f, ok := v.provider.(idp.Finder); ok {
			_, err := f.FindLost(v.t.Context(), "v2", v.clock.Now())
			return err
		}
		return errNotOffered
	}},
	{"LastUsed", true, true, func(v *vendor, id string) error {
		if u, ok := v.provider.(idp.UseReporter); ok {
			_, err := u.LastUsed(v.t.Context(), id)
			return err
		}
		return errNotOffered
	}},
}

// list compares a list with the true one.
func (v *vendor) list(string) error {
	listed, err := v.provider.List(v.t.Context())
	if err != nil {
		return err
	}
	v.answerAt = -1
	real, errReal := v.provider.List(v.t.Context())
	if errReal != nil {
		v.t.Fatal(errReal)
	}
	if v.answered && !v.plausible() && v.status != http.StatusNotFound && fmt.Sprint(listed) != fmt.Sprint(real) {
		v.t.Errorf("%v is listed, which is %v", listed, real)
	}
	for _, s := range listed {
		known := slices.ContainsFunc(real, func(r idp.Secret) bool { return r.ID == s.ID }) || v.says(s.ID) ||
			strings.HasSuffix(s.ID, "-made-by-somebody-else")
		if !known || s.ID == "" || s.Status != idp.Active && s.Status != idp.Disabled {
			v.t.Errorf("%+v is listed, which is not there", s)
		}
	}
	return nil
}

// plausible reports whether the answer that was put in can be one of the vendor's to a request that was carried out.
func (v *vendor) plausible() bool {
	text := strings.TrimSpace(strings.TrimPrefix(v.body, "\ufeff"))
	if _, ok := v.double.(awsapi.Service); ok { // the SDK reads the first value only
		var first json.RawMessage
		_ = json.NewDecoder(strings.NewReader(text)).Decode(&first)
		text = string(first)
	}
	return v.answered && v.status/100 == 2 && !strings.Contains(strings.ToLower(v.header), "html") &&
		(text == "" || v.status == http.StatusNoContent || json.Valid([]byte(text)))
}

// says reports whether the answer that was put in is JSON that holds a text.
func (v *vendor) says(text string) bool {
	var value any
	if !v.plausible() || json.Unmarshal([]byte(strings.TrimPrefix(v.body, "\ufeff")), &value) != nil {
		return false
	}
	return holds(value, text)
}

func holds(value any, text string) bool {
	switch value := value.(type) {
	case string:
		return value == text
	case []any:
		return slices.ContainsFunc(value, func(x any) bool { return holds(x, text) })
	case map[string]any:
		for _, x := range value {
			if holds(x, text) {
				return true
			}
		}
	}
	return false
}

// Whatever one request is answered with: the secret in use stays, what only reads changes nothing, nothing counts as
// made, listed or removed that the vendor did not say, failures have their documented kinds, and no text shows a
// secret.
func FuzzProviderAnswer(f *testing.F) {
	kinds := registry.Types()
	answers := []struct {
		status       int
		header, body string
	}{{200, "", `{}`}, {200, "", `[]`}, {200, "", `null`}, {200, "Content-Type: text/html", "<html>" + hidden},
		{404, "Content-Type: text/html", "<html>"}, {404, "", `{"errorCode":"E0000007"}`}, {204, "", ""},
		{200, "", `{"id":"ocs9","status":"ACTIVE","client_secret":"` + hidden + `"}`}, {429, "Retry-After: 3", ""},
		{200, "", `[{"id":"ocs9","status":"INACTIVE","client_secret":"` + hidden + `"}]`}, {500, "",
			`{"error":"` + hidden + `"}`},
		{200, "", `{"access_token":"` + hidden + `","expires_in":3600,"token_type":"Bearer"}`}, {302,
			"Location: https://evil.test/", ""},
		{200, "", `{"type":"secret","value":"` + hidden + `"}`}, {401, "",
			`{"error":"invalid_client","error_description":"` + hidden + `"}`},
		{200, "", `{"keyId":"11111111-2222-3333-4444-555555555555","secretText":"` + hidden + `"}`}, {400, "",
			`{"__type":"` + hidden + `"}`},
		{200, "", `[{"id":"../../x","clientId":"orders-web"}]`}, {403, "", `{"error":{"code":"` + hidden + `"}}`}, {424,
			"", ""},
		{200, "", `{"secret":"` + hidden + `","previous":{"secret":"x","expiresAt":"2026-04-01T00:00:00Z"}}`}, {409,
			"", ""},
		{200, "", `{"client_id":"x","client_secret":"` + hidden + `"}`}, {200, "",
			`{"ClientSecrets":[{"ClientSecretId":"x"}]}`}}
	for i := range kinds {
		for op := range operations {
			for n, a := range answers {
				if (i+op+n)%4 > 0 { // the others are tried with other kinds and operations
					continue
				}
				f.Add(uint(i), uint(op), uint(n), uint(n+op), a.status, a.header, a.body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, kindAt, op, call, model uint, status int, header, body string) {
		kind, o := kinds[kindAt%uint(len(kinds))], operations[op%uint(len(operations))]
		pair := imitations.All[kind].PairID != "" && model%3 == 1
		v := start(t, kind, pair, model%3 == 2)
		id := "v2"
		if o.second {
			made, err := v.create()
			if err != nil {
				t.Fatal(err)
			}
			if v.provider.Capabilities().HasIDs() {
				id = made.ID
			}
			clientID := v.ids[0]
			if made.ClientID != "" {
				clientID = made.ClientID
			}
			v.known.Others = []withoutids.Version{{ID: "v2", ClientID: clientID, Value: made.Value, After: true}}
		}
		before := v.snapshot()
		v.calls, v.answerAt, v.status, v.header, v.body = 0, 1+int(call%6), 200+int(uint(status)%400), header, body
		if status >= 200 && status < 600 {
			v.status = status
		}
		err := o.run(v, id)
		if o.reads && v.snapshot() != before {
			t.Errorf("%s changed something:\n%s\n%s", o.name, before, v.snapshot())
		}
		if !v.acceptsAny(v.secrets["first"]) && !v.acceptsAny(v.secrets["second"]) ||
			model%3 != 2 && !v.acceptsAny(v.secrets["first"]) {
			t.Error("the secret in use is gone")
		}
		v.checkError(err)
	})
}

// checkError looks at the kind and the text of a failure.
func (v *vendor) checkError(err error) {
	v.t.Helper()
	if err == nil || errors.Is(err, errNotOffered) {
		return
	}
	switch kind := failure.KindOf(err); kind {
	case failure.Throttled, failure.Unavailable, failure.IdPRejected, failure.Precondition, failure.InvalidInput,
		failure.SecretRefused, failure.AccessDenied:
	default:
		if !errors.Is(err, idp.ErrKept) {
			v.t.Errorf("%s: %v", kind, err)
		}
	}
	text := fmt.Sprintf("%v %+v", err, err)
	for name, x := range v.secrets {
		if !x.IsZero() && strings.Contains(text, x.Reveal()) {
			v.t.Errorf("the %s secret is shown: %s", name, text)
		}
	}
	if strings.Contains(text, hidden) {
		v.t.Errorf("a secret is shown: %s", text)
	}
}
