package eventbridge

import (
	"slices"

	"alboidc.internal/local/delivery"
)

// Delivery is an event that a target took, or that was given up.
type Delivery struct {
	Rule     string // ARN
	EventID  string
	Attempts int
	Err      error
}

// Deliveries returns what was delivered or given up, oldest first.
func (s *Service) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deliveries)
}

// deliver hands an event to its target.
func (s *Service) deliver(d Delivery, t delivery.Target) {
	_, d.Attempts, d.Err = t.Start(s.ctx, s.clock)
	if s.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	s.deliveries = append(s.deliveries, d)
	s.mu.Unlock()
}
