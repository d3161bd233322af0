package stack

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"alboidc.internal/local/dataplane"
)

// Outcomes are what became of logins, or of refreshes of sessions. Late ones got no answer in time, which tells nothing
// of a secret.
type Outcomes struct {
	OK     int `json:"ok"`
	Failed int `json:"failed"`
	Late   int `json:"late"`
}

// Second is what became of those that ended in it.
type Second struct {
	At        time.Time `json:"at"`
	Logins    Outcomes  `json:"logins"`
	Refreshes Outcomes  `json:"refreshes"`
}

// Live is what people notice, and what only the local stack can see. It holds ids, never values.
type Live struct {
	Logins    Outcomes `json:"logins"`
	Refreshes Outcomes `json:"refreshes"`
	// Seconds are the last ones in which there were any, oldest first.
	Seconds []Second       `json:"seconds"`
	Nodes   []NodeSecret   `json:"nodes"`
	Secrets []HeldAtTheIdP `json:"secrets"`
}

// NodeSecret is the version whose secret a load balancer node uses for a target; "" if none holds it.
type NodeSecret struct {
	// Target is the rule's ARN, or the listener's for its default action.
	Target  string `json:"target"`
	Node    int    `json:"node"`
	Version string `json:"version"`
}

// HeldAtTheIdP is a secret that the identity provider has.
type HeldAtTheIdP struct {
	ClientID string `json:"clientId"`
	ID       string `json:"id"`
	Status   string `json:"status"`
	Version  string `json:"version"`
}

// remembered is how many seconds are told of one by one.
const remembered = 120

// counter counts what people notice.
type counter struct {
	mu                sync.Mutex
	logins, refreshes Outcomes
	seconds           []Second
}

func (c *counter) count(e dataplane.Event, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now = now.UTC().Truncate(time.Second)
	if n := len(c.seconds); n == 0 || c.seconds[n-1].At.Before(now) {
		c.seconds = append(c.seconds[max(0, n-remembered+1):], Second{At: now})
	}
	last := &c.seconds[len(c.seconds)-1]
	all, of := &c.logins, &last.Logins
	if e.Kind == dataplane.Refresh {
		all, of = &c.refreshes, &last.Refreshes
	}
	for _, o := range []*Outcomes{all, of} {
		switch {
		case e.OK:
			o.OK++
		case dataplane.Reason(e.Reason).Late():
			o.Late++
		default:
			o.Failed++
		}
	}
}

// Live tells what people notice now, and which secret is used and held where.
func (s *Stack) Live() Live {
	now, versions := s.Clock.Now(), s.SecretsManager.VersionsByValue()
	out := Live{Nodes: []NodeSecret{}, Secrets: []HeldAtTheIdP{}}
	registrations := map[string]bool{}
	for _, u := range s.EffectiveSecrets(now) {
		target := u.RuleARN
		if u.DefaultRule {
			target = u.ListenerARN
		}
		out.Nodes = append(out.Nodes, NodeSecret{Target: target, Node: u.Node, Version: versions[u.Secret]})
		registrations[u.ClientID] = true
	}
	for _, client := range slices.Sorted(maps.Keys(registrations)) {
		of := map[string]string{} // versions by the provider's ids
		for value, version := range versions {
			if id, ok := s.IdP.Store().Match(client, value, now); ok {
				of[id] = version
			}
		}
		for _, h := range s.IdP.Store().Secrets(client) {
			out.Secrets = append(out.Secrets, HeldAtTheIdP{ClientID: client, ID: h.ID,
				Status: strings.ToLower(string(h.Status)), Version: of[h.ID]})
		}
	}
	s.counter.mu.Lock()
	defer s.counter.mu.Unlock()
	out.Logins, out.Refreshes, out.Seconds = s.counter.logins, s.counter.refreshes, slices.Clone(s.counter.seconds)
	return out
}
