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
	"alboidc.internal/shared/parameters"
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
	// Clients are the clients' configurations.
	Clients *parameters.Store
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
	// InVPC: the function runs in a VPC, which may lead nowhere.
	InVPC     bool
	Balancers *alb.Balancers
	// AuthErrors is the smoke test of the load balancers' metrics (package metrics).
	AuthErrors func(ctx context.Context, loadBalancers []string, since time.Time, allowed int) (rotation.Evidence, error)
	// LoginsStopped are those load balancers on which logins succeeded before made and none does since switched (package
	// metrics).
	LoginsStopped func(ctx context.Context, loadBalancers []string, made, switched time.Time) ([]string, error)
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

	journal           *journal.Journal // from Open, or Look
	renamed, follower string           // by follow
	untold            []string         // by follow
}

// Open reads the client's journal and configuration for the execution that owns the lock; any other gets LockLost. Which
// configuration counts, the journal says: never who calls.
func (d Deps) Open(ctx context.Context, c rotation.Common) (*Session, error) {
	j, err := d.Journal.Own(ctx, c.Client, c.Execution)
	if err != nil {
		return nil, err
	}
	cfg, err := d.configuration(ctx, c, j)
	if err != nil {
		return nil, err
	}
	s, err := d.session(c, cfg)
	if err != nil {
		return nil, err
	}
	s.journal = j
	return s, nil
}

// configuration reads the text that the journal refers to. An execution of an earlier definition has written no reference,
// and brings its configuration along: it works by the newest, which must be that of the same client.
func (d Deps) configuration(ctx context.Context, c rotation.Common, j *journal.Journal) (config.Client, error) {
	if j.Config != nil {
		return d.Clients.Referenced(ctx, c.Client, *j.Config)
	}
	if len(c.Config) == 0 {
		return d.Clients.Newest(ctx, c.Client)
	}
	brought, err := config.Parse(c.Config)
	if err != nil {
		return config.Client{}, err
	}
	return d.Clients.Same(ctx, c.Client, brought.Identity())
}

// OpenNewest reads the newest configuration, whoever owns the lock, for what changes nothing.
func (d Deps) OpenNewest(ctx context.Context, c rotation.Common) (*Session, error) {
	cfg, err := d.Clients.Newest(ctx, c.Client)
	if err != nil {
		return nil, err
	}
	return d.session(c, cfg)
}

func (d Deps) session(c rotation.Common, cfg config.Client) (s *Session, err error) {
	s = &Session{Deps: d, Common: c, Config: cfg,
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

// Own returns the journal that Open has read. For functions that manage the registration, it follows a secret that somebody
// stored again as another version.
func (s *Session) Own(ctx context.Context) (*journal.Journal, error) {
	if s.Provider == nil {
		return s.journal, nil
	}
	return s.journal, s.follow(ctx)
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
	var out []probe.Endpoint
	for _, at := range s.Config.TokenEndpoints() {
		out = append(out, probe.Endpoint{TokenEndpoint: at, ClientID: clientID, CallbackURL: s.Config.CallbackURL,
			AuthMethod: s.Config.IdentityProvider.AuthMethod(), Spec: s.Capable.Probe})
	}
	return out
}

// Endpoint is where the secret of a version is probed.
func (s *Session) Endpoint(ctx context.Context, version string) (probe.Endpoint, error) {
	clientID, err := s.ClientID(ctx, rotation.Ref{VersionID: version})
	return s.endpoints(clientID)[0], err
}

// Endpoints are where the secret of a version may be accepted: for both registrations of a pair, if it is not written down
// which one it belongs to.
func (s *Session) Endpoints(version string) []probe.Endpoint {
	ids := s.Config.ClientIDs()
	if id := s.entry(version).ClientID; id != "" && s.Config.IsPair() {
		ids = []string{id}
	}
	out := make([]probe.Endpoint, 0, len(ids))
	for _, id := range ids {
		out = append(out, s.endpoints(id)...)
	}
	return out
}

// Probe asks the identity provider for its verdict on the secret of a version, and on a wrong one.
func (s *Session) Probe(ctx context.Context, version string) (probe.Verdict, error) {
	v, err := s.Value(ctx, version)
	if err != nil {
		return probe.Verdict{}, err
	}
	e, err := s.Endpoint(ctx, version)
	if err != nil {
		return probe.Verdict{}, err
	}
	return s.Prober.Credential().Differential(ctx, e, v)
}

// MustAccept fails unless the identity provider accepts the secret of a version now. what names it in the error.
func (s *Session) MustAccept(ctx context.Context, version, what string) error {
	verdict, err := s.Probe(ctx, version)
	if err != nil {
		return err
	}
	switch verdict.Outcome {
	case probe.Accepted:
		return nil
	case probe.Rejected:
		return failure.New(failure.Precondition, "the identity provider does not accept %s (version %s) at %s: %s%s",
			what, version, s.Config.IdentityProvider.TokenEndpoint, verdict.Reason, s.padding(ctx, version))
	default:
		return failure.New(failure.Unavailable, "whether the identity provider accepts %s (version %s) cannot be told: %s", what, version, verdict.Reason)
	}
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
	return s.Balancers.Targets(ctx, where, alb.Of(s.Config, s.Capable.UniqueIDs))
}

// region is the Region of an ARN that the configuration check has let through.
func region(s string) string {
	a, err := arn.Parse(s)
	if err != nil {
		return ""
	}
	return a.Region
}
