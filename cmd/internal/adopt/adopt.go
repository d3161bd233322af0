// Package adopt stores a client secret that a person brings as AWSCURRENT, once the identity provider is proven to
// accept it, and while the person has the client's lock.
package adopt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/versions"
)

// Adopter stores secrets of one client.
type Adopter struct {
	Client config.Client
	Store  *versions.Store
	Locks  *journal.Table
	Prober *probe.Prober
	// Owner is who has the lock meanwhile.
	Owner string
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	// Tell says what is being done.
	Tell func(format string, args ...any)
}

// Adopted is what was done.
type Adopted struct {
	Client string `json:"client"`
	// Version is AWSCURRENT now, and has the secret. Previous was AWSCURRENT before; "" if there was none.
	Version  string `json:"version"`
	Previous string `json:"previous,omitempty"`
	// Changed is false if AWSCURRENT had the secret already.
	Changed bool `json:"changed"`
	// ClientID is the registration that the secret belongs to.
	ClientID string `json:"clientId"`
	// Notices are what a person should know.
	Notices []string `json:"notices,omitempty"`
}

// stored is what AWSCURRENT holds; its text is nil if there is no AWSCURRENT.
type stored struct {
	version string
	text    *versions.Text
}

// Adopt proves the secret and stores it. A repeat changes nothing. Whatever happens, the lock is given back, and an
// error says whether something was stored.
func (a Adopter) Adopt(ctx context.Context, v secret.Value) (Adopted, error) {
	out := Adopted{Client: a.Client.Name}
	if versions.Padded(v) {
		return out, failure.New(failure.InvalidInput, "the value begins or ends with white space, most often the line "+
			"break of a file: store it without, as by printf %%s SECRET > FILE")
	}
	if v.IsZero() {
		return out, failure.New(failure.InvalidInput, "the value is empty")
	}
	was, err := a.look(ctx)
	if err != nil {
		return out, err
	}
	var before string
	if out.ClientID, before, err = a.prove(ctx, v, was); err != nil {
		return out, err
	}
	out.Version, out.Previous = was.version, ""
	id := versions.Member{Key: a.Client.Secret.ClientIDKey, Text: out.ClientID}
	if was.holds(v, a.Client.Secret.JSONKey, id) {
		return out, nil
	}
	out.Version, out.Previous, out.Changed = clientcredentials.NewUUID(), was.version, true
	out.Notices = a.notices(was)
	if before != "" && before != out.ClientID {
		out.Notices = append(out.Notices,
			fmt.Sprintf("version %s is a secret of registration %s: if load balancers log "+
				"in with that, the next rotation is refused until they have %s and this secret, or until "+
				"version %s is "+
				"AWSCURRENT again", was.version, before, out.ClientID, was.version))
	}
	return out, a.locked(ctx, func(ctx context.Context, since time.Time) error {
		return a.store(ctx, v, id, was, out.Version, since)
	})
}

// look reads what is stored, and refuses a secret that cannot be stored there.
func (a Adopter) look(ctx context.Context) (stored, error) {
	labels, keeper, err := a.Store.Describe(ctx)
	if err != nil {
		return stored{}, err
	}
	arn := a.Client.Secret.ARN
	switch {
	case keeper.Primary != "":
		return stored{}, failure.New(failure.Precondition,
			"%s is a replica, which cannot be written; its primary is in "+
				"Region %s: name that in secret.arn, and deploy", arn, keeper.Primary)
	case keeper.Service != "":
		return stored{}, failure.New(failure.Precondition,
			"%s belongs to the AWS service %s: name a secret of your own "+
				"in secret.arn, and deploy", arn, keeper.Service)
	case labels.Current == "":
		return stored{}, nil
	}
	text, err := a.Store.Text(ctx, labels.Current)
	return stored{labels.Current, &text}, err
}

// secret is what AWSCURRENT holds under the configured key.
func (s stored) secret(key string) (secret.Value, error) {
	if s.text == nil {
		return secret.Value{}, errors.New("there is no AWSCURRENT")
	}
	return s.text.Secret(key)
}

// holds reports whether AWSCURRENT has the secret already, in the configured form and with its client id.
func (s stored) holds(v secret.Value, key string, id versions.Member) bool {
	have, err := s.secret(key)
	if err != nil || !s.text.Fits(key) || !have.Equal(v) {
		return false
	}
	if id.Key == "" {
		return true
	}
	has, err := s.text.Secret(id.Key)
	return err == nil && has.Equal(secret.New(id.Text))
}

// notices say what changes besides the secret.
func (a Adopter) notices(was stored) (out []string) {
	if was.text == nil {
		return nil
	}
	key := a.Client.Secret.JSONKey
	switch members := was.text.Members(); {
	case key != "" && members == "":
		out = append(out, fmt.Sprintf("version %s was not a JSON object; the new one is, with member %q as "+
			"secret.jsonKey says", was.version, key))
	case key == "" && members != "":
		out = append(out, fmt.Sprintf("version %s was a JSON object with %s; the new one is the secret alone, since "+
			"secret.jsonKey is not configured: see that nothing else reads it as JSON", was.version, members))
	}
	return out
}

