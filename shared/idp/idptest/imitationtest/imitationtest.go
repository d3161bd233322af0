// Package imitationtest serves a vendor's imitation to the tests of its adapter: what the one sends and reads is what
// the other takes and answers. It also plays single requests and answers, as the vendor documents them (Play).
package imitationtest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitation"
	"alboidc.internal/shared/secret"
)

// Noon is the time of both sides at first.
func Noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// AdminARN is the secret from which the adapter reads the vendor's AdminToken.
const AdminARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:admin-AbCdEf"

// Vendor is a vendor behind a server. It is an idptest.SlotVendor.
type Vendor struct {
	*httptest.Server
	Double imitation.Vendor
	Store  *clients.Store
	// Clock is the time of both sides. It moves only by hand.
	Clock  HandClock
	Faults *fault.Injector

	operations map[idptest.Operation]string
	settings   func(baseURL, appID, adminARN string) map[string]any
	mu         sync.Mutex
	inForce    map[idptest.Operation]int
	answers    map[string]recorded // by method and path
	asked      map[string]int      // by the vendor's operation
	t          testing.TB
}

var _ idptest.SlotVendor = (*Vendor)(nil)

type recorded struct {
	status int
	body   string
}

// HandClock moves only by hand: its sleepers wait until the test ends, and then do not go on.
type HandClock struct {
	*clock.Virtual
	asleep, ended chan struct{}
	sleep         func() // closes asleep
}

// Sleep waits until the test ends, and then does not go on.
func (h HandClock) Sleep(context.Context, time.Duration) error {
	h.sleep()
	<-h.ended
	return context.Canceled
}

// Start serves an imitation with clients that have one secret each. operations are the vendor's operations that carry
// the provider's out.
func Start(t testing.TB, im imitation.Imitation, operations map[idptest.Operation]string, clientIDs ...string) *Vendor {
	t.Helper()
	mux := http.NewServeMux()
	asleep := make(chan struct{})
	v := &Vendor{Clock: HandClock{clock.NewVirtual(Noon()), asleep, make(chan struct{}),
		sync.OnceFunc(func() { close(asleep) })}, Faults: &fault.Injector{},
		operations: operations, settings: im.Settings,
		inForce: map[idptest.Operation]int{}, answers: map[string]recorded{}, asked: map[string]int{}, t: t}
	v.Server = httptest.NewTLSServer(v.recorded(mux))
	t.Cleanup(v.Close)
	v.Faults.Observe(func(_, operation, _ string) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.asked[operation]++
	})
	t.Cleanup(func() { close(v.Clock.ended) }) // before the server closes, which waits for its requests
	v.Store = clients.New(v.Clock)
	var err error
	if v.Double, err = im.New(imitation.Env{BaseURL: v.URL, Clock: v.Clock, Store: v.Store,
		Faults: v.Faults}); err != nil {
		t.Fatal(err)
	}
	v.Double.Routes(mux)
	if tokens, ok := v.Double.(imitation.Tokens); ok {
		mux.HandleFunc("POST "+v.Double.Paths().Issuer+v.Double.Paths().Token,
			func(w http.ResponseWriter, r *http.Request) {
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
	v.Add(c.ID, "initial-secret-of-"+c.ID)
}

// Add makes a secret as a person at the vendor's console would.
func (v *Vendor) Add(clientID, value string) {
	v.t.Helper()
	err := v.Store.Update(clientID, func(e *clients.Edit) error {
		_, err := e.Add(clients.Secret{ID: v.Double.NewSecretID(clientID)}, value)
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

// Asked is how often an operation of the vendor was asked for.
func (v *Vendor) Asked(operation string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asked[operation]
}

// Settings are those of the vendor's app, as the adapter gets them.
func (v *Vendor) Settings(appID string) json.RawMessage {
	v.t.Helper()
	b, err := json.Marshal(v.settings(v.URL, appID, AdminARN))
	if err != nil {
		v.t.Fatal(err)
	}
	return b
}

// Deps are the adapter's dependencies.
func (v *Vendor) Deps() idp.Deps {
	d := Deps(v.t, v.Server, map[string]string{AdminARN: v.Double.AdminToken()}, Noon())
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
			if v.Store.Accepts(clientID, value, v.Clock.Now()) {
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

// Send sends "METHOD PATH BODY", to a token endpoint a form, else JSON, with an Authorization header unless that is "".
func (v *Vendor) Send(request, authorization string) (status int, answer string) {
	v.t.Helper()
	part := strings.SplitN(request, " ", 3)
	body := strings.NewReader(strings.Join(part[2:], ""))
	r, err := http.NewRequestWithContext(v.t.Context(), part[0], v.URL+part[1], body)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if strings.HasSuffix(strings.TrimSuffix(part[1], "/"), "/token") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := v.Client().Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.TrimSpace(string(b))
}

// Ask sends a request to the token endpoint.
func (v *Vendor) Ask(form url.Values, authorization string) (status int, body string) {
	v.t.Helper()
	p := v.Double.Paths()
	return v.Send("POST "+p.Issuer+p.Token+" "+form.Encode(), authorization)
}

// Bearer is the Authorization header with a token for the management API, which the token endpoint gives for the form.
func (v *Vendor) Bearer(form url.Values, authorization string) string {
	v.t.Helper()
	status, body := v.Ask(form, authorization)
	var granted struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &granted); err != nil || granted.Token == "" {
		v.t.Fatalf("no token: HTTP %d %s", status, body)
	}
	return "Bearer " + granted.Token
}

// Hanging implements idptest.SlotVendor.
func (v *Vendor) Hanging() <-chan struct{} { return v.Clock.asleep }

// Break implements idptest.SlotVendor.
func (v *Vendor) Break(op idptest.Operation, f idptest.Fault) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if id, ok := v.inForce[op]; ok {
		v.Faults.Remove(id)
		delete(v.inForce, op)
	}
	rule, ok := map[idptest.Fault]fault.Rule{
		idptest.Throttle:  {Mode: fault.Refuse, Status: http.StatusTooManyRequests, Code: idptest.Canary},
		idptest.Break:     {Mode: fault.Refuse, Status: http.StatusServiceUnavailable, Code: idptest.Canary},
		idptest.Forbid:    {Mode: fault.Refuse, Status: http.StatusForbidden, Code: idptest.Canary},
		idptest.Garble:    {Mode: fault.Refuse, Code: imitation.WrongJSON},
		idptest.Misshape:  {Mode: fault.Refuse, Code: imitation.OtherJSON},
		idptest.Lock:      {Mode: fault.Refuse, Status: http.StatusLocked, Code: idptest.Canary},
		idptest.Doubt:     {Mode: fault.Refuse, Status: http.StatusFailedDependency, Code: idptest.Canary},
		idptest.Block:     {Mode: fault.Refuse, Status: http.StatusForbidden, Code: imitation.Page},
		idptest.Portal:    {Mode: fault.Refuse, Code: imitation.Portal},
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
