package rotation

import (
	"fmt"
	"sort"
	"time"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/versions"
)

// Snapshot is everything that Decide looks at, read without changing anything.
type Snapshot struct {
	Labels  versions.Labels
	Journal *journal.Journal
	// Listed are the client's secrets at the identity provider.
	Listed []idp.Secret
	// MaxSecrets is the provider's limit, 0 if none.
	MaxSecrets int
	// ByHand: a person makes the new secret and stores it as AWSPENDING.
	ByHand bool
	// SecretARN and JSONKey name the secret, and its member if it has members, in advice to a person.
	SecretARN, JSONKey string
	// CurrentSecretID is the secret at the provider that the configuration names as AWSCURRENT's, for when nothing else
	// tells.
	CurrentSecretID string
	// Unreadable are the journal's versions whose text cannot be compared with AWSCURRENT's, if the journal does not
	// know AWSCURRENT.
	Unreadable []string
	// NewVersionID is the version that a new secret would get.
	NewVersionID string
	// ByVersion: secrets have no ids at the provider, the version's stands for them.
	ByVersion bool
	// Ended: the execution is to repair, and AWSCURRENT is proven to be refused. Replacement is the version that is to
	// take its place; "" is a new one.
	Ended       bool
	Replacement string
	// GracePeriod is the configured one; Shorten, if set, is the one that the execution asks for.
	GracePeriod time.Duration
	Shorten     *time.Duration
	// Followers is how long followers need after AWSCURRENT has moved, which nothing shortens; Followed is when they
	// have the present one.
	Followers time.Duration
	Followed  time.Time
	Now       time.Time
}

// Decision is what to do. If there are refusals, nothing is done.
type Decision struct {
	Action   Action
	Why      string
	From, To Ref
	Import   bool
	Promoted bool
	// Unlisted: the provider does not list AWSCURRENT's secret, so it may be dead.
	Unlisted   bool
	Grace      time.Duration
	GraceUntil time.Time
	Refusals   []string
	Warnings   []string
}

// Decide says what a rotation finds and what to do about it. The order matters: the rotation first puts right what an
// earlier one left, one thing at a time, looks again after each, and only then makes anything new.
//
// Before all that, identify finds out which secret AWSCURRENT is.
//
//  0. A repair's secret is AWSCURRENT, and the repair has not ended: go on with it.
//  1. AWSPENDING on a version other than AWSCURRENT: never promoted, roll it back.
//  2. AWSPREVIOUS whose secret is still live and known: promoted but not finished, finish it; but if the journal says
//     that this very version was being promoted, or the provider has the old secret switched on and the new one off,
//     then a rollback died halfway: complete the rollback.
//  3. Any other version that the journal holds as intended or live: a rotation died before or while rolling back, or
//     between removing its old secret and writing that down.
//  4. Nothing left over: rotate.
func Decide(s Snapshot) Decision {
	d := Decision{Grace: s.grace(), GraceUntil: s.Now}
	if s.Labels.Current == "" {
		d.Refusals = append(d.Refusals, "the secret has no AWSCURRENT version: store the client secret that the load "+
			"balancers use now in it, then start again")
		return d
	}
	switch {
	case s.Ended:
		s.repair(&d)
		return d
	case s.Journal.Promotion.RepairedTo(s.Labels.Current):
		d.Action, d.Promoted = Repair, true
		d.From, d.To = s.ref(s.Labels.Current), s.ref(s.Journal.Promotion.From)
		d.Why = "an earlier repair made a secret AWSCURRENT and did not end: that goes on every target, and the dead " +
			"one is removed"
		return d
	}
	unknown := !s.knowsCurrent()
	s, refusal := s.identify()
	if refusal != "" {
		d.Refusals = append(d.Refusals, refusal)
		return d
	}
	current := s.ref(s.Labels.Current)
	switch {
	case s.Labels.Pending != "" && s.Labels.Pending != s.Labels.Current && !s.pendingByHand():
		d.Action, d.From, d.To = Rollback, current, s.ref(s.Labels.Pending)
		d.Why = "an earlier rotation made a secret and never promoted it (AWSPENDING); it is rolled back first"
		if _, known := s.Journal.Secrets[s.Labels.Pending]; !known {
			d.Warnings = append(d.Warnings, "the version labelled AWSPENDING was not made by this system: its label "+
				"is removed, the identity provider is not touched")
		}
	case s.held(s.Labels.Previous) && s.wasBeingPromoted(s.Labels.Previous):
		d.Action, d.From, d.To = Rollback, current, s.ref(s.Labels.Previous)
		d.Why = "an earlier rollback stopped halfway; it is completed first"
	case s.held(s.Labels.Previous) && s.switchedBack():
		d.Action, d.From, d.To = Rollback, s.ref(s.Labels.Previous), current
		d.Why = "an earlier rollback stopped after it had put the old secret back at the identity provider; it is " +
			"completed first"
	case s.held(s.Labels.Previous) && s.listed(s.Journal.Secrets[s.Labels.Previous].IdPSecretID):
		d.Action, d.From, d.To = Finish, s.ref(s.Labels.Previous), current
		d.GraceUntil = Later(s.graceUntil(), s.Followed)
		d.Why = "an earlier rotation was promoted but its old secret is still live; it is finished first"
	default:
		if left := s.leftover(); left != "" {
			d.Action, d.From, d.To = Rollback, current, s.ref(left)
			d.Why = "the journal holds a secret of an earlier rotation that is no longer in use; it is removed first"
			return d
		}
		s.rotate(&d, current)
		d.Import = len(d.Refusals) == 0 && unknown
	}
	return d
}

