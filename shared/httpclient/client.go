// Package httpclient is how this system speaks HTTP to anything but AWS: one constructor for clients, and one way to
// send a request to a vendor's API and to turn its answer into a failure. Nothing here puts the body of an answer into
// an error.
package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"time"
)

// UserAgent is what vendors see in their logs.
const UserAgent = "alb-oidc-secret-rotator"

// Timeouts of every client. They fit into a function's own timeout several times.
const (
	dialTimeout   = 5 * time.Second
	tlsTimeout    = 5 * time.Second
	headerTimeout = 10 * time.Second
	totalTimeout  = 15 * time.Second
	// idleTimeout is short because a frozen function comes back to connections that the other side has closed.
	idleTimeout = 10 * time.Second
)

// Options of a client. The zero value is right for the public Internet.
type Options struct {
	// RootCAs are further authorities to trust, in PEM, besides those of the system.
	RootCAs []byte
	// Dial replaces the dialer, for callers that check or choose the address; nil is a plain one.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeout is for a whole request including its body; 0 is 15 s.
	Timeout time.Duration
}

// New returns a client with timeouts and TLS 1.2 or later, which follows no redirects and uses no proxy: where a
// request goes is decided by the configuration alone.
func New(o Options) (*http.Client, error) {
	roots, err := Roots(o.RootCAs)
	if err != nil {
		return nil, err
	}
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext
	}
	total := o.Timeout
	if total <= 0 {
		total = totalTimeout
	}
	return &http.Client{
		Timeout:       total,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: userAgent{&http.Transport{
			DialContext:           dial,
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:   tlsTimeout,
			ResponseHeaderTimeout: headerTimeout,
			IdleConnTimeout:       idleTimeout,
			MaxIdleConns:          10,
			ForceAttemptHTTP2:     true,
		}},
	}, nil
}

// Roots is the system's authorities and the extra ones; nil, which means the system's, if there are no extra ones.
func Roots(extra []byte) (*x509.CertPool, error) {
	if len(extra) == 0 {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, errors.New("the system's certificate authorities cannot be read")
	}
	if !roots.AppendCertsFromPEM(extra) {
		return nil, errors.New("the extra certificate authorities hold no certificate in PEM form")
	}
	return roots, nil
}

// userAgent names us in every request that does not name itself.
type userAgent struct{ next *http.Transport }

func (u userAgent) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("User-Agent") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("User-Agent", UserAgent)
	}
	return u.next.RoundTrip(r)
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport.
func (u userAgent) CloseIdleConnections() { u.next.CloseIdleConnections() }

// Sleep waits for d, or until the context ends, and then returns the context's error.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
