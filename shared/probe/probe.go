// Package probe proves, without changing anything, that a client secret works: at the token endpoint (Credential), at
// every address of a load balancer (Redirect), and for a person who logs in (Login); package metrics below it looks at
// the load balancers' metrics. Every connection goes to a checked address over verified TLS, through no proxy. No text
// that leaves the package holds a secret, cookie, code, query or body.
package probe

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/rotation"
)

// Resolver finds the addresses of a host name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

var _ Resolver = (*net.Resolver)(nil)

// Options of a Prober. The zero value is right for production.
type Options struct {
	// RootCAs verifies servers; nil is the system's set.
	RootCAs *x509.CertPool
	// AllowLoopback permits loopback addresses: only for the local stack and tests.
	AllowLoopback bool
	// Resolver looks names up; nil is the system's.
	Resolver Resolver
	// Rand is the source of invented codes and of wrong secrets; nil is crypto/rand.Reader.
	Rand io.Reader
	// Now is the present time; nil is time.Now.
	Now func() time.Time
	// Sleep waits as long as a token endpoint asks to; nil is httpclient.Sleep.
	Sleep func(ctx context.Context, d time.Duration) error
	// RequestTimeout limits one HTTP request, redirects apart; 0 is 10 seconds.
	RequestTimeout time.Duration
	// Timeout limits the whole check of one address; 0 is 60 seconds.
	Timeout time.Duration
}

// Prober runs the checks. It is safe for concurrent use.
type Prober struct {
	o Options
	// turn makes each new connection begin at the next address of a name, so that repeated probes of a secret reach
	// different token servers.
	turn atomic.Uint32
}

// New returns a Prober.
func New(o Options) *Prober {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = httpclient.Sleep
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = 10 * time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = 60 * time.Second
	}
	return &Prober{o: o}
}

// Client is what a load balancer is expected to know about the client whose logins are tested.
type Client struct {
	Issuer                string
	ClientID              string
	AuthorizationEndpoint string
	// Follows is the other registration of a pair, which a follower still has for a while; "" if there is none.
	Follows string
	// Aliases are further names of the identity provider: a load balancer may send users to any of them.
	Aliases []config.Alias
}

// names returns all names of the identity provider, the client's own first.
func (c Client) names() []config.Alias {
	return append([]config.Alias{{Issuer: c.Issuer, AuthorizationEndpoint: c.AuthorizationEndpoint}}, c.Aliases...)
}

// Credential returns the probe of secrets at the token endpoint, with this Prober's address checks and time limits.
func (p *Prober) Credential() Credential {
	return Credential{HTTP: p.newClient(pin{}, nil), Rand: p.o.Rand, Now: p.o.Now, Sleep: p.o.Sleep}
}

// testNodes runs test for every address behind rawURL, one after another, and returns one piece of evidence for each. A
// failure of kind SmokeTestFailed is a verdict and goes only into the evidence; any other means that there is no
// verdict, and the first of these is returned as well. enough may end it early; nil never does.
func (p *Prober) testNodes(ctx context.Context, check rotation.Check, rawURL string, connectTo []string,
	enough func(rotation.Evidence) bool,
	test func(ctx context.Context, u *url.URL, node string) (string, error)) ([]rotation.Evidence, error) {
	u, err := httpsURL(rawURL)
	if err != nil {
		return nil, err
	}
	nodes, err := p.resolveNodes(ctx, u, connectTo)
	if err != nil {
		return nil, err
	}
	var first error
	evidence := make([]rotation.Evidence, 0, len(nodes))
	for _, node := range nodes {
		e, err := p.testNode(ctx, u, node, test)
		e.Check, e.Subject = check, hideQuery(u)
		evidence = append(evidence, e)
		if err != nil && first == nil {
			first = err
		}
		if enough != nil && enough(e) {
			break
		}
	}
	return evidence, first
}

func (p *Prober) testNode(ctx context.Context, u *url.URL, node string,
	test func(ctx context.Context, u *url.URL, node string) (string, error)) (rotation.Evidence, error) {
	ctx, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	start := p.o.Now()
	detail, err := test(ctx, u, node)
	e := rotation.Evidence{Node: node, OK: err == nil, Detail: detail, LatencyMS: p.o.Now().Sub(start).Milliseconds()}
	if err == nil {
		return e, nil
	}
	e.Detail = err.Error()
	e.AtCallback = errors.As(err, &callbackError{})
	if failure.Is(err, failure.SmokeTestFailed) {
		return e, nil
	}
	return e, failure.Wrap(failure.KindOf(err), err, "%s at %s", hideQuery(u), node)
}

// newFailure returns the verdict that the load balancer, the identity provider or the application did not do as it
// should.
func newFailure(format string, args ...any) error {
	return failure.New(failure.SmokeTestFailed, format, args...)
}

// httpsURL parses a URL of the configuration.
func httpsURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return nil, failure.New(failure.InvalidInput,
			"a smoke test needs an absolute https URL without user or password")
	}
	if config.ASCIIHost(u.Hostname()) != u.Hostname() {
		// the HTTP client would look up another name than the one that is pinned to a node
		return nil, failure.New(failure.InvalidInput, "a smoke test needs a host name of ASCII characters: %s",
			config.ASCIIHost(u.Hostname()))
	}
	u.Fragment = ""
	u.Host = strings.ToLower(u.Host)
	return u, nil
}

// hideQuery returns a URL as evidence shows it: without its query, which may hold somebody's token.
func hideQuery(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// hostPattern is what a host, with or without a port, looks like. net/url accepts more: quotation marks, markup,
// letters that look like others or reverse the line, of any length.
var hostPattern = regexp.MustCompile(`^[A-Za-z0-9._:\[\]-]{1,260}$`)

// shownHost returns the host of a URL that somebody else chose, in a form that is safe in texts for people.
func shownHost(u *url.URL) string {
	if !hostPattern.MatchString(u.Host) {
		return "(not a host name)"
	}
	return u.Host
}

// hostPort returns a URL's host and port, the form in which hosts are compared and dialled.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
