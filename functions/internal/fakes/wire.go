package fakes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

// Wire carries every request of the functions, except those to the load balancer's nodes. It
// keeps the order of the writes, and can be cut: a function behind a cut wire is as good as killed.
type Wire struct {
	mu     sync.Mutex
	writes []string
	down   bool
	cutAt  int // the number of the write at which the wire is cut, from 1; 0 is never
	after  bool
	faults []fault
	calls  []call
	failAt int // the number of the call that fails, from 1; 0 is none
}

// call is a call of a function's, and how many writes there were before it.
type call struct {
	op     string
	writes int
}

// fault makes the next call whose name begins with op fail, or lets somebody else act first.
type fault struct {
	op    string
	after bool
	err   error
	act   func()
}

func newWire() *Wire { return &Wire{} }

// Cut cuts the wire at the n-th write from now (1 is the next), before or after its effect. The call that is cut and
// all later ones fail.
func (w *Wire) Cut(n int, after bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cutAt, w.after = len(w.writes)+n, after
}

// Mend ends a cut and reports whether the wire was indeed cut: if not, there was no such write.
func (w *Wire) Mend() (wasCut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wasCut = w.down
	w.down, w.cutAt = false, 0
	return wasCut
}

// Fail makes the next call whose name begins with op fail with err, before its effect.
func (w *Wire) Fail(op string, err error) { w.addFault(fault{op: op, err: err}) }

// errNotNow is the failure of a call that failAfter has chosen.
var errNotNow = failure.New(failure.Throttled, "not now")

// failAfter makes the n-th call from now fail, before its effect, and its repeats right after it; 0 forgets the calls
// that there were.
func (w *Wire) failAfter(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls, w.failAt = nil, n
}

// failed reports whether the call that failAfter has chosen was made.
func (w *Wire) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failAt > 0 && len(w.calls) >= w.failAt
}

// LoseReply makes the next call whose name begins with op take effect and fail.
func (w *Wire) LoseReply(op string) {
	w.addFault(fault{op: op, after: true, err: failure.New(failure.Unavailable, "the reply was lost")})
}

// FailLater is Fail for the act of Before.
func (w *Wire) FailLater(op string, err error) { w.faults = append(w.faults, fault{op: op, err: err}) }

// Before lets somebody else act right before the next call whose name begins with op.
func (w *Wire) Before(op string, act func()) { w.addFault(fault{op: op, act: act}) }

func (w *Wire) addFault(f fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, f)
}

// Writes are the writes that took effect, in order.
func (w *Wire) Writes() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.writes)
}

// read carries a call that changes nothing.
func (w *Wire) read(op string, effect func() error) error { return w.carry(op, false, effect) }

// write carries a call that changes something.
func (w *Wire) write(op string, effect func() error) error { return w.carry(op, true, effect) }

func (w *Wire) carry(op string, write bool, effect func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	cut := write && w.cutAt == len(w.writes)+1
	if w.down || cut && !w.after {
		w.down = true
		return failure.New(failure.Unavailable, "%s: the wire is cut", op)
	}
	f := w.take(op)
	w.calls = append(w.calls, call{op, len(w.writes)})
	if w.failAt > 0 && len(w.calls) >= w.failAt && !slices.ContainsFunc(w.calls[w.failAt-1:], func(c call) bool {
		return c.op != op
	}) {
		f.err = errNotNow
	}
	if f.act != nil {
		f.act()
	}
	if f.err != nil && !f.after {
		return f.err
	}
	if err := effect(); err != nil {
		return err
	}
	if write {
		w.writes = append(w.writes, op)
	}
	if cut {
		w.down = true
		return failure.New(failure.Unavailable, "%s: the wire is cut", op)
	}
	return f.err
}

// naming tells a request's name, and whether it changes something.
type naming func(r *http.Request, body string) (name string, changes bool)

// config makes SDK clients of a double whose requests pass the wire.
func (w *Wire) config(server http.Handler, region string, name naming) aws.Config {
	c := awsapi.Config(server, region)
	c.HTTPClient = wiredHTTP{w, c.HTTPClient, name}
	return c
}

type wiredHTTP struct {
	wire *Wire
	aws.HTTPClient
	name naming
}

// errRefused keeps a request that was refused from counting as one that took effect.
var errRefused = errors.New("refused")

