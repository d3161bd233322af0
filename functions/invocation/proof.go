package invocation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/versions"
)

// How often a refusal is repeated to prove it (docs/adr/0020). Another secret that is accepted is the positive control.
// Without one, only the admin API and more than a minute, which only a Patient call has, tell a secret that is gone
// from a token endpoint that is ill.
var (
	inTurn = probe.Turns{Times: 3, Pause: time.Second}
	alone  = probe.Turns{Times: 5, Pause: 21 * time.Second}
)

// Credential is the secret of a version, and the registration that it belongs to.
type Credential struct {
	Version, ClientID string
	value             secret.Value
}

// Credential reads the secret of a version.
func (s *Invocation) Credential(ctx context.Context, version string) (Credential, error) {
	v, err := s.Value(ctx, version)
	if err != nil {
		return Credential{}, err
	}
	id, err := s.ClientID(ctx, rotation.Ref{VersionID: version})
	return Credential{version, id, v}, err
}

// Calibrate makes sure that every token endpoint refuses a wrong secret; see probe.Credential.Calibrate.
func (s *Invocation) Calibrate(ctx context.Context, c Credential) error {
	for _, e := range s.endpoints(c.ClientID) {
		if err := s.Prober.Credential().Calibrate(ctx, e, c.value); err != nil {
			return err
		}
	}
	return nil
}

// Ask asks every token endpoint once. The first that does not accept the secret decides, and at is its index among the
// endpoints. A refusal proves nothing yet: see Control.
func (s *Invocation) Ask(ctx context.Context, c Credential) (v probe.Verdict, at int, err error) {
	for at := range s.endpoints(c.ClientID) {
		if v, err = s.askAt(ctx, at, c); err != nil || v.Outcome != probe.Accepted {
			return v, at, err
		}
	}
	return v, 0, nil
}

func (s *Invocation) askAt(ctx context.Context, at int, c Credential) (probe.Verdict, error) {
	defer s.noteAnswers(s.Now(), 1)
	return s.Prober.Credential().Classify(ctx, s.endpoints(c.ClientID)[at], c.value)
}

// Control tries every other secret at a token endpoint that has just refused one. If it accepts any, its answers can be
// trusted, and the verdict names that version. from is one more version to try.
func (s *Invocation) Control(ctx context.Context, at int, c Credential, from string) (probe.Verdict, error) {
	controls, err := s.controls(ctx, c, from)
	if err != nil {
		return probe.Verdict{}, err
	}
	_, v, err := s.findAccepted(ctx, at, controls)
	return v, err
}

// findAccepted returns the first of several secrets that a token endpoint accepts.
func (s *Invocation) findAccepted(ctx context.Context, at int, among []Credential) (Credential, probe.Verdict, error) {
	for _, c := range among {
		if v, err := s.askAt(ctx, at, c); err != nil || v.Outcome == probe.Accepted {
			v.Reason = "it accepts version " + c.Version
			return c, v, err
		}
	}
	return Credential{}, probe.Verdict{Outcome: probe.Inconclusive, Reason: "no other secret is accepted, which " +
		"would show that the provider answers rightly"}, nil
}

// controls returns the secrets, other than one, that the identity provider may accept: those with labels, those that
// the journal holds, and more.
func (s *Invocation) controls(ctx context.Context, than Credential, more ...string) ([]Credential, error) {
	labels, err := s.Labels(ctx)
	if err != nil {
		return nil, err
	}
	ids := append([]string{labels.Current, labels.Pending, labels.Previous}, more...)
	if s.journal != nil {
		for _, id := range slices.Sorted(maps.Keys(s.journal.Secrets)) {
			if s.journal.Secrets[id].State != journal.Removed {
				ids = append(ids, id)
			}
		}
	}
	var out []Credential
	for n, id := range ids {
		if id == "" || slices.Contains(ids[:n], id) {
			continue
		}
		v, err := s.Value(ctx, id)
		switch {
		case errors.Is(err, versions.ErrNotFound):
		case failure.Is(err, failure.Precondition): // it holds no client secret, so it shows nothing
		case err != nil:
			return nil, err
		default:
			for _, clientID := range s.registrations(id) {
				if clientID != than.ClientID || !v.Equal(than.value) {
					out = append(out, Credential{id, clientID, v})
				}
			}
		}
	}
	return out, nil
}

