package rotation

import (
	"fmt"
	"maps"
	"slices"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
)

// identify finds out whether AWSCURRENT, if the journal does not know that version, is a secret that it knows by
// another. It runs before anything is retired: what looks like an old secret may be the one in use.
//
// Versions whose texts differ hold two secrets. Where a text is gone, the provider's only active secret is the one in
// use, since that one is accepted (Plan proves it). With several, a person has to say which: a further secret proves
// nothing, as it may be a stranger's.
func (s Snapshot) identify() (Snapshot, string) {
	if s.knowsCurrent() {
		return s, ""
	}
	active := s.active()
	for _, version := range slices.Sorted(maps.Keys(s.Journal.Secrets)) {
		e := s.Journal.Secrets[version]
		told := !slices.Contains(s.Unreadable, version)
		if e.State != journal.Live || !slices.Contains(active, e.IdPSecretID) || told && len(active) > 1 {
			continue // refused, so not in use; or known to be another
		}
		switch hint := s.CurrentSecretID; {
		case hint == e.IdPSecretID, !told && len(active) == 1:
			s.Journal = s.Journal.Clone()
			s.Journal.Rename(version, s.Labels.Current)
			return s, ""
		case hint != "" && slices.Contains(active, hint): // another
		case told:
			return s, fmt.Sprintf("the identity provider lists one active secret, %s, which the journal holds for "+
				"version %s, but AWSCURRENT (version %s) holds another text: nothing is retired. If a new secret "+
				"was made a moment ago, wait until it is listed. %s",
				e.IdPSecretID, version, s.Labels.Current, NameCurrent(e.IdPSecretID))
		default:
			return s, fmt.Sprintf("the text of version %s is gone or cannot be read, so it is unknown whether "+
				"AWSCURRENT (version %s, which the journal does not know) is its secret %s or another one (listed: "+
				"%s); nothing is retired. %s",
				version, s.Labels.Current, e.IdPSecretID, idList(s.Listed), NameCurrent(e.IdPSecretID))
		}
	}
	return s, ""
}

// NameCurrent tells people how to name AWSCURRENT's secret at the provider, which may be id.
func NameCurrent(id string) string {
	return fmt.Sprintf("Name the one whose value is stored as AWSCURRENT in identityProvider.currentSecretId "+
		"(%s, or another), then start again", id)
}

// knowsCurrent reports whether the journal has an entry for AWSCURRENT.
func (s Snapshot) knowsCurrent() bool {
	_, known := s.Journal.Secrets[s.Labels.Current]
	return known
}

// active returns the provider's ids of the secrets that it accepts.
func (s Snapshot) active() []string {
	var out []string
	for _, x := range s.Listed {
		if x.Status == idp.Active {
			out = append(out, x.ID)
		}
	}
	return out
}
