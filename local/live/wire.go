package live

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp/idptest"
)

// Wire is the way to an identity provider, on which a request can be lost or answered by something else. The provider
// itself is never broken.
type Wire struct {
	carries func(op idptest.Operation, r *http.Request) bool
	next    http.RoundTripper
	hanging chan struct{}
	hangs   sync.Once
	mu      sync.Mutex
	broken  map[idptest.Operation]idptest.Fault
}

// NewWire puts a wire between a client and its servers. carries reports whether a request is the one that carries an
// operation out.
func NewWire(c *http.Client, carries func(idptest.Operation, *http.Request) bool) *Wire {
	w := &Wire{carries: carries, next: c.Transport, hanging: make(chan struct{}),
		broken: map[idptest.Operation]idptest.Fault{}}
	c.Transport = w
	return w
}

// Break implements idptest.Backend.
func (w *Wire) Break(op idptest.Operation, f idptest.Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken[op] = f
}

// Hanging implements idptest.Backend.
func (w *Wire) Hanging() <-chan struct{} { return w.hanging }

// fault is the one that a request meets.
func (w *Wire) fault(r *http.Request) idptest.Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	for op, f := range w.broken {
		if f != idptest.None && w.carries(op, r) {
			return f
		}
	}
	return idptest.None
}

// RoundTrip implements http.RoundTripper.
func (w *Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	f := w.fault(r)
	if a, ok := answers[f]; ok {
		return &http.Response{StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header: http.Header{"Content-Type": {a.kind}}, ContentLength: int64(len(a.body)),
			Body: io.NopCloser(strings.NewReader(a.body))}, nil
	}
	switch f {
	case idptest.Hang:
		w.hangs.Do(func() { close(w.hanging) })
		<-r.Context().Done()
		return nil, r.Context().Err()
	case idptest.LoseReply:
		answer, err := w.next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		_, _ = io.Copy(io.Discard, answer.Body) // it is carried out to its end
		_ = answer.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	return w.next.RoundTrip(r)
}

// answers of what is in between, or of a provider that is ill.
var answers = map[idptest.Fault]struct {
	status     int
	kind, body string
}{
	idptest.Throttle: {http.StatusTooManyRequests, mimeJSON, refusal},
	idptest.Break:    {http.StatusServiceUnavailable, mimeJSON, refusal},
	idptest.Forbid:   {http.StatusForbidden, mimeJSON, refusal},
	idptest.Lock:     {http.StatusLocked, mimeJSON, refusal},
	idptest.Doubt:    {http.StatusFailedDependency, mimeJSON, refusal},
	idptest.Garble:   {http.StatusOK, mimeJSON, `{"canary": "` + idptest.Canary},
	idptest.Misshape: {http.StatusOK, mimeJSON, `{"canary": "` + idptest.Canary + `"}`},
	idptest.Block:    {http.StatusForbidden, "text/html", page},
	idptest.Portal:   {http.StatusOK, "text/html", page},
}

const (
	mimeJSON = "application/json"
	refusal  = `{"error": "` + idptest.Canary + `"}`
	page     = "<!DOCTYPE html><title>" + idptest.Canary + "</title>"
)

// Carries is the rule for most management APIs: what reads is a GET, and what changes is not; a secret is not made by
// what ends one. Token requests are neither.
func Carries(op idptest.Operation, r *http.Request) bool {
	reads := op == idptest.Check || op == idptest.List
	ends := r.Method == http.MethodDelete || strings.Contains(r.URL.Path, "/lifecycle/") ||
		strings.HasSuffix(r.URL.Path, "/removePassword")
	return !strings.HasSuffix(r.URL.Path, "/token") && (r.Method == http.MethodGet) == reads &&
		(op != idptest.Create || !ends)
}

// MakePatient makes a client wait as long as a provider asks it to, and ask again: the suite asks more than any
// rotation does.
func MakePatient(c *http.Client) {
	c.Timeout = 5 * time.Minute
	c.Transport = patient{c.Transport}
}

type patient struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p patient) RoundTrip(r *http.Request) (*http.Response, error) {
	for try := 0; ; try++ {
		answer, err := p.next.RoundTrip(r)
		if err != nil || answer.StatusCode != http.StatusTooManyRequests || try == 5 ||
			r.Body != nil && r.GetBody == nil {
			return answer, err
		}
		_ = answer.Body.Close()
		wait := max(time.Second, httpclient.ToldWait(answer.StatusCode, answer.Header, time.Now()))
		if err := httpclient.Sleep(r.Context(), wait); err != nil {
			return nil, err
		}
		if r = r.Clone(r.Context()); r.Body != nil {
			if r.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}
