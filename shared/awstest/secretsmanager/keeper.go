package secretsmanager

import (
	"fmt"
	"strings"
)

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
	if e.live.keeper.replica || copied.live != nil {
		return "", fmt.Errorf("%s is a replica, or Region %s has a secret of its name", secretID, to)
	}
	e.live = e.live.clone()
	e.live.keeper.primary = region
	copied.live = e.live.replicaIn(to)
	return copied.live.arn, nil
}

// Manage says that Secrets Manager rotates a secret by itself, or that an AWS service owns it.
func (s *Service) Manage(region, secretID string, rotated bool, owningService string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(region, secretID)
	if err != nil {
		return err
	}
	e.live = e.live.clone()
	e.live.keeper.rotated, e.live.keeper.service = &rotated, owningService
	return nil
}

// replicaIn is the secret as its replica in a Region.
func (sec *secret) replicaIn(region string) *secret {
	c := sec.clone()
	parts := strings.Split(c.arn, ":")
	parts[3] = region
	c.arn, c.keeper.replica = strings.Join(parts, ":"), true
	return c
}

// spread brings a new state to the replicas of a secret. s.mu is held.
func (s *Service) spread(next *secret) {
	if next.keeper.primary == "" {
		return
	}
	for region, entries := range s.regions {
		if e := entries[next.name]; region != next.keeper.primary && e != nil && e.live != nil && e.live.keeper.replica {
			e.live = next.replicaIn(region)
		}
	}
}
