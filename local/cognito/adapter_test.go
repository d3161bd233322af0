package cognito_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/local/cognito"
	localidp "alboidc.internal/local/idp"
	"alboidc.internal/local/localca"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp"
	adapter "alboidc.internal/shared/idp/cognito"
	face "alboidc.internal/shared/idp/cognito/cognitotest"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/secret"
)

// backend is the local Cognito as the providers' conformance suite sees it.
type backend struct {
	*world
	cognito http.Handler

	mu      sync.Mutex
	inForce map[idptest.Operation]int
	// garbled is the request that gets the answer in nonsense, which the faults of an AWS endpoint do not know.
	garbled, nonsense string
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	garbled, nonsense := b.garbled, b.nonsense
	b.mu.Unlock()
	if garbled != "" && strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+garbled) {
		_, _ = io.WriteString(w, nonsense)
		return
	}
	b.cognito.ServeHTTP(w, r)
}

func (b *backend) Current() (string, secret.Value) { return b.firstID, secret.New(initial) }

func (b *backend) Accepts(v secret.Value) bool { return b.store.Accepts(clientID, v.Reveal(), noon()) }

func (b *backend) IDs() []string {
	var ids []string
	for _, s := range b.store.Secrets(clientID) {
		ids = append(ids, s.ID)
	}
	return ids
}

// requests are what carries the operations out.
var requests = map[idptest.Operation]string{idptest.Check: "DescribeUserPoolClient", idptest.List: "ListUserPoolClientSecrets",
	idptest.Create: "AddUserPoolClientSecret", idptest.Remove: "DeleteUserPoolClientSecret"}

func (b *backend) Break(op idptest.Operation, f idptest.Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id, ok := b.inForce[op]; ok {
		b.faults.Remove(id)
		delete(b.inForce, op)
	}
	b.garbled = ""
	if n := map[idptest.Fault]string{idptest.Garble: `{"` + idptest.Canary + `": `, idptest.Misshape: `{"` + idptest.Canary + `": 1}`}[f]; n != "" {
		b.garbled, b.nonsense = requests[op], n
	}
	rule, ok := map[idptest.Fault]fault.Rule{
		idptest.Throttle:  {Mode: fault.Refuse, Status: http.StatusBadRequest, Code: "TooManyRequestsException"},
		idptest.Break:     {Mode: fault.Refuse, Status: http.StatusInternalServerError, Code: "InternalServerException"},
		idptest.Forbid:    {Mode: fault.Refuse, Status: http.StatusBadRequest, Code: "AccessDeniedException"},
		idptest.LoseReply: {Mode: fault.Lose},
		idptest.Hang:      {Mode: fault.Delay, Latency: time.Hour},
	}[f]
	if !ok {
		return
	}
	rule.Service, rule.Operation = "cognito-idp", requests[op]
	id, err := b.faults.Add(rule)
	if err != nil {
		panic(err)
	}
	b.inForce[op] = id
}

// handClock is a clock whose sleepers wake, without having slept, when the test ends.
type handClock struct {
	clock.Clock
	ended <-chan struct{}
}

func (h handClock) Sleep(context.Context, time.Duration) error {
	<-h.ended
	return context.Canceled
}

func newAdapter(t *testing.T, id string, config func(string) aws.Config) idp.Provider {
	t.Helper()
	p, err := adapter.New([]byte(`{"userPoolId": "`+face.PoolID+`"}`), idp.Client{Name: "orders-web", ClientID: id}, idp.Deps{AWS: config})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTheRotatorsAdapterConformsHere runs the production adapter against this Cognito: what the one sends and reads is
// what the other takes and answers.
func TestTheRotatorsAdapterConformsHere(t *testing.T) {
	t.Parallel()
	idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
		w := newWorld(t)
		ended := make(chan struct{})
		c := handClock{w.clock, ended}
		b := &backend{world: w, cognito: awsapi.NewServer(c, w.faults, cognito.New(c, w.store)), inForce: map[idptest.Operation]int{}}
		server := httptest.NewServer(b)
		t.Cleanup(server.Close)
		t.Cleanup(func() { close(ended) }) // before the server's Close, which waits for its requests
		w.url = server.URL
		return newAdapter(t, clientID, w.config), b
	}})
}

// TestAnAppClientsSecretIsReplacedWhileTheTokenEndpointIsAsked goes the way of a rotation with the functions' own code:
// adapter, probe, and the real token endpoint with Cognito's face.
func TestAnAppClientsSecretIsReplacedWhileTheTokenEndpointIsAsked(t *testing.T) {
	t.Parallel()
	authority, err := localca.New()
	if err != nil {
		t.Fatal(err)
	}
	provider, err := localidp.Start(t.Context(), localidp.Options{Authority: authority, Face: "cognito"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = provider.Close() })
	const callback = "https://orders.localhost/oauth2/idpresponse"
	_, old, err := provider.RegisterClient(clients.Client{ID: clientID, RedirectURIs: []string{callback}}, initial)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(awsapi.NewServer(clock.Real{}, nil, cognito.New(clock.Real{}, provider.Store())))
	t.Cleanup(server.Close)
	p := newAdapter(t, clientID, (&world{url: server.URL}).config)

	prober := probe.New(probe.Options{RootCAs: authority.Pool(), AllowLoopback: true})
	endpoint := probe.Endpoint{TokenEndpoint: provider.Endpoints().Token, ClientID: clientID, CallbackURL: callback,
		AuthMethod: "client_secret_basic", Spec: p.Capabilities().Probe}
	want := func(what string, v secret.Value, outcome probe.Outcome) {
		t.Helper()
		verdict, err := prober.Credential().Differential(t.Context(), endpoint, v)
		if err != nil || verdict.Outcome != outcome {
			t.Fatalf("%s: %s (%s), %v; want %s", what, verdict.Outcome, verdict.Reason, err, outcome)
		}
	}
	if err := p.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("the old secret at first", secret.New(initial), probe.Accepted)
	made, err := p.Create(t.Context(), idp.CreateRequest{Value: secret.New(own), Tag: "v"})
	if err != nil {
		t.Fatal(err)
	}
	want("the new secret beside the old", made.Value, probe.Accepted)
	want("the old secret beside the new", secret.New(initial), probe.Accepted)
	if err := p.Remove(t.Context(), old.ID); err != nil {
		t.Fatal(err)
	}
	want("the new secret at last", made.Value, probe.Accepted)
	verdict, err := prober.Credential().Classify(t.Context(), endpoint, secret.New(initial))
	if err != nil || verdict.Outcome != probe.Rejected {
		t.Fatalf("the removed secret: %s (%s), %v", verdict.Outcome, verdict.Reason, err)
	}
}