// An inconclusive verdict is asked for again, after a pause, until the call has lasted for patience.
const (
	patience = 20 * time.Second
	pause    = 4 * time.Second
)

// verdict returns what the token endpoints say about a secret: all accept it, or one refuses it, and that is proven.
func (s *Invocation) verdict(ctx context.Context, c Credential) (probe.Verdict, error) {
	return s.askUntilConclusive(ctx, func(ctx context.Context) (probe.Verdict, error) { return s.verdictNow(ctx, c) })
}

func (s *Invocation) askUntilConclusive(ctx context.Context,
	ask func(context.Context) (probe.Verdict, error)) (probe.Verdict, error) {
	for {
		v, err := ask(ctx)
		if err != nil || v.Outcome != probe.Inconclusive || s.Now().Sub(s.opened) >= patience ||
			s.Sleep(ctx, pause) != nil {
			return v, err
		}
	}
}

func (s *Invocation) verdictNow(ctx context.Context, c Credential) (v probe.Verdict, err error) {
	for at, e := range s.endpoints(c.ClientID) {
		began := s.Now()
		v, err = s.Prober.Credential().Differential(ctx, e, c.value)
		s.noteAnswers(began, 2)
		if err == nil && v.Outcome == probe.Rejected {
			v, err = s.proveRefusal(ctx, at, c)
		}
		if err != nil || v.Outcome != probe.Accepted {
			if at > 0 {
				v.Reason += ", at the alias " + e.TokenEndpoint
			}
			return v, err
		}
	}
	return v, nil
}

// proveRefusal proves a refusal that was just seen: by another secret that is accepted and by the admin API, or by the
// admin API alone.
func (s *Invocation) proveRefusal(ctx context.Context, at int, c Credential) (probe.Verdict, error) {
	controls, err := s.controls(ctx, c)
	if err != nil {
		return probe.Verdict{}, err
	}
	check := func(ctx context.Context) (probe.Verdict, error) { return s.askAt(ctx, at, c) }
	other, v, err := s.findAccepted(ctx, at, controls)
	switch {
	case err != nil:
		return v, err
	case v.Outcome != probe.Accepted:
		return s.proveRefusalAlone(ctx, check, v)
	}
	return settleVerdict(probe.Refusal(ctx, inTurn, s.Sleep, check, func(ctx context.Context) (probe.Verdict, error) {
		v, err := s.askAt(ctx, at, other)
		if err == nil && v.Outcome == probe.Accepted && s.Provider != nil {
			_, err = s.checkAdminAPI(ctx)
		}
		v.Reason = "it accepts version " + other.Version
		if v.Outcome != probe.Accepted {
			v.Reason = "so is version " + other.Version
		}
		return v, err
	}))
}

// proveRefusalAlone proves a refusal by the admin API alone; without says why there is no other secret to compare.
func (s *Invocation) proveRefusalAlone(ctx context.Context, check func(context.Context) (probe.Verdict, error),
	without probe.Verdict) (probe.Verdict, error) {
	if !s.Patient || s.Provider == nil {
		return probe.Verdict{Outcome: probe.Inconclusive, Reason: "refused, but " + without.Reason}, nil
	}
	return settleVerdict(probe.Refusal(ctx, alone, s.Sleep, check, s.checkAdminAPI))
}

// settleVerdict makes a secret that is first refused and then accepted inconclusive.
func settleVerdict(v probe.Verdict, err error) (probe.Verdict, error) {
	if v.Outcome == probe.Accepted {
		v = probe.Verdict{Outcome: probe.Inconclusive, Reason: "first refused, then accepted"}
	}
	return v, err
}

// checkAdminAPI shows that the identity provider is well: its admin API can read the client, even if the registration
// is wrong. Where a person handles the secrets, nothing can be read, and nothing is shown.
func (s *Invocation) checkAdminAPI(ctx context.Context) (probe.Verdict, error) {
	if s.Capable.MadeByHand() {
		return probe.Verdict{Outcome: probe.Accepted,
			Reason: "nothing shows whether the provider answers rightly, as it is not managed"}, nil
	}
	err := s.Provider.Check(ctx)
	if failure.Is(err, failure.Precondition) {
		err = nil
	}
	return probe.Verdict{Outcome: probe.Accepted, Reason: "the admin API reads the client"}, err
}