// store stores the secret and its client id, if AWSCURRENT is still what was seen. since is when the lock was asked
// for.
func (a Adopter) store(ctx context.Context, v secret.Value, id versions.Member, was stored, version string,
	since time.Time) error {
	now, err := a.Store.Labels(ctx)
	if err != nil {
		return err
	}
	if now.Current != was.version {
		return failure.New(failure.Superseded, "somebody else made version %s AWSCURRENT meanwhile: nothing was "+
			"stored; look what that is, and begin again", now.Current)
	}
	// A context's time does not pass while a machine sleeps; the time of day does.
	if held := a.Now().Round(0).Sub(since.Round(0)); held >= journal.AdoptionLasts {
		return failure.New(failure.Superseded, "the lock was taken %s ago, so a rotation may have it by now: nothing "+
			"was stored; begin again", held.Round(time.Second))
	}
	template := was.version
	if was.text != nil && was.text.Members() == "" {
		template = "" // nothing can be carried over
	}
	if err = a.Store.PutCurrent(ctx, version, v, template, id); err == nil {
		return nil
	}
	later, cancel := a.after(ctx)
	defer cancel()
	if now, readErr := a.Store.Labels(later); readErr == nil && now.Current == version {
		return nil // only the answer was lost
	}
	return err
}

// locked calls f while it has the client's lock, and gives that back whatever happens.
func (a Adopter) locked(ctx context.Context, f func(ctx context.Context, since time.Time) error) (err error) {
	limited, end := context.WithTimeout(ctx, journal.AdoptionLasts)
	defer end()
	defer func() {
		later, cancel := a.after(ctx)
		defer cancel()
		if lost := a.Locks.Unlock(later, a.Client.Name, a.Owner); lost != nil && !failure.Is(lost, failure.LockLost) {
			a.Tell("the lock was not given back (%v): the next rotation takes it over, 15 s after its start", lost)
		}
	}()
	since := a.Now()
	if err := a.Locks.Lock(limited, a.Client.Name, a.Owner, since); err != nil {
		return err
	}
	return f(limited, since)
}

// after is a context for what must be done even if the command was interrupted.
func (a Adopter) after(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
}

// A secret that a person has just made may not be known everywhere yet, so a refusal is repeated.
const (
	tries = 3
	apart = 5 * time.Second
	// limit is what one token endpoint may take besides the intervals that are configured.
	limit = 2 * time.Minute
)

// prove fails unless every token endpoint accepts the secret several times in a row, and refuses a wrong one. It
// returns the registration that it belongs to, and that of AWSCURRENT, or "" if none accepts that.
func (a Adopter) prove(ctx context.Context, v secret.Value, was stored) (id, before string, err error) {
	capable, err := registry.Capabilities(a.Client.IdentityProvider.Type, a.Client.IdentityProvider.Settings,
		idp.Client{Name: a.Client.Name, Issuer: a.Client.Issuer, ClientID: a.Client.ClientID})
	if err != nil {
		return "", "", err
	}
	a.Tell("asking %s whether it accepts the secret", a.Client.IdentityProvider.TokenEndpoint)
	p, ids := proof{Adopter: a, spec: capable.Probe, was: was}, a.Client.ClientIDs()
	id = ids[0] // of a pair it is the one that accepts it; if none does, the proof says what is wrong
	if len(ids) > 1 {
		owner, err := p.owner(ctx, v)
		if err != nil {
			return "", "", err
		}
		id = cmp.Or(owner, id)
		if current, err := was.secret(a.Client.Secret.JSONKey); err == nil {
			if before, err = p.owner(ctx, current); err != nil {
				return "", "", err
			}
		}
	}
	for _, e := range probe.Endpoints(a.Client, id, p.spec) {
		if err := p.at(ctx, e, v); err != nil {
			return "", "", err
		}
	}
	return id, before, nil
}

// proof is about one secret.
type proof struct {
	Adopter
	spec idp.ProbeSpec
	was  stored
}

// owner returns the registration of a pair that accepts a secret, or "".
func (p proof) owner(ctx context.Context, v secret.Value) (string, error) {
	for _, id := range p.Client.ClientIDs() {
		verdict, err := p.Prober.Credential().Differential(ctx, probe.Endpoints(p.Client, id, p.spec)[0], v)
		if err != nil || verdict.Outcome == probe.Accepted {
			return id, err
		}
	}
	return "", nil
}

// at proves the secret at one token endpoint.
func (p proof) at(ctx context.Context, e probe.Endpoint, v secret.Value) error {
	if err := p.Prober.Credential().Calibrate(ctx, e, v); err != nil {
		return err
	}
	test, refusals := p.Client.SmokeTests.Credential, 0
	inARow, interval := test.InARow(p.spec.InARow), time.Duration(test.Interval(p.spec.IntervalSeconds))*time.Second
	end := p.Now().Add(time.Duration(inARow)*interval + limit)
	sleep := func(ctx context.Context, d time.Duration) error {
		if refusals > 0 {
			d = max(d, apart)
		}
		if p.Now().Add(d).After(end) {
			return context.DeadlineExceeded
		}
		return p.Sleep(ctx, d)
	}
	return probe.Consecutive(ctx, inARow, interval, sleep,
		func(ctx context.Context) (probe.Verdict, error) {
			verdict, err := p.Prober.Credential().Classify(ctx, e, v)
			if err != nil || verdict.Outcome != probe.Rejected {
				return verdict, err
			}
			if refusals++; refusals < tries {
				return verdict, nil
			}
			return verdict, failure.New(failure.SecretRefused,
				"%s refuses the value, %d times: %s%s%s", e.TokenEndpoint,
				refusals, verdict.Reason, p.control(ctx, e), versions.Oddities(v))
		})
}

// control says what shows, or does not show, that the identity provider answers rightly: whether it accepts AWSCURRENT.
func (p proof) control(ctx context.Context, e probe.Endpoint) string {
	current, err := p.was.secret(p.Client.Secret.JSONKey)
	if err != nil {
		return ""
	}
	for _, id := range p.Client.ClientIDs() {
		e.ClientID = id
		if verdict, err := p.Prober.Credential().Classify(ctx, e, current); err == nil &&
			verdict.Outcome == probe.Accepted {
			return ", while it accepts AWSCURRENT"
		}
	}
	return ", and AWSCURRENT likewise: either both are wrong, or the identity provider is ill"
}
