package live_test

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/local/idp"
	"alboidc.internal/local/live"
	"alboidc.internal/local/localca"
	"alboidc.internal/local/scenario"
	sharedidp "alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/conformance"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/secret"
)

// tenant is a throw-away client at a provider that runs somewhere. Its secrets are removed and made as the tests need
// them.
type tenant struct {
	*target
	model sharedidp.Model
	// ids are the client's id, and that of the second registration of a pair.
	ids []string

	mu sync.Mutex
	// known are the values that may be accepted.
	known []secret.Value
}

func (x *tenant) know(v secret.Value) {
	if v.IsZero() { // a version of which the provider has not yet told the value
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.known = append(x.known, v)
}

// fresh leaves the client with one secret, which is new.
func (x *tenant) fresh(t *testing.T) (id string, v secret.Value) {
	t.Helper()
	x.mu.Lock()
	x.known = nil
	x.mu.Unlock()
	ctx, c := t.Context(), x.client(t)
	var err error
	for i, clientID := range x.ids {
		made := v
		switch r := x.registration(t, clientID, c).(type) {
		case sharedidp.Provider:
			var created sharedidp.Created
			created, err = conformance.Renew(ctx, r, "fresh")
			id, made = created.ID, created.Value
		case sharedidp.PreviousDropper:
			if x.model != sharedidp.CurrentPrevious {
				made, err = conformance.Set(ctx, r.(sharedidp.Setter))
				break
			}
			if made, err = r.Shift(ctx); err == nil {
				err = r.DropPrevious(ctx)
			}
		case sharedidp.Setter:
			if made, err = conformance.Set(ctx, r); err == nil && x.model == sharedidp.CurrentPrevious {
				err = r.(sharedidp.PreviousKeeper).Restore(ctx, made)
			}
		default:
			t.Fatalf("a %s client cannot be made as fresh", x.kind)
		}
		if err != nil {
			t.Fatalf("client %s: %v", clientID, err)
		}
		if i == 0 { // of a pair nobody knows the other's
			v = made
		}
	}
	x.know(v)
	return id, v
}

// set of named secrets: their ids are listed past the wire. It is an idptest.Backend and an idptest.Keeper.
type named struct {
	*vendor
	*tenant
	listed sharedidp.Provider
	id     string
	value  secret.Value
}

func (n *named) Current() (string, secret.Value)            { return n.id, n.value }
func (n *named) Accepts(v secret.Value) bool                { return n.vendor.accepts(n.ids[0], v) }
func (n *named) Store(_ string, v secret.Value)             { n.know(v) }
func (n *named) Promote(string)                             {}
func (n *named) Break(o idptest.Operation, f idptest.Fault) { n.vendor.Break(o, f) }

func (n *named) IDs() (out []string) {
	list, err := n.listed.List(context.Background())
	if err != nil {
		n.t.Error(err)
	}
	for _, s := range list {
		out = append(out, s.ID)
	}
	return out
}

// slots tell the tenant of every value that is stored.
type slots struct {
	*idptest.Versions
	*tenant
}

func (s slots) Store(version string, v secret.Value) {
	s.know(v)
	s.Versions.Store(version, v)
}

// subject is the client for one rule.
func (x *tenant) subject(t *testing.T) (sharedidp.Provider, idptest.Backend) {
	t.Helper()
	id, v := x.fresh(t)
	if x.model != sharedidp.NamedSet {
		p, b := x.provider(t, x.model, x.ids...)
		return p, slots{b, x}
	}
	broken, c := x.client(t), x.client(t)
	n := &named{vendor: x.vendor(t, x.ids[0]), tenant: x, id: id, value: v,
		listed: x.registration(t, x.ids[0], c).(sharedidp.Provider)}
	n.Wire = live.NewWire(broken, x.carries)
	return x.registration(t, x.ids[0], broken).(sharedidp.Provider), n
}

// exceptions are the rules that the vendor cannot keep.
func (x *tenant) exceptions(t *testing.T) map[string]string {
	t.Helper()
	switch x.model {
	case sharedidp.InPlace:
		return idptest.InOneSlot()
	case sharedidp.ClientPair:
		return idptest.NeedsNoRequest(idptest.List, "of a pair the token endpoint is asked")
	case sharedidp.CurrentPrevious:
		if _, shows := x.registration(t, x.ids[0], x.client(t)).(sharedidp.PreviousDropper); shows {
			return nil
		}
		out := maps.Clone(idptest.NeedsNoRequest(idptest.List, "the secrets are not shown"))
		out[idptest.RuleLostCreate] = "what is not shown, and was never told, cannot be listed"
		return out
	}
	return nil
}

// try runs conformance, and two whole rotations.
func (x *tenant) try(t *testing.T, a *localca.Authority, people ...idp.User) {
	x.live = func(context.Context, string) ([]secret.Value, error) {
		x.mu.Lock()
		defer x.mu.Unlock()
		return append([]secret.Value(nil), x.known...), nil
	}
	x.carries = live.Carries
	if x.kind == "keycloak" {
		x.carries = func(op idptest.Operation, r *http.Request) bool { return carries(x.model, op, r) }
	}
	noted := newReport(t, "`make live IDP="+x.kind+"` ("+string(x.model)+")", x.kind)
	t.Run("conformance", func(t *testing.T) {
		noted.note(t, "conformance")
		idptest.Run(t, idptest.Subject{New: x.subject, Serial: true, Exceptions: x.exceptions(t)})
	})
	for _, r := range []rotation{
		{name: "success", input: `{"client": "orders-web"}`},
		{name: "rollback", input: `{"client": "orders-web"}`, state: "RediscoverTargets", at: refuseOnce,
			want: "RolledBack"},
	} {
		t.Run(r.name, func(t *testing.T) {
			noted.note(t, "a rotation: "+r.name)
			_, v := x.fresh(t)
			p := &scenario.Provider{Type: x.kind, Issuer: x.issuer, Endpoints: x.endpoints, ClientID: x.ids[0],
				Secret:   v,
				Settings: x.settings, Admin: x.admin}
			if len(people) == 2 {
				p.Users, p.Tester = people[:1], people[1]
			}
			if len(x.ids) == 2 {
				r.pair = x.ids[1]
			}
			r.inPlace = x.model == sharedidp.InPlace
			x.rotate(t, p, r, a)
		})
	}
}

// TestTenant is make live for anything but Keycloak: docs/identity-providers/README.md tells the settings.
func TestTenant(t *testing.T) {
	if os.Getenv("LIVE_IDP") == "" {
		t.Skip("no tenant was given (make live IDP=…)")
	}
	tryTenant(t, os.Getenv)
}

// tryTenant tries the tenant that an environment describes.
func tryTenant(t *testing.T, getenv func(string) string) {
	t.Helper()
	need := func(name string) string {
		t.Helper()
		v := getenv(name)
		if v == "" {
			t.Fatalf("%s must be set: see docs/identity-providers/README.md", name)
		}
		return v
	}
	authority, err := localca.New()
	if err != nil {
		t.Fatal(err)
	}
	trust(t, authority, getenv("LIVE_CA"))
	var settings map[string]any
	if err := json.Unmarshal([]byte(need("LIVE_SETTINGS")), &settings); err != nil {
		t.Fatalf("LIVE_SETTINGS: %v", err)
	}
	x := &tenant{ids: []string{need("LIVE_CLIENT_ID")}, target: &target{kind: need("LIVE_IDP"),
		issuer: strings.TrimSuffix(need("LIVE_ISSUER"), "/"), admin: secret.New(getenv("LIVE_ADMIN_SECRET")),
		callback: callbacks[0], authorities: authority.PEM(), authMethod: getenv("LIVE_AUTH_METHOD")}}
	if x.settle, err = time.ParseDuration(cmp.Or(getenv("LIVE_SETTLE"), "0s")); err != nil {
		t.Fatalf("LIVE_SETTLE: %v", err)
	}
	x.settings = func(arn string) map[string]any { return withARN(settings, arn).(map[string]any) }
	if second := getenv("LIVE_PAIR"); second != "" {
		x.ids = append(x.ids, second)
	}
	if x.model, err = x.registration(t, x.ids[0], x.client(t)).Capabilities().Choose(len(x.ids) == 2,
		getenv("LIVE_IN_PLACE") != ""); err != nil {
		t.Fatal(err)
	}
	x.discover(t)
	var people []idp.User
	if name := getenv("LIVE_USER"); name != "" {
		u := idp.User{Name: name, Password: need("LIVE_PASSWORD"), Email: need("LIVE_EMAIL")}
		people = []idp.User{u, u}
	}
	x.try(t, authority, people...)
	t.Log("The client is left with one secret, which nobody knows. Delete the client.")
}

// withARN is settings with an ARN in every place for one.
func withARN(settings any, arn string) any {
	m, ok := settings.(map[string]any)
	if !ok {
		return settings
	}
	out := map[string]any{}
	for name, v := range m {
		if out[name] = withARN(v, arn); strings.HasSuffix(strings.ToLower(name), "secretarn") {
			out[name] = arn
		}
	}
	return out
}
