package live_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"alboidc.internal/local/idp"
	"alboidc.internal/local/live"
	"alboidc.internal/local/localca"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/httpclient"
	sharedidp "alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/keycloak"
	"alboidc.internal/shared/idp/keycloak/keycloaktest"
	"alboidc.internal/shared/secret"
)

var (
	distribution = flag.String("keycloak", "", "the folder of an unpacked Keycloak, to start a server from")
	results      = flag.String("results", "", "the folder for the report, and for what a server prints")
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// keycloakWorld is a Keycloak with two realms. Their names have what a name may have.
type keycloakWorld struct {
	server *live.Server
	admin  *live.Keycloak
	// plain keeps one secret of a client; covered has a policy that keeps the one that was replaced.
	plain, covered *live.Realm
	authority      *localca.Authority
	clients        atomic.Int64
	users          []idp.User
	noted          *report
}

// startKeycloak starts a server, or uses the one that the environment names, and makes the realms.
func startKeycloak(t *testing.T) *keycloakWorld {
	t.Helper()
	authority, err := localca.New()
	if err != nil {
		t.Fatal(err)
	}
	w := &keycloakWorld{authority: authority}
	w.admin = &live.Keycloak{URL: os.Getenv("LIVE_URL"), User: cmp.Or(os.Getenv("LIVE_ADMIN_USER"), "admin"),
		Password: secret.New(os.Getenv("LIVE_ADMIN_SECRET"))}
	if w.admin.URL == "" {
		w.start(t)
	} else {
		trust(t, authority, os.Getenv("LIVE_CA"))
	}
	w.admin.HTTP = authority.Client(3 * time.Minute) // a realm is made in seconds, but for busy machines
	w.plain, w.covered = w.realm(t, plainRealm), w.realm(t, coveredRealm)
	if err := w.covered.SetPolicy(t.Context(), &live.Policy{Lifetime: 180 * 24 * time.Hour,
		Rotated: 14 * 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ada", "smoke-test"} {
		u := idp.User{Name: name, Password: name + "-password", Email: name + "@example.com"}
		w.users = append(w.users, u)
		for _, r := range []*live.Realm{w.plain, w.covered} {
			if err := r.AddUser(t.Context(), u.Name, u.Password, u.Email); err != nil {
				t.Fatal(err)
			}
		}
	}
	return w
}

// trust makes the authority trust what the system trusts, and what is in a file.
func trust(t *testing.T, a *localca.Authority, file string) {
	t.Helper()
	var extra []byte
	if file != "" {
		var err error
		if extra, err = os.ReadFile(file); err != nil {
			t.Fatalf("LIVE_CA: %v", err)
		}
	}
	if err := a.Trust(extra); err != nil {
		t.Fatalf("LIVE_CA: %v", err)
	}
}

// start starts a server, which ends with the test, however that ends.
func (w *keycloakWorld) start(t *testing.T) {
	t.Helper()
	folder, err := filepath.Abs(*results)
	if err != nil {
		t.Fatal(err)
	}
	w.server, err = live.NewServer(*distribution, t.TempDir(), filepath.Join(folder, "keycloak.log"), w.authority)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.server.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := w.server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.admin.URL, w.admin.Password = w.server.URL, w.server.Password
}

// realm makes one, of a name that no other run has, which is removed when the test ends: also where making it had no
// answer.
func (w *keycloakWorld) realm(t *testing.T, name string) *live.Realm {
	t.Helper()
	name += " " + rand.Text()[:8]
	t.Cleanup(func() {
		if err := w.admin.RemoveRealm(context.WithoutCancel(t.Context()), name); err != nil {
			t.Error(err)
		}
	})
	r, err := w.admin.MakeRealm(t.Context(), name)
	if err != nil {
		t.Fatalf("realm %q: %v", name, err)
	}
	return r
}

// Names with what a name may have.
const plainRealm, coveredRealm = `100% "staff" <x>`, "Größe 'x' 日本"

// callbacks are those of the local load balancers' pages.
var callbacks = []string{"https://shop.localhost/oauth2/idpresponse", "https://reports.localhost/oauth2/idpresponse",
	"https://partners.localhost/oauth2/idpresponse", "https://invoices.localhost/oauth2/idpresponse"}

// of is a realm as a target.
func (w *keycloakWorld) of(t *testing.T, r *live.Realm) *target {
	t.Helper()
	x := &target{kind: "keycloak", issuer: r.Issuer(), settings: r.Settings, admin: r.Rotator, callback: callbacks[0],
		authorities: w.authority.PEM(), live: r.Secrets}
	x.discover(t)
	return x
}

// client makes one, of a name of its own.
func (w *keycloakWorld) client(t *testing.T, r *live.Realm) (id string, v secret.Value) {
	t.Helper()
	id = fmt.Sprintf("orders-web-%d", w.clients.Add(1))
	value, err := secret.Generate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.AddClient(t.Context(), id, callbacks, value); err != nil {
		t.Fatal(err)
	}
	return id, value
}

func TestKeycloak(t *testing.T) {
	if *distribution == "" && os.Getenv("LIVE_URL") == "" {
		t.Skip("no Keycloak was given: -keycloak, or LIVE_URL")
	}
	w := startKeycloak(t)
	version, err := w.admin.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.noted = newReport(t, "Keycloak "+version, "keycloak")
	t.Run("what is recorded", w.answers)
	t.Run("a rotator with a signed JWT", w.signs)
	t.Run("conformance", w.conforms)
	t.Run("a secret that has ended", w.ends)
	t.Run("rotations", w.rotates)
	if w.server != nil {
		t.Run("a rotation while the server restarts", w.restarts)
	}
}

// answers compares what the imitation answers with what the server does.
func (w *keycloakWorld) answers(t *testing.T) {
	w.noted.note(t, "the answers that the imitation gives")
	for _, r := range []*live.Realm{w.plain, w.covered} {
		clientID, _ := w.client(t, r)
		for _, a := range keycloaktest.Recorded() {
			status, body, err := r.Ask(t.Context(), clientID, a.Request)
			if err != nil || status != a.Status || !strings.HasPrefix(body, a.Begins) {
				t.Errorf("realm %s: %s: HTTP %d, the beginning is another than %q (%v)", r.Name, a.Request, status,
					a.Begins, err)
			}
		}
	}
}

// ends: what can be done about a client whose current secret the policy has ended. That is when the attribute says.
func (w *keycloakWorld) ends(t *testing.T) {
	w.noted.note(t, "a secret that has ended")
	for name, c := range map[string]struct {
		act func(context.Context, *keycloak.Client, secret.Value) (secret.Value, error)
		// again: what ended is accepted once more, as the rotated one; what that was is gone.
		again bool
	}{
		"the one before is put back": {func(ctx context.Context, c *keycloak.Client, first secret.Value) (secret.Value,
			error) {
			return first, c.Restore(ctx, first)
		}, false},
		"a new one is made": {func(ctx context.Context, c *keycloak.Client, _ secret.Value) (secret.Value, error) {
			return c.ShiftEnded(ctx)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := w.of(t, w.covered)
			id, first := w.client(t, w.covered)
			k, v := x.registration(t, id, x.client(t)).(*keycloak.Client), x.vendor(t, id)
			ended, err := k.Shift(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			before, err := k.Traits(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			at := w.end(t, v, id)
			want, err := c.act(t.Context(), k, first)
			if err != nil {
				t.Fatal(err)
			}
			s, err := k.Slots(t.Context())
			if err != nil || !s.Current.Equal(want) || !s.CurrentUntil.After(at) || !v.accepts(id, want) {
				t.Errorf("another secret is the current one, until %s (%v)", s.CurrentUntil, err)
			}
			if v.accepts(id, ended) != c.again || v.accepts(id, first) == c.again {
				t.Errorf("what ended is accepted: %t, the one before: %t", !c.again, c.again)
			}
			if after, err := x.registration(t, id, x.client(t)).(*keycloak.Client).Traits(t.Context()); err != nil ||
				!maps.Equal(before, after) {
				t.Errorf("other settings of the client changed (%v)", err)
			}
		})
	}
}

// end ends a client's current secret, by the attribute in which the policy notes that.
func (w *keycloakWorld) end(t *testing.T, v *vendor, id string) (at time.Time) {
	t.Helper()
	const update = `PUT /clients/ID {"clientId": "CLIENT", "webOrigins": []`
	at = time.Now().Add(2 * time.Second)
	if status, _, err := w.covered.Ask(t.Context(), id, update+fmt.Sprintf(
		`, "attributes": {"client.secret.expiration.time": "%d"}}`, at.Unix())); err != nil ||
		status != http.StatusNoContent {
		t.Fatalf("HTTP %d (%v)", status, err)
	}
	if err := httpclient.Sleep(t.Context(), 4*time.Second); err != nil {
		t.Fatal(err)
	}
	if n := len(v.Live(id)); n != 0 {
		t.Errorf("%d secrets are accepted: the rotated one outlives the current", n)
	}
	if status, _, err := w.covered.Ask(t.Context(), id, update+"}"); err != nil ||
		status != http.StatusInternalServerError {
		t.Errorf("an update without attributes: HTTP %d (%v)", status, err)
	}
	return at
}

// signs: Keycloak compares the audience with the issuer as it writes that, also in a realm with an odd name.
func (w *keycloakWorld) signs(t *testing.T) {
	w.noted.note(t, "a rotator with a signed JWT")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	const id, keyID = "signing-rotator", "rotator-2026"
	keys := fmt.Sprintf(`{"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": %q, "n": %q, "e": "AQAB"}]}`,
		keyID,
		base64.RawURLEncoding.EncodeToString(key.N.Bytes()))
	for _, r := range []*live.Realm{w.plain, w.covered} {
		if err := r.AddRotator(t.Context(), id, map[string]any{"clientAuthenticatorType": "client-jwt",
			"attributes": map[string]string{"use.jwks.string": "true", "jwks.string": keys}}); err != nil {
			t.Fatal(err)
		}
		x := w.of(t, r)
		x.admin = secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY",
			Bytes: x509.MarshalPKCS1PrivateKey(key)})))
		x.settings = func(adminARN string) map[string]any {
			s := r.Settings(adminARN)
			delete(s, "clientSecret")
			s["privateKey"] = map[string]string{"clientId": id, "keySecretArn": adminARN, "keyId": keyID}
			return s
		}
		clientID, _ := w.client(t, r)
		if err := x.registration(t, clientID, x.client(t)).Check(t.Context()); err != nil {
			t.Errorf("realm %s: %v", r.Name, err)
		}
	}
}