// Verdict returns what the identity provider says about the secret of a version. A refusal is proven.
func (s *Invocation) Verdict(ctx context.Context, version string) (probe.Verdict, error) {
	c, err := s.Credential(ctx, version)
	if err != nil {
		return probe.Verdict{}, err
	}
	return s.verdict(ctx, c)
}

// MustAccept fails unless every token endpoint accepts the secret of a version now: SecretRefused if that is proven,
// Unavailable if it cannot be told. what names the secret in the error.
func (s *Invocation) MustAccept(ctx context.Context, version, what string) error {
	verdict, err := s.Verdict(ctx, version)
	if err != nil {
		return err
	}
	switch verdict.Outcome {
	case probe.Accepted:
		return nil
	case probe.Rejected:
		return failure.New(failure.SecretRefused, "the identity provider does not accept %s (version %s) at %s: %s%s",
			what, version, s.Config.IdentityProvider.TokenEndpoint, verdict.Reason, s.Oddities(ctx, version))
	default:
		return failure.New(failure.Unavailable,
			"whether the identity provider accepts %s (version %s) cannot be told: %s%s", what, version, verdict.Reason,
			s.Oddities(ctx, version))
	}
}

// FindReplacement returns the first of several versions that the identity provider accepts whenever it is asked; "" if
// it refuses them all whenever it is asked, or if their texts are gone, or lack the client id that followers read. If
// it accepts none, and one cannot be told, it fails: making another secret could end that one.
func (s *Invocation) FindReplacement(ctx context.Context, among []string) (string, error) {
	var unclear error
	for _, version := range among {
		c, err := s.Credential(ctx, version)
		if err == nil && !s.Capable.MadeByHand() { // of which a plan says what to do
			err = s.MustHaveItsClientID(ctx, version, "it")
		}
		switch {
		case errors.Is(err, versions.ErrNotFound), failure.Is(err, failure.Precondition):
			continue
		case err != nil:
			return "", err
		}
		v, err := s.askUntilConclusive(ctx, func(ctx context.Context) (probe.Verdict, error) {
			return s.insist(ctx, c)
		})
		switch {
		case err != nil || v.Outcome == probe.Accepted:
			return version, err
		case v.Outcome != probe.Rejected && unclear == nil:
			unclear = failure.New(failure.Unavailable, "whether the identity provider accepts version %s, which could "+
				"take the place of AWSCURRENT, cannot be told: %s; nothing is repaired on a guess", version, v.Reason)
		}
	}
	return "", unclear
}

// insist asks about a secret as often as to prove a refusal. Answers that differ tell nothing.
func (s *Invocation) insist(ctx context.Context, c Credential) (first probe.Verdict, err error) {
	for n := range inTurn.Times {
		v, _, err := s.Ask(ctx, c)
		switch {
		case err != nil:
			return v, err
		case n == 0:
			first = v
		case v.Outcome != first.Outcome:
			return probe.Verdict{Outcome: probe.Inconclusive, Reason: "its answers differ"}, nil
		}
		if err := s.Sleep(ctx, inTurn.Pause); err != nil {
			return first, err
		}
	}
	return first, nil
}