// Do implements aws.HTTPClient.
func (c wiredHTTP) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var answer *http.Response
	op, changes := c.name(r, string(body))
	err = c.wire.carry(op, changes, func() error {
		answer, err = c.HTTPClient.Do(r)
		if err == nil && answer.StatusCode >= http.StatusBadRequest {
			err = errRefused
		}
		return err
	})
	if errors.Is(err, errRefused) {
		return answer, nil
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// take removes and returns the first fault for op.
func (w *Wire) take(op string) fault {
	i := slices.IndexFunc(w.faults, func(f fault) bool { return strings.HasPrefix(op, f.op) })
	if i < 0 {
		return fault{}
	}
	f := w.faults[i]
	w.faults = slices.Delete(w.faults, i, i+1)
	return f
}

// registration lets a registration's requests pass the wire.
func (w *Wire) registration(r idp.Registration) idp.Registration {
	switch x := r.(type) {
	case idp.Provider:
		return w.provider(x)
	case idp.PreviousDropper:
		return wiredShifter{x, w}
	case idp.Setter:
		return wiredSetter{x, w}
	default:
		return r
	}
}

// wiredShifter is a registration with two slots.
type wiredShifter struct {
	idp.PreviousDropper
	wire *Wire
}

// Slots implements idp.PreviousKeeper.
func (s wiredShifter) Slots(ctx context.Context) (out idp.Slots, err error) {
	err = s.wire.read("Slots", func() error {
		out, err = s.PreviousDropper.Slots(ctx)
		return err
	})
	return out, err
}

// Shift implements idp.PreviousKeeper. What it made does not come back over a cut wire.
func (s wiredShifter) Shift(ctx context.Context) (secret.Value, error) {
	var out secret.Value
	err := s.wire.write("Shift", func() (err error) {
		out, err = s.PreviousDropper.Shift(ctx)
		return err
	})
	if err != nil {
		return secret.Value{}, err
	}
	return out, nil
}

// Restore implements idp.PreviousKeeper.
func (s wiredShifter) Restore(ctx context.Context, v secret.Value) error {
	return s.wire.write("Restore", func() error { return s.PreviousDropper.Restore(ctx, v) })
}

// DropPrevious implements idp.PreviousDropper.
func (s wiredShifter) DropPrevious(ctx context.Context) error {
	return s.wire.write("DropPrevious", func() error { return s.PreviousDropper.DropPrevious(ctx) })
}

// wiredSetter is a registration with one slot.
type wiredSetter struct {
	idp.Setter
	wire *Wire
}

// Set implements idp.Setter.
func (s wiredSetter) Set(ctx context.Context, v secret.Value) error {
	return s.wire.write("Set", func() error { return s.Setter.Set(ctx, v) })
}

// Review implements idp.Reviewer.
func (s wiredShifter) Review(ctx context.Context) (idp.Review, error) {
	return review(ctx, s.PreviousDropper)
}

// Review implements idp.Reviewer.
func (s wiredSetter) Review(ctx context.Context) (idp.Review, error) { return review(ctx, s.Setter) }

func review(ctx context.Context, r idp.Registration) (idp.Review, error) {
	if x, ok := r.(idp.Reviewer); ok {
		return x.Review(ctx)
	}
	return idp.Review{}, nil
}

// provider lets a provider's requests pass the wire.
func (w *Wire) provider(p idp.Provider) idp.Provider {
	wired := wiredProvider{p, w}
	if d, ok := p.(idp.Disabler); ok {
		return wiredDisabler{wired, d}
	}
	return wired
}

type wiredProvider struct {
	idp.Provider
	wire *Wire
}

type wiredDisabler struct {
	wiredProvider
	disabler idp.Disabler
}

var (
	_ idp.Provider = wiredProvider{}
	_ idp.Disabler = wiredDisabler{}
)

// Check implements idp.Provider.
func (p wiredProvider) Check(ctx context.Context) error {
	return p.wire.read("Check", func() error { return p.Provider.Check(ctx) })
}

// List implements idp.Provider.
func (p wiredProvider) List(ctx context.Context) (out []idp.Secret, err error) {
	err = p.wire.read("List", func() error {
		out, err = p.Provider.List(ctx)
		return err
	})
	return out, err
}

// Create implements idp.Provider. What it made does not come back over a cut wire.
func (p wiredProvider) Create(ctx context.Context, r idp.CreateRequest) (idp.Created, error) {
	var out idp.Created
	err := p.wire.write("Create "+r.Tag, func() (err error) {
		out, err = p.Provider.Create(ctx, r)
		return err
	})
	if err != nil {
		return idp.Created{}, err
	}
	return out, nil
}

// Remove implements idp.Provider.
func (p wiredProvider) Remove(ctx context.Context, id string) error {
	return p.wire.write(fmt.Sprintf("Remove %s", id), func() error { return p.Provider.Remove(ctx, id) })
}

// Disable implements idp.Disabler.
func (d wiredDisabler) Disable(ctx context.Context, id string) error {
	return d.wire.write("Disable "+id, func() error { return d.disabler.Disable(ctx, id) })
}

// Enable implements idp.Disabler.
func (d wiredDisabler) Enable(ctx context.Context, id string) error {
	return d.wire.write("Enable "+id, func() error { return d.disabler.Enable(ctx, id) })
}
