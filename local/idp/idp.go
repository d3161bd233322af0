// Package idp is the identity provider of the local stack: a real OpenID provider over HTTPS with a login form and
// refresh tokens, whose clients have several live secrets, behind the imitation of a vendor with that vendor's
// management API. It is a test double: it holds no single sign-on session, so every authorization shows the form and
// proves the whole flow, and it keeps everything in memory.
package idp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"alboidc.internal/local/localca"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitation"
	"alboidc.internal/shared/idp/idptest/imitations"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The store's types, for callers that have no other use for its package.
type (
	// Store holds the clients and their secrets.
	Store = clients.Store
	// Client is an OIDC client.
	Client = clients.Client
	// Secret describes a client's secret.
	Secret = clients.Secret
	// Change is a change of a client's secrets.
	Change = clients.Change
)

// Options configure a provider. Authority is required, the rest has defaults.
type Options struct {
	// Clock is the time of tokens, secrets and rate limits; the machine's by default.
	Clock     clock.Clock
	Authority *localca.Authority
	Faults    *fault.Injector
	// Vendor imitates the vendor, "okta" by default.
	Vendor string
	// Addr is where to listen; it must be a loopback address, 127.0.0.1:0 by default.
	Addr string
	// Host is the name in the issuer's URL, localhost by default.
	Host string
	// AccessTokenLifetime is one hour by default. Load balancers refresh a session when its access token expires.
	AccessTokenLifetime time.Duration
	// RotateRefreshTokens replaces a refresh token at each use. Okta's default is not to (token type "persistent").
	RotateRefreshTokens bool
	// RefreshReuse is how long a replaced refresh token is still good, for clients that refresh from two places at
	// once; Okta calls it the grace period of rotation and defaults to 30 s, and so does this.
	RefreshReuse time.Duration
}

// Endpoints are the URLs a relying party is configured with.
type Endpoints struct {
	Authorization, Token, UserInfo string
}

// Provider is a running identity provider.
type Provider struct {
	clock    clock.Clock
	store    *clients.Store
	vendor   imitation.Vendor
	env      imitation.Env
	paths    imitation.Paths
	issuer   string
	sessions *sessions
	users    *users
	keys     *keys
	inner    http.Handler // the OpenID protocol, below the issuer's path
	server   *http.Server
	done     chan struct{}
	release  func() bool // ends the watch on Start's context
	refusals sync.Map    // host → secret that is refused under it
}

// Start listens and serves until ctx ends or Close is called.
func Start(ctx context.Context, o Options) (*Provider, error) {
	o, newFace, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("starting the identity provider: %w", err)
	}
	listener, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("starting the identity provider: %w", err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	p, err := newProvider(o, newFace, "https://"+net.JoinHostPort(o.Host, port))
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("starting the identity provider: %w", err)
	}
	p.server = &http.Server{Handler: p.named(p.routes()), TLSConfig: o.Authority.ServerConfig(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn)}
	go func() {
		defer close(p.done)
		if err := p.server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("identity provider stopped", "error", err)
		}
	}()
	p.release = context.AfterFunc(ctx, func() { _ = p.server.Close() })
	return p, nil
}

func (o Options) withDefaults() (Options, imitation.New, error) {
	if o.Authority == nil {
		return o, nil, errors.New("it needs an authority")
	}
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Vendor == "" {
		o.Vendor = "okta"
	}
	im, known := imitations.All[o.Vendor]
	if !known {
		return o, nil, fmt.Errorf("vendor %q is not one of %v", o.Vendor, slices.Sorted(maps.Keys(imitations.All)))
	}
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return o, nil, err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return o, nil, fmt.Errorf("%s is not a loopback address", o.Addr)
	}
	if o.Host == "" {
		o.Host = "localhost"
	}
	if o.AccessTokenLifetime == 0 {
		o.AccessTokenLifetime = time.Hour
	}
	if o.RefreshReuse == 0 {
		o.RefreshReuse = 30 * time.Second
	}
	return o, im.New, nil
}

