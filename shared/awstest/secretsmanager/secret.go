package secretsmanager

import (
	"bytes"
	"slices"
	"time"
)

// The staging labels that Secrets Manager itself moves.
const (
	labelCurrent  = "AWSCURRENT"
	labelPrevious = "AWSPREVIOUS"
	labelPending  = "AWSPENDING"
)

const (
	// maxLabels is the quota "staging labels attached across all versions of a secret".
	maxLabels = 20
	// maxVersions is how many of the most recent versions are kept; younger than keepVersionsFor are kept beyond it
	// (API reference, PutSecretValue).
	maxVersions     = 100
	keepVersionsFor = 24 * time.Hour
	// arnSuffix is the length of the hyphen and the random characters that end a secret's ARN.
	arnSuffix = 7
)

// secret is one state of a secret. States are not changed once committed; a write changes a clone.
type secret struct {
	name, arn string
	created   time.Time
	changed   time.Time
	deleted   time.Time // when it was marked for deletion; zero if it was not
	versions  []*version
	primary   string // Region of the secret that this is a replica of, or that has replicas; "" if there are none
	replica   bool
	rotated   *bool  // by Secrets Manager itself; nil: rotation was never configured
	service   string // the AWS service that owns it
	key       string // the customer managed key that it is encrypted with; "" is AWS's own
}

// version is one value of a secret. Its value never changes.
type version struct {
	id      string
	value   payload
	created time.Time
	labels  []string
}

// payload is a secret value: text or bytes, not both.
type payload struct {
	str *string
	bin []byte
}

func (p payload) empty() bool { return p.str == nil && p.bin == nil }

func (p payload) text() string {
	if p.str != nil {
		return *p.str
	}
	return string(p.bin)
}

func (p payload) equal(q payload) bool {
	if (p.str == nil) != (q.str == nil) {
		return false
	}
	return p.str == nil && bytes.Equal(p.bin, q.bin) || p.str != nil && *p.str == *q.str
}

func (sec *secret) clone() *secret {
	c := *sec
	c.versions = make([]*version, len(sec.versions))
	for i, v := range sec.versions {
		w := *v
		w.labels = slices.Clone(v.labels)
		c.versions[i] = &w
	}
	return &c
}

func (sec *secret) version(id string) *version {
	for _, v := range sec.versions {
		if v.id == id {
			return v
		}
	}
	return nil
}

// holder is the version a label is attached to, nil if none: a label is on one version of a secret at most.
func (sec *secret) holder(label string) *version {
	for _, v := range sec.versions {
		if slices.Contains(v.labels, label) {
			return v
		}
	}
	return nil
}

func (v *version) detach(label string) {
	v.labels = slices.DeleteFunc(v.labels, func(l string) bool { return l == label })
}

// attach moves a label to a version and returns the version it left, if any. When AWSCURRENT leaves a version,
// AWSPREVIOUS moves to that version (API reference, UpdateSecretVersionStage and PutSecretValue).
func (sec *secret) attach(label string, to *version) (left *version) {
	from := sec.holder(label)
	if from == to {
		return nil
	}
	if from != nil {
		from.detach(label)
	}
	to.labels = append(to.labels, label)
	if label == labelCurrent && from != nil {
		sec.attach(labelPrevious, from)
	}
	return from
}

// checkLabels refuses a state with more labels than the quota allows.
func (sec *secret) checkLabels() error {
	n := 0
	for _, v := range sec.versions {
		n += len(v.labels)
	}
	if n > maxLabels {
		return errTooManyLabels()
	}
	return nil
}

// put adds a version with labels and returns it; none given is AWSCURRENT. The token is the version's id and makes a
// repeat harmless: with the same value nothing changes, with another it is refused (API reference, PutSecretValue).
func (sec *secret) put(token string, value payload, labels []string, now time.Time) (*version, error) {
	if v := sec.version(token); v != nil {
		if !v.value.equal(value) {
			return nil, errTokenInUse(token, sec.arn)
		}
		return v, nil
	}
	first := len(sec.versions) == 0
	v := &version{id: token, value: value, created: now}
	sec.versions = append(sec.versions, v)
	sec.changed = now
	if len(labels) == 0 || first && !slices.Contains(labels, labelCurrent) {
		labels = append(slices.Clone(labels), labelCurrent)
	}
	for _, l := range labels {
		left := sec.attach(l, v)
		// Unlike UpdateSecretVersionStage, a put that makes a new version current also ends the pending state of the
		// version that was current: [AWSCURRENT AWSPENDING] becomes [AWSPREVIOUS].
		if l == labelCurrent && left != nil {
			left.detach(labelPending)
		}
	}
	sec.prune(now)
	return v, sec.checkLabels()
}

// prune removes the oldest deprecated versions above the quota. Versions with a label, and young ones, always stay.
func (sec *secret) prune(now time.Time) {
	surplus := len(sec.versions) - maxVersions
	sec.versions = slices.DeleteFunc(sec.versions, func(v *version) bool {
		if surplus <= 0 || len(v.labels) > 0 || now.Sub(v.created) < keepVersionsFor {
			return false
		}
		surplus--
		return true
	})
}

// stages is the labels of every version that has one. Versions without are deprecated and not shown.
func (sec *secret) stages() map[string][]string {
	m := map[string][]string{}
	for _, v := range sec.versions {
		if len(v.labels) > 0 {
			m[v.id] = v.labels
		}
	}
	return m
}
