package oktatest_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/face"
	adapter "alboidc.internal/shared/idp/okta"
	"alboidc.internal/shared/idp/okta/oktatest"
	"alboidc.internal/shared/secret"
	"github.com/go-jose/go-jose/v4"
)

// backend is the local Okta as the providers' conformance suite sees it.
type backend struct {
	store  *clients.Store
	faults *fault.Injector

	mu      sync.Mutex
	inForce map[idptest.Operation]int
}

// current is the secret that the app has from the start.
const current = "ocsTheSecretOfTheStart"

func (b *backend) Current() (string, secret.Value) { return current, secret.New(old) }

func (b *backend) Accepts(v secret.Value) bool { return b.store.Accepts(appID, v.Reveal(), noon()) }

func (b *backend) IDs() []string {
	var ids []string
	for _, s := range b.store.Secrets(appID) {
		ids = append(ids, s.ID)
	}
	return ids
}

// requests are what carries the operations out.
var requests = map[idptest.Operation]string{
	idptest.Check: "okta.getApp", idptest.List: "okta.listSecrets", idptest.Create: "okta.createSecret", idptest.Remove: "okta.deleteSecret",
	idptest.Disable: "okta.deactivateSecret", idptest.Enable: "okta.activateSecret",
}

func (b *backend) Break(op idptest.Operation, f idptest.Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id, ok := b.inForce[op]; ok {
		b.faults.Remove(id)
		delete(b.inForce, op)
	}
	rule, ok := map[idptest.Fault]fault.Rule{
		idptest.Throttle:  {Mode: fault.Refuse, Status: http.StatusTooManyRequests},
		idptest.Break:     {Mode: fault.Refuse, Status: http.StatusServiceUnavailable},
		idptest.Forbid:    {Mode: fault.Refuse, Status: http.StatusForbidden},
		idptest.Garble:    {Mode: fault.Refuse, Code: face.WrongJSON},
		idptest.Misshape:  {Mode: fault.Refuse, Code: face.OtherJSON},
		idptest.LoseReply: {Mode: fault.Lose},
		idptest.Hang:      {Mode: fault.Delay, Latency: time.Hour},
	}[f]
	if !ok {
		return
	}
	rule.Service, rule.Operation = "idp", requests[op]
	id, err := b.faults.Add(rule)
	if err != nil {
		panic(err)
	}
	b.inForce[op] = id
}

// handClock is a clock that stands still: its sleepers wait until the test ends, and then do not go on.
type handClock struct {
	clock.Clock
	ended chan struct{}
}

func (handClock) Now() time.Time { return noon() }

func (h handClock) Sleep(context.Context, time.Duration) error {
	<-h.ended
	return context.Canceled
}

// serviceKey is made once: RSA keys are slow to make.
var serviceKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// TestTheRotatorsAdapterConformsHere runs the production adapter against this Okta: what the one sends and reads is what
// the other takes and answers.
func TestTheRotatorsAdapterConformsHere(t *testing.T) {
	t.Parallel()
	for name, credential := range map[string]func(*testing.T, *oktatest.Okta) (settings, value string){
		"with an API token": func(_ *testing.T, o *oktatest.Okta) (string, string) {
			return `"apiToken": {"secretArn": "` + credentialARN + `"}`, o.AdminToken()
		},
		"with a service app": func(t *testing.T, o *oktatest.Okta) (string, string) {
			key := serviceKey()
			public := jose.JSONWebKey{Key: key.Public(), KeyID: "kid-1", Algorithm: string(jose.RS256), Use: "sig"}
			if err := o.RegisterServiceApp(oktatest.ServiceApp{ClientID: "0oaService", Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}}}); err != nil {
				t.Fatal(err)
			}
			private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
			return fmt.Sprintf(`"serviceApp": {"clientId": "0oaService", "keySecretArn": %q, "keyId": "kid-1"}`, credentialARN), string(private)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
				return newSubject(t, credential)
			}})
		})
	}
}

const credentialARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:okta-admin"

func newSubject(t *testing.T, credential func(*testing.T, *oktatest.Okta) (settings, value string)) (idp.Provider, idptest.Backend) {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	c := handClock{clock.NewVirtual(noon()), make(chan struct{})}
	t.Cleanup(func() { close(c.ended) }) // before the server closes, which waits for its requests
	b := &backend{store: clients.New(c), faults: &fault.Injector{}, inForce: map[idptest.Operation]int{}}
	f, err := oktatest.New(face.Env{BaseURL: server.URL, Clock: c, Store: b.store, Faults: b.faults})
	if err != nil {
		t.Fatal(err)
	}
	f.(*oktatest.Okta).Routes(mux)
	if _, err := b.store.Register(clients.Client{ID: appID, Name: "orders-web", RedirectURIs: []string{"https://orders.example.com/oauth2/idpresponse"}}); err != nil {
		t.Fatal(err)
	}
	if err := b.store.Update(appID, func(e *clients.Edit) error { _, err := e.Add(clients.Secret{ID: current}, old); return err }); err != nil {
		t.Fatal(err)
	}
	http, err := httpclient.New(httpclient.Options{RootCAs: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.CloseIdleConnections)
	settings, value := credential(t, f.(*oktatest.Okta))
	p, err := adapter.New([]byte(fmt.Sprintf(`{"orgUrl": %q, "appId": %q, %s}`, server.URL, appID, settings)), idp.Client{Name: "orders-web", ClientID: appID}, idp.Deps{
		HTTP:   http,
		Secret: func(context.Context, string) (secret.Value, error) { return secret.New(value), nil },
		Now:    noon,
		Sleep:  func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, b
}