func (w *keycloakWorld) conforms(t *testing.T) {
	for _, c := range []struct {
		model      sharedidp.Model
		realm      *live.Realm
		clients    int
		exceptions map[string]string
	}{
		{sharedidp.CurrentPrevious, w.covered, 1, nil},
		{sharedidp.ClientPair, w.plain, 2, idptest.NeedsNoRequest(idptest.List,
			"of a pair the token endpoint is asked")},
		{sharedidp.InPlace, w.plain, 1, idptest.InOneSlot()},
	} {
		t.Run(string(c.model), func(t *testing.T) {
			t.Parallel()
			x := w.of(t, c.realm)
			x.carries = func(op idptest.Operation, r *http.Request) bool { return carries(c.model, op, r) }
			idptest.Run(t, idptest.Subject{Exceptions: c.exceptions,
				New: func(t *testing.T) (sharedidp.Provider, idptest.Backend) {
					var ids []string
					for range c.clients {
						id, _ := w.client(t, c.realm)
						ids = append(ids, id)
					}
					return x.provider(t, c.model, ids...)
				}})
		})
	}
}

// provider is a client of a realm as the site's own.
func (w *keycloakWorld) provider(t *testing.T, r *live.Realm) *scenario.Provider {
	t.Helper()
	id, value := w.client(t, r)
	x := w.of(t, r)
	return &scenario.Provider{Type: x.kind, Issuer: x.issuer, Endpoints: x.endpoints, ClientID: id, Secret: value,
		Settings: x.settings, Admin: x.admin, Users: w.users[:1], Tester: w.users[1]}
}

