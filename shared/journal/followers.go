package journal

import "time"

// Current says since when, at the latest, a version is AWSCURRENT, and how long followers need from then on: whatever
// they read before may be in use until then.
type Current struct {
	Version string    `json:"version"`
	Since   time.Time `json:"since"`
	// DelaySeconds is the longest that was configured since the promotion.
	DelaySeconds int `json:"delaySeconds"`
}

// Use notes that a version is AWSCURRENT, or about to be, so that followers may have it. changed is as in Follow.
func (j *Journal) Use(version string) (changed bool) {
	e := j.Secrets[version]
	if changed = e.Unused; changed {
		e.Unused = false
		j.Secrets[version] = e
	}
	return changed
}

// Follow notes that AWSCURRENT is a version, which followers read within a delay. It keeps an earlier note of the same
// version, and the longer delay. changed is whether there is something to save.
func (j *Journal) Follow(version string, delay time.Duration, now time.Time) (changed bool) {
	next := Current{Version: version, Since: now, DelaySeconds: int(delay / time.Second)}
	switch c, p := j.Current, j.Promotion; {
	case c != nil:
		if c.Version == version {
			next.Since = c.Since
		}
		next.DelaySeconds = max(next.DelaySeconds, c.DelaySeconds)
	case p != nil && p.To == version && !p.At.IsZero(): // the followers were configured later
		next.Since = p.At
	}
	changed = next.DelaySeconds > 0 && (j.Current == nil || *j.Current != next)
	if changed {
		j.Current = &next
	}
	return changed
}

// FollowedAt returns when the last follower uses AWSCURRENT, in whole seconds; zero if there are none, or if nothing is
// noted about that version yet.
func (j *Journal) FollowedAt(version string, delay time.Duration) time.Time {
	seen := &Journal{Current: j.Current, Promotion: j.Promotion}
	if seen.Follow(version, delay, time.Time{}); seen.Current == nil || seen.Current.Since.IsZero() {
		return time.Time{}
	}
	at := seen.Current.Since.Add(time.Duration(seen.Current.DelaySeconds) * time.Second)
	return at.Add(time.Second - 1).UTC().Truncate(time.Second)
}
