// Package facetest runs a provider's real adapter against its face of the local identity provider, in the conformance
// suite: what the one sends and reads is what the other takes and answers.
package facetest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/face"
	"alboidc.internal/shared/idp/idptest/httpvendor"
	"alboidc.internal/shared/secret"
)

// Noon is the time of both sides at first.
func Noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// AdminARN is the secret from which the adapter reads the face's AdminToken.
const AdminARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:admin-AbCdEf"

// Vendor is a face behind a server. It is an idptest.SlotVendor.
type Vendor struct {
	*httptest.Server
	Face  face.Face
	Store *clients.Store
	// Clock is the time of both sides. It moves only by hand.
	Clock  *clock.Virtual
	Faults *fault.Injector

	operations map[idptest.Operation]string
	mu         sync.Mutex
	inForce    map[idptest.Operation]int
	answers    map[string]recorded // by method and path
	asked      map[string]int      // by the face's operation
	t          testing.TB
}

var _ idptest.SlotVendor = (*Vendor)(nil)

type recorded struct {
	status int
	body   string
}

// handClock moves only by hand: its sleepers wait until the test ends, and then do not go on.
type handClock struct {
	*clock.Virtual
	ended chan struct{}
}

func (h handClock) Sleep(context.Context, time.Duration) error {
	<-h.ended
	return context.Canceled
}

// Start serves a face with clients that have one secret each. operations are the face's operations that carry the
// provider's out.
func Start(t testing.TB, newFace face.New, operations map[idptest.Operation]string, clientIDs ...string) *Vendor {
	t.Helper()
	mux := http.NewServeMux()
	v := &Vendor{Clock: clock.NewVirtual(Noon()), Faults: &fault.Injector{}, operations: operations, inForce: map[idptest.Operation]int{},
		answers: map[string]recorded{}, asked: map[string]int{}, t: t}
	v.Server = httptest.NewTLSServer(v.recorded(mux))
	t.Cleanup(v.Close)
	v.Faults.Observe(func(_, operation, _ string) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.asked[operation]++
	})
	c := handClock{v.Clock, make(chan struct{})}
	t.Cleanup(func() { close(c.ended) }) // before the server closes, which waits for its requests
	v.Store = clients.New(c)
	var err error
	if v.Face, err = newFace(face.Env{BaseURL: v.URL, Clock: c, Store: v.Store, Faults: v.Faults}); err != nil {
		t.Fatal(err)
	}
	v.Face.Routes(mux)
	if tokens, ok := v.Face.(face.Tokens); ok {
		mux.HandleFunc("POST "+v.Face.Paths().Issuer+v.Face.Paths().Token, func(w http.ResponseWriter, r *http.Request) {
			if r.ParseForm() != nil || !tokens.ServeToken(w, r) {
				w.WriteHeader(http.StatusTeapot)
			}
		})
	}
	for _, id := range clientIDs {
		v.Register(clients.Client{ID: id})
	}
	return v
}

// Register adds a client with one secret.
func (v *Vendor) Register(c clients.Client) {
	v.t.Helper()
	c.Name, c.RedirectURIs = "orders-web", []string{"https://orders.example.com/oauth2/idpresponse"}
	if _, err := v.Store.Register(c); err != nil {
		v.t.Fatal(err)
	}
	err := v.Store.Update(c.ID, func(e *clients.Edit) error {
		_, err := e.Add(clients.Secret{ID: v.Face.NewSecretID(c.ID)}, "initial-secret-of-"+c.ID)
		return err
	})
	if err != nil {
		v.t.Fatal(err)
	}
}

// Answer makes the vendor answer requests of a method and path with a recorded answer, without any effect.
func (v *Vendor) Answer(request string, status int, body string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answers[request] = recorded{status, body}
}

func (v *Vendor) recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		a, ok := v.answers[r.Method+" "+r.URL.Path]
		v.mu.Unlock()
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	})
}

// Asked is how often an operation of the face was asked for.
func (v *Vendor) Asked(operation string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asked[operation]
}

// Deps are the adapter's dependencies.
func (v *Vendor) Deps() idp.Deps {
	d := httpvendor.Deps(v.t, v.Server, map[string]string{AdminARN: v.Face.AdminToken()}, Noon())
	d.Now = v.Clock.Now
	return d
}

// Live implements idptest.SlotVendor.
func (v *Vendor) Live(clientID string) []secret.Value {
	var out []secret.Value
	err := v.Store.Update(clientID, func(e *clients.Edit) error { // for the values; it changes nothing
		for _, s := range e.All() {
			value, err := e.Value(s.ID)
			if err != nil {
				return err
			}
			if s.Live(v.Clock.Now()) {
				out = append(out, secret.New(value))
			}
		}
		return nil
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return out
}

// Break implements idptest.SlotVendor.
func (v *Vendor) Break(op idptest.Operation, f idptest.Fault) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if id, ok := v.inForce[op]; ok {
		v.Faults.Remove(id)
		delete(v.inForce, op)
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
	if !ok || v.operations[op] == "" {
		return
	}
	rule.Service, rule.Operation = "idp", v.operations[op]
	id, err := v.Faults.Add(rule)
	if err != nil {
		v.t.Fatal(err)
	}
	v.inForce[op] = id
}
