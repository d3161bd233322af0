package secretsmanager

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// What tests and monitors in this process see and do besides the API: they make states that its users find.

// SetReadLag makes reads return the state before a write until d has passed since that write. Secrets Manager's reads
// are eventually consistent: a version can be missing right after the PutSecretValue that made it. Writes always see
// the newest state. It applies to writes from now on.
func (s *Service) SetReadLag(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag = d
}

// Snapshot returns the newest state of a secret, whatever readers see: the version that holds each label, and the
// value of every version, deprecated ones included.
func (s *Service) Snapshot(region, secretID string) (labels, values map[string]string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(region, secretID)
	if err != nil {
		return nil, nil, err
	}
	labels, values = map[string]string{}, map[string]string{}
	for _, v := range e.live.versions {
		values[v.id] = v.value.text()
		for _, l := range v.labels {
			labels[l] = v.id
		}
	}
	return labels, values, nil
}

// VersionsByValue returns the version of every value that is stored as a text, or as a member of a JSON object.
func (s *Service) VersionsByValue() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]string{}
	for _, entries := range s.regions {
		for _, e := range entries {
			if e.live == nil {
				continue
			}
			for _, v := range e.live.versions {
				out[v.value.text()] = v.id
				var members map[string]any
				_ = json.Unmarshal([]byte(v.value.text()), &members) // most are no JSON
				for _, member := range members {
					if text, ok := member.(string); ok {
						out[text] = v.id
					}
				}
			}
		}
	}
	return out
}

// Store leaves a version with a text and labels in a secret, which it makes if there is none of that ARN. It takes any
// version id and text, and moves no label but those.
func (s *Service) Store(arn, versionID, text string, labels ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := strings.SplitN(arn, ":", 7)
	e := s.entry(parts[3], parts[6][:len(parts[6])-arnSuffix])
	now := s.clock.Now()
	next := &secret{name: parts[6][:len(parts[6])-arnSuffix], arn: arn, created: now}
	if e.live != nil {
		next = e.live.clone()
	}
	next.changed = now
	v := next.version(versionID)
	if v == nil {
		v = &version{id: versionID, created: now}
		next.versions = append(next.versions, v)
	}
	v.value = payload{str: &text}
	for _, l := range labels {
		next.place(l, v)
	}
	s.commit(e, next)
}

// Change is how a test changes a secret that is stored.
type Change func(*secret)

// Label puts a label on a version; "" takes it off. No other label moves.
func Label(label, versionID string) Change {
	return func(sec *secret) { sec.place(label, sec.version(versionID)) }
}

// Drop removes a version, as Secrets Manager does with old ones that have no label.
func Drop(versionID string) Change {
	return func(sec *secret) {
		for i, v := range sec.versions {
			if v.id == versionID {
				sec.versions = append(sec.versions[:i:i], sec.versions[i+1:]...)
				return
			}
		}
	}
}

// Backdate says when every version was stored.
func Backdate(at time.Time) Change {
	return func(sec *secret) {
		for _, v := range sec.versions {
			v.created = at
		}
	}
}

// Rotated says whether Secrets Manager rotates the secret by itself.
func Rotated(yes bool) Change { return func(sec *secret) { sec.rotated = &yes } }

// Owned says which AWS service owns the secret.
func Owned(service string) Change { return func(sec *secret) { sec.service = service } }

// Encrypted says which customer managed key the secret is encrypted with.
func Encrypted(key string) Change { return func(sec *secret) { sec.key = key } }

// Primary says in which Region the secret is written: in any other than its own it is a replica.
func Primary(region string) Change {
	return func(sec *secret) { sec.primary, sec.replica = region, region != strings.Split(sec.arn, ":")[3] }
}

// Deleted marks the secret for deletion.
func Deleted(at time.Time) Change { return func(sec *secret) { sec.deleted = at } }

// Change changes a secret. Readers see that after the lag, as any write.
func (s *Service) Change(region, secretID string, changes ...Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(region, secretID)
	if err != nil {
		return err
	}
	next := e.live.clone()
	for _, change := range changes {
		change(next)
	}
	s.commit(e, next)
	return nil
}

// place puts a label on a version, nil for none, and moves no other.
func (sec *secret) place(label string, to *version) {
	if from := sec.holder(label); from != nil {
		from.detach(label)
	}
	if to != nil {
		to.labels = append(to.labels, label)
	}
}

// Replicate makes a replica of a secret in another Region, as ReplicateSecretToRegions does, and returns its ARN, which
// differs in the Region only. It follows its primary, and is not written itself.
func (s *Service) Replicate(region, secretID, to string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(region, secretID)
	if err != nil {
		return "", err
	}
	copied := s.entry(to, e.live.name)
	if e.live.replica || copied.live != nil {
		return "", fmt.Errorf("%s is a replica, or Region %s has a secret of its name", secretID, to)
	}
	e.live = e.live.clone()
	e.live.primary = region
	copied.live = e.live.replicaIn(to)
	return copied.live.arn, nil
}

// replicaIn is the secret as its replica in a Region.
func (sec *secret) replicaIn(region string) *secret {
	c := sec.clone()
	parts := strings.Split(c.arn, ":")
	parts[3] = region
	c.arn, c.replica = strings.Join(parts, ":"), true
	return c
}

// spread brings a new state to the replicas of a secret. s.mu is held.
func (s *Service) spread(next *secret) {
	if next.primary == "" || next.replica {
		return
	}
	for region, entries := range s.regions {
		if e := entries[next.name]; region != next.primary && e != nil && e.live != nil && e.live.replica {
			e.live = next.replicaIn(region)
		}
	}
}
