// Package dataplane is the data plane of the local stack's Application Load Balancers: HTTPS servers on loopback, one
// per listener and node, that evaluate rules, log users in as the authenticate-oidc action does, and forward requests
// to targets. Each node serves the configuration, and so the client secret, that has reached it by the control plane's
// timeline. All nodes of a load balancer share sessions and the key of their cookies.
package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"alboidc.internal/local/localca"
	"alboidc.internal/shared/awstest/elbv2"
	"alboidc.internal/shared/clock"
)

// Namespace is the CloudWatch namespace of the metrics.
const Namespace = "AWS/ApplicationELB"

// idpTimeout is how long a load balancer waits for the token and the user info endpoint (Elastic Load Balancing user
// guide, Authenticate users using an Application Load Balancer).
const idpTimeout = 5 * time.Second

// Metrics receives the load balancers' CloudWatch metrics. Add is called only when there is something to count, as ALB
// reports these metrics only when they are not zero.
type Metrics interface {
	Add(region, namespace, metric string, dims map[string]string, value float64)
}

// Event tells about one login that reached the callback or one refresh: what the access log would show.
type Event struct {
	Node   int
	Rule   string // ARN; empty if the login could not be traced to a rule
	Kind   Kind
	OK     bool
	Reason string // error_reason of the access log, if not OK
}

// Kind says what an Event is about.
type Kind string

const (
	Login   Kind = "login"
	Refresh Kind = "refresh"
)

// Options are the settings of a Plane.
type Options struct {
	// Clock decides which configuration a node serves. Required.
	Clock clock.Clock
	// Authority signs the listeners' certificates. Required.
	Authority *localca.Authority
	// Metrics and OnAuth may be nil. OnAuth is called in the request's goroutine, before the browser has its answer.
	Metrics Metrics
	OnAuth  func(Event)
	// Now is the time of cookies, sessions and tokens, which the IdP makes in real time; nil is the machine's.
	Now func() time.Time
	// Address is where a node listens for a listener; nil is a free port of 127.0.0.1.
	Address func(l elbv2.Listener, node int) string
}

// Plane is the running data plane.
type Plane struct {
	svc    *elbv2.Service
	o      Options
	client *http.Client    // to the IdP
	out    *http.Transport // to targets

	mu        sync.Mutex
	closed    bool
	shared    map[string]*shared  // by load balancer
	addresses map[string][]string // by listener: host:port of each node
	servers   []*http.Server
}

// Start opens the listeners of every load balancer that exists, follows svc for new ones, and serves until ctx ends
// or Close is called.
func Start(ctx context.Context, svc *elbv2.Service, o Options) (*Plane, error) {
	if o.Clock == nil || o.Authority == nil {
		return nil, errors.New("a clock and an authority are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Address == nil {
		o.Address = func(elbv2.Listener, int) string { return "127.0.0.1:0" }
	}
	p := &Plane{svc: svc, o: o, client: o.Authority.Client(idpTimeout), out: &http.Transport{MaxIdleConnsPerHost: 16},
		shared: map[string]*shared{}, addresses: map[string][]string{}}
	p.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	svc.OnChange(p.open)
	for _, arn := range svc.LoadBalancers() {
		if err := p.open(arn); err != nil {
			p.Close()
			return nil, err
		}
	}
	context.AfterFunc(ctx, p.Close)
	return p, nil
}

// Addresses is host:port of each node, in order, for a load balancer's first listener; nil if it has none.
func (p *Plane) Addresses(loadBalancerARN string) []string {
	listeners := p.svc.Current(loadBalancerARN).Listeners
	if len(listeners) == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.addresses[listeners[0].ARN])
}

// Close stops every server. It may be called more than once.
func (p *Plane) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, s := range p.servers {
		_ = s.Close()
	}
	p.servers = nil
	p.out.CloseIdleConnections()
}

// open starts servers for the listeners of a load balancer that have none. A listener's ports stay open when it is
// deleted and answer 503 as soon as the deletion has reached the node.
func (p *Plane) open(loadBalancerARN string) error {
	c := p.svc.Current(loadBalancerARN)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	sh := p.shared[loadBalancerARN]
	if sh == nil {
		var err error
		if sh, err = newShared(); err != nil {
			return err
		}
		p.shared[loadBalancerARN] = sh
	}
	for _, l := range c.Listeners {
		if p.addresses[l.ARN] != nil {
			continue
		}
		addresses := make([]string, p.svc.Nodes())
		for i := range addresses {
			n := &node{plane: p, shared: sh, index: i, balancer: c.LoadBalancer, listener: l.ARN}
			addr, err := p.serve(l, i, n)
			if err != nil {
				return err
			}
			addresses[i] = addr
		}
		p.addresses[l.ARN] = addresses
	}
	return nil
}

// serve starts one node's server for one listener. p.mu is held.
func (p *Plane) serve(l elbv2.Listener, index int, h http.Handler) (string, error) {
	if l.Protocol != elbv2.ProtocolHTTPS {
		return "", fmt.Errorf("the local stack does not serve %s listeners", l.Protocol)
	}
	ln, err := net.Listen("tcp", p.o.Address(l, index))
	if err != nil {
		return "", fmt.Errorf("opening the port of node %d: %w", index, err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: p.o.Authority.ServerConfig()}
	p.servers = append(p.servers, srv)
	go func() { _ = srv.ServeTLS(ln, "", "") }()
	return ln.Addr().String(), nil
}