func newProvider(o Options, newFace imitation.New, baseURL string) (*Provider, error) {
	// ES256: a signature costs a hundredth of an RSA one, and thousands of logins share a core.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	p := &Provider{clock: o.Clock, store: clients.New(o.Clock), users: newUsers(), done: make(chan struct{})}
	p.env = imitation.Env{BaseURL: baseURL, Clock: o.Clock, Store: p.store, Faults: o.Faults}
	if p.vendor, err = newFace(p.env); err != nil {
		return nil, err
	}
	p.paths = p.vendor.Paths()
	p.issuer = baseURL + p.paths.Issuer
	if p.keys, err = newKeys(key); err != nil {
		return nil, err
	}
	p.sessions = newSessions(o)
	p.inner = http.StripPrefix(p.paths.Issuer, op.RegisterServer(&server{p: p}, op.Endpoints{
		Authorization: op.NewEndpoint(p.paths.Authorization), Token: op.NewEndpoint(p.paths.Token),
		Userinfo: op.NewEndpoint(p.paths.UserInfo), JwksURI: op.NewEndpoint(p.paths.Keys),
	}, op.WithServerCORSOptions(nil)))
	return p, nil
}

func (p *Provider) routes() http.Handler {
	mux := http.NewServeMux()
	p.env.Know("login", "token")
	p.vendor.Routes(mux)
	mux.HandleFunc("GET "+loginPath, p.showLogin)
	mux.HandleFunc("POST "+loginPath, p.login)
	mux.HandleFunc("POST "+p.paths.Issuer+p.paths.Token, p.token)
	mux.HandleFunc("GET "+p.paths.Issuer+p.paths.Authorization, p.faulty("authorize"))
	mux.HandleFunc(p.paths.Issuer+p.paths.UserInfo, p.faulty("userinfo"))
	mux.HandleFunc("GET "+p.paths.Issuer+p.paths.Keys, p.faulty("keys"))
	mux.HandleFunc("GET "+p.paths.Issuer+"/.well-known/openid-configuration", p.faulty("discovery"))
	return mux
}

// faulty serves one of the protocol's endpoints that need nothing but the faults in force.
func (p *Provider) faulty(operation string) http.HandlerFunc {
	p.env.Know(operation)
	return func(w http.ResponseWriter, r *http.Request) {
		p.env.Serve(w, r, operation, imitation.Text(r, r.URL.Query()), refuse, p.inner.ServeHTTP)
	}
}

// refuse answers an OAuth endpoint's fault.
func refuse(w http.ResponseWriter, out fault.Outcome) {
	code := out.Code
	if code == "InternalFailure" {
		code = "server_error"
	}
	imitation.WriteJSON(w, out.Status, imitation.TokenError{Code: code, Description: fault.Text}.JSON())
}

// URL is the provider's address without a path.
func (p *Provider) URL() string { return p.env.BaseURL }

// Issuer is the issuer identifier.
func (p *Provider) Issuer() string { return p.issuer }

// Endpoints are the URLs that an authenticate-oidc action takes.
func (p *Provider) Endpoints() Endpoints {
	return p.endpoints(p.issuer)
}

// Store is the clients and their secrets.
func (p *Provider) Store() *Store { return p.store }

// Vendor is the imitation of the vendor; *oktatest.Okta has Okta's own knobs and credentials.
func (p *Provider) Vendor() imitation.Vendor { return p.vendor }

// AdminToken is the static credential of the vendor's management API.
func (p *Provider) AdminToken() string { return p.vendor.AdminToken() }

// RegisterClient adds a client with one live secret of the value given. It returns an error if the id is in use.
func (p *Provider) RegisterClient(c Client, value string) (Client, Secret, error) {
	c, err := p.store.Register(c)
	if err != nil {
		return Client{}, Secret{}, fmt.Errorf("registering a client: %w", err)
	}
	var secret Secret
	err = p.store.Update(c.ID, func(e *clients.Edit) (err error) {
		secret, err = e.Add(Secret{ID: p.vendor.NewSecretID(c.ID)}, value)
		return err
	})
	if err != nil {
		return Client{}, Secret{}, fmt.Errorf("registering client %s: %w", c.ID, err)
	}
	return c, secret, nil
}

// AddUser adds a user, or replaces the one with that name.
func (p *Provider) AddUser(u User) { p.users.add(u) }

// Wait returns once the provider has stopped.
func (p *Provider) Wait() { <-p.done }

// Close stops the provider at once.
func (p *Provider) Close() error {
	p.release()
	err := p.server.Close()
	p.Wait()
	return err
}