// refuseOnce is a failure after the grace period, when all targets have the new secret.
func refuseOnce(w *site) {
	_, _ = w.Stack.Faults.Add(fault.Rule{Service: "elasticloadbalancing", Operation: "DescribeRules",
		Mode: fault.Refuse, Status: http.StatusForbidden, Code: "AccessDenied", Times: 1})
}

func (w *keycloakWorld) rotates(t *testing.T) {
	const plain, emergency = `{"client": "orders-web"}`, `{"client": "orders-web", "emergency": true}`
	for _, c := range []struct {
		rotation
		realm *live.Realm
		pair  bool
	}{
		{rotation{name: "success", input: plain}, w.covered, false},
		{rotation{name: "emergency", input: emergency}, w.covered, false},
		{rotation{name: "rollback", input: plain, state: "RediscoverTargets", at: refuseOnce, want: "RolledBack"},
			w.covered, false},
		{rotation{name: "a pair", input: plain}, w.plain, true},
		{rotation{name: "a pair, rolled back", input: plain, state: "RediscoverTargets", at: refuseOnce,
			want: "RolledBack"}, w.plain, true},
		{rotation{name: "in place", input: plain, inPlace: true}, w.plain, false},
		{rotation{name: "in place, rolled back", input: plain, inPlace: true, state: "PromoteSecret", at: refuseOnce,
			want: "RolledBack"}, w.plain, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w.noted.note(t, "a rotation: "+c.name)
			p := w.provider(t, c.realm)
			if c.pair {
				c.rotation.pair, _ = w.client(t, c.realm)
			}
			w.of(t, c.realm).rotate(t, p, c.rotation, w.authority)
		})
	}
}

// restarts ends the server when all targets have the new secret, and starts it again. Nobody else logs in meanwhile:
// logins that are open then fail, whatever the secret.
func (w *keycloakWorld) restarts(t *testing.T) {
	w.noted.note(t, "a rotation while the server restarts")
	restarted := make(chan error, 1)
	p := w.provider(t, w.covered)
	p.Users = nil
	w.of(t, w.covered).rotate(t, p, rotation{input: `{"client": "orders-web"}`, state: "TestSecret",
		at: func(*site) {
			go func() {
				err := w.server.Stop()
				if err == nil {
					err = w.server.Start(t.Context())
				}
				restarted <- err
			}()
		}}, w.authority)
	if err := <-restarted; err != nil {
		t.Fatal(err)
	}
}

// carries are the requests of the admin API that carry the operations out.
func carries(m sharedidp.Model, op idptest.Operation, r *http.Request) bool {
	isSecret := strings.HasSuffix(r.URL.Path, "/client-secret")
	switch {
	case op == idptest.Check, op == idptest.List: // the client shows its secret
		return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/clients")
	case m != sharedidp.CurrentPrevious:
		return r.Method == http.MethodPut
	case op == idptest.Create:
		return r.Method == http.MethodPost && isSecret
	default:
		return r.Method == http.MethodDelete
	}
}
