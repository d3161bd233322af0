// Package invocation opens what a function needs for one call: the client's configuration, its secret, its identity
// provider and its journal.
package invocation

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"alboidc.internal/functions/record"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/parameters"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/telemetry"
	"alboidc.internal/shared/versions"
)

// Deps is what the functions are built from; nothing in it belongs to one client. The last group is set only for
// functions whose roles have the rights that it needs.
type Deps struct {
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

	// Capabilities are those of a client's identity provider, for functions that only probe.
	Capabilities func(c config.Client) (idp.Capabilities, error)
	Prober       *probe.Prober
	// InVPC: the function runs in a VPC, which may have no way out.
	InVPC bool

	// Registrations makes the managers of a client's registrations at its identity provider, one for each of
	// c.ClientIDs().
	Registrations func(c config.Client) ([]idp.Registration, error)
	// Reached is what there is in the function's own account.
	Reached
	// Reach reaches what a client has in other accounts, by roles that are theirs; for whom says the session's name.
	Reach func(roles map[string]config.Role, session string) Reached
	// At has what reaches a client by the roles of its place, for a function that has such roles; for whom says the
	// session's name.
	At func(place int, session string) (Deps, error)
	// Recorder writes the evidence of executions.
	Recorder *record.Recorder
}

// Reached is what a client has, in the end in all accounts. What a function has no right for is nil.
type Reached struct {
	Balancers *alb.Balancers
	// AuthErrors is the smoke test of the load balancers' metrics (package metrics).
	AuthErrors func(ctx context.Context, loadBalancers []string, since time.Time,
		allowed int) (rotation.Evidence, error)
	// LoginsStopped returns those load balancers on which logins succeeded before made and none has since switched
	// (package metrics).
	LoginsStopped func(ctx context.Context, loadBalancers []string, made, switched time.Time) ([]string, error)
	// LastLogin returns when a login last succeeded on any of the load balancers; zero if nobody knows (package
	// metrics).
	LastLogin func(ctx context.Context, loadBalancers []string) (time.Time, error)
}

// reach reaches the load balancers of other accounts by the roles of configurations; those of the first count before
// the others'.
func (s *Invocation) reach(by ...config.Client) {
	roles := map[string]config.Role{}
	for _, c := range slices.Backward(by) {
		maps.Copy(roles, c.RolesByAccount())
	}
	if s.Reach == nil || len(roles) == 0 {
		return
	}
	s.Reached = s.Reach(roles, SessionName(s.Common.Client, s.Common.Execution))
}

// SessionName tells in another account's CloudTrail for which client and execution a call is made. It has at most 64
// characters (STS API reference, AssumeRole, RoleSessionName), of which the execution's usual name needs 36.
func SessionName(client, execution string) string {
	cut := func(s string, n int) string { return s[:min(len(s), n)] }
	name := cut(client, 27) + "." + cut(execution[strings.LastIndex(execution, ":")+1:], 36)
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("+=,.@-_", r) || r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '-'
	}, name)
}

// Registrations returns a function that makes clients' registrations from the registry, each with d. They are for one
// call, and read their admin credential once.
func Registrations(d idp.Deps) func(config.Client) ([]idp.Registration, error) {
	return func(c config.Client) (out []idp.Registration, err error) {
		d := d
		d.Secret = readOnce(d.Secret)
		for _, id := range c.ClientIDs() {
			client := registered(c)
			client.ClientID = id
			r, err := registry.New(c.IdentityProvider.Type, c.IdentityProvider.Settings, client, d)
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		}
		return out, nil
	}
}

// readOnce remembers what read has returned without an error. It is not for concurrent use.
func readOnce(read func(context.Context, string) (secret.Value, error)) func(context.Context, string) (secret.Value,
	error) {
	known := map[string]secret.Value{}
	return func(ctx context.Context, arn string) (v secret.Value, err error) {
		if v, ok := known[arn]; ok {
			return v, nil
		}
		if v, err = read(ctx, arn); err == nil {
			known[arn] = v
		}
		return v, err
	}
}

// Capabilities returns what the registry says of a client's identity provider.
func Capabilities(c config.Client) (idp.Capabilities, error) {
	return registry.Capabilities(c.IdentityProvider.Type, c.IdentityProvider.Settings, registered(c))
}

func registered(c config.Client) idp.Client {
	return idp.Client{Name: c.Name, Issuer: c.Issuer, ClientID: c.ClientID, CallbackURL: c.CallbackURL}
}

// Invocation is one call on behalf of one client. Provider is nil unless Deps.Registrations is set.
type Invocation struct {
	Deps
	Common   rotation.Common
	Config   config.Client
	Store    *versions.Store
	Provider idp.Provider
	// From keeps its entry in the journal, also if it is stored again: the steps of the execution to come name it.
	From string
	// CurrentEnded: AWSCURRENT is proven to be refused, and a repair replaces it.
	CurrentEnded bool
	// Capable is what the identity provider can do, for the functions that probe.
	Capable idp.Capabilities
	// Patient: the call may take more than a minute to prove that a secret is refused where no other is accepted.
	Patient bool
	// Restores: targets get the old secret back, those of the newest configuration, too.
	Restores bool

	opened time.Time
	// slowest is the longest that the token endpoint has taken for an answer in this call.
	slowest            time.Duration
	journal            *journal.Journal  // from Open, or Look
	renamed, successor string            // by matchCurrent
	unreadable         []string          // by matchCurrent
	labels             *versions.Labels  // as they were read last
	keeper             versions.Keeper   // with the labels
	looked             time.Time         // when the labels were read last
	stays              string            // the AWSCURRENT that ResolveCurrent or MustStay has found
	stands             string            // whose secret that holds, by ResolveCurrent
	known              withoutids.Known  // what a provider of package withoutids goes by
	absent             map[string]bool   // versions that were looked for and are not stored
	owners             map[string]string // registrations of a pair that have versions, as Belongs was told
}

