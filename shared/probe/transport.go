package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"syscall"
	"time"

	"alboidc.internal/shared/failure"
)

// userAgent lets operators recognise the probes in access logs and in firewall rules.
const userAgent = "alb-oidc-rotator/probe"

// maxBody is how much of an answer is read.
const maxBody = 1 << 20

// pin sends the connections for one host:port to one address.
type pin struct{ hostPort, node string }

// newClient returns an HTTP client that follows no redirects, uses no proxy and connects to permitted addresses only.
// The server name for TLS and the Host header stay those of the URL, whatever the address. Connections are not kept:
// each request may reach another of a service's servers.
func (p *Prober) newClient(to pin, jar http.CookieJar) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, hp string) (net.Conn, error) {
				if hp == to.hostPort {
					hp = to.node
				}
				return p.dial(ctx, hp)
			},
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: p.o.RootCAs},
			TLSHandshakeTimeout:    5 * time.Second,
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: 256 << 10,
		},
		CheckRedirect: lastResponse,
		Jar:           jar,
		Timeout:       p.o.RequestTimeout,
	}
}

func lastResponse(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// explainNoAnswer turns the error of a request to host into a failure of ours. It describes the cause and does not wrap
// it: the text of a *url.Error holds the URL with its query, and others quote what the server sent.
func explainNoAnswer(host string, err error) error {
	var (
		known   *failure.Error
		refused *refusedAddress
		cert    *tls.CertificateVerificationError
		dns     *net.DNSError
		timeout net.Error
	)
	switch {
	case errors.As(err, &known):
		return failure.New(known.Kind, "%s: %s", host, known.Text)
	case errors.As(err, &refused):
		return failure.New(failure.Precondition, "%s: %s", host, refused)
	case errors.As(err, &cert):
		return failure.New(failure.Precondition,
			"the certificate of %s is not trusted, not valid now, or not made for that name", host)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.As(err, &timeout) && timeout.Timeout():
		return failure.New(failure.Unavailable, "%s did not answer in time", host)
	case errors.As(err, &dns):
		return failure.New(failure.Unavailable, "the name of %s cannot be resolved", host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return failure.New(failure.Unavailable, "%s refused the connection", host)
	default:
		return failure.New(failure.Unavailable, "the connection to %s failed or the answer was not understood", host)
	}
}

// checkAvailable fails if an answer says nothing about the request but that the server cannot serve it now. Load
// balancers answer failed logins with 401, 500 and 561, never with one of these (Application Load Balancers user guide,
// "Troubleshoot your Application Load Balancers").
func checkAvailable(host string, status int) error {
	switch status {
	case http.StatusTooManyRequests:
		return failure.New(failure.Throttled, "%s answered HTTP 429: too many requests", host)
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return failure.New(failure.Unavailable, "%s answered HTTP %d: not available now", host, status)
	default:
		return nil
	}
}
