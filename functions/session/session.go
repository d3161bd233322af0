// Package session opens what a function needs for one call: the client's configuration, its secret, its identity
// provider and its journal.
package session

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/telemetry"
	"alboidc.internal/shared/versions"
)

// Deps is what the functions are built from. Nothing in it belongs to one client. The last group is set only for the
// functions that need it.
type Deps struct {
	// AWS is the configuration of an SDK client for a Region, for what only some functions or identity providers use.
	AWS func(region string) aws.Config
	// Secrets returns Secrets Manager of a Region.
	Secrets func(region string) versions.API
	Journal *journal.Table
	Log     *slog.Logger
	Metrics *telemetry.Metrics
	Now     func() time.Time
	Sleep   func(ctx context.Context, d time.Duration) error
	Rand    io.Reader

	// Registrations makes what manages a client's registration at its identity provider.
	Registrations func(c config.Client, d Deps) (idp.Registration, error)
	// Capabilities are those of a kind of identity provider, for functions that only probe.
	Capabilities func(c config.Client) (idp.Capabilities, error)
	// WebIdentity proves the function's AWS role to identity providers that trust AWS STS (package webidentity); only
	// functions that use the admin API of an identity provider have it.
	WebIdentity func(ctx context.Context, audience string) (secret.Value, error)
	Prober      *probe.Prober
	Balancers   *alb.Balancers
	// AuthErrors is the smoke test of the load balancers' metrics (package metrics).
	AuthErrors func(ctx context.Context, loadBalancers []string, since time.Time, allowed int) (rotation.Evidence, error)
}

// Registry makes the registrations of the registry; client talks to their admin APIs.
func Registry(client *http.Client) func(config.Client, Deps) (idp.Registration, error) {
	return func(c config.Client, d Deps) (idp.Registration, error) {
		return registry.New(c.IdentityProvider.Type, c.IdentityProvider.Settings, registered(c),
			idp.Deps{HTTP: client, Secret: d.ReadSecret, AWS: d.AWS, WebIdentity: d.WebIdentity, Now: d.Now, Sleep: d.Sleep})
	}
}

// Capabilities are those of the registry, without linking what talks to the providers.
func Capabilities(c config.Client) (idp.Capabilities, error) {
	return registry.Capabilities(c.IdentityProvider.Type, c.IdentityProvider.Settings, registered(c))
}

func registered(c config.Client) idp.Client {
	return idp.Client{Name: c.Name, Issuer: c.Issuer, ClientID: c.ClientID}
}

// Session is one call on behalf of one client. Provider is nil unless Deps.Registrations is set.
type Session struct {
	Deps
	Common   rotation.Common
	Config   config.Client
	Store    *versions.Store
	Provider idp.Provider
	// Capable is what the identity provider can do, for the functions that probe.
	Capable idp.Capabilities
	// Patient: the call may take more than a minute to prove that a secret is refused where no other is accepted.
	Patient bool

	opened            time.Time
	journal           *journal.Journal // from Own
	renamed, follower string           // by follow
}

// Open reads the configuration that came with the call. It makes no request.
func (d Deps) Open(c rotation.Common) (*Session, error) {
	cfg, err := config.Parse(c.Config)
	if err != nil {
		return nil, err
	}
	if cfg.Name != c.Client {
		return nil, failure.New(failure.InvalidInput, "name: the configuration of client %q is for client %q", c.Client, cfg.Name)
	}
	s := &Session{Deps: d, Common: c, Config: cfg, opened: d.Now(),
		Store: versions.New(d.Secrets(region(cfg.Secret.ARN)), cfg.Secret.ARN, cfg.Secret.JSONKey, d.Sleep)}
	switch {
	case d.Registrations != nil:
		if s.Provider, err = s.provider(); err == nil {
			s.Capable = s.Provider.Capabilities()
		}
	case d.Capabilities != nil:
		s.Capable, err = s.capabilities()
	}
	return s, err
}

// Own reads the client's journal; LockLost if another execution has the lock. For functions that manage the registration, it
// follows a secret that somebody stored again as another version.
func (s *Session) Own(ctx context.Context) (*journal.Journal, error) {
	j, err := s.Journal.Own(ctx, s.Common.Client, s.Common.Execution)
	s.journal = j
	if err != nil || s.Provider == nil {
		return j, err
	}
	return j, s.follow(ctx)
}

// Look reads the client's journal, whoever has the lock, for what changes nothing. It returns since when the lock is held;
// zero if it is free.
func (s *Session) Look(ctx context.Context) (held time.Time, err error) {
	s.journal, held, err = s.Journal.Look(ctx, s.Common.Client)
	return held, err
}

// ReadSecret reads the current value of a Secrets Manager secret: an admin credential or a synthetic user.
func (d Deps) ReadSecret(ctx context.Context, secretARN string) (secret.Value, error) {
	return versions.Current(ctx, d.Secrets(region(secretARN)), secretARN)
}

// endpoints are where the secrets of a client id are proven, the client's own first, in the same order for every client id. Each
// of them must accept a secret that is in use, and refuse one that is gone.
func (s *Session) endpoints(clientID string) []probe.Endpoint {
	p := s.Config.IdentityProvider
	return []probe.Endpoint{{TokenEndpoint: p.TokenEndpoint, ClientID: clientID, CallbackURL: s.Config.CallbackURL,
		AuthMethod: p.AuthMethod(), Spec: s.Capable.Probe}}
}

// Targets searches the configured load balancers for the client's targets. Those of known, targets that were found before,
// are searched too: a load balancer whose tag was taken away since still has the secret that was put on it.
func (s *Session) Targets(ctx context.Context, known []rotation.Target) (alb.Found, error) {
	where := alb.Where{LoadBalancers: s.Config.LoadBalancers}
	if search := s.Config.LoadBalancerSearch; search != nil {
		where.Tags, where.Regions = search.Tags, search.Regions
	}
	for _, t := range known {
		where.Known = append(where.Known, t.LoadBalancerARN)
	}
	return s.Balancers.Targets(ctx, where, alb.Selector{Issuer: s.Config.Issuer,
		ClientIDs: s.Config.ClientIDs(), TokenEndpoint: s.Config.IdentityProvider.TokenEndpoint})
}

// region is the Region of an ARN that the configuration check has let through.
func region(s string) string {
	a, err := arn.Parse(s)
	if err != nil {
		return ""
	}
	return a.Region
}
