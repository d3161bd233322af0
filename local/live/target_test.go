package live_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/local/idp"
	"alboidc.internal/local/live"
	"alboidc.internal/shared/httpclient"
	sharedidp "alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/secret"
)

// target is a provider at which the suite and whole rotations are run.
type target struct {
	kind      string
	issuer    string
	endpoints idp.Endpoints
	// settings are those of a client's configuration, and admin is the credential that they name.
	settings func(adminARN string) map[string]any
	admin    secret.Value
	callback string
	// authMethod is how the client authenticates; "" is client_secret_basic.
	authMethod string
	// settle is how long the provider takes until all of its servers know of a change.
	settle time.Duration
	// authorities, in PEM, besides those of the system.
	authorities []byte
	// carries reports whether a request is the one that carries an operation out.
	carries func(idptest.Operation, *http.Request) bool
	// live are the secrets that may be accepted of a client.
	live func(ctx context.Context, clientID string) ([]secret.Value, error)
}

const adminARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:identity-provider/admin-AbCdEf"

// client is an HTTP client of the rotation's kind.
func (x *target) client(t *testing.T) *http.Client {
	t.Helper()
	c, err := httpclient.New(httpclient.Options{RootCAs: x.authorities})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	live.MakePatient(c)
	return c
}

// discover reads the issuer and the endpoints as the provider writes them.
func (x *target) discover(t *testing.T) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, x.issuer+"/.well-known/openid-configuration", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := x.client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var document struct {
		Issuer        string `json:"issuer"`
		Authorization string `json:"authorization_endpoint"`
		Token         string `json:"token_endpoint"`
		UserInfo      string `json:"userinfo_endpoint"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&document); err != nil || document.Token == "" {
		t.Fatalf("the discovery document of %s cannot be read: HTTP %d (%v)", x.issuer, answer.StatusCode, err)
	}
	x.issuer = document.Issuer
	x.endpoints = idp.Endpoints{Authorization: document.Authorization, Token: document.Token,
		UserInfo: document.UserInfo}
}

// registration is what manages a client, as the functions make it.
func (x *target) registration(t *testing.T, clientID string, c *http.Client) sharedidp.Registration {
	t.Helper()
	settings, err := json.Marshal(x.settings(adminARN))
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.New(x.kind, settings, sharedidp.Client{Name: "live", Issuer: x.issuer, ClientID: clientID},
		sharedidp.Deps{HTTP: c, Now: time.Now, Sleep: httpclient.Sleep,
			Secret: func(context.Context, string) (secret.Value, error) { return x.admin, nil },
			AWS:    func(region string) aws.Config { return aws.Config{Region: region} },
			WebIdentity: func(context.Context, string) (secret.Value, error) {
				return secret.Value{}, errors.New("there is no AWS role here")
			}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// vendor is the provider's side of a client, behind a wire that can break. It is an idptest.SlotVendor.
type vendor struct {
	*live.Wire
	*target
	t    *testing.T
	http *http.Client // past the wire
	spec sharedidp.ProbeSpec
}

// vendor is the provider's side of a client, seen past the rotation.
func (x *target) vendor(t *testing.T, clientID string) *vendor {
	t.Helper()
	c := x.client(t)
	return &vendor{target: x, t: t, http: c, spec: x.registration(t, clientID, c).Capabilities().Probe}
}

// Live implements idptest.SlotVendor.
func (v *vendor) Live(clientID string) []secret.Value {
	all, err := v.live(context.Background(), clientID)
	if err != nil {
		v.t.Error(err)
	}
	var out []secret.Value
	for _, value := range all {
		if v.accepts(clientID, value) {
			out = append(out, value)
		}
	}
	return out
}

// accepts asks the token endpoint.
func (v *vendor) accepts(clientID string, value secret.Value) bool {
	_ = httpclient.Sleep(context.Background(), v.settle)
	outcome, err := v.ask(context.Background(), clientID, value)
	if err != nil || outcome == probe.Inconclusive {
		v.t.Errorf("whether a secret of %s is accepted cannot be told (%v)", clientID, err)
	}
	return outcome == probe.Accepted
}

func (v *vendor) ask(ctx context.Context, clientID string, value secret.Value) (probe.Outcome, error) {
	verdict, err := probe.Credential{HTTP: v.http, Rand: rand.Reader}.Classify(ctx,
		probe.Endpoint{TokenEndpoint: v.endpoints.Token, ClientID: clientID, CallbackURL: v.callback,
			AuthMethod: cmp.Or(v.authMethod, "client_secret_basic"), Spec: v.spec}, value)
	return verdict.Outcome, err
}

// provider is the provider of clients whose secrets have no ids, by a model, and its backend.
func (x *target) provider(t *testing.T, model sharedidp.Model, clientIDs ...string) (sharedidp.Provider,
	*idptest.Versions) {
	t.Helper()
	broken := x.client(t)
	v := x.vendor(t, clientIDs[0])
	v.Wire = live.NewWire(broken, x.carries)
	var all []sharedidp.Registration
	for _, id := range clientIDs {
		all = append(all, x.registration(t, id, broken))
	}
	return idptest.WithSlots(t, v, clientIDs, func(b withoutids.Env) sharedidp.Provider {
		switch model {
		case sharedidp.ClientPair:
			return withoutids.Pair(clientIDs[0], all[0].(sharedidp.Setter), clientIDs[1], all[1].(sharedidp.Setter), b)
		case sharedidp.InPlace:
			return withoutids.InPlace(all[0].(sharedidp.Setter), b)
		default:
			return withoutids.CurrentPrevious(all[0].(sharedidp.PreviousKeeper), b)
		}
	})
}
