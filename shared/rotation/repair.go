package rotation

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
)

// Makes reports whether a secret is to be put into use that is not AWSCURRENT.
func (d Decision) Makes() bool { return d.Action == Rotate || d.Action == Repair && !d.Promoted }

// repair fills in the decision to replace a dead AWSCURRENT. A secret of ours that the provider still accepts takes its
// place; only if there is none a new one is made. What else earlier rotations left waits for the next rotation, which
// can go back to a living secret.
func (s Snapshot) repair(d *Decision) {
	d.Action, d.Grace = Repair, 0
	d.From, d.To = s.ref(s.Labels.Current), Ref{VersionID: s.NewVersionID}
	d.Why = "the identity provider refuses AWSCURRENT; a new secret takes its place"
	switch {
	case s.knowsCurrent():
	case s.ByVersion: // as an import would find it, if it were accepted
		d.From.IdPSecretID, d.Import = s.Labels.Current, true
	case s.listed(s.CurrentSecretID):
		d.From.IdPSecretID, d.Import = s.CurrentSecretID, true
	}
	if s.Replacement != "" {
		d.To = s.ref(s.Replacement)
		d.Why = fmt.Sprintf("the identity provider refuses AWSCURRENT; version %s, which it accepts, takes its place",
			s.Replacement)
		return
	}
	if s.ByHand {
		d.To, d.Refusals = Ref{}, append(d.Refusals, s.adviseToStore())
	}
	switch why, asked := s.NoRoomToRepair(), s.askedFor(); {
	case why == "":
	case asked != "":
		d.To = s.ref(asked)
		d.Why = fmt.Sprintf("the identity provider refuses AWSCURRENT; what it was asked for as version %s, without "+
			"an answer, takes its place", asked)
	default:
		d.Refusals = append(d.Refusals, why)
	}
}

// askedFor returns the version of which a request for a secret was last left without an answer, where secrets have no
// ids; "" if there is none. A repair that has no room for another takes what that made, if it made any. What was
// asked for before AWSCURRENT was is none: what is there by now is somebody's.
func (s Snapshot) askedFor() (version string) {
	var last time.Time
	since := s.Journal.Secrets[s.Labels.Current].At
	for v, e := range s.Journal.Secrets {
		if s.ByVersion && s.knowsCurrent() && e.State == journal.Intended && !e.At.Before(since) &&
			e.Asked.After(last) {
			version, last = v, e.Asked
		}
	}
	return version
}

// NoRoomToRepair says why the provider has no place for a repair's new secret; "" if it has one.
func (s Snapshot) NoRoomToRepair() string {
	if s.MaxSecrets == 0 || s.occupiedByOthers() < s.MaxSecrets {
		return ""
	}
	return fmt.Sprintf("the identity provider holds %d secrets for this client and allows %d, so there is no room "+
		"for a new one: remove one that nothing uses there (listed: %s)", len(s.Listed), s.MaxSecrets, idList(s.Listed))
}

// occupiedByOthers returns how many of the provider's places a repair's secret cannot have. Where secrets have no ids,
// the new one may end any of ours, but only if the provider itself says that all have ended: that the token endpoint
// refuses them is no proof, it may be ill, and targets use one of them.
func (s Snapshot) occupiedByOthers() int {
	n := len(s.Listed)
	if !s.ByVersion {
		return n - len(s.DeadOfOurs())
	}
	if slices.ContainsFunc(s.Listed, func(x idp.Secret) bool { return x.Until.IsZero() || x.Until.After(s.Now) }) {
		return n
	}
	for _, x := range s.Listed {
		if state := s.Journal.Secrets[x.ID].State; x.ID == s.Labels.Current || state == journal.Live ||
			state == journal.Kept {
			n--
		}
	}
	return n
}

// DeadOfOurs returns the listed secrets that the journal knows as ours and the provider shows as switched off. They may
// go before a new one is made, if there is no room besides them: first what is missed least, which is the oldest
// without a label. What targets may have comes last, since a person can switch it on again: AWSCURRENT's.
func (s Snapshot) DeadOfOurs() (ids []string) {
	labels := []string{s.Labels.Previous, s.Labels.Pending, s.Labels.Current}
	rank, at := map[string]int{}, map[string]time.Time{}
	for version, e := range s.Journal.Secrets {
		rank[e.IdPSecretID] = max(rank[e.IdPSecretID], 1+slices.Index(labels, version))
		at[e.IdPSecretID] = Later(at[e.IdPSecretID], e.At)
	}
	known := s.Journal.KnownIDs()
	for _, x := range s.Listed {
		if x.Status == idp.Disabled && known[x.ID] {
			ids = append(ids, x.ID)
		}
	}
	slices.SortStableFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank[a], rank[b]), at[a].Compare(at[b]))
	})
	return ids
}

// Replacements returns the versions that could take the place of a dead AWSCURRENT, the likeliest first: what a
// rotation or an interrupted repair made, what was in use before, and, where a person makes the secrets, what they have
// stored.
func (s Snapshot) Replacements() []string {
	rank := func(version string) int { return slices.Index([]string{s.Labels.Pending, s.Labels.Previous}, version) }
	all := slices.DeleteFunc(slices.Collect(maps.Keys(s.Journal.Secrets)), func(v string) bool {
		state := s.Journal.Secrets[v].State
		return v == s.Labels.Current || state != journal.Live && state != journal.Kept
	})
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(cmp.Compare(uint(rank(a)), uint(rank(b))),
			s.Journal.Secrets[b].At.Compare(s.Journal.Secrets[a].At),
			cmp.Compare(a, b))
	})
	if s.Labels.Pending != "" && s.Labels.Pending != s.Labels.Current && s.pendingByHand() {
		all = append([]string{s.Labels.Pending}, all...)
	}
	return all
}