// Open reads the client's journal and configuration for the execution that owns the lock; any other gets LockLost. The
// journal, never the caller, says which configuration counts.
func (d Deps) Open(ctx context.Context, c rotation.Common) (*Invocation, error) {
	j, err := d.Journal.Own(ctx, c.Client, c.Execution)
	if err != nil {
		return nil, err
	}
	cfg, err := d.configuration(ctx, c, j)
	if err != nil {
		return nil, err
	}
	if err := checkSameClient(cfg, j); err != nil {
		return nil, err
	}
	s, err := d.newInvocation(c, cfg)
	if err != nil {
		return nil, err
	}
	s.journal = j
	return s, nil
}

// configuration reads the text that the journal refers to. An execution of an earlier definition wrote no reference and
// brings its configuration along: it works by the newest text, which must describe the same client.
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

// checkSameClient refuses to go on with an unfinished rotation if the configuration has since changed to another
// client: the rotation's secrets would be looked for in the wrong place.
func checkSameClient(cfg config.Client, j *journal.Journal) error {
	if j.Begun == nil {
		return nil
	}
	other := cfg.Identity().Differences(*j.Begun)
	if len(other) == 0 {
		return nil
	}
	return failure.New(failure.Reconfigured,
		"an earlier rotation of client %s has not ended, and the configuration changed in %s since it began "+
			"(client id %s at %s then): put that back and start again, which ends it; change the "+
			"configuration after that",
		cfg.Name, strings.Join(other, ", "), j.Begun.ClientID, j.Begun.Issuer)
}

// OpenNewest reads the newest configuration, whoever owns the lock, for calls that change nothing.
func (d Deps) OpenNewest(ctx context.Context, c rotation.Common) (*Invocation, error) {
	cfg, err := d.Clients.Newest(ctx, c.Client)
	if err != nil {
		return nil, err
	}
	return d.newInvocation(c, cfg)
}

func (d Deps) newInvocation(c rotation.Common, cfg config.Client) (s *Invocation, err error) {
	if d, err = d.at(cfg, c); err != nil {
		return nil, err
	}
	s = &Invocation{Deps: d, Common: c, Config: cfg, opened: d.Now(), absent: map[string]bool{},
		Store: versions.New(d.Secrets(region(cfg.Secret.ARN)), cfg.Secret.ARN, cfg.Secret.JSONKey, d.Sleep)}
	s.reach(cfg)
	if d.Registrations == nil {
		s.Capable, err = s.capabilities()
	} else if s.Provider, err = s.provider(); err == nil {
		s.Capable = s.Provider.Capabilities()
	}
	return s, err
}

// NoteUnwritten logs that a metric could not be written, if it could not: no call fails of that.
func (d Deps) NoteUnwritten(ctx context.Context, err error) {
	if err != nil {
		d.Log.WarnContext(ctx, "metric not written", telemetry.Err(err))
	}
}

// at has what reaches the client: by the function's own role, or by that of the client's place. The configuration says
// which, and the deployment has written that.
func (d Deps) at(cfg config.Client, c rotation.Common) (Deps, error) {
	switch {
	case cfg.Place == 0:
		return d, nil
	case d.At == nil:
		return d, failure.New(failure.Precondition,
			"place: client %s is deployed in the further stack %d, of which the "+
				"function does not know: deploy all stacks again (docs/deploying.md#hundreds-of-clients)", cfg.Name,
			cfg.Place)
	}
	return d.At(cfg.Place, SessionName(c.Client, c.Execution))
}

// Own returns the journal that Open read. For functions that manage the registration it first calls matchCurrent.
func (s *Invocation) Own(ctx context.Context) (*journal.Journal, error) {
	if s.Provider == nil {
		return s.journal, nil
	}
	return s.journal, s.matchCurrent(ctx)
}

// Look reads the client's journal without taking the lock, for calls that change nothing. It returns since when the
// lock is held; zero if it is free.
func (s *Invocation) Look(ctx context.Context) (held time.Time, err error) {
	s.journal, held, err = s.Journal.Look(ctx, s.Common.Client)
	return held, err
}

// ReadSecret reads the current value of a Secrets Manager secret: an admin credential or a synthetic user.
func (d Deps) ReadSecret(ctx context.Context, secretARN string) (secret.Value, error) {
	return versions.Current(ctx, d.Secrets(region(secretARN)), secretARN)
}

func (s *Invocation) endpoints(clientID string) []probe.Endpoint {
	return probe.Endpoints(s.Config, clientID, s.Capable.Probe)
}

// Targets searches the configured load balancers for the client's targets, and those of the targets found before
// (known): a load balancer that left the configuration, or lost its tag, still has the secret that was put on it.
// once is as in alb.Where.
func (s *Invocation) Targets(ctx context.Context, known []rotation.Target, once bool) (alb.Found, error) {
	where, want, err := s.scope(ctx)
	if err != nil {
		return alb.Found{}, err
	}
	where.Known, where.Once = known, once
	return s.Balancers.Targets(ctx, where, want)
}

// region returns the Region of an ARN that the configuration check has accepted.
func region(s string) string {
	a, err := arn.Parse(s)
	if err != nil {
		return ""
	}
	return a.Region
}
