package retiresecret

import (
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

// snapshot is everything that allow and decide look at, read without changing anything.
type snapshot struct {
	Action rotation.RetireAction
	// Version is the one that goes, Keep the one that stays; Goes and Stays are their entries in the journal.
	Version, Keep string
	Goes, Stays   journal.Entry
	Promotion     *journal.Promotion
	// Spread is how long load balancer nodes may take to leave a secret.
	Spread time.Duration
	// Followed is when the last follower, and its nodes, have AWSCURRENT; zero if there are none, or if none can have
	// the secret that goes.
	Followed time.Time
	// Searched is when the targets were searched for; zero is a call of an earlier definition, which does not tell.
	Searched time.Time
	Now      time.Time

	// Stands is the one of the two that AWSCURRENT stands for, Current the version that has the label.
	Stands, Current string

	Capable idp.Capabilities
	// Pair: the client is a pair of registrations.
	Pair bool
	// Listed are the client's secrets at the identity provider, ID the one that goes, if the journal knows one.
	Listed []idp.Secret
	ID     string
	// Named is the one of them that the configuration names as AWSCURRENT's.
	Named string
	// Same: the two versions hold the same secret. Told: their texts tell.
	Same, Told bool
	// Used is when the secret that goes was used last; zero if nobody knows.
	Used time.Time
}

// searchLasts is how long a search for targets counts for removing a secret. The steps after it take an hour or two,
// with hours of retries still less than this; a redrive days later takes more.
const searchLasts = 12 * time.Hour

// allow refuses, before the identity provider is asked, whatever could take away the secret in use.
func allow(s snapshot) error {
	a, b := s.Goes.IdPSecretID, s.Stays.IdPSecretID
	switch age := s.Now.Sub(s.Searched); {
	case !s.Searched.IsZero() && age > searchLasts: // what came since may have the secret that is about to go
		return failure.New(failure.Outdated, "the targets were searched for %s ago: "+
			"nothing is retired before they are searched for, and set, again", age.Round(time.Minute))
	case s.Version == "" || s.Keep == "" || s.Version == s.Keep:
		return failure.New(failure.InvalidInput, "retire.versionId and keep.versionId must be given and differ")
	case a != "" && a == b:
		return failure.New(failure.Precondition, "versions %s and %s share the secret %s at the identity provider; "+
			"nothing is retired", s.Version, s.Keep, a)
	}
	return nil
}

// mustStay refuses to take the secret in use away.
func mustStay(s snapshot) error {
	if s.Action == rotation.RetireEnable || s.Stands == s.Keep {
		return nil
	}
	return failure.New(failure.Precondition,
		"AWSCURRENT is on version %s, not on %s which is to stay; nothing is retired", s.Current, s.Keep)
}

// mustBeFollowed refuses to take away what followers may still use. As Outdated it leads back to the search for
// targets, which says until when to wait.
func mustBeFollowed(s snapshot) error {
	if s.Action == rotation.RetireEnable || !s.Now.Before(s.Followed) {
		return nil
	}
	return failure.New(failure.Outdated, "followers may use the secret of version %s until %s "+
		"(followers.maxDelaySeconds); nothing is retired before that", s.Version, rotation.Timestamp(s.Followed))
}

// step is what to do next.
type step string

const (
	refuse step = "refuse"
	// rest: there is nothing to do.
	rest    step = "rest"
	disable step = "disable"
	enable  step = "enable"
	remove  step = "remove"
	// miss writes down that the secret is missing, and has the call come again.
	miss step = "miss"
)

// decide returns what to do and what to answer once that is done, or why to refuse.
func decide(s snapshot) (next step, result string, why error) {
	switch s.Action {
	case rotation.RetireDisable:
		return s.decideDisable()
	case rotation.RetireEnable:
		next, result = s.decideEnable()
		return next, result, nil
	case rotation.RetireDelete:
		return s.decideRemove()
	}
	return refuse, "", failure.New(failure.InvalidInput, "action: %q is not one of disable, enable, delete", s.Action)
}

func (s snapshot) decideDisable() (step, string, error) {
	x := s.found()
	switch {
	case s.usedSince():
		return refuse, "", failure.New(failure.Precondition,
			"the old secret was used at %s, although every known target had left it by %s: "+
				"something else uses it, a load balancer that is not in loadBalancers or another application; give "+
				"that the new secret first. Or something put it back on a target in the meantime, such as a template "+
				"with the old secret; then see to it that it does not again",
			rotation.Timestamp(s.Used), rotation.Timestamp(s.leftAt()))
	case !s.Capable.CanDisable:
		return rest, resultUnsupported, nil
	case x == nil:
		return rest, resultAbsent, nil
	case x.Status == idp.Disabled:
		return rest, resultDisabled, nil
	}
	if err := s.mustDiffer(x); err != nil {
		return refuse, "", err
	}
	return disable, resultDisabled, nil
}

func (s snapshot) decideEnable() (step, string) {
	x := s.found()
	switch {
	case !s.Capable.CanDisable:
		return rest, resultUnsupported
	case x == nil:
		return rest, resultAbsent
	case x.Status == idp.Disabled:
		return enable, resultEnabled
	}
	return rest, resultEnabled
}

// decideRemove trusts that a secret is not listed only where the admin API lists secrets. Any other list is what the
// token endpoint says, so the provider must be told to end the secret all the same.
func (s snapshot) decideRemove() (step, string, error) {
	x, result := s.found(), resultDeleted
	if x == nil {
		result = resultAbsent
	}
	switch {
	case s.missing() && s.Goes.Missed.IsZero():
		return miss, "", nil
	case s.missing() && s.Now.Sub(s.Goes.Missed) < missed:
		return refuse, "", s.stillMissed()
	case x == nil && (s.ID == "" || s.Capable.HasIDs()):
		return rest, result, nil
	}
	if err := s.mustDiffer(x); err != nil {
		return refuse, "", err
	}
	return remove, result, nil
}

// found returns the secret that goes, as the identity provider lists it; nil if it does not.
func (s snapshot) found() *idp.Secret {
	for _, x := range s.Listed {
		if s.ID != "" && x.ID == s.ID {
			return &x
		}
	}
	return nil
}

// tolerance is how far the clocks of the identity provider and of AWS may differ.
const tolerance = time.Minute

// usedSince reports whether something has authenticated with the old secret after every target had left it, as far as
// the provider tells. Removing the secret would break that.
func (s snapshot) usedSince() bool {
	p := s.Promotion
	return p != nil && p.From == s.Version && !p.At.IsZero() && !s.Used.IsZero() &&
		!s.Used.Before(s.leftAt().Add(tolerance))
}

// leftAt is when all that is known had left the old secret.
func (s snapshot) leftAt() time.Time { return rotation.Later(s.Promotion.LeftAt(s.Spread), s.Followed) }

// missed is how long a registration of a pair must refuse a secret that nobody here has removed before the secret
// counts as gone.
const missed = time.Minute

// missing reports whether a registration of a pair refuses the secret. What the registration has instead may be
// somebody's, so it is not overwritten, and only the refusals show that the secret is gone. The journal says since
// when, so that a retry or a redrive goes on from there.
func (s snapshot) missing() bool {
	// else there was never one
	was := s.Goes.State == journal.Live || s.Goes.State == journal.Intended && !s.Goes.Asked.IsZero()
	return s.Pair && s.found() == nil && was
}

func (s snapshot) stillMissed() error {
	return failure.New(failure.Unavailable,
		"the identity provider refuses the secret of version %s, which nobody here has removed, since %s; "+
			"it is asked again until that is %s ago", s.Version, rotation.Timestamp(s.Goes.Missed), missed)
}

// mustDiffer fails if the version that goes, whose secret the provider lists as x, holds the secret that stays, or if
// that cannot be told: retiring the one would end the other.
func (s snapshot) mustDiffer(x *idp.Secret) error {
	switch {
	case s.Same && s.Goes.ClientID == s.Stays.ClientID:
		return failure.New(failure.Precondition, "versions %s and %s hold the same secret; nothing is retired",
			s.Version, s.Keep)
	case s.Stays.State != "" || x != nil && x.Status == idp.Disabled: // the journal, or the provider, knows them as two
		return nil
	case x == nil: // where secrets have no ids, what is asked for then keeps AWSCURRENT
		return nil
	}
	for _, o := range s.Listed { // a further secret proves nothing by itself, it may be a stranger's
		if o.ID != x.ID && o.Status == idp.Active && (s.Told || o.ID == s.Named) {
			return nil
		}
	}
	why := "the text of version " + s.Version + " is gone or cannot be read"
	if s.Told {
		why = "the identity provider lists no active secret but that of version " + s.Version
	}
	return failure.New(failure.Precondition, "%s, and the journal does not know AWSCURRENT (%s): "+
		"whether they are the same secret cannot be told; nothing is retired. %s", why, s.Keep,
		rotation.NameCurrent(x.ID))
}

// overwritten returns when this rotation overwrote the only secret while it was in use; zero if it did not. made is the
// entry of the secret that the rotation made.
func overwritten(capable idp.Capabilities, made journal.Entry) time.Time {
	if !capable.ReplacesInPlace() || made.Imported || made.State != journal.Live && made.Asked.IsZero() {
		return time.Time{}
	}
	return made.At
}
