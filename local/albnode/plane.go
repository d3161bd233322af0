// Package albnode is the data plane of the local stack's Application Load Balancers: HTTPS servers on loopback, one
// per listener and node, that evaluate rules, log users in as an OIDC client the way the authenticate-oidc action
// does, and forward requests to targets.
//
// Each node serves the configuration, and so the client secret, that the control plane's timeline says has reached
// it. Sessions and the keys that seal cookies are shared by all nodes of a load balancer, as a user's next request may
// reach any of them.
package albnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
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

// The ways a client authenticates at the token endpoint. Which one ALB uses is not documented.
const (
	ClientAuthBasic = "basic"
	ClientAuthPost  = "post"
)

// Metrics receives the load balancers' CloudWatch metrics. Add is called only when there is something to count, as ALB
// reports these metrics only when they are not zero.
type Metrics interface {
	Add(region, namespace, metric string, dims map[string]string, value float64)
}

// Event tells about one login that reached the callback or one refresh: what the access log would show.
type Event struct {
	LoadBalancer string // ARN
	Node         int
	Rule         string // ARN; empty if the login could not be traced to a rule
	Kind         Kind
	OK           bool
	Reason       string // error_reason of the access log, if not OK
	Latency      time.Duration
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
	// Client makes the token and user info requests; nil is one that trusts the authority.
	Client *http.Client
	// ClientAuth is ClientAuthBasic ("" too) or ClientAuthPost.
	ClientAuth string
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
	signer *signer
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
	if o.ClientAuth == "" {
		o.ClientAuth = ClientAuthBasic
	}
	if o.ClientAuth != ClientAuthBasic && o.ClientAuth != ClientAuthPost {
		return nil, fmt.Errorf("client authentication %q is not one of basic, post", o.ClientAuth)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Address == nil {
		o.Address = func(elbv2.Listener, int) string { return "127.0.0.1:0" }
	}
	if o.Client == nil {
		o.Client = o.Authority.Client(idpTimeout)
	}
	client := *o.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	o.Client = &client
	signer, err := newSigner()
	if err != nil {
		return nil, err
	}
	p := &Plane{svc: svc, o: o, signer: signer, out: &http.Transport{MaxIdleConnsPerHost: 16},
		shared: map[string]*shared{}, addresses: map[string][]string{}}
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

// Addresses is host:port of each node, in order, for a load balancer's first HTTPS listener, or its first one if none
// is HTTPS; nil if it has no listener.
func (p *Plane) Addresses(loadBalancerARN string) []string {
	listeners := p.svc.Current(loadBalancerARN).Listeners
	for _, l := range listeners {
		if l.Protocol == elbv2.ProtocolHTTPS {
			return p.ListenerAddresses(l.ARN)
		}
	}
	if len(listeners) == 0 {
		return nil
	}
	return p.ListenerAddresses(listeners[0].ARN)
}

// ListenerAddresses is host:port of each node, in order, for one listener.
func (p *Plane) ListenerAddresses(listenerARN string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.addresses[listenerARN]...)
}

// PublicKey is the key, in PEM, that checks x-amzn-oidc-data with the key id; nil for another id. AWS serves it at
// https://public-keys.auth.elb.{region}.amazonaws.com/{kid}.
func (p *Plane) PublicKey(kid string) []byte {
	if kid != p.signer.kid {
		return nil
	}
	return p.signer.public
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
	ln, err := net.Listen("tcp", p.o.Address(l, index))
	if err != nil {
		return "", fmt.Errorf("opening the port of node %d: %w", index, err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	p.servers = append(p.servers, srv)
	if l.Protocol == elbv2.ProtocolHTTPS {
		srv.TLSConfig = p.o.Authority.ServerConfig()
		go func() { _ = srv.ServeTLS(ln, "", "") }()
	} else {
		go func() { _ = srv.Serve(ln) }()
	}
	return ln.Addr().String(), nil
}