// MustRefuse fails until every token endpoint refuses the secret of a version, each refusal between two acceptances of
// the secret that stays: StillAccepted, or Unavailable if it cannot be told. was says, for the error, what was done to
// the secret. Where seen is given it counts refusals, by registration and token endpoint: a call whose time is over
// fails with Unfinished, and the next one that is given the same goes on from there.
func (s *Invocation) MustRefuse(ctx context.Context, version, stays, was string, seen map[string]int) error {
	v, err := s.Value(ctx, version)
	if err != nil {
		return err
	}
	kept, err := s.Credential(ctx, stays)
	if err != nil {
		return err
	}
	for _, clientID := range s.registrations(version) {
		c := Credential{version, clientID, v}
		for at := range s.endpoints(clientID) {
			if err := s.mustRefuseAt(ctx, at, c, kept, was, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Invocation) mustRefuseAt(ctx context.Context, at int, c, kept Credential, was string,
	seen map[string]int) error {
	key, turns, open := c.ClientID+" "+s.endpoints(c.ClientID)[at].TokenEndpoint, inTurn, 0
	if turns.Times -= seen[key]; turns.Times <= 0 {
		return nil
	}
	ask := func(ctx context.Context, c Credential) (probe.Verdict, error) {
		if seen != nil && !s.hasTimeToAsk(ctx) {
			return probe.Verdict{}, failure.New(failure.Unfinished, "the time of this call was over before it was "+
				"proven that the secret of version %s, which %s, is refused, because the token endpoint answers "+
				"slowly: the next call goes on", c.Version, was)
		}
		return s.askAt(ctx, at, c)
	}
	verdict, err := probe.Refusal(ctx, turns, s.Sleep,
		func(ctx context.Context) (probe.Verdict, error) {
			v, err := ask(ctx, c)
			open++
			return v, err
		},
		func(ctx context.Context) (probe.Verdict, error) {
			v, err := ask(ctx, kept)
			if seen != nil && err == nil && v.Outcome == probe.Accepted {
				seen[key], open = seen[key]+open, 0
			}
			v.Reason = "the secret that stays: " + v.Reason
			return v, err
		})
	switch {
	case err != nil:
		return err
	case verdict.Outcome == probe.Accepted:
		return failure.New(failure.StillAccepted,
			"the identity provider still accepts the secret of version %s, which %s", c.Version, was)
	case verdict.Outcome != probe.Rejected:
		return failure.New(failure.Unavailable,
			"whether the identity provider refuses the secret of version %s cannot be told: %s", c.Version,
			verdict.Reason)
	}
	return nil
}

// reserve is what a call keeps of its time to write down how far it has come.
const reserve = 3 * time.Second

// noteAnswers notes how long the token endpoint took for so many answers, since began.
func (s *Invocation) noteAnswers(began time.Time, n int) {
	s.slowest = max(s.slowest, s.Now().Sub(began)/time.Duration(n))
}

// AnswersSlowly reports whether the token endpoint takes so long that a call can prove one or two things only.
func (s *Invocation) AnswersSlowly() bool { return s.slowest > time.Second }

// hasTimeToAsk reports whether the call lasts long enough for one more answer as slow as the slowest so far.
func (s *Invocation) hasTimeToAsk(ctx context.Context) bool {
	until, limited := ctx.Deadline()
	return !limited || s.Now().Add(s.slowest+reserve).Before(until)
}

// registrations returns those that the secret of a version may belong to: both of a pair, if the journal does not say
// which.
func (s *Invocation) registrations(version string) []string {
	if id := s.entry(version).ClientID; id != "" && s.Config.IsPair() {
		return []string{id}
	}
	return s.Config.ClientIDs()
}

// asks implements withoutids.Env.Asks: it asks once.
func (s *Invocation) asks(ctx context.Context, clientID string, v secret.Value) (bool, error) {
	verdict, _, err := s.Ask(ctx, Credential{ClientID: clientID, value: v})
	return readVerdict(verdict, err)
}

// accepts implements withoutids.Env.Accepts: a refusal is proven. That of a secret which a repair has replaced was
// proven before the repair; the call that removes it proves it once more.
func (s *Invocation) accepts(ctx context.Context, clientID string, v secret.Value) (bool, error) {
	if p := s.journal.Promotion; p != nil && p.RepairedFrom(p.From) {
		if dead, err := s.Value(ctx, p.From); err == nil && v.Equal(dead) {
			return s.asks(ctx, clientID, v)
		}
	}
	return readVerdict(s.verdict(ctx, Credential{ClientID: clientID, value: v}))
}

func readVerdict(v probe.Verdict, err error) (bool, error) {
	if err == nil && v.Outcome == probe.Inconclusive {
		err = failure.New(failure.Unavailable, "whether the identity provider accepts a secret cannot be told: %s",
			v.Reason)
	}
	return v.Outcome == probe.Accepted, err
}