// pendingByHand reports whether AWSPENDING is on a version that a person stored for this rotation.
func (s Snapshot) pendingByHand() bool {
	_, known := s.Journal.Secrets[s.Labels.Pending]
	return s.ByHand && !known
}

// rotate fills in the decision to make a new secret, and the reasons against it.
func (s Snapshot) rotate(d *Decision, current Ref) {
	d.Action, d.From, d.To = Rotate, current, Ref{VersionID: s.NewVersionID}
	d.Why = "nothing is left over from earlier rotations; a new secret is made"
	if s.ByHand {
		d.To.VersionID, d.Why = s.Labels.Pending, "a person has stored a new secret as AWSPENDING; it is put into use"
		if s.Labels.Pending == "" || s.Labels.Pending == s.Labels.Current {
			d.Refusals = append(d.Refusals, s.adviseToStore())
		}
	}
	if !s.knowsCurrent() {
		id, refusal := s.imported()
		if refusal != "" {
			d.Refusals = append(d.Refusals, refusal)
		}
		d.From.IdPSecretID = id
	} else if d.Unlisted = !s.listed(current.IdPSecretID); d.Unlisted {
		d.Refusals = append(d.Refusals, fmt.Sprintf("the identity provider does not list secret %s, which the "+
			"journal holds for AWSCURRENT: store the present client secret as a new AWSCURRENT version, it is then "+
			"taken over as it is", current.IdPSecretID))
	}
	if s.MaxSecrets > 0 && s.occupied() >= s.MaxSecrets {
		first := ""
		if !s.knowsCurrent() { // who stored it by hand may have put it nowhere else
			first = "set AWSCURRENT on every listener and rule first, as no rotation has, and they may use another; " +
				"then "
		}
		d.Refusals = append(d.Refusals, fmt.Sprintf("the identity provider holds %d secrets for this client and "+
			"allows %d, so there is no room for a new one: %sremove the unused one there (listed: %s; in use: %s)",
			len(s.Listed), s.MaxSecrets, first, idList(s.Listed), orUnknown(d.From.IdPSecretID)))
	}
}

// adviseToStore says how a person stores a new secret that they make.
func (s Snapshot) adviseToStore() string {
	file := ""
	if s.JSONKey != "" {
		file = " (the file holds the whole JSON object, with the new secret as its " + s.JSONKey + ")"
	}
	return "no new secret is stored: make one at the identity provider beside the old one, store it by `aws " +
		"secretsmanager put-secret-value --secret-id " + s.SecretARN + " --version-stages AWSPENDING --secret-string " +
		"file://new-secret`" + file + ", then start again"
}

// occupied returns how many of the provider's places a new secret cannot have. A kept secret does not count: it is
// taken into use again.
func (s Snapshot) occupied() int {
	n := 0
	for _, x := range s.Listed {
		if !s.kept(x.ID) {
			n++
		}
	}
	return n
}

func (s Snapshot) kept(id string) bool {
	for _, e := range s.Journal.Secrets {
		if e.State == journal.Kept && e.IdPSecretID == id {
			return true
		}
	}
	return false
}

