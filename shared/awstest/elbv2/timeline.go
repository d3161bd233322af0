package elbv2

import (
	"slices"
	"time"
)

// balancer is one load balancer with every configuration that it has had. The last one is what the API reads and
// changes; a deleted load balancer stays, for questions about its past.
type balancer struct {
	deleted  bool
	timeline []entry
}

// entry is a configuration and when the API accepted it. Node i serves it from at + spread[i].
type entry struct {
	at     time.Time
	config Config
}

func (b *balancer) current() Config { return b.timeline[len(b.timeline)-1].config }

// SecretInUse is a client secret that a node serves.
type SecretInUse struct {
	Region          string
	LoadBalancerARN string
	ListenerARN     string
	RuleARN         string
	DefaultRule     bool // RuleARN is the listener's default rule
	Node            int
	Issuer          string
	ClientID        string
	Secret          string
}

// Nodes is how many nodes each load balancer has.
func (s *Service) Nodes() int { return len(s.spread) }

// Spread is the time until every node serves a change.
func (s *Service) Spread() time.Duration { return slices.Max(s.spread) }

// LoadBalancers lists the ARNs of the load balancers of all Regions, oldest first.
func (s *Service) LoadBalancers() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []string
	for _, b := range s.balancers {
		if !b.deleted {
			out = append(out, b.current().LoadBalancer.ARN)
		}
	}
	return out
}

// Current is the configuration that the API reads back, the zero Config for an unknown load balancer.
func (s *Service) Current(loadBalancerARN string) Config {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if b := s.balancer(loadBalancerARN); b != nil {
		return b.current()
	}
	return Config{}
}

// Effective is the configuration that a node (0 to Nodes()-1) serves at an instant: the zero Config before the first
// one has reached it, and for an unknown load balancer or node.
func (s *Service) Effective(loadBalancerARN string, node int, at time.Time) Config {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.balancer(loadBalancerARN)
	if b == nil || node < 0 || node >= len(s.spread) {
		return Config{}
	}
	for _, e := range slices.Backward(b.timeline) {
		if !e.at.Add(s.spread[node]).After(at) {
			return e.config
		}
	}
	return Config{}
}

// EffectiveSecrets lists the secrets that the nodes of all load balancers serve at an instant.
func (s *Service) EffectiveSecrets(at time.Time) []SecretInUse { return s.SecretsInUse(at, at) }

// SecretsInUse lists every distinct secret that each node served for each rule at any instant from from to to, both
// included.
func (s *Service) SecretsInUse(from, to time.Time) []SecretInUse {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []SecretInUse
	seen := map[SecretInUse]bool{}
	for _, b := range s.balancers {
		for node, delay := range s.spread {
			for i, e := range b.timeline {
				begins := e.at.Add(delay)
				ended := i+1 < len(b.timeline) && !b.timeline[i+1].at.Add(delay).After(from)
				if begins.After(to) || ended {
					continue
				}
				for _, u := range e.config.secrets(node) {
					if !seen[u] {
						seen[u] = true
						out = append(out, u)
					}
				}
			}
		}
	}
	return out
}

// secrets lists the secrets of a configuration as served by a node.
func (c Config) secrets(node int) []SecretInUse {
	var out []SecretInUse
	for _, l := range c.Listeners {
		for _, r := range l.Rules {
			if o := r.OIDC(); o != nil {
				out = append(out, SecretInUse{Region: c.LoadBalancer.Region, LoadBalancerARN: c.LoadBalancer.ARN,
					ListenerARN: l.ARN, RuleARN: r.ARN, DefaultRule: r.Default, Node: node,
					Issuer: o.Issuer, ClientID: o.ClientID, Secret: o.ClientSecret})
			}
		}
	}
	return out
}

// clone copies the lists that an operation changes in place; actions and conditions are replaced, never changed.
func (c Config) clone() Config {
	c.Listeners = slices.Clone(c.Listeners)
	for i := range c.Listeners {
		c.Listeners[i].Rules = slices.Clone(c.Listeners[i].Rules)
	}
	return c
}

// store makes c the balancer's configuration as of now. s.mu is held.
func (s *Service) store(r *request, b *balancer, c Config) {
	now := s.clock.Now()
	if n := len(b.timeline); n > 0 && !b.timeline[n-1].at.Before(now) {
		b.timeline = b.timeline[:n-1] // replaced in the same instant: no node ever serves it
	}
	b.timeline = append(b.timeline, entry{at: now, config: c})
	r.changed = append(r.changed, c.LoadBalancer.ARN)
}

// balancer finds a load balancer, deleted or not. s.mu is held.
func (s *Service) balancer(arn string) *balancer {
	for _, b := range s.balancers {
		if b.current().LoadBalancer.ARN == arn {
			return b
		}
	}
	return nil
}