// imported finds the provider's id of a current secret that the journal does not know yet. Where the provider has no
// ids, the version's id stands for it.
func (s Snapshot) imported() (id, refusal string) {
	if s.listed(s.Labels.Current) {
		return s.Labels.Current, ""
	}
	if s.CurrentSecretID != "" {
		if !s.listed(s.CurrentSecretID) {
			return "", fmt.Sprintf("identityProvider.currentSecretId: the identity provider does not list %s for "+
				"this client (listed: %s)", s.CurrentSecretID, idList(s.Listed))
		}
		return s.CurrentSecretID, ""
	}
	active := s.active()
	if len(active) != 1 {
		return "", fmt.Sprintf("the identity provider lists %d active secrets for this client, so it is unknown "+
			"which one is stored as AWSCURRENT: name it in identityProvider.currentSecretId (listed: %s)", len(active),
			idList(s.Listed))
	}
	return active[0], ""
}

// InUse returns the provider's id of the current secret: the one in the journal, or the one that an import would find;
// "" if it is unknown.
func (s Snapshot) InUse() string {
	if e, known := s.Journal.Secrets[s.Labels.Current]; known {
		return e.IdPSecretID
	}
	id, _ := s.imported()
	return id
}

// ref returns a version with its provider id, if the journal knows it.
func (s Snapshot) ref(version string) Ref {
	e := s.Journal.Secrets[version]
	return Ref{VersionID: version, IdPSecretID: e.IdPSecretID, ClientID: e.ClientID}
}

// held reports whether the journal holds a version other than AWSCURRENT as live.
func (s Snapshot) held(version string) bool {
	return version != s.Labels.Current && s.Journal.Secrets[version].State == journal.Live
}

func (s Snapshot) wasBeingPromoted(version string) bool {
	return s.Journal.Promotion != nil && s.Journal.Promotion.To == version
}

// switchedBack reports whether the provider has AWSCURRENT's secret switched off and AWSPREVIOUS's on: that is how a
// rollback begins.
func (s Snapshot) switchedBack() bool {
	return s.status(s.Labels.Current) == idp.Disabled && s.status(s.Labels.Previous) == idp.Active
}

// status returns the status of a version's secret at the provider; "" if it is not listed.
func (s Snapshot) status(version string) idp.Status {
	for _, x := range s.Listed {
		if id := s.Journal.Secrets[version].IdPSecretID; id != "" && x.ID == id {
			return x.Status
		}
	}
	return ""
}

// leftover returns the oldest version, other than AWSCURRENT, that the journal holds as intended or live; "" if none.
func (s Snapshot) leftover() string {
	var left []string
	for v, e := range s.Journal.Secrets {
		if v != s.Labels.Current && e.State != journal.Removed && e.State != journal.Kept {
			left = append(left, v)
		}
	}
	if len(left) == 0 {
		return ""
	}
	sort.Slice(left, func(a, b int) bool {
		x, y := s.Journal.Secrets[left[a]], s.Journal.Secrets[left[b]]
		if !x.At.Equal(y.At) {
			return x.At.Before(y.At)
		}
		return left[a] < left[b]
	})
	return left[0]
}

func (s Snapshot) listed(id string) bool {
	for _, x := range s.Listed {
		if x.ID == id {
			return true
		}
	}
	return false
}

// grace returns the grace period of this execution: the request can shorten it, never lengthen it, and not below what
// followers need.
func (s Snapshot) grace() time.Duration {
	if s.Shorten != nil && *s.Shorten < s.GracePeriod {
		return max(*s.Shorten, s.Followers)
	}
	return s.GracePeriod
}

// graceUntil returns when the grace period of the promoted, unfinished rotation ends.
func (s Snapshot) graceUntil() time.Time {
	p := s.Journal.Promotion
	if p == nil || p.To != s.Labels.Current {
		return s.Now
	}
	if p.GraceUntil.IsZero() { // it died between moving the label and writing that down
		return s.Now.Add(s.grace())
	}
	if p.GraceUntil.Before(s.Now) {
		return s.Now
	}
	if s.Shorten != nil && s.Now.Add(*s.Shorten).Before(p.GraceUntil) {
		return s.Now.Add(*s.Shorten)
	}
	return p.GraceUntil
}

// Later returns the later of two times.
func Later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func idList(list []idp.Secret) string {
	if len(list) == 0 {
		return "none"
	}
	out := ""
	for i, x := range list {
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprintf("%s (%s)", x.ID, x.Status)
	}
	return out
}

func orUnknown(id string) string {
	if id == "" {
		return "unknown"
	}
	return id
}
